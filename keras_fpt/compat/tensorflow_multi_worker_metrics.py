"""`fit` and `evaluate` fail with several workers on TensorFlow.

The faults, of Keras 3.15 under a `MultiWorkerMirroredStrategy`: `fit` cannot
build the metrics from data that is distributed over several workers, and it
reduces each metric by its mean over a first axis, which a scalar lacks.

No upstream issue about Keras 3 was found.
"""

from collections.abc import Callable
from typing import Any


def prepare(model: Any, batch: Any) -> None:
    """Lets a model's `fit` and `evaluate` run with several workers.

    Args:
        model: a compiled `keras.Model`. It is changed in place.
        batch: one batch of the worker's own data, from which the metrics are
            built.
    """
    model._symbolic_build(data_batch=batch)
    model._maybe_symbolic_build = lambda *args, **kwargs: None
    for name in ("train_step", "test_step"):
        if name not in vars(model):
            setattr(model, name, _with_first_axis(getattr(model, name)))


def _with_first_axis(step: Callable) -> Callable:
    def wrapped(data):
        import tensorflow as tf

        return {name: tf.reshape(v, (1,)) for name, v in step(data).items()}

    return wrapped
