"""The labels of sequences of a large table's rows, if not one class each."""

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data import targets
from keras_fpt.tasks.user_data.tables import sequence_targets

# The number of labels that are read at a time.
AT_ONCE = 2**20


def of_sequences(
    labels: targets.Labels,
    numbers: sequence_store.SequenceStore | None,
    starts: np.ndarray,
    lengths: np.ndarray,
    is_window: bool,
    where: Callable[[int], str],
) -> targets.Labels:
    """The labels of sequences, as `sequence_targets.of_sequences`.

    Args:
        labels: `Labels` of the rows, which are numbers or several.
        numbers: as of `large_rows.Rows`.
        starts: int array `(n,)`, the first row of each sequence.
        lengths: int array `(n,)`; all are equal if they are of windows.
        is_window: bool, whether sequences are windows, or whole groups.
        where: function from a sequence to words that say where it is, for
            errors.

    Raises:
        ValueError: the rows of a group have different labels.
    """

    def rows(indices: Any) -> np.ndarray:
        if numbers is not None:
            return numbers[indices][:, 0]
        assert labels.answers is not None
        return labels.answers[indices]

    notes = labels.notes
    if is_window:
        notes = (*notes, sequence_targets.of_window(labels))
        values = _means(rows, starts, int(lengths[:1].sum()))
    else:
        values = rows(starts)
        _check_constant(rows, values, starts, lengths, where)
    if numbers is not None:
        return targets.of_targets(values, notes)
    return targets.of_indicators(
        (values >= sequence_targets.SHARE).astype(np.int8),
        labels.answer_names,
        notes,
    )


def of_tokens(
    labels: targets.Labels, starts: np.ndarray, lengths: np.ndarray
) -> targets.Labels:
    """The labels of all rows of each sequence.

    Args:
        labels: `Labels` of the rows, -1 where a row has none.
        starts, lengths: as for `of_sequences`.
    """
    answers = np.full(
        (len(starts), int(lengths.max(initial=1))),
        targets.UNLABELED,
        np.result_type(np.min_scalar_type(len(labels.class_names)), np.int8),
    )
    place = np.arange(answers.shape[1])
    step = max(1, AT_ONCE // len(place))
    for first in range(0, len(starts), step):
        part = slice(first, first + step)
        is_real = place < lengths[part, None]
        at = np.where(is_real, starts[part, None] + place, 0)
        answers[part][is_real] = labels.y[at][is_real]
    count = int((labels.y == targets.UNLABELED).sum())
    return targets.of_tokens(
        answers,
        labels.class_names,
        sequence_targets.notes_of_tokens(labels.notes, lengths, count),
    )


def _means(
    rows: Callable[[Any], np.ndarray], starts: np.ndarray, window: int
) -> np.ndarray:
    """The means over the rows of each window, float64 `(n, columns)`."""
    step = max(1, AT_ONCE // max(window, 1))
    found = []
    for first in range(0, len(starts), step):
        chosen = starts[first : first + step, None] + np.arange(window)
        values = rows(chosen.ravel())
        found.append(values.reshape(*chosen.shape, -1).mean(axis=1))
    none = np.empty((0, rows(slice(0, 1)).shape[1]))
    return np.concatenate([none, *found])


def _check_constant(
    rows: Callable[[Any], np.ndarray],
    values: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    where: Callable[[int], str],
) -> None:
    """Checks that all rows of a group have the labels of the first."""
    # The first group, for each column, that has several.
    torn: dict[int, int] = {}
    ends = np.cumsum(lengths)
    for first in range(0, int(lengths.sum()), AT_ONCE):
        places = np.arange(first, min(first + AT_ONCE, int(ends[-1])))
        group = np.searchsorted(ends, places, side="right")
        own = rows(starts[group] + places - (ends - lengths)[group])
        for place, column in np.argwhere(own != values[group]).tolist():
            torn.setdefault(column, int(group[place]))
    if torn:
        column = min(torn)
        number = torn[column]
        indices = starts[number] + np.arange(lengths[number])
        own = rows(indices)[:, column]
        raise sequence_targets.contradiction(where(number), own)
