"""Weights that Keras loses when an epoch fails on JAX.

During an epoch, Keras's JAX trainer takes the values out of the
model's variables and passes them from step to step. Where the data set then
raises an error, `evaluate` and `predict` leave the variables empty, and so
does `fit` where it raises for the first batch of an epoch. For later batches,
`fit` has been repaired: https://github.com/keras-team/keras/pull/21019.
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
        dataset: the `tf.data.Dataset` that Keras will iterate over. Its first
            batch is computed here already, since Keras keeps no values to
            restore before the first step. `None` for arrays.
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
