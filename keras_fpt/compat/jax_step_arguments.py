"""Keras passes to the steps that it compiles only the model's variables.

The fault: on JAX, the steps of Keras 3.15 take the values of the model's
variables and the batch. Other arrays that a step reads become constants of what
is compiled, which takes long and copies them, and would not change with the
weights that they were made from.

No upstream issue was found.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import keras

from keras_fpt.compat.jax_compiler_options import REPLACING


class Argument(Protocol):
    """One more argument of a step, which follows from frozen weights."""

    def before(self, values: list) -> Any:
        """The argument, arrays in lists and tuples.

        Args:
            values: list of arrays, the model's `non_trainable_variables`.
        """

    def within(self, argument: Any) -> contextlib.AbstractContextManager:
        """A context in which the step is traced.

        Args:
            argument: what `before` returned, as tracers.
        """

    def after(self, values: list) -> None:
        """Receives the values that `before` will receive for the next step."""


@contextlib.contextmanager
def passed(argument: Argument | None) -> Iterator[None]:
    """A context in which the steps that Keras makes take one more argument.

    It does nothing on other backends, and for models that are not compiled.

    Args:
        argument: an `Argument`, or `None` for none.
    """
    if keras.backend.backend() != "jax" or argument is None:
        yield
        return
    from keras.src.backend.jax import trainer

    with REPLACING:
        jit = trainer.jit
        trainer.jit = functools.partial(_jit, jit, argument)
        try:
            yield
        finally:
            trainer.jit = jit


def _jit(
    jit: Callable, argument: Argument, function: Callable, **kwargs: Any
) -> Callable:
    if "donate_argnums" not in kwargs:  # It joins the answers of steps.
        return jit(function, **kwargs)

    def traced(state, data, value):
        with argument.within(value):
            return function(state, data)

    compiled = jit(traced, **kwargs)

    def step(state, data):
        # The second part of a state are the weights that do not train.
        outputs, state = compiled(state, data, argument.before(state[1]))
        argument.after(state[1])
        return outputs, state

    return step
