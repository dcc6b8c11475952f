"""Checks all data that enters an `FPTClassifier`.

Every kind of data passes here: arrays, data sets, Python's sources of batches,
    single batches and calls of the model. Data is checked once, distributed
between devices and processes, and what a source of batches raises becomes one
clear `ValueError`. The functions are methods of `FPTClassifier`, which is
their first argument.
"""

import contextlib
import contextvars
import functools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from keras_fpt import data_errors, distribution
from keras_fpt.compat import jax_lost_state, tensorflow_kept_gradients
from keras_fpt.models import arrays, batch_sources, input_checks
from keras_fpt.models.batch_sources import Admission
from keras_fpt.models.input_checks import Expected

# Whether the data of the current call is already checked.
_has_passed: contextvars.ContextVar[bool] = contextvars.ContextVar(
    "has_passed", default=False
)


def checked(model: Any, x: Any) -> Any:
    """Checks arrays immediately, and batches of a source when they are read.

    Args:
        model: an `FPTClassifier`.
        x: tokens, a dict of tokens and a `padding_mask`, or a source of
            batches.

    Returns:
        The data to pass to Keras in place of `x`.

    Raises:
        ValueError: shapes or values that do not fit the model.
    """
    return _Gate(model, with_labels=False).admit(x)[0]


class _Gate:
    """Admits the data of one call of a model's method."""

    def __init__(self, model: Any, with_labels: bool) -> None:
        self.model = model
        self.expected = Expected.of(model, with_labels)
        self.admissions: list[Admission] = []

    def admit(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
    ) -> tuple[Any, Any, Any]:
        """Checks data, and adds the weights of classes to it.

        Args:
            x, y, sample_weight: as Keras takes them.
            class_weight: dict, for a model of several answers, or `None`.

        Returns:
            Tuple of what to give to Keras for `x`, `y` and `sample_weight`.
        """
        admission = Admission(self.expected, class_weight)
        if _is_arrays(x):
            x, y, sample_weight = admission.admit(x, y, sample_weight)
            tokens, _ = input_checks.unpack(x)
            self._build(tuple(tokens.shape))
            return x, y, sample_weight
        self.admissions.append(admission)
        x = batch_sources.checked(x, admission)
        if batch_sources.is_dataset(x):
            spec = x.element_spec
            spec = spec[0] if isinstance(spec, tuple) else spec
            tokens, _ = input_checks.unpack(spec)
            if tokens.shape.rank is not None:
                self._build(tuple(tokens.shape.as_list()))
        return x, y, sample_weight

    def _build(self, shape: tuple[int | None, ...]) -> None:
        """Builds a model that did not know the width of its tokens.

        Callbacks that load weights need a model that is built, which on
        TensorFlow Keras does within the first step.
        """
        if self.model.built or shape[-1] is None:
            return
        with contextlib.ExitStack() as stack:
            if keras.backend.backend() == "tensorflow":
                stack.enter_context(self.model.distribute_strategy.scope())
            self.model.build(shape)

    @contextlib.contextmanager
    def passed(self) -> Iterator[None]:
        """A context in which Keras computes with the admitted data.

        Raises:
            ValueError: a batch was refused.
        """
        token = _has_passed.set(True)
        try:
            kept = tensorflow_kept_gradients
            with (
                jax_lost_state.restored(self.model),
                kept.forgotten_with(self.model, kept.OPERATIONS),
            ):
                yield
        except Exception as error:
            clear = self._refusal(error) or data_errors.clear_error(error)
            if clear is None or clear is error:
                raise
            raise clear from error
        finally:
            _has_passed.reset(token)

    def _refusal(self, error: Exception) -> ValueError | None:
        """The error that an admission raised, if `error` follows from it."""
        refusals = [r for a in self.admissions for r in a.refusals]
        return next((r for r in refusals if str(r) in str(error)), None)


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
    class_weight: Mapping[int, float] | None = None,
    sample_weight: Any = None,
    *args: Any,
    **kwargs: Any,
) -> keras.callbacks.History:
    """`keras.Model.fit`, which first checks the data.

    Raises:
        ValueError: shapes, labels or weights that do not fit the model, or
            numbers that are NaN or infinite. It is raised when the data is
            read: for arrays before the first step, otherwise with a batch.
    """
    gate = _Gate(model, with_labels=True)
    check_class_weight(model, class_weight)
    spread = None
    if class_weight is not None and model.num_answers > 1:
        # Keras would mistake the answers of an example for its classes.
        spread, class_weight = class_weight, None
        if validation_split and validation_data is None and _is_arrays(x):
            # Class weights are for training only.
            x, y, sample_weight, validation_data = _split(
                validation_split, x, y, sample_weight
            )
    if isinstance(validation_data, (tuple, list)):
        validation_data = gate.admit(*validation_data)
    elif validation_data is not None:
        validation_data = gate.admit(validation_data)[0]
    x, y, sample_weight = gate.admit(x, y, sample_weight, spread)
    if not _is_arrays(x) and not isinstance(x, keras.utils.PyDataset):
        shuffle = False  # Keras cannot shuffle it, and warns if asked to.
    with gate.passed(), contextlib.ExitStack() as stack:
        engine = distribution.current()
        if engine is not None:
            x = engine.training_data(model, x)
            validation_data = engine.held_out_data(model, validation_data)
            stack.enter_context(engine.training(model))
        return keras.Model.fit(
            model,
            x,
            y,
            batch_size,
            epochs,
            verbose,
            callbacks,
            validation_split,
            validation_data,
            shuffle,
            class_weight,
            sample_weight,
            *args,
            **kwargs,
        )


