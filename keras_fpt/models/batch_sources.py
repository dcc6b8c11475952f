"""Inserts checks between a source of batches and Keras.

A source keeps its kind, so that Keras treats it as before.
"""

import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from keras_fpt.compat import tensorflow_borrowed_arrays
from keras_fpt.models import (
    arrays,
    input_checks,
    label_checks,
    several_answers,
)


class Admission:
    """Checks batches of one source.

    Args:
        expected: `input_checks.Expected`, what the model expects.
        class_weight: dict from a class to its weight, for models of several
            answers, or `None`.

    Attributes:
        refusals: list of the `ValueError`s with which batches were refused.
            TensorFlow does not pass errors on as they are.
    """

    def __init__(
        self,
        expected: input_checks.Expected,
        class_weight: Mapping[int, float] | None = None,
    ) -> None:
        self.expected = expected
        self.class_weight = class_weight
        self.refusals: list[ValueError] = []

    def admit(self, x: Any, y: Any, sample_weight: Any) -> tuple:
        """Checks arrays.

        Returns:
            Tuple of `x`, where ragged tokens are padded, of `y`, and of
            `sample_weight`, which includes class weights.

        Raises:
            ValueError: the model cannot take them.
        """
        x = arrays.with_padding(x)
        input_checks.check_batch(self.expected, x, y, sample_weight)
        count = self.expected.num_answers
        if sample_weight is not None and count > 1 and self.expected.labels:
            # Of one shape, since TensorFlow traces a step that it was given
            # several of for tensors of unknown rank.
            weights = arrays.as_array(sample_weight, "sample_weight")
            sample_weight = several_answers.spread(weights, count)
        if self.class_weight is None or y is None:
            return x, y, sample_weight
        if sample_weight is not None:
            raise ValueError(
                "Expected class_weight or sample_weight but received both."
            )
        labels = arrays.as_array(y, "labels")
        count = self.expected.num_answers
        return (
            x,
            y,
            several_answers.class_weights(labels, self.class_weight, count),
        )

    def admit_batch(self, batch: Any) -> Any:
        """Checks a batch in any structure that Keras takes."""
        parts = keras.utils.unpack_x_y_sample_weight(batch)
        try:
            admitted = self.admit(*parts)
        except ValueError as error:
            refusal = ValueError(f"In a batch of the data: {error}")
            self.refusals.append(refusal)
            raise refusal from None
        if all(a is b for a, b in zip(parts, admitted, strict=True)):
            return batch
        if admitted[1] is None and not isinstance(batch, (tuple, list)):
            return admitted[0]
        return tuple(part for part in admitted if part is not None)


def is_dataset(x: Any) -> bool:
    """Whether `x` is a `tf.data.Dataset`."""
    tf = sys.modules.get("tensorflow")
    return tf is not None and isinstance(x, tf.data.Dataset)


def checked(source: Any, admission: Admission) -> Any:
    """A source of batches that checks each batch when it is read.

    Args:
        source: a `tf.data.Dataset`, a Python generator, a
            `keras.utils.PyDataset`, a data loader of PyTorch or Grain, or a
            dataset of Grain.
        admission: `Admission` of its batches.

    Returns:
        A source of the same kind, or `source` itself if it is of none of
        these.
    """
    admit_batch = admission.admit_batch
    if is_dataset(source):
        return _checked_dataset(source, admission)
    if isinstance(source, types.GeneratorType):
        return (admit_batch(batch) for batch in source)
    if isinstance(source, keras.utils.PyDataset):
        return _CheckedPyDataset(source, admission)
    if _is_of(source, "torch.utils.data", ["DataLoader"]) or _is_of(
        source, "grain", ["DataLoader"]
    ):
        return _checked_loader(source, admit_batch)
    if _is_of(source, "grain", ["MapDataset", "IterDataset"]):
        return source.map(admit_batch)
    return source


