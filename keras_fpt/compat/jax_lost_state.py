"""Weights that Keras loses when a step or an epoch fails on JAX.

During an epoch, Keras's JAX trainer takes the values out of the model's
variables and passes them from step to step. Where the data set or a step
then raises an error, `evaluate` and `predict` leave the variables empty, and so
does `fit` where it raises for the first batch of an epoch. For later batches,
`fit` has been repaired: https://github.com/keras-team/keras/pull/21019. While
the values are out, other threads find none. Seen with Keras 3.15.
"""

import contextlib
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import keras

_LOCKS: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
_MAKING_LOCKS = threading.Lock()


@contextlib.contextmanager
def restored(model: Any) -> Iterator[None]:
    """Within it, a model keeps its weights when Keras's loop over data fails.

    One thread at a time is within it for a model. It does nothing on other
    backends than JAX.

    Args:
        model: a `keras.Model`.
    """
    if keras.backend.backend() != "jax":
        yield
        return
    with _MAKING_LOCKS:
        lock = _LOCKS.setdefault(model, threading.RLock())
    with lock:
        # Keras keeps the state of the last step that ended, of whichever call.
        model.jax_state_sync()
        model._jax_state = None
        taken: list[tuple[Any, Any]] = []
        outer = vars(model).get("_purge_model_variables")

        def purge(**kinds: bool) -> None:
            taken[:] = [(v, v._value) for v in _variables(model)]
            type(model)._purge_model_variables(model, **kinds)

        model._purge_model_variables = purge
        try:
            yield
        except BaseException:  # An interruption too.
            model.jax_state_sync()
            model._jax_state_synced = True
            for variable, value in taken:
                if variable._value is None and not value.is_deleted():
                    variable._value = value
            raise
        finally:
            if outer is None:
                del model._purge_model_variables
            else:
                model._purge_model_variables = outer


def _variables(model: Any) -> list:
    return [
        *model.variables,
        *model.metrics_variables,
        *(model.optimizer.variables if model.compiled else ()),
    ]
