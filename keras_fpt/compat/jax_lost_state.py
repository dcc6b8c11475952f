"""Weights that Keras loses when a step or an epoch fails on JAX.

During an epoch, Keras's JAX trainer takes the values out of the model's
variables and passes them from step to step. Where the data set or a step
then raises an error, `evaluate` and `predict` leave the variables empty, and so
does `fit` where it raises for the first batch of an epoch. For later batches,
`fit` has been repaired: https://github.com/keras-team/keras/pull/21019. While
the values are out, other threads find none; and where a callback changes a
`trainable` flag, Keras puts them back into other variables. Seen with Keras
3.15.
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
def waiting(model: Any) -> Iterator[None]:
    """A context in which only one thread uses a model, with its values.

    It waits for a thread that is within it, or within `restored`, and does
    nothing on other backends than JAX.

    Args:
        model: a `keras.Model`.
    """
    if keras.backend.backend() != "jax":
        yield
        return
    with _MAKING_LOCKS:
        lock = _LOCKS.setdefault(model, threading.RLock())
    with lock:
        yield


def use_lock(model: Any, lock: Any) -> None:
    """Makes threads wait for a model with an existing lock.

    With two locks, a thread that has one of them could wait for another
    thread that has the other one.

    Args:
        model: a `keras.Model`.
        lock: a `threading.RLock`.
    """
    with _MAKING_LOCKS:
        _LOCKS[model] = lock


@contextlib.contextmanager
def restored(model: Any) -> Iterator[None]:
    """A context in which a model keeps its weights if Keras's loop fails.

    One thread at a time is within it for a model. It does nothing on other
    backends than JAX.

    Args:
        model: a `keras.Model`.
    """
    if keras.backend.backend() != "jax":
        yield
        return
    with waiting(model):
        # Keras keeps the state of the last step that ended, in any call.
        model.jax_state_sync()
        model._jax_state = None
        taken: list[tuple[Any, Any]] = []
        order: dict[str, list] = {}

        def purge(**kinds: bool) -> None:
            taken[:] = [(v, v._value) for v in _variables(model)]
            for kind in ("trainable_variables", "non_trainable_variables"):
                order[kind] = list(getattr(model, kind))
            type(model)._purge_model_variables(model, **kinds)

        def sync() -> None:
            if model._jax_state and not model._jax_state_synced:
                state = dict(model._jax_state)
                for kind, variables in order.items():
                    values = state.pop(kind, ())
                    for variable, value in zip(variables, values, strict=True):
                        variable.assign(value)
                model._jax_state = state
            type(model).jax_state_sync(model)

        replaced = {"_purge_model_variables": purge, "jax_state_sync": sync}
        outer = {name: vars(model).get(name) for name in replaced}
        for name, function in replaced.items():
            setattr(model, name, function)
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
            for name, function in outer.items():
                if function is None:
                    delattr(model, name)
                else:
                    setattr(model, name, function)


def _variables(model: Any) -> list:
    return [
        *model.variables,
        *model.metrics_variables,
        *(model.optimizer.variables if model.compiled else ()),
    ]
