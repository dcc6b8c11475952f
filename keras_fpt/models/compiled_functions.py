"""Drops a model's compiled functions once they are out of date.

Keras keeps the steps of training, evaluation and prediction that it has
compiled, and the optimizer's state, until `compile` is called again. Where a
policy, a `trainable` flag, LoRA, quantization or an adapter has changed the
model, they belong to the model that it was before.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from keras_fpt.compat import jax_lost_state, optimizer_settings


class CompiledFunctions:
    """The state of a model for which each of its functions was compiled."""

    def __init__(self) -> None:
        self.made_for: dict[str, tuple] = {}

    def drop_stale(self, model: Any, name: str) -> None:
        """Drops a function that was made for the model as it was before.

        With the function that trains, an optimizer whose state belongs to other
        weights is replaced by a new one.

        Args:
            model: the `FPTClassifier` whose functions these are.
            name: string, `"train_function"`, `"test_function"` or
                `"predict_function"`. `fit` holds on to the first while it
                validates with the second.
        """
        now = (
            model.options,
            *((id(v), v.trainable, v.dtype) for v in model.variables),
        )
        if self.made_for.get(name) != now:
            self.made_for[name] = now
            setattr(model, name, None)
        optimizer = model.optimizer
        if name != "train_function" or optimizer is None or not optimizer.built:
            return
        known = [id(v) for v in optimizer_settings.trained_by(optimizer)]
        if known != [id(v) for v in model.trainable_variables]:
            model.optimizer = optimizer_settings.without_state(optimizer)


@contextlib.contextmanager
def changed_within(model: Any) -> Iterator[None]:
    """A context in which a model may be changed, also by a callback in `fit`.

    Args:
        model: an `FPTClassifier`.
    """
    with jax_lost_state.waiting(model):
        if keras.backend.backend() == "jax":
            # During an epoch, the values are not in the variables.
            model.jax_state_sync()
        is_fitting = model.train_function is not None
        yield
        if model.compiled:
            model.compiled_functions.drop_stale(model, "train_function")
            if is_fitting:  # Perhaps; then `fit` calls it in its next step.
                model.make_train_function()
