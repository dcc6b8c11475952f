"""`keras.distribution` on JAX: a mesh of devices, in one or more processes."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from keras_fpt import freezing
from keras_fpt.distribution import batches, meeting, variables

PROCESSES = "KERAS_DISTRIBUTION_NUM_PROCESSES"
ADDRESSES = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
INDEX = "KERAS_DISTRIBUTION_PROCESS_ID"
# On a slice of TPUs, the runtime sets this to the names of all hosts.
TPU_HOSTS = "TPU_WORKER_HOSTNAMES"
FROZEN_MATRICES = ("attention", "feedforward", "token_embedding")


@contextlib.contextmanager
def connect(kind: str) -> Iterator["JaxMesh | None"]:
    """See `keras_fpt.distribution.scope`."""
    import jax

    with contextlib.ExitStack() as stack:
        peers = None
        if not jax.distributed.is_initialized():
            peers = stack.enter_context(_joined())
            if _count() > 1 or "," in os.environ.get(TPU_HOSTS, ""):
                _initialize()
        if kind == "auto" and jax.device_count() == 1:
            yield None
            return
        engine = JaxMesh(kind == "model_parallel", peers)
        with engine.distribution.scope():
            yield engine


def _count() -> int:
    """The number of processes, as the environment has it."""
    return variables.integer(PROCESSES, 1) if os.environ.get(PROCESSES) else 1


def _joined() -> Any:
    """Meets the other processes, if the environment says where.

    Otherwise JAX finds them, on clusters that it knows.
    """
    count, addresses = _count(), os.environ.get(ADDRESSES)
    if count == 1 or not addresses or not os.environ.get(INDEX):
        return contextlib.nullcontext()
    index = variables.integer(INDEX, 0, count - 1)
    return meeting.joined(addresses.partition(",")[0], index, count)


def _initialize() -> None:
    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        keras.distribution.initialize()
    except ValueError as error:
        raise ValueError(
            f"The processes cannot be connected: {str(error).rstrip('.')}. "
            f"Set {ADDRESSES} (host:port of process 0), {PROCESSES} and "
            f"{INDEX}."
        ) from error


class JaxMesh:
    """A mesh of all devices of all processes.

    Args:
        shards_weights: bool, whether the frozen matrices, and not the batch,
            are divided between the devices of a process.
        peers: the `Peers` of this process, if they are known.
    """

    def __init__(
        self, shards_weights: bool, peers: meeting.Peers | None = None
    ) -> None:
        import jax

        self.peers = peers

        devices = np.array(keras.distribution.list_devices())
        self.num_processes = jax.process_count()
        self.process_index = jax.process_index()
        if shards_weights:
            # The links within a process are the fast ones.
            shape = (self.num_processes, len(devices) // self.num_processes)
            mesh = keras.distribution.DeviceMesh(
                shape, ("batch", "model"), devices.reshape(shape)
            )
            self.distribution = _sharded_weights(mesh)
        else:
            self.distribution = keras.distribution.DataParallel(
                devices=list(devices), auto_shard_dataset=False
            )
        self.num_replicas = self.distribution.num_model_replicas
        kind = "model" if shards_weights else "data"
        self.description = (
            f"{kind} parallel on {len(devices)} devices in "
            f"{self.num_processes} process(es)"
        )

    def total(self, value: int) -> int:
        """See `keras_fpt.distribution.total`."""
        from jax.experimental import multihost_utils

        return int(multihost_utils.process_allgather(np.int64(value)).sum())

    def relative_count(self, count: Any, rows: Any, training: bool) -> float:
        """See `keras_fpt.distribution.relative_count`."""
        return 1.0  # A batch is one array, however many devices have it.

    def training_data(self, model: Any, dataset: Any) -> Any:
        """This process's part of a training data set."""
        if self.num_processes == 1 and not batches.is_dataset(dataset):
            return dataset  # arrays, which Keras splits into batches
        return batches.own_rows(
            dataset, self.process_index, self.num_processes, self.num_replicas
        )

    def held_out_data(self, model: Any, dataset: Any) -> Any:
        """All of a held-out data set, which `evaluate` divides."""
        return dataset

    @contextlib.contextmanager
    def training(self, model: Any) -> Iterator[None]:
        """Lets a model train within this context."""
        yield

    def evaluate(
        self,
        model: Any,
        evaluate: Callable,
        x: Any,
        y: Any,
        batch_size: int | None = None,
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Evaluates batches of any size, which Keras cannot divide."""
        dataset = batches.as_dataset(x, y, sample_weight, batch_size, steps)
        called = _callbacks(model, callbacks)
        called.on_test_begin()
        model.reset_metrics()
        result, losses, sizes = {}, [], []
        for step, batch in enumerate(dataset.as_numpy_iterator()):
            called.on_test_batch_begin(step)
            x, y, weight = keras.utils.unpack_x_y_sample_weight(batch)
            y_pred = self._logits(model, x)
            # With the inputs, since tokens that are padding have no label.
            result = model.compute_metrics(x, y, y_pred, weight)
            loss = model.compute_loss(x, y, y_pred, weight, training=False)
            losses.append(float(loss))
            sizes.append(len(y))
            called.on_test_batch_end(step)
        # As Keras averages the losses of batches.
        result["loss"] = np.average(losses, weights=sizes)
        result = {name: float(value) for name, value in result.items()}
        called.on_test_end(result)
        if return_dict:
            return result
        return [result[name] for name in model.metrics_names]

    def predict(
        self,
        model: Any,
        predict: Callable,
        x: Any,
        batch_size: int | None = None,
        steps: int | None = None,
        callbacks: Any = None,
        **kwargs: Any,
    ) -> np.ndarray:
        """Predicts for batches of any size, which Keras cannot divide."""
        dataset = batches.as_dataset(x, batch_size=batch_size, steps=steps)
        called = _callbacks(model, callbacks)
        called.on_predict_begin()
        outputs = []
        for step, batch in enumerate(dataset.as_numpy_iterator()):
            called.on_predict_batch_begin(step)
            x, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
            outputs.append(self._logits(model, x))
            called.on_predict_batch_end(step, {"outputs": outputs[-1]})
        called.on_predict_end()
        return np.concatenate(outputs)

    def _logits(self, model: Any, x: Any) -> np.ndarray:
        """The logits of a whole batch, in every process."""
        import jax

        rows = len(jax.tree.leaves(x)[0])
        parts = self.num_replicas
        share = -(-rows // parts) * parts // self.num_processes
        start = self.process_index * share

        def to_devices(array):
            # Rows are repeated where the batch is too short.
            whole = (share * self.num_processes, *array.shape[1:])
            array = np.resize(array, whole)
            layout = self.distribution.get_data_layout(array.shape)
            return jax.make_array_from_process_local_data(
                layout.backend_layout, array[start : start + share]
            )

        logits = self._logits_function(model)(
            model.policy,
            [v.value for v in model.trainable_variables],
            [v.value for v in model.non_trainable_variables],
            jax.tree.map(to_devices, x),
        )
        return np.asarray(logits)[:rows]

    def _logits_function(self, model: Any) -> Callable:
        import jax

        if getattr(model, "replicated_logits", None) is None:
            # The policy is an argument, since it decides which variables are in
            # which list.
            def call(policy, trainable, non_trainable, x):
                return model.stateless_call(
                    trainable, non_trainable, x, training=False
                )[0]

            mesh = self.distribution.device_mesh.backend_mesh
            everywhere = jax.sharding.NamedSharding(
                mesh, jax.sharding.PartitionSpec()
            )
            model.replicated_logits = jax.jit(
                call, static_argnums=0, out_shardings=everywhere
            )
        return model.replicated_logits


def _callbacks(model: Any, callbacks: Any) -> Any:
    """A `CallbackList`; within `fit`, Keras gives its own."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks
    return keras.callbacks.CallbackList(callbacks, model=model)


def _sharded_weights(mesh: Any) -> Any:
    """A distribution that shards frozen matrices over the `model` axis."""
    parts = mesh.shape[1]

    class ShardedMatrices(keras.distribution.ModelParallel):
        def get_variable_layout(self, variable):
            shape = variable.shape
            axes = [None] * len(shape)
            divisible = [i for i, n in enumerate(shape) if n % parts == 0]
            if (
                len(shape) > 1
                and divisible
                and freezing.backbone_group(variable.path) in FROZEN_MATRICES
            ):
                # The widest axis, so that a product has few parts.
                axes[max(divisible, key=lambda i: shape[i])] = "model"
            return keras.distribution.TensorLayout(axes, mesh)

    return ShardedMatrices(
        layout_map=keras.distribution.LayoutMap(mesh),
        batch_dim_name="batch",
        auto_shard_dataset=False,
    )
