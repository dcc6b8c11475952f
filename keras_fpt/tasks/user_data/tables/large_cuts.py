"""Where windows of a large table's rows begin, and what is in them."""

from typing import Any, NamedTuple

import numpy as np

from keras_fpt.tasks.user_data import audit
from keras_fpt.tasks.user_data.tables import (
    group_runs,
    table_windows,
    windows,
)
from keras_fpt.tasks.user_data.tables.large_layout import Stretches
from keras_fpt.tasks.user_data.tables.table_structure import Structure

# The number of labels that are processed at a time.
AT_ONCE = 2**22


class Cut(NamedTuple):
    """The sequences that are cut from stretches of rows.

    Args:
        starts: int array `(n,)`, the first row of each.
        lengths: int array `(n,)`.
        stretch: int array `(n,)`, the stretch that each is from.
        numbers: int array `(n,)`, which sequence each is, also counting those
            that are left out.
        labels: int array `(n,)` of classes.
        names: sequence of strings, or something with `select`.
        notes: list of strings.
        findings: list of what is suspicious.
    """

    starts: np.ndarray
    lengths: np.ndarray
    stretch: np.ndarray
    numbers: np.ndarray
    labels: np.ndarray
    names: Any
    notes: list[str]
    findings: list[audit.Finding]


def cut_windows(
    y: np.ndarray,
    num_classes: int,
    stretches: Stretches,
    structure: Structure,
    runs: group_runs.GroupRuns,
) -> Cut:
    """Cuts stretches of rows into windows.

    Args:
        y: int array `(rows,)` of classes, -1 where a row has none.
        num_classes: int.
        stretches: `Stretches`.
        structure: a `Structure` with a window.
        runs: the `GroupRuns` of the rows.
    """
    window = structure.window or 1
    stride = structure.stride or window
    if structure.keep_rest:  # Each row has a label of its own.
        cut, of_stretch = windows.windows(
            windows.Sequences(
                np.arange(0), stretches.starts, stretches.lengths
            ),
            window,
            stride,
            keep_rest=True,
        )
        starts, lengths = cut.starts, cut.lengths
        none = np.zeros(len(starts), np.uint8)
        counts = _count_labeled(y, starts, lengths)
        # Single rows are kept, as by `windows.majority`.
        is_empty = (counts == 0) & (lengths > 1).any()
        most = windows.Majority(none, counts, is_empty)
    else:
        starts, of_stretch = window_starts(stretches, window, stride)
        lengths = np.broadcast_to(window, starts.shape)
        most = majority(y, starts, window, num_classes)
    least = (structure.min_label_share or 0) * window
    is_kept = ~most.is_tie & (most.counts >= least)
    notes = table_windows.left_out(
        stretches.lengths, most, is_kept, structure, len(runs.names)
    )
    if stretches.num_gaps:
        notes.insert(
            0,
            table_windows.gaps_note(
                stretches.num_gaps, structure, stretches.time_gap
            ),
        )
    findings = table_windows.mixed_windows(most, is_kept, window, structure)
    starts, of_stretch = starts[is_kept], of_stretch[is_kept]
    if structure.keep_rest:
        lengths = lengths[is_kept]
    else:  # A view of one number.
        lengths = np.broadcast_to(window, starts.shape)
    return Cut(
        starts,
        lengths,
        of_stretch,
        np.flatnonzero(is_kept),
        most.labels[is_kept],
        group_runs.WindowNames(
            runs, stretches.groups[of_stretch], starts, lengths
        ),
        notes,
        findings,
    )


def without(cut: Cut, is_left_out: np.ndarray) -> Cut:
    """The windows that hold none of some rows."""
    is_kept = np.ones(len(cut.starts), bool)
    for place in range(int(cut.lengths.max(initial=0))):
        is_kept &= ~is_left_out[cut.starts + np.minimum(place, cut.lengths - 1)]
    kept = np.flatnonzero(is_kept)
    more = windows.left_out(len(is_kept) - len(kept), len(is_kept), "windows")
    return Cut(
        cut.starts[kept],
        cut.lengths[kept],
        cut.stretch[kept],
        cut.numbers[kept],
        cut.labels[kept],
        cut.names.select(kept),
        [*cut.notes, *more],
        cut.findings,
    )


def window_starts(
    stretches: Stretches, window: int, stride: int
) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each window, and the stretch that it is from."""
    counts = np.maximum((stretches.lengths - window) // stride + 1, 0)
    origin = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    number = np.arange(len(origin))
    number -= np.repeat(np.cumsum(counts) - counts, counts)
    number *= stride
    number += stretches.starts[origin]
    return number, origin


def majority(
    y: np.ndarray, starts: np.ndarray, window: int, num_classes: int
) -> windows.Majority:
    """The most common label of each window, as `windows.majority`.

    Args:
        y: int array `(rows,)` of classes, -1 where a row has none.
        starts: int array `(n,)`, the first row of each window.
        window: int.
        num_classes: int.
    """
    labels = np.zeros(len(starts), y.dtype)
    most = np.zeros(len(starts), np.min_scalar_type(window))
    is_tie = np.zeros(len(starts), bool)
    step = max(1, AT_ONCE // window)
    for first in range(0, len(starts), step):
        part = slice(first, first + step)
        seen = y[starts[part, None] + np.arange(window)]
        counts = np.zeros((len(seen), num_classes), most.dtype)
        for label in np.unique(seen[seen >= 0]):
            counts[:, label] = (seen == label).sum(axis=1)
        labels[part] = counts.argmax(axis=1)
        most[part] = counts.max(axis=1)
        is_tie[part] = (counts == most[part, None]).sum(axis=1) > 1
        is_tie[part] |= most[part] == 0  # No row has a label.
    return windows.Majority(labels, most, is_tie)


def _count_labeled(
    y: np.ndarray, starts: np.ndarray, lengths: np.ndarray
) -> np.ndarray:
    """How many rows of each sequence have a label, int array `(n,)`."""
    lacking = np.flatnonzero(y < 0)
    first, end = np.searchsorted(lacking, [starts, starts + lengths])
    return lengths - (end - first)


def covered_rows(
    size: int, starts: np.ndarray, lengths: np.ndarray
) -> np.ndarray:
    """Which rows are in some of the sequences, bool array `(rows,)`.

    Args:
        size: int, how many rows there are.
        starts: int array `(n,)`, the first row of each sequence.
        lengths: int array `(n,)`.
    """
    is_covered = np.zeros(size, bool)
    longest = int(lengths.max(initial=1))
    step = max(1, AT_ONCE // longest)
    for first in range(0, len(starts), step):
        part = slice(first, first + step)
        place = np.arange(longest)
        covered = starts[part, None] + place
        is_covered[covered[place < lengths[part, None]]] = True
    return is_covered
