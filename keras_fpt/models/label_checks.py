"""Checks of labels and sample weights, by what the compiled loss takes."""

import math
from typing import Any

import numpy as np

from keras_fpt.models import arrays
from keras_fpt.models.label_rules import LabelRule

# The largest finite float32.
_LARGEST = 3.40282347e38


def check_labels(expected: Any, rule: LabelRule, y: Any, rows: int) -> None:
    """Checks labels.

    Args:
        expected: an `Expected`, for the sizes of the model.
        rule: `LabelRule`, what its loss takes.
        y: array of labels.
        rows: int, the number of examples.

    Raises:
        ValueError: their type, shape or values are not what the loss takes.
    """
    if rule.kind == "unknown":
        _check_unknown(y, "labels", rows)
        return
    labels = arrays.as_array(y, "labels")
    if rule.kind == "targets":
        check_targets(labels, _target_sizes(expected, rule), rule.size)
        _check_rows(labels, "labels", rows)
        _check_range(rule, labels)
        return
    if labels.dtype.kind not in "biuf" and "float" not in labels.dtype.name:
        raise ValueError(
            f"Expected integer labels but received {labels.dtype}. Number the "
            "classes from 0, for instance with np.unique(y, "
            "return_inverse=True)."
        )
    check_label_shape(expected, rule, labels.shape)
    _check_rows(labels, "labels", rows)
    if rule.kind == "per_token":
        _check_classes(expected, rule, labels)
        return
    if is_classes(expected, rule, labels.shape):
        _check_classes(expected, rule, labels)
    else:
        _check_numbers(rule, labels)


def check_label_shape(expected: Any, rule: LabelRule, shape: Any) -> None:
    """Checks the shape of labels, with `None` for unknown sizes.

    Raises:
        ValueError: it is not what the loss takes.
    """
    if rule.kind == "unknown":
        return
    if rule.kind == "targets":
        _check_target_shape(_target_sizes(expected, rule), shape, rule.size)
        return
    if rule.kind == "per_token":
        if len(shape) != 2:
            raise ValueError(
                "Expected a label for each token, of shape (batch, tokens), "
                f"but received shape {tuple(shape)}."
            )
        return
    answers, classes = expected.num_answers, expected.num_classes
    per_example = () if answers == 1 else (answers,)
    sizes = tuple(shape[1:])
    if is_classes(expected, rule, shape):
        count = int(np.prod([n or 1 for n in sizes]))
        if len(shape) not in (1, 2) or count != answers:
            remedy = ""
            if _fits(sizes, (*per_example, classes)):
                remedy = (
                    " For labels of one number per class, compile the model "
                    "with keras.losses.CategoricalCrossentropy("
                    "from_logits=True) or BinaryCrossentropy(from_logits=True)."
                )
            raise ValueError(
                f"Expected integer labels of shape {_batch(per_example)} but "
                f"received shape {tuple(shape)}.{remedy}"
            )
        return
    allowed = [(*per_example, classes)]
    if classes == 1:
        allowed.append(per_example)
    if not any(_fits(sizes, other) for other in allowed):
        raise ValueError(
            f"Expected labels of shape {_batch(allowed[0])}, since the loss "
            f"{rule.loss} takes a number for each class, but received shape "
            f"{tuple(shape)}. For integer labels, compile the model with "
            "keras.losses.SparseCategoricalCrossentropy(from_logits=True), or "
            "convert them with keras.utils.to_categorical."
        )


def check_num_tokens(y: Any, tokens: int) -> None:
    """Checks that there is a label for each token, also for padding.

    Args:
        y: array of labels, of two axes.
        tokens: int, how many tokens an example has.

    Raises:
        ValueError: there are more, or fewer.
    """
    if y.shape[1] != tokens:
        raise ValueError(
            f"Expected a label for each of {tokens} tokens but received "
            f"{y.shape[1]}. Padding may have any label, and -1 leaves a token "
            "out."
        )


def check_targets(
    labels: Any, sizes: tuple[int, ...], size: str = "num_targets"
) -> np.ndarray:
    """Checks labels that are several numbers for each example.

    Args:
        labels: array `(n, *sizes)`. A last axis of size 1 may be left out.
        sizes: tuple of ints, the shape of a label.
        size: string, the model's argument that its first number is.

    Returns:
        Float64 array `(n, *sizes)`.

    Raises:
        ValueError: they are not finite numbers of that shape.
    """
    array = arrays.as_numbers(labels, "labels")
    _check_target_shape(sizes, array.shape, size)
    array = array.astype("float64")
    _check_finite(array, "labels")
    if (np.abs(array) > _LARGEST).any():
        value = array[np.abs(array) > _LARGEST].flat[0]
        raise ValueError(
            f"Expected numbers up to {_LARGEST:.3g} as labels but received "
            f"{value}. Give them in another unit."
        )
    return array.reshape(len(array), *sizes)


