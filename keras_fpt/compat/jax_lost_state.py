"""Weights that Keras loses when an epoch fails on JAX.

For the length of an epoch, Keras's JAX trainer takes the values out of the
model's variables and hands them from step to step. Where a batch cannot be
made, `evaluate` and `predict` leave the variables empty, and so does `fit`
where that batch is its first. `fit` alone has been repaired upstream, for the
batches after the first: https://github.com/keras-team/keras/pull/21019.
Seen with Keras 3.15.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras


@contextlib.contextmanager
def restored(model: Any, dataset: Any = None) -> Iterator[None]:
    """Within it, a model keeps its weights when Keras's loop over data fails.

    It does nothing on other backends than JAX.

    Args:
        model: a `keras.Model`.
        dataset: the `tf.data.Dataset` that Keras will iterate over, or `None`
            where its batches cannot fail. Its first batch is made once more:
            should that fail in Keras's loop, no values would be left to
            restore.
    """
    if keras.backend.backend() != "jax":
        yield
        return
    if dataset is not None:
        next(iter(dataset), None)
    try:
        yield
    except BaseException:  # An interruption too.
        model.jax_state_sync()
        raise