def evaluate(
    model: Any,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    verbose: Any = "auto",
    sample_weight: Any = None,
    steps: int | None = None,
    callbacks: Any = None,
    return_dict: bool = False,
    **kwargs: Any,
) -> Any:
    """`keras.Model.evaluate`, which first checks the data."""
    keras_evaluate = functools.partial(keras.Model.evaluate, model)
    engine = distribution.current()
    gate = _Gate(model, with_labels=True)
    # Within `fit`, Keras evaluates what `fit` has checked.
    if "_use_cached_eval_dataset" not in kwargs:
        x, y, sample_weight = gate.admit(x, y, sample_weight)
        if engine is not None:
            if steps is not None and batch_sources.is_dataset(x):
                # Of all processes together.
                x, steps = x.take(steps), None
            x = engine.held_out_data(model, x)
    with gate.passed():
        if engine is not None:
            keras_evaluate = functools.partial(
                engine.evaluate, model, keras_evaluate
            )
        return keras_evaluate(
            x,
            y,
            batch_size=batch_size,
            verbose=verbose,
            sample_weight=sample_weight,
            steps=steps,
            callbacks=callbacks,
            return_dict=return_dict,
            **kwargs,
        )


def predict(
    model: Any,
    x: Any,
    batch_size: int | None = None,
    verbose: Any = "auto",
    steps: int | None = None,
    callbacks: Any = None,
) -> np.ndarray:
    """`keras.Model.predict`, which first checks the data."""
    keras_predict = functools.partial(keras.Model.predict, model)
    engine = distribution.current()
    gate = _Gate(model, with_labels=False)
    x = gate.admit(x)[0]
    with gate.passed():
        if engine is not None:
            keras_predict = functools.partial(
                engine.predict, model, keras_predict
            )
        return keras_predict(
            x,
            batch_size=batch_size,
            verbose=verbose,
            steps=steps,
            callbacks=callbacks,
        )


def train_on_batch(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | None = None,
    return_dict: bool = False,
) -> Any:
    """`keras.Model.train_on_batch`, which first checks the batch."""
    gate = _Gate(model, with_labels=True)
    check_class_weight(model, class_weight)
    spread = None
    if class_weight is not None and model.num_answers > 1:
        spread, class_weight = class_weight, None
    x, y, sample_weight = gate.admit(x, y, sample_weight, spread)
    with gate.passed():
        return keras.Model.train_on_batch(
            model, x, y, sample_weight, class_weight, return_dict
        )


def test_on_batch(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    return_dict: bool = False,
) -> Any:
    """`keras.Model.test_on_batch`, which first checks the batch."""
    gate = _Gate(model, with_labels=True)
    x, y, sample_weight = gate.admit(x, y, sample_weight)
    with gate.passed():
        return keras.Model.test_on_batch(
            model, x, y, sample_weight, return_dict
        )


def predict_on_batch(model: Any, x: Any) -> np.ndarray:
    """`keras.Model.predict_on_batch`, which first checks the batch."""
    gate = _Gate(model, with_labels=False)
    x = gate.admit(x)[0]
    with gate.passed():
        return keras.Model.predict_on_batch(model, x)


def called_with(model: Any, x: Any) -> Any:
    """The checked input of a model's call, where its values are known.

    Args:
        model: an `FPTClassifier`.
        x: as the model's call takes it, or symbols of a traced graph.

    Raises:
        ValueError: shapes or values that do not fit the model.
    """
    if _has_passed.get():
        return x
    x = arrays.with_padding(x)
    if arrays.are_known(x):
        expected = Expected.of(model)
        input_checks.check_batch(expected, x, can_be_empty=True)
    return x


def is_checked(mask: Any) -> bool:
    """Whether the values of a mask have been checked."""
    return _has_passed.get() or arrays.are_known(mask)


def check_upstream_mask(model: Any, mask: Any) -> None:
    """Checks the mask of a layer upstream, where its values are known.

    Raises:
        ValueError: it leaves too few tokens of an example.
    """
    if not arrays.are_known(mask):
        return
    too_few = arrays.as_array(mask, "mask").sum(1) < model.num_output_tokens
    if too_few.any():
        raise ValueError(
            f"Expected at least {model.num_output_tokens} tokens that are not "
            f"masked, which example {np.argmax(too_few)} does not have."
        )


def check_class_weight(model: Any, class_weight: Any) -> None:
    """Refuses class weights where Keras would misread the labels."""
    if class_weight is not None and not model.takes_class_weight:
        raise ValueError(
            "class_weight is for the labels of an FPTClassifier, not for those "
            f"of an {type(model).__name__}. Give a sample_weight for each "
            "example."
        )


def _is_arrays(x: Any) -> bool:
    """Whether `x` is arrays of all examples, not a source of batches."""
    return isinstance(x, (dict, list, tuple)) or (
        hasattr(x, "shape") or hasattr(x, "__array__")
    )


def _split(fraction: float, *data: Any) -> tuple[Any, Any, Any, Any]:
    """Splits arrays as Keras does for `validation_split`.

    Returns:
        Tuple of the first part of `x`, `y` and `sample_weight`, and the last
        part of all three.
    """
    rows = len(keras.tree.flatten(data)[0])
    split = math.floor(rows * (1 - fraction))

    def part(rows: slice) -> Any:
        return keras.tree.map_structure(
            lambda array: None if array is None else array[rows],
            data,
            none_is_leaf=True,
        )

    return *part(slice(split)), part(slice(split, None))