def _is_of(source: Any, module: str, names: list[str]) -> bool:
    package = sys.modules.get(module)
    kinds = tuple(getattr(package, n) for n in names if hasattr(package, n))
    return isinstance(source, kinds)


class _CheckedPyDataset(keras.utils.PyDataset):
    def __init__(self, dataset: Any, admission: Admission) -> None:
        super().__init__(
            workers=dataset.workers,
            use_multiprocessing=dataset.use_multiprocessing,
            max_queue_size=dataset.max_queue_size,
        )
        self.dataset = dataset
        self.admission = admission

    @property
    def num_batches(self) -> int | None:
        return self.dataset.num_batches

    def __getitem__(self, index: int) -> Any:
        return self.admission.admit_batch(self.dataset[index])

    def on_epoch_begin(self) -> None:
        self.dataset.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self.dataset.on_epoch_end()


def _checked_loader(loader: Any, admit_batch: Callable[[Any], Any]) -> Any:
    """A data loader with the same settings, which Keras recognizes."""

    class CheckedLoader(type(loader)):  # type: ignore[misc]
        def __iter__(self) -> Any:
            return map(admit_batch, loader)

    checked = CheckedLoader.__new__(CheckedLoader)
    checked.__dict__.update(vars(loader))
    return checked


def _checked_dataset(dataset: Any, admission: Admission) -> Any:
    import tensorflow as tf

    _check_specs(dataset, admission.expected)
    adds_weights = admission.class_weight is not None

    @tf.autograph.experimental.do_not_convert
    def check(*batch: Any) -> Any:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(batch)
        parts = {"x": arrays.with_padding(x), "y": y, "weight": weight}
        parts = {name: part for name, part in parts.items() if part is not None}

        def on_host(*values: np.ndarray) -> Any:
            given = tf.nest.pack_sequence_as(parts, values)
            batch = tuple(given.get(name) for name in ("x", "y", "weight"))
            admitted = admission.admit_batch(batch)
            return admitted[-1] if adds_weights else np.True_

        # NumPy checks it, so that a data set is refused for the same reasons
        # and in the same words as an array.
        kind = tf.float32 if adds_weights else tf.bool
        checked = tf.numpy_function(on_host, tf.nest.flatten(parts), kind)
        with tf.control_dependencies([checked]):
            passed = tf.nest.map_structure(tf.identity, parts)
            passed = tensorflow_borrowed_arrays.copied(passed)
        if adds_weights:
            size = admission.expected.num_answers
            passed["weight"] = tf.ensure_shape(checked, (None, size))
        result = tuple(passed[n] for n in ("x", "y", "weight") if n in passed)
        return result if len(result) > 1 else result[0]

    return dataset.map(check)


def _check_specs(dataset: Any, expected: input_checks.Expected) -> None:
    """Checks what is known of a data set before its first batch.

    Raises:
        ValueError: a shape does not fit, or tensors are sparse.
    """
    import tensorflow as tf

    spec = dataset.element_spec
    x, y, weight = keras.utils.unpack_x_y_sample_weight(spec)
    tokens, mask = input_checks.unpack(x)
    dense = tf.nest.flatten((mask, y, weight))
    for part in (tokens, *(part for part in dense if part is not None)):
        is_ragged = part is tokens and isinstance(part, tf.RaggedTensorSpec)
        if not (is_ragged or isinstance(part, tf.TensorSpec)):
            raise ValueError(
                "Expected a data set of dense tensors but received a "
                f"{type(part).__name__}."
            )
    if tokens.shape.rank is not None:
        input_checks.check_shapes(
            expected, tokens.shape.as_list(), tokens.dtype.is_integer
        )
    rule = expected.labels
    if (
        rule is not None
        and isinstance(y, tf.TensorSpec)
        and (y.shape.rank is not None)
    ):
        label_checks.check_label_shape(expected, rule, y.shape.as_list())
