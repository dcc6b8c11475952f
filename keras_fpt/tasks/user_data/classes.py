"""Labels of any kind as numbered classes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

# With fewer examples per class, numbers are assumed to be measurements.
MIN_EXAMPLES_PER_CLASS = 2
MISSING = ("", "nan", "na", "n/a", "none", "null", "<na>")


def encode_labels(
    labels: Any,
    where: Callable[[int], str],
    class_names: Sequence[str] | None = None,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Encodes labels as integers.

    Args:
        labels: sequence of n labels: strings, integers or booleans.
        where: function from an example's index to words that say where its
            label is, for errors.
        class_names: sequence of strings, the classes in their order, if they
            are known; labels are then names of classes or indices. `None`
            takes the classes from the labels, sorted.

    Returns:
        A tuple: int32 array `(n,)`, and a tuple of the classes' names.

    Raises:
        ValueError: a label is missing (empty, or a word such as NaN, NA or
            None), is not one of the classes, or is a measured number; a class
            is empty; all labels are the same.
    """
    labels = _as_text_or_numbers(np.asarray(labels))
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise ValueError(
            "Expected one label per example, of shape (examples,), but "
            f"received shape {labels.shape}. For one-hot labels, give "
            "np.argmax(y, axis=1)."
        )
    if not len(labels):
        raise ValueError("Expected labeled examples but received none.")
    _check_values(labels, where)
    if class_names is None:
        distinct, y = np.unique(labels, return_inverse=True)
        y, names = _sort_numerically(y, distinct)
        _check_not_measured(names, labels)
    else:
        names = [str(name) for name in class_names]
        repeated = [name for name in names if names.count(name) > 1]
        if repeated:
            raise ValueError(f"The class '{repeated[0]}' is named twice.")
        y = _find_classes(labels, names, where)
    empty = np.flatnonzero(np.bincount(y, minlength=len(names)) == 0)
    if len(empty):
        raise ValueError(f"The class '{names[empty[0]]}' has no example.")
    if len(names) < 2:
        raise ValueError(
            f"Every example has the label '{names[0]}'; expected at least "
            "two classes."
        )
    return y.astype(np.int32), tuple(names)


def _as_text_or_numbers(labels: np.ndarray) -> np.ndarray:
    """Converts bytes and objects to text, and missing values to ''."""
    import pandas as pd

    if labels.dtype.kind == "S":
        return np.char.decode(labels, "utf-8")
    if labels.dtype.kind != "O":
        return labels
    flat = [
        ""
        if pd.api.types.is_scalar(value) and pd.isna(value)
        else value.decode()
        if isinstance(value, bytes)
        else str(value)
        for value in labels.ravel()
    ]
    return np.array(flat, str).reshape(labels.shape)


def _check_values(labels: np.ndarray, where: Callable) -> None:
    if np.issubdtype(labels.dtype, np.floating):
        is_measured = ~np.isfinite(labels) | (labels != np.round(labels))
        if is_measured.any():
            index = np.argmax(is_measured)
            raise ValueError(
                f"{where(index)}: the label {labels[index]} is not a class. "
                "keras-fpt classifies; it does not do regression."
            )
    if labels.dtype.kind == "U":
        missing = np.isin(np.char.lower(np.char.strip(labels)), MISSING)
        if missing.any():
            raise ValueError(
                f"{where(np.argmax(missing))}: the label is missing."
            )


def _sort_numerically(
    y: np.ndarray, names: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Puts classes that are numbers in order: 2 before 10."""
    if names.dtype == bool:
        return y, [str(name) for name in names]
    try:
        values = [int(name) for name in names]
    except ValueError:
        return y, [str(name) for name in names]
    order = np.argsort(values, kind="stable")
    is_text = names.dtype.kind == "U"
    return np.argsort(order)[y], [
        str(names[i]) if is_text else str(values[i]) for i in order
    ]


def _check_not_measured(names: Sequence[str], labels: np.ndarray) -> None:
    is_rare = len(names) * MIN_EXAMPLES_PER_CLASS > len(labels)
    if len(labels) >= 10 and is_rare and all(map(_is_number, names)):
        raise ValueError(
            f"There are {len(names):,} different labels, such as "
            f"'{names[0]}', among {len(labels):,} examples. keras-fpt "
            "classifies; it does not do regression."
        )


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _find_classes(
    labels: np.ndarray, names: list[str], where: Callable
) -> np.ndarray:
    index_of: dict[Any, int] = {name: i for i, name in enumerate(names)}
    if labels.dtype.kind in "iubf":
        index_of = {i: i for i in range(len(names))}
    y = np.array([index_of.get(label, -1) for label in labels.tolist()])
    if (y < 0).any():
        index = np.argmax(y < 0)
        raise ValueError(
            f"{where(index)}: the label '{labels[index]}' is not one of the "
            f"{len(names)} classes {_shorten(names)}."
        )
    return y


def _shorten(names: list[str]) -> str:
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown}, ..."