def _target_sizes(expected: Any, rule: LabelRule) -> tuple[int, ...]:
    return rule.shape or (expected.num_classes,)


def _check_target_shape(sizes: tuple[int, ...], shape: Any, size: str) -> None:
    allowed = [sizes] + [sizes[:-1]] * (sizes[-1] == 1)
    if not len(shape) or not any(_fits(tuple(shape[1:]), s) for s in allowed):
        words = " or ".join(map(_batch, reversed(allowed)))
        raise ValueError(
            f"Expected labels of {math.prod(sizes)} number(s) per example, of "
            f"shape {words}, but received shape {tuple(shape)}. The model was "
            f"built with {size}={sizes[0]}."
        )


def is_classes(expected: Any, rule: LabelRule, shape: Any) -> bool:
    """Whether labels of a shape are classes, not numbers for each class."""
    if rule.kind != "by_shape":
        return rule.kind == "classes"
    rank = 2 if expected.num_answers == 1 else 3
    return len(shape) < rank or shape[-1] == 1


def check_weights(expected: Any, rule: LabelRule, weights: Any, n: int) -> None:
    """Checks sample weights.

    Args:
        expected: an `Expected`, for the sizes of the model.
        rule: `LabelRule`, what its loss takes.
        weights: array of weights.
        n: int, the number of examples.

    Raises:
        ValueError: their shape does not fit, or they are not finite numbers.
    """
    if rule.kind == "unknown":
        _check_unknown(weights, "sample_weight", n)
        return
    array = arrays.as_numbers(weights, "sample_weight")
    _check_weights_shape(expected, array.shape)
    _check_rows(array, "sample_weight", n)
    _check_finite(array, "sample_weight")


def _check_weights_shape(expected: Any, shape: tuple[int, ...]) -> None:
    answers = expected.num_answers
    if len(shape) == 1 or (len(shape) == 2 and shape[1] in (1, answers)):
        return
    also = "" if answers == 1 else f" or (batch, {answers})"
    raise ValueError(
        f"Expected sample_weight of shape (batch,){also} but received shape "
        f"{shape}."
    )


def _check_unknown(values: Any, name: str, rows: int) -> None:
    """Checks that hold for any loss: as many rows, of finite numbers."""
    if not hasattr(values, "__array__"):
        return
    array = arrays.as_array(values, name)
    if array.ndim:
        _check_rows(array, name, rows)
    if array.dtype.kind == "f":
        _check_finite(array, name)


def _check_rows(array: np.ndarray, name: str, rows: int) -> None:
    if len(array) != rows:
        raise ValueError(
            f"Expected {name} for each of {rows} examples but received "
            f"{len(array)}."
        )


def _check_finite(array: np.ndarray, name: str) -> None:
    finite = np.isfinite(array)
    if not finite.all():
        first = np.argwhere(~finite)[0]
        raise ValueError(
            f"Expected finite numbers as {name} but received "
            f"{array[tuple(first)]} in example {first[0]}."
        )


def _check_classes(expected: Any, rule: LabelRule, labels: np.ndarray) -> None:
    used = labels
    if rule.ignore_class is not None:
        used = labels[labels != rule.ignore_class]
    if used.dtype.kind not in "biu":
        wrong = used != np.round(used)
        if wrong.any():
            raise ValueError(
                f"Expected integer labels but received {used[wrong].flat[0]}. "
                "FPTClassifier classifies; it does not do regression. For "
                "labels that are numbers, use FPTRegressor."
            )
    wrong = (used < 0) | (used >= expected.num_classes)
    if wrong.any():
        raise ValueError(
            f"Expected labels from 0 to {expected.num_classes - 1} but "
            f"received {used[wrong].flat[0]}. The model was built with "
            f"num_classes={expected.num_classes}."
        )


def _check_numbers(rule: LabelRule, labels: np.ndarray) -> None:
    _check_finite(labels, "labels")
    _check_range(rule, labels)


def _check_range(rule: LabelRule, labels: np.ndarray) -> None:
    if rule.is_probability:
        wrong = (labels < 0) | (labels > 1)
        if wrong.any():
            raise ValueError(
                "Expected labels from 0 to 1, as the loss "
                f"{rule.loss} takes them, but received {labels[wrong].flat[0]}."
            )


def _fits(sizes: tuple, other: tuple) -> bool:
    return len(sizes) == len(other) and all(
        a is None or a == b for a, b in zip(sizes, other, strict=True)
    )


def _batch(sizes: tuple[int, ...]) -> str:
    return f"(batch, {', '.join(map(str, sizes))})" if sizes else "(batch,)"
