"""`tf.distribute` on TensorFlow: devices of one process, workers, TPUs."""

import contextlib
import json
import os

from keras_fpt.distribution import batches


@contextlib.contextmanager
def connect(kind):
    """See `keras_fpt.distribution.scope`."""
    import tensorflow as tf

    if kind == "model_parallel":
        raise ValueError(
            "TensorFlow has no distribution 'model_parallel' here. Use "
            "'data_parallel', or KERAS_BACKEND=jax."
        )
    strategy = _strategy(tf)
    if kind == "auto" and strategy.num_replicas_in_sync == 1:
        yield None
        return
    with strategy.scope():
        yield TensorFlowStrategy(strategy)


def _strategy(tf):
    if len(_workers()) > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if os.environ.get("TPU_NAME"):
        # "local" on the virtual machine of a TPU.
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
        return tf.distribute.TPUStrategy(resolver)
    devices = tf.config.list_logical_devices("GPU")
    devices = devices or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def _workers():
    cluster = json.loads(os.environ.get("TF_CONFIG", "{}")).get("cluster", {})
    return [*cluster.get("chief", ()), *cluster.get("worker", ())]


class TensorFlowStrategy:
    """A `tf.distribute.Strategy` over devices, workers or TPUs."""

    def __init__(self, strategy):
        resolver = strategy.cluster_resolver
        self.strategy = strategy
        self.num_processes = max(1, len(_workers()))
        self.process_index = resolver.task_id if self.num_processes > 1 else 0
        self.num_replicas = strategy.num_replicas_in_sync
        self.description = (
            f"{type(strategy).__name__} on {self.num_replicas} devices in "
            f"{self.num_processes} process(es)"
        )

    def total(self, value):
        """See `keras_fpt.distribution.total`."""
        import tensorflow as tf

        @tf.function
        def summed():
            values = self.strategy.run(lambda: tf.constant(value, tf.int64))
            return self.strategy.reduce("SUM", values, axis=None)

        return int(summed()) * self.num_processes // self.num_replicas

    def training_data(self, model, dataset):
        """What this process feeds of a training data set."""
        if not batches.is_dataset(dataset) and self.num_processes == 1:
            return dataset  # Arrays, which Keras makes batches of.
        own = batches.own_rows(
            dataset, self.process_index, self.num_processes, self.num_replicas
        )
        self._build(model, own)
        return self._distributed(own)

    def held_out_data(self, model, dataset):
        """What this process feeds of a held-out data set."""
        import tensorflow as tf

        if not batches.is_dataset(dataset):
            return dataset
        # All workers must take the same number of steps, so that a worker
        # has a part of each batch, be it empty.
        index, count = self.process_index, self.num_processes
        own = dataset.map(
            lambda *batch: tf.nest.map_structure(
                lambda x: x[index::count], batch
            )
        )
        self._build(model, own)
        return self._distributed(own)

    def _distributed(self, dataset):
        if self.num_processes == 1:
            return dataset
        # What comes out of it is this process's, and is not shared out again.
        return self.strategy.distribute_datasets_from_function(
            lambda context: dataset
        )

    def _build(self, model, dataset):
        """Does what Keras 3.15 cannot do with several workers."""
        if self.num_processes == 1:
            return
        # It cannot build metrics from the data of several workers, ...
        model._symbolic_build(data_batch=next(iter(dataset.take(1))))
        model._maybe_symbolic_build = lambda *args, **kwargs: None
        # ... and takes the mean of what each has over a first axis.
        for name in ("train_step", "test_step"):
            if name not in vars(model):
                setattr(model, name, _with_first_axis(getattr(model, name)))

    @contextlib.contextmanager
    def training(self, model):
        sum_gradients_before_clipping(model.optimizer)
        yield

    def evaluate(self, model, evaluate, x, y, **kwargs):
        return evaluate(x, y, **kwargs)

    def predict(self, model, predict, x, **kwargs):
        return predict(x, **kwargs)


def _with_first_axis(step):
    def wrapped(data):
        import tensorflow as tf

        return {name: tf.reshape(v, (1,)) for name, v in step(data).items()}

    return wrapped


def sum_gradients_before_clipping(optimizer):
    """Lets an optimizer clip the whole batch's gradient.

    Keras clips that of each replica's part, which is another gradient, before
    it sums them up.
    """
    if getattr(optimizer, "_sums_before_clipping", False):
        return
    apply, sum_up = optimizer.apply, optimizer._all_reduce_sum_gradients

    def apply_summed(gradients, variables):
        pairs = sum_up(zip(gradients, variables, strict=True))
        return apply([gradient for gradient, _ in pairs], variables)

    optimizer.apply = apply_summed
    optimizer._all_reduce_sum_gradients = lambda pairs: pairs
    optimizer._sums_before_clipping = True
