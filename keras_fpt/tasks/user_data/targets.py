"""Labels as classes, or as the numbers that a regression predicts."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_fpt.tasks.user_data import classes, splitting
from keras_fpt.tasks.user_data.tables import cells

CLASSIFICATION, REGRESSION = "classification", "regression"
TASK_TYPES = (CLASSIFICATION, REGRESSION)
# Of a table in time alone, see `forecast_tables.from_series`.
FORECAST = "forecast"
# With fewer distinct numbers, fractions may be a mistake in a few labels.
MIN_DISTINCT = 10
# Splits have the same share of each tenth of the numbers.
BINS = 10
_LARGEST = 3.40282347e38  # of float32


class Labels(NamedTuple):
    """The labels of examples.

    Args:
        y: int array `(n,)`: the class of each example, or the tenth of all
            numbers that its own is in.
        class_names: tuple of strings: of classes, or of tenths.
        targets: float64 array `(n, targets)` of numbers, or `None` if labels
            are classes.
        notes: what the user should know.
    """

    y: np.ndarray
    class_names: tuple[str, ...]
    targets: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_regression(self) -> bool:
        """Whether labels are numbers."""
        return self.targets is not None

    @property
    def without_tenths(self) -> np.ndarray:
        """Classes; for numbers, zeros, of which no split must have any."""
        return np.zeros_like(self.y) if self.is_regression else self.y

    def select(self, indices: np.ndarray) -> "Labels":
        """The labels of some examples, which may be repeated."""
        targets = None if self.targets is None else self.targets[indices]
        return self._replace(y=self.y[indices], targets=targets)

    def check_splits(self, splits: dict[str, np.ndarray]) -> None:
        """Checks that no split is empty, and that train has every class.

        Raises:
            ValueError: one is empty, or a class has no training example.
        """
        names = ("",) if self.is_regression else self.class_names
        splitting.check_splits(splits, self.without_tenths, names)


def encode(
    labels: Any,
    where: Callable[[int], str],
    task_type: str | None = None,
    class_names: Sequence[str] | None = None,
    missing: Sequence[str] = (),
) -> Labels:
    """Encodes labels as classes or as numbers.

    Args:
        labels: sequence of n labels, or array `(n, targets)` of numbers.
        where: function from an example's index to words that say where it
            is, for errors.
        task_type: `"classification"`, `"regression"`, or `None`: a regression
            if most labels are fractions, and no classes are named.
        class_names, missing: as for `classes.encode_labels`.

    Raises:
        ValueError: the type is unknown; a label is missing, or not a number;
            or as `classes.encode_labels`.
    """
    check_task_type(task_type)
    fraction = None
    if task_type is None and class_names is None:
        fraction = most_are_fractions(labels)
    if task_type != REGRESSION and fraction is None:
        y, names = classes.encode_labels(labels, where, class_names, missing)
        return Labels(y, names)
    if class_names is not None:
        raise ValueError("A regression has no classes: leave out class_names.")
    targets = as_targets(labels, where, missing)
    notes: tuple[str, ...] = ()
    if fraction is not None:
        notes = (
            f"a regression, since most labels are fractions such as {fraction} "
            "(--task-type classification would refuse them)",
        )
    return of_targets(targets, notes)


def of_targets(targets: np.ndarray, notes: tuple[str, ...] = ()) -> Labels:
    """The labels of a regression.

    Args:
        targets: float64 array `(n, targets)`.
        notes: as in `Labels`.
    """
    edges = np.quantile(targets[:, 0], np.arange(1, BINS) / BINS)
    tenths = np.searchsorted(edges, targets[:, 0], side="left")
    found, y = np.unique(tenths, return_inverse=True)
    names = tuple(f"tenth {number + 1}" for number in found)
    return Labels(y.astype(np.int32), names, targets, notes)


def check_task_type(task_type: str | None) -> None:
    """Raises `ValueError` unless it is one of `TASK_TYPES`, or `None`."""
    if task_type == FORECAST:
        raise ValueError(
            "A forecast is of the columns of a table whose rows follow one "
            "another in time, which keras_fpt.tasks.from_series reads. For "
            "other data, use task_type='classification' or 'regression' "
            "(--task-type)."
        )
    if task_type not in (None, *TASK_TYPES):
        raise ValueError(
            f"Expected task_type (--task-type) to be {' or '.join(TASK_TYPES)} "
            f"but received '{task_type}'."
        )


def most_are_fractions(labels: Any) -> str | None:
    """The first fraction, if more than half of all labels are fractions.

    All must be numbers, of at least 10 values: a few labels such as 0.5 among
    classes that are whole numbers are a mistake.
    """
    array = np.asarray(labels)
    if array.dtype.kind not in "fUO":
        return None
    distinct, counts = np.unique(array.astype(str), return_counts=True)
    known = ~cells.is_missing(distinct)
    if known.sum() < MIN_DISTINCT:
        return None
    values = [cells.as_number(text) for text in distinct[known].tolist()]
    if None in values:
        return None
    is_fraction = np.array([v is not None and v % 1 != 0 for v in values])
    if 2 * counts[known][is_fraction].sum() <= counts.sum():
        return None
    return str(distinct[known][is_fraction][0])


def as_targets(
    labels: Any, where: Callable[[int], str], missing: Sequence[str] = ()
) -> np.ndarray:
    """Labels as numbers.

    Args:
        labels, where, missing: as for `encode`.

    Returns:
        Float64 array `(n, targets)`.

    Raises:
        ValueError: a label is missing, or not a number of float32.
    """
    array = np.asarray(labels)
    if array.ndim not in (1, 2):
        raise ValueError(
            "Expected one number per example, of shape (examples,), or "
            f"several, (examples, targets), but received shape {array.shape}."
        )
    if not array.size:
        raise ValueError("Expected labeled examples but received none.")
    rows = array.reshape(len(array), -1)
    if rows.dtype.kind in "biuf":
        targets = rows.astype(np.float64)
    else:
        targets = _from_texts(rows.astype(str), where, missing)
    wrong = np.argwhere(~(np.abs(targets) <= _LARGEST))
    if len(wrong):
        row, column = wrong[0]
        raise ValueError(
            f"{where(int(row))}: the label {targets[row, column]} is not a "
            f"finite number of at most {_LARGEST:.3g}. {classes.MISSING_ADVICE}"
        )
    return targets


def _from_texts(
    texts: np.ndarray, where: Callable[[int], str], missing: Sequence[str]
) -> np.ndarray:
    distinct, inverse = np.unique(texts, return_inverse=True)
    values = [cells.as_number(text) for text in distinct.tolist()]
    is_missing = cells.is_missing(distinct, missing)
    unusable = is_missing | np.array([value is None for value in values])
    wrong = np.argwhere(unusable[inverse.reshape(texts.shape)])
    if len(wrong):
        row = int(wrong[0, 0])
        text = str(texts[tuple(wrong[0])])
        if is_missing[np.searchsorted(distinct, text)]:
            raise ValueError(
                f"{where(row)}: the label is missing. {classes.MISSING_ADVICE}"
            )
        raise ValueError(
            f"{where(row)}: the label '{text}' is not a number, which a "
            "regression predicts. For classes, leave out task_type "
            "(--task-type)."
        )
    numbers = np.array([float(value or 0) for value in values])
    return numbers[inverse].reshape(texts.shape)
