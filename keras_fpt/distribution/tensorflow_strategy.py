"""`tf.distribute` on TensorFlow: devices of one process, workers, TPUs."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

from keras_fpt.compat import (
    tensorflow_clip_before_sum,
    tensorflow_multi_worker_metrics,
)
from keras_fpt.distribution import batches, meeting


@contextlib.contextmanager
def connect(kind: str) -> Iterator["TensorFlowStrategy | None"]:
    """See `keras_fpt.distribution.scope`."""
    import tensorflow as tf

    if kind == "model_parallel":
        raise ValueError(
            "TensorFlow does not support distribution 'model_parallel'. Use "
            "'data_parallel', or KERAS_BACKEND=jax."
        )
    workers, index = _workers()
    with _joined(workers, index) as peers:
        strategy = _strategy(tf, workers)
        if kind == "auto" and strategy.num_replicas_in_sync == 1:
            yield None
            return
        with strategy.scope():
            yield TensorFlowStrategy(strategy, peers)


def _joined(workers: list[str], index: int) -> Any:
    """Meets the other workers, and checks that its own port is free."""
    if len(workers) < 2:
        return contextlib.nullcontext()
    if index:
        with meeting.listening(workers[index]):
            pass
    return meeting.joined(workers[0], index, len(workers))


def _strategy(tf: Any, workers: list[str]) -> Any:
    if len(workers) > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if os.environ.get("TPU_NAME"):
        # The name is "local" on the virtual machine of a TPU.
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
        return tf.distribute.TPUStrategy(resolver)
    devices = tf.config.list_logical_devices("GPU")
    devices = devices or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def _workers() -> tuple[list[str], int]:
    """The addresses of all workers, and the index of this one.

    Raises:
        ValueError: `TF_CONFIG` is something else.
    """
    text = os.environ.get("TF_CONFIG") or "{}"
    try:
        config = json.loads(text)
        cluster = config.get("cluster", {})
        chief, others = cluster.get("chief", []), cluster.get("worker", [])
        workers = [str(address) for address in [*chief, *others]]
        if len(workers) < 2:
            return workers, 0
        task = config["task"]
        before = {"chief": 0, "worker": len(chief)}[task["type"]]
        number = int(task["index"])
        if not 0 <= number < len(cluster[task["type"]]):
            raise ValueError(f"it has no {task['type']} {number}")
        return workers, before + number
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            "Expected the environment variable TF_CONFIG to be JSON such as "
            '{"cluster": {"worker": ["host:port", "host:port"]}, "task": '
            f'{{"type": "worker", "index": 0}}}} but found {text[:200]!r}: '
            f"{error}."
        ) from error


class TensorFlowStrategy:
    """A `tf.distribute.Strategy` over devices, workers or TPUs."""

    def __init__(
        self, strategy: Any, peers: meeting.Peers | None = None
    ) -> None:
        import tensorflow as tf

        self.strategy, self.peers = strategy, peers
        workers, self.process_index = _workers()
        self.num_processes = max(1, len(workers))
        self.num_replicas = strategy.num_replicas_in_sync
        self.description = (
            f"{type(strategy).__name__} on {self.num_replicas} devices in "
            f"{self.num_processes} process(es)"
        )

        # Traced once, since it is called often.
        @tf.function
        def sum_over_replicas(value):
            values = strategy.run(tf.identity, (value,))
            return strategy.reduce("SUM", values, axis=None)

        self._sum = sum_over_replicas

    def total(self, value: int) -> int:
        """See `keras_fpt.distribution.total`."""
        import tensorflow as tf

        summed = self._sum(tf.constant(value, tf.int64))
        return int(summed) * self.num_processes // self.num_replicas

    def relative_count(self, count: Any, rows: Any, training: bool) -> Any:
        """See `keras_fpt.distribution.relative_count`."""
        import tensorflow as tf

        context = tf.distribute.get_replica_context()
        if context is None:  # Outside of a step, nothing is divided.
            return 1.0
        rows = tf.cast(rows, count.dtype)
        all_labels, all_rows = context.all_reduce("SUM", [count, rows])
        return tf.math.divide_no_nan(count * all_rows, rows * all_labels)

    def training_data(self, model: Any, dataset: Any) -> Any:
        """This process's part of a training data set."""
        if not batches.is_dataset(dataset) and self.num_processes == 1:
            return dataset  # arrays, which Keras splits into batches
        own = batches.own_rows(
            dataset, self.process_index, self.num_processes, self.num_replicas
        )
        self._prepare(model, own)
        return self._distributed(own)

    def held_out_data(self, model: Any, dataset: Any) -> Any:
        """This process's part of a held-out data set."""
        import tensorflow as tf

        if not batches.is_dataset(dataset):
            return dataset
        # All workers must take the same number of steps, so each has a part of
        # every batch, even if it is empty.
        index, count = self.process_index, self.num_processes
        own = dataset.map(
            lambda *batch: tf.nest.map_structure(
                lambda x: x[index::count], batch
            )
        )
        self._prepare(model, own)
        return self._distributed(own)

    def _distributed(self, dataset: Any) -> Any:
        if self.num_processes == 1:
            return dataset
        # Its batches are this process's own and are not divided again.
        return self.strategy.distribute_datasets_from_function(
            lambda context: dataset
        )

    def _prepare(self, model: Any, dataset: Any) -> None:
        if self.num_processes > 1:
            batch = next(iter(dataset.take(1)))
            tensorflow_multi_worker_metrics.prepare(model, batch)

    @contextlib.contextmanager
    def training(self, model: Any) -> Iterator[None]:
        """Lets a model train within this context."""
        tensorflow_clip_before_sum.sum_gradients_before_clipping(
            model.optimizer
        )
        yield

    def evaluate(
        self, model: Any, evaluate: Callable, x: Any, y: Any, **kwargs: Any
    ) -> Any:
        """Evaluates with Keras's own `evaluate`."""
        return evaluate(x, y, **kwargs)

    def predict(
        self, model: Any, predict: Callable, x: Any, **kwargs: Any
    ) -> Any:
        """Predicts with Keras's own `predict`."""
        return predict(x, **kwargs)
