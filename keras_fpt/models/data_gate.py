"""The gate that data passes on its way into an `FPTClassifier`.

Data is checked, distributed between devices and processes, and an error of its
pipeline becomes one clear `ValueError`. `fit`, `evaluate` and `predict` are
methods of `FPTClassifier`, which is their first argument.
"""

import contextlib
import functools
import sys
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_fpt import data_errors, distribution
from keras_fpt.compat import jax_lost_state
from keras_fpt.models import input_checks


def checked(model: Any, x: Any, y: Any = None) -> Any:
    """Checks arrays immediately, and batches of a data set when they are read.

    Args:
        model: an `FPTClassifier`.
        x: tokens, a dict of tokens and a `padding_mask`, or a
            `tf.data.Dataset` of batches. Data sets that Python makes are not
            checked.
        y: labels, or `None`.

    Returns:
        The data to pass to Keras in place of `x`.

    Raises:
        ValueError: shapes or values that do not fit the model.
    """
    if _is_tf_dataset(x):
        return input_checks.checked_dataset(model, x)
    if isinstance(x, dict) or hasattr(x, "__array__"):
        input_checks.check_arrays(model, x, y)
    return x


def fit(
    model: Any,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: Any = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool = True,
    **kwargs: Any,
) -> keras.callbacks.History:
    """`keras.Model.fit`, which first checks the data.

    Raises:
        ValueError: arrays or a `tf.data.Dataset` whose shapes or labels do
            not fit the model, or which hold NaN or infinity.
    """
    if isinstance(validation_data, (tuple, list)):
        checked(model, *validation_data[:2])
    elif validation_data is not None:
        validation_data = checked(model, validation_data)
    if _is_tf_dataset(x):
        shuffle = False  # Keras cannot shuffle it, and warns if asked to.
    x = checked(model, x, y)
    with _clear_errors(model, x), contextlib.ExitStack() as stack:
        engine = distribution.current()
        if engine is not None:
            x = engine.training_data(model, x)
            validation_data = engine.held_out_data(model, validation_data)
            stack.enter_context(engine.training(model))
        return keras.Model.fit(
            model,
            x,
            y,
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            validation_data=validation_data,
            shuffle=shuffle,
            **kwargs,
        )


def evaluate(
    model: Any,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    **kwargs: Any,
) -> Any:
    """`keras.Model.evaluate`, which first checks the data."""
    keras_evaluate = functools.partial(keras.Model.evaluate, model)
    engine = distribution.current()
    # Within `fit`, Keras evaluates what `fit` has checked.
    if "_use_cached_eval_dataset" not in kwargs:
        x = checked(model, x, y)
        if engine is not None:
            x = engine.held_out_data(model, x)
    with _clear_errors(model, x):
        if engine is not None:
            keras_evaluate = functools.partial(
                engine.evaluate, model, keras_evaluate
            )
        return keras_evaluate(x, y, batch_size=batch_size, **kwargs)


def predict(
    model: Any, x: Any, batch_size: int | None = None, **kwargs: Any
) -> np.ndarray:
    """`keras.Model.predict`, which first checks the data."""
    keras_predict = functools.partial(keras.Model.predict, model)
    x = checked(model, x)
    engine = distribution.current()
    with _clear_errors(model, x):
        if engine is not None:
            keras_predict = functools.partial(
                engine.predict, model, keras_predict
            )
        return keras_predict(x, batch_size=batch_size, **kwargs)


@contextlib.contextmanager
def _clear_errors(model: Any, x: Any) -> Iterator[None]:
    """Turns what a checked pipeline raises into one clear `ValueError`."""
    dataset = x if _is_tf_dataset(x) else None
    try:
        with jax_lost_state.restored(model, dataset):
            yield
    except Exception as error:
        clear = data_errors.clear_error(error)
        if clear is None:
            raise
        raise clear from error


def _is_tf_dataset(x: Any) -> bool:
    tf = sys.modules.get("tensorflow")
    return tf is not None and isinstance(x, tf.data.Dataset)
