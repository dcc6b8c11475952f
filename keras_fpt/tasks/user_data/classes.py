"""Labels of any kind as numbered classes."""

import decimal
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks.user_data.tables import cells

# With fewer examples per class, numbers are assumed to be measurements.
MIN_EXAMPLES_PER_CLASS = 2
MISSING = cells.MISSING
_BOOLEANS = {"false": decimal.Decimal(0), "true": decimal.Decimal(1)}
MISSING_ADVICE = (
    "Leave out examples without a label; of tables, with drop_missing "
    "(--drop-missing)."
)


def encode_labels(
    labels: Any,
    where: Callable[[int], str],
    class_names: Sequence[str] | None = None,
    missing: Sequence[str] = (),
    are_names: bool = False,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Encodes labels as integers.

    Numbers that are equal, such as `"1"` and `"1.0"`, are one class, named by
    the shortest spelling. So are spellings of booleans, such as `"True"`,
    `"TRUE"` and `"1"`, if no other label is there, named False and True.

    Args:
        labels: sequence of n labels: strings, integers or booleans.
        where: function from an example's index to words that say where its
            label is, for errors.
        class_names: sequence of strings, the classes in their order, if they
            are known; labels are then names of classes or indices. `None`
            takes the classes from the labels, sorted.
        missing: sequence of strings, marks of missing labels in addition to
            `cells.MISSING`.
        are_names: bool, whether labels are names of folders, which are taken
            as they stand: never missing, and never numbers.

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
    distinct, first, y = np.unique(
        labels, return_index=True, return_inverse=True
    )
    if not are_names:
        _check_values(distinct, first, where, missing)
    if class_names is None:
        if distinct.dtype.kind == "U" and not are_names:
            _check_fractions(distinct, first, where)
            y, distinct = merge_spellings(y, distinct)
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


def spelling_notes(labels: Any, class_names: Sequence[str]) -> list[str]:
    """Notes which spellings of a number `encode_labels` made one class.

    Args:
        labels: sequence of n strings.
        class_names: sequence of strings, the classes.

    Returns:
        A list of no or one string.
    """
    distinct = np.unique(np.asarray(labels, str)).tolist()
    others = sorted(set(distinct) - set(class_names))
    as_value = value_function([*distinct, *class_names])
    known = {as_value(name): name for name in class_names}
    equal = [
        f"{text} is {known[value]}"
        for text in others
        if (value := as_value(text)) is not None and value in known
    ]
    return [f"equal labels: {_shorten(equal)}"] if equal else []


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


def _check_values(
    distinct: np.ndarray,
    first: np.ndarray,
    where: Callable,
    missing: Sequence[str],
) -> None:
    """Checks the distinct labels, of which each is first seen somewhere."""
    if np.issubdtype(distinct.dtype, np.floating):
        is_nan = np.isnan(distinct)
        is_measured = ~np.isfinite(distinct) | (distinct != np.round(distinct))
        if is_nan.any() and not is_measured[~is_nan].any():
            raise ValueError(
                f"{where(int(min(first[is_nan])))}: the label nan is not a "
                f"class, but missing. {MISSING_ADVICE}"
            )
        if is_measured.any():
            index = np.flatnonzero(is_measured)
            raise _measured(distinct, index, first, where)
    if distinct.dtype.kind == "U":
        is_missing = cells.is_missing(distinct, missing)
        if is_missing.any():
            index = min(np.flatnonzero(is_missing), key=first.__getitem__)
            message = f"{where(first[index])}: the label is missing."
            if str(distinct[index]).strip():
                message += (
                    f" '{distinct[index]}' marks what is missing; if it is a "
                    "class, give it another name in the data."
                )
            raise ValueError(f"{message} {MISSING_ADVICE}")


def _check_fractions(
    distinct: np.ndarray, first: np.ndarray, where: Callable
) -> None:
    """Checks that labels that are all numbers are whole numbers."""
    values = [cells.as_number(text) for text in distinct.tolist()]
    fractions = [
        index
        for index, value in enumerate(values)
        if value is not None and value != value.to_integral_value()
    ]
    if fractions and None not in values:
        raise _measured(distinct, fractions, first, where)


def _measured(
    distinct: np.ndarray, indices: Any, first: np.ndarray, where: Callable
) -> ValueError:
    index = min(indices, key=first.__getitem__)
    return ValueError(
        f"{where(first[index])}: the label {distinct[index]} is not a class, "
        "and classification needs classes. To predict numbers, use "
        "task_type='regression' (--task-type regression)."
    )


def merge_spellings(
    y: np.ndarray, distinct: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Makes numbers, or booleans, that are equal one class.

    Args:
        y: int array `(n,)` of indices in `distinct`.
        distinct: array of strings, sorted.

    Returns:
        A tuple of the same kind.
    """
    texts = distinct.tolist()
    keys = [*map(value_function(texts), texts)]
    spellings: dict[Any, list[str]] = {}
    for text, value in zip(texts, keys, strict=True):
        key = text if value is None else value
        spelling = text if value is None else text.strip()
        spellings.setdefault(key, []).append(spelling)
    if len(spellings) == len(texts):
        return y, distinct
    are_words = not {*map(str.lower, distinct)}.isdisjoint(_BOOLEANS)
    if are_words and keys.count(None) == 0:
        spellings = {value: [str(bool(value))] for value in spellings}
    names = np.array(
        [min(group, key=lambda t: (len(t), t)) for group in spellings.values()]
    )
    index_of = {key: index for index, key in enumerate(spellings)}
    merged = np.array(
        [
            index_of[text if value is None else value]
            for text, value in zip(texts, keys, strict=True)
        ]
    )
    order = np.argsort(names, kind="stable")
    return np.argsort(order)[merged[y]], names[order]


def value_function(
    texts: Sequence[str],
) -> Callable[[str], decimal.Decimal | None]:
    """The function that tells which of some labels are equal.

    It returns a number, or `None` for text. If all labels are booleans, True
    is 1 and False is 0.
    """
    are_booleans = all(
        text.strip().lower() in _BOOLEANS or cells.as_number(text) in (0, 1)
        for text in texts
    )

    def value(text: str) -> decimal.Decimal | None:
        if are_booleans and text.strip().lower() in _BOOLEANS:
            return _BOOLEANS[text.strip().lower()]
        return cells.as_number(text)

    return value


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
    if len(names) == len(labels) >= 10:
        raise ValueError(
            f"Each of the {len(labels):,} examples has a different label, such "
            f"as '{names[0]}'. Expected a few classes with several examples "
            "each: is this the column of labels? To predict numbers, use "
            "task_type='regression' (--task-type regression)."
        )
    is_rare = len(names) * MIN_EXAMPLES_PER_CLASS > len(labels)
    if len(labels) >= 10 and is_rare and all(map(_is_number, names)):
        raise ValueError(
            f"There are {len(names):,} different labels, such as "
            f"'{names[0]}', among {len(labels):,} examples, and classification "
            "needs classes. To predict numbers, use task_type='regression' "
            "(--task-type regression)."
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
    elif not index_of.keys() >= set(labels.tolist()):
        # Other spellings of a class that is a number or a boolean.
        as_value = value_function(names)
        of_number = {as_value(name): i for i, name in enumerate(names)}
        for label in set(labels.tolist()) - index_of.keys():
            number = as_value(label)
            if number is not None and number in of_number:
                index_of[label] = of_number[number]
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
