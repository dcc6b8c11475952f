"""Labels as classes, numbers, several labels, or a class for each token."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_fpt.tasks.user_data import (
    classes,
    label_kinds,
    several_labels,
    splitting,
)
from keras_fpt.tasks.user_data.tables import cells

CLASSIFICATION, REGRESSION = "classification", "regression"
MULTILABEL, TOKENS = "multilabel", "tokens"
TASK_TYPES = (CLASSIFICATION, REGRESSION, MULTILABEL, TOKENS)
# Only for a table in time, see `forecast_tables.from_series`.
FORECAST = "forecast"
# The label of a token that has none.
UNLABELED = -1
# Splits have the same share of each tenth of the numbers.
BINS = 10
EDGES = np.arange(1, BINS) / BINS
LARGEST = 3.40282347e38  # of float32


class Labels(NamedTuple):
    """The labels of examples.

    Args:
        y: int array `(n,)`: the class of each example, the tenth of all
            numbers that its own is in, or the rarest of its labels. Examples
            are split by it.
        class_names: tuple of strings: of classes, of tenths, or of labels.
        targets: float64 array `(n, targets)` of numbers, or `None` if labels
            are none.
        notes: what the user should know.
        kind: string, one of `TASK_TYPES`.
        answers: int array, where an example has several: `(n, labels)` of 0
            and 1, or `(n, tokens)` of classes, -1 where a token has none.
            Otherwise `None`.
        answer_names: tuple of strings, the names of the labels, or of the
            classes of tokens.
    """

    y: np.ndarray
    class_names: tuple[str, ...]
    targets: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    kind: str = CLASSIFICATION
    answers: np.ndarray | None = None
    answer_names: tuple[str, ...] = ()

    @property
    def is_regression(self) -> bool:
        """Whether labels are numbers."""
        return self.targets is not None

    @property
    def has_classes(self) -> bool:
        """Whether each example has one class."""
        return self.kind == CLASSIFICATION

    @property
    def names_of_answers(self) -> tuple[str, ...]:
        """The names of classes or labels, of which numbers have none."""
        if self.is_regression:
            return ()
        return self.class_names if self.answers is None else self.answer_names

    @property
    def answers_of_kind(self) -> np.ndarray:
        """What a model learns: classes, float32 numbers, or several answers."""
        if self.targets is not None:
            return self.targets.astype(np.float32, copy=False)
        return self.y if self.answers is None else self.answers

    @property
    def without_tenths(self) -> np.ndarray:
        """Classes; otherwise zeros, of which no split must have any."""
        return self.y if self.has_classes else np.zeros_like(self.y)

    @property
    def compared(self) -> np.ndarray:
        """Numbers that are equal for examples whose labels are equal.

        They are zeros where equal examples may have other labels: numbers,
        which are measured, and tokens.
        """
        if self.kind != MULTILABEL or self.answers is None:
            return self.without_tenths
        _, found = np.unique(self.answers, axis=0, return_inverse=True)
        return found.reshape(-1)

    def select(self, indices: np.ndarray) -> "Labels":
        """The labels of some examples, which may be repeated."""
        targets = None if self.targets is None else self.targets[indices]
        answers = None if self.answers is None else self.answers[indices]
        return self._replace(
            y=self.y[indices], targets=targets, answers=answers
        )

    def check_splits(self, splits: dict[str, np.ndarray]) -> None:
        """Checks that no split is empty, and that train has every class.

        Raises:
            ValueError: one is empty, or a class has no training example.
        """
        names = self.class_names if self.has_classes else ("",)
        splitting.check_splits(splits, self.without_tenths, names)


def encode(
    labels: Any,
    where: Callable[[int], str],
    task_type: str | None = None,
    class_names: Sequence[str] | None = None,
    missing: Sequence[str] = (),
    columns: Sequence[str] = (),
    separator: str | None = None,
) -> Labels:
    """Encodes labels as classes, as numbers, or as several labels.

    Labels `(n, columns)` that are all 0 and 1 are several labels, and numbers
    otherwise, if they are columns of a table or mostly fractions. A label in
    whose cells several names are told apart by `several_labels.find_separator`
    is several labels.

    Args:
        labels: sequence of n labels, or array `(n, columns)`.
        where: function from an example's index to words that say where it
            is, for errors.
        task_type: `"classification"`, `"regression"`, `"multilabel"`, or
            `None`, which finds it: a regression if most labels are fractions,
            and no classes are named. `"tokens"` encodes as a classification.
        class_names, missing: as for `classes.encode_labels`.
        columns: sequence of strings, the names of the columns of a table.
        separator: string, what stands between the names in a cell, or `None`.

    Raises:
        ValueError: the type is unknown; a label is missing, or not a number;
            or as `classes.encode_labels`.
    """
    check_task_type(task_type)
    array = np.asarray(labels)
    found = None
    if class_names is None and task_type in (None, MULTILABEL):
        found = _several(array, where, task_type, missing, columns, separator)
    if found is not None:
        return of_indicators(found.indicators, found.names, (found.note,))
    if separator is not None:
        raise ValueError(
            "label_separator (--label-separator) is for several names in each "
            f"cell of one column, not for a {task_type or CLASSIFICATION}."
        )
    is_wide = array.ndim == 2 and array.shape[1] > 1
    if is_wide and columns and task_type not in (None, REGRESSION):
        raise ValueError(
            f"The labels are in {len(columns)} columns, {', '.join(columns)}, "
            "which is for several labels of 0 and 1 (--task-type multilabel) "
            "or several numbers (--task-type regression)."
        )
    fraction = None
    if task_type is None and class_names is None:
        fraction = label_kinds.most_are_fractions(labels)
        if fraction is None:
            label_kinds.check_no_word(labels, where, missing)
    is_number_table = is_wide and bool(columns)
    if task_type != REGRESSION and fraction is None and not is_number_table:
        y, names = classes.encode_labels(labels, where, class_names, missing)
        return Labels(y, names)
    if class_names is not None:
        raise ValueError("A regression has no classes: leave out class_names.")
    targets = as_targets(labels, where, missing, columns)
    notes: tuple[str, ...] = ()
    if task_type is None and is_number_table:
        notes = (label_kinds.note_of_columns(columns),)
    elif fraction is not None:
        notes = (label_kinds.note_of_fractions(fraction),)
    return of_targets(targets, notes)


def _several(
    labels: np.ndarray,
    where: Callable[[int], str],
    task_type: str | None,
    missing: Sequence[str],
    columns: Sequence[str],
    separator: str | None,
) -> several_labels.Several | None:
    """Several labels per example; `None` if labels are something else."""
    import pandas as pd

    is_chosen = task_type == MULTILABEL
    if labels.ndim == 2 and (labels.shape[1] > 1 or is_chosen):
        if separator is not None:
            raise ValueError(
                "label_separator (--label-separator) is for several names in "
                "each cell of one column. Leave it out where labels are in "
                "columns of their own."
            )
        found = several_labels.as_indicators(labels)
        if not is_chosen and (not found.size or found.min() < 0):
            return None
        if not is_chosen and several_labels.is_one_hot(found):
            raise ValueError(
                "Each example has exactly one of the labels, as one-hot "
                "labels do. For one class per example, give one column of "
                "names, or np.argmax(y, axis=1); to learn them as several "
                "labels all the same, use task_type='multilabel' (--task-type "
                "multilabel)."
            )
        return several_labels.from_columns(labels, columns, where, missing)
    if labels.ndim != 1 or not len(labels):
        return None
    if is_chosen and (several_labels.as_indicators(labels) >= 0).all():
        return several_labels.from_columns(labels[:, None], columns, where)
    if labels.dtype.kind not in "USO":
        if not is_chosen:
            return None
        raise ValueError(
            "Several labels per example need an array (examples, labels) of 0 "
            "and 1, or texts that hold several names, but received one number "
            "for each example."
        )
    texts = labels.astype(str)
    if not is_chosen and separator is None:
        distinct = pd.unique(texts)
        separator = several_labels.find_separator(
            distinct[~cells.is_missing(distinct, missing)].tolist()
        )
        if separator is None:
            return None
    return several_labels.from_cells(texts, where, separator, missing)


def of_indicators(
    indicators: np.ndarray,
    names: tuple[str, ...],
    notes: tuple[str, ...] = (),
) -> Labels:
    """The labels of examples that may have several.

    Args:
        indicators: int8 array `(n, labels)` of 0 and 1.
        names: tuple of strings, the labels' names.
        notes: as in `Labels`.
    """
    y, class_names = several_labels.strata(indicators, names)
    return Labels(
        y,
        class_names,
        notes=notes,
        kind=MULTILABEL,
        answers=indicators,
        answer_names=names,
    )


def of_tokens(
    answers: np.ndarray, names: tuple[str, ...], notes: tuple[str, ...] = ()
) -> Labels:
    """The labels of sequences each of whose tokens has a class.

    Args:
        answers: int32 array `(n, tokens)`, -1 where a token has no class.
        names: tuple of strings, the classes.
        notes: as in `Labels`.
    """
    return Labels(
        np.zeros(len(answers), np.int32),
        ("",),
        notes=notes,
        kind=TOKENS,
        answers=answers,
        answer_names=names,
    )


def of_targets(targets: np.ndarray, notes: tuple[str, ...] = ()) -> Labels:
    """The labels of a regression.

    Args:
        targets: float64 array `(n, targets)`.
        notes: as in `Labels`.
    """
    edges = np.quantile(targets[:, 0], EDGES)
    tenths = np.searchsorted(edges, targets[:, 0], side="left")
    found, y = np.unique(tenths, return_inverse=True)
    names = names_of_tenths(found)
    return Labels(y.astype(np.int32), names, targets, notes, REGRESSION)


def names_of_tenths(found: np.ndarray) -> tuple[str, ...]:
    """The names of some of the tenths, which are numbered from 0."""
    return tuple(f"tenth {number + 1}" for number in found)


def check_task_type(task_type: str | None) -> None:
    """Raises `ValueError` unless it is one of `TASK_TYPES`, or `None`."""
    if task_type == FORECAST:
        raise ValueError(
            "Forecasts are for tables whose rows follow one another in time: "
            "use keras_fpt.tasks.from_series."
        )
    if task_type not in (None, *TASK_TYPES):
        raise ValueError(
            f"Expected task_type (--task-type) to be {', '.join(TASK_TYPES)} "
            f"or {FORECAST} but received '{task_type}'."
        )


def refuse_tokens(task_type: str | None, what: str) -> None:
    """Raises `ValueError` where there is one label for each example.

    Args:
        task_type: string, one of `TASK_TYPES`, or `None`.
        what: string, what the examples are.
    """
    if task_type == TOKENS:
        raise ValueError(
            "task_type='tokens' (--task-type tokens) is for tables whose rows "
            "have a label each, with window (--window) or group_column "
            f"(--group-column), and for arrays, not for {what}. For letters, "
            "give arrays of integers x and y, (examples, letters)."
        )


def as_targets(
    labels: Any,
    where: Callable[[int], str],
    missing: Sequence[str] = (),
    columns: Sequence[str] = (),
) -> np.ndarray:
    """Labels as numbers.

    Args:
        labels, where, missing, columns: as for `encode`.

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
        targets = _from_texts(rows.astype(str), where, missing, columns)
    wrong = np.argwhere(~(np.abs(targets) <= LARGEST))
    if len(wrong):
        row, column = wrong[0]
        raise ValueError(
            f"{where(int(row))}: the label {targets[row, column]} is not a "
            f"finite number of at most {LARGEST:.3g}. {classes.MISSING_ADVICE}"
        )
    return targets


def _from_texts(
    texts: np.ndarray,
    where: Callable[[int], str],
    missing: Sequence[str],
    columns: Sequence[str],
) -> np.ndarray:
    distinct, inverse = np.unique(texts, return_inverse=True)
    values = [cells.as_number(text) for text in distinct.tolist()]
    is_missing = cells.is_missing(distinct, missing)
    unusable = is_missing | np.array([value is None for value in values])
    wrong = np.argwhere(unusable[inverse.reshape(texts.shape)])
    if len(wrong):
        place = where(int(wrong[0, 0]))
        if len(columns) > 1:
            place += f", column '{columns[wrong[0, 1]]}'"
        text = str(texts[tuple(wrong[0])])
        if is_missing[np.searchsorted(distinct, text)]:
            raise ValueError(
                f"{place}: the label is missing. {classes.MISSING_ADVICE}"
            )
        raise ValueError(
            f"{place}: the label '{text}' is not a number, which a "
            "regression predicts. For classes, leave out task_type "
            "(--task-type)."
        )
    numbers = np.array([float(value or 0) for value in values])
    return numbers[inverse].reshape(texts.shape)
