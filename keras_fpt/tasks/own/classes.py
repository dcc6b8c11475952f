"""Labels of any kind as numbered classes."""

import numpy as np

# Beyond so many classes an example, labels are taken for measured numbers.
LEAST_EXAMPLES_A_CLASS = 2


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
        ValueError: a label is missing, is not among the classes, or a number
            that was measured; a class is empty; there is only one.
    """
    labels = np.asarray(labels)
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


def _check_values(labels, where):
    if np.issubdtype(labels.dtype, np.floating):
        odd = labels != np.round(labels)  # NaN too
        if odd.any():
            place = np.argmax(odd)
            raise ValueError(
                f"{where(place)}: the label {labels[place]} is not a class. "
                "keras-fpt classifies; it does not do regression."
            )
    if labels.dtype.kind in "UO":
        missing = np.array([str(v).strip() in ("", "nan") for v in labels])
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
    text = names.dtype.kind in "UO"
    return np.argsort(order)[y], [
        str(names[i]) if text else str(values[i]) for i in order
    ]


def _check_not_measured(names, labels):
    if len(labels) >= 10 and len(names) * LEAST_EXAMPLES_A_CLASS > len(labels):
        raise ValueError(
            f"There are {len(names):,} different labels, such as "
            f"'{names[0]}', among {len(labels):,} examples: too few of each "
            "to learn from. keras-fpt classifies; it does not do regression."
        )


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
