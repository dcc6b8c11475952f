"""Where windows of a large table's rows begin, and what is in them."""

import numpy as np

from keras_fpt.tasks.user_data.tables import windows
from keras_fpt.tasks.user_data.tables.large_layout import Stretches

# The number of labels that are processed at a time.
AT_ONCE = 2**22


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
