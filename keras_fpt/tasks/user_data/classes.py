"""Labels of any kind as numbered classes."""

import numpy as np

# With fewer examples a class, numbers are taken for measurements.
LEAST_EXAMPLES_A_CLASS = 2
MISSING = ("", "nan", "na", "n/a", "none", "null", "<na>")


def number(labels, where, class_names=None):
    """Numbers the classes of some labels.

    Args:
        labels: sequence of n labels: strings, integers or booleans.
        where: function from an example's place to words that say where its
            label is, for errors.
        class_names: sequence of strings, the classes in their order, where
            they are known; labels are then their names or their numbers.
            `None` takes them from the labels, sorted.

    Returns:
        A tuple: int32 array `(n,)`, and a tuple of the classes' names.

    Raises:
        ValueError: a label is missing (empty, or a word such as NaN, NA or
            None), is not among the classes, or a number
            that was measured; a class is empty; there is only one.
    """
    labels = _as_text_or_numbers(np.asarray(labels))
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise ValueError(
            "Expected one label an example, of shape (examples,), but "
            f"received shape {labels.shape}. Of one-hot labels, take "
            "np.argmax(y, axis=1)."
        )
    if not len(labels):
        raise ValueError("Expected labelled examples but received none.")
    _check_values(labels, where)
    if class_names is None:
        names, y = np.unique(labels, return_inverse=True)
        y, names = _in_order_of_numbers(y, names)
        _check_not_measured(names, labels)
    else:
        names = [str(name) for name in class_names]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"The class '{twice[0]}' is named twice.")
        y = _places(labels, names, where)
    empty = np.flatnonzero(np.bincount(y, minlength=len(names)) == 0)
    if len(empty):
        raise ValueError(f"The class '{names[empty[0]]}' has no example.")
    if len(names) < 2:
        raise ValueError(
            f"Every example has the label '{names[0]}'; expected at least "
            "two classes."
        )
    return y.astype(np.int32), tuple(names)


def _as_text_or_numbers(labels):
    """Bytes and objects of any kind as text; what is missing as ''."""
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


def _check_values(labels, where):
    if np.issubdtype(labels.dtype, np.floating):
        odd = ~np.isfinite(labels) | (labels != np.round(labels))
        if odd.any():
            place = np.argmax(odd)
            raise ValueError(
                f"{where(place)}: the label {labels[place]} is not a class. "
                "keras-fpt classifies; it does not do regression."
            )
    if labels.dtype.kind == "U":
        missing = np.isin(np.char.lower(np.char.strip(labels)), MISSING)
        if missing.any():
            raise ValueError(
                f"{where(np.argmax(missing))}: the label is missing."
            )


def _in_order_of_numbers(y, names):
    """Classes called 2 and 10 in that order, and called so."""
    if names.dtype == bool:
        return y, [str(name) for name in names]
    try:
        values = [int(name) for name in names]
    except ValueError:
        return y, [str(name) for name in names]
    order = np.argsort(values, kind="stable")
    text = names.dtype.kind == "U"
    return np.argsort(order)[y], [
        str(names[i]) if text else str(values[i]) for i in order
    ]


def _check_not_measured(names, labels):
    few = len(names) * LEAST_EXAMPLES_A_CLASS > len(labels)
    if len(labels) >= 10 and few and all(map(_is_number, names)):
        raise ValueError(
            f"There are {len(names):,} different labels, such as "
            f"'{names[0]}', among {len(labels):,} examples. keras-fpt "
            "classifies; it does not do regression."
        )


def _is_number(name):
    try:
        float(name)
    except ValueError:
        return False
    return True


def _places(labels, names, where):
    place_of = {name: place for place, name in enumerate(names)}
    if labels.dtype.kind in "iubf":
        place_of = {place: place for place in range(len(names))}
    y = np.array([place_of.get(label, -1) for label in labels.tolist()])
    if (y < 0).any():
        place = np.argmax(y < 0)
        raise ValueError(
            f"{where(place)}: the label '{labels[place]}' is outside the "
            f"{len(names)} classes {_shortened(names)}."
        )
    return y


def _shortened(names):
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown}, ..."
