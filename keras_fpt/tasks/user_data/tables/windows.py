"""Sequences as stretches of the ordered rows of a table.

A sequence is the rows `order[start : start + length]`. Rows are in arrays, so
that windows that overlap take no further memory.
"""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

# The number of windows that are cut at a time.
_CUT = 4096


class Sequences(NamedTuple):
    """Some rows of a table for each sequence.

    Args:
        order: int array `(rows,)` of rows.
        starts: int array `(n,)`, where in `order` each sequence begins.
        lengths: int array `(n,)`.
    """

    order: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray

    def select(self, chosen: np.ndarray | slice) -> "Sequences":
        """Some of the sequences, by indices, a mask or a slice."""
        return Sequences(self.order, self.starts[chosen], self.lengths[chosen])

    def rows(self) -> np.ndarray:
        """The rows that are in a sequence, sorted, each of them once."""
        size = len(self.order)
        change = np.bincount(self.starts, minlength=size + 1)
        change -= np.bincount(self.starts + self.lengths, minlength=size + 1)
        return np.sort(self.order[np.cumsum(change)[:size] > 0])

    def cut(self, values: np.ndarray) -> Any:
        """The values in the rows of each sequence.

        Args:
            values: array `(rows, columns)`.

        Returns:
            As `sequences.stack`.
        """
        is_in_order = np.array_equal(self.order, np.arange(len(values)))
        ordered = values if is_in_order else values[self.order]
        length = int(self.lengths[0]) if len(self.lengths) else 1
        if (self.lengths == length).all():
            views = np.lib.stride_tricks.sliding_window_view(
                ordered, length, axis=0
            )
            shape = (len(self.starts), length, values.shape[1])
            cut = np.empty(shape, values.dtype)
            for first in range(0, len(cut), _CUT):
                chosen = slice(first, first + _CUT)
                cut[chosen] = views[self.starts[chosen]].swapaxes(1, 2)
            return cut
        ends = np.cumsum(self.lengths)
        within = np.arange(ends[-1]) - np.repeat(
            ends - self.lengths, self.lengths
        )
        flat = ordered[np.repeat(self.starts, self.lengths) + within]
        return tf.RaggedTensor.from_row_lengths(flat, self.lengths)


class Majority(NamedTuple):
    """The most common label of each sequence.

    Args:
        labels: int32 array `(n,)`; of equally common ones, the first.
        counts: int array `(n,)`, how many rows have it.
        is_tie: bool array `(n,)`, whether another label is as common.
    """

    labels: np.ndarray
    counts: np.ndarray
    is_tie: np.ndarray


def each_row(size: int) -> Sequences:
    """Each of some rows as a sequence."""
    each = np.arange(size)
    return Sequences(each, each, np.ones_like(each))


def stretches(is_first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The starts and the lengths of stretches, from what begins one."""
    starts = np.flatnonzero(is_first)
    return starts, np.diff(np.append(starts, len(is_first)))


def windows(
    sequences: Sequences, window: int, stride: int, keep_rest: bool = False
) -> tuple[Sequences, np.ndarray]:
    """Cuts sequences into windows.

    Args:
        sequences: `Sequences`.
        window: int, rows per window.
        stride: int, rows from one window to the next.
        keep_rest: bool, whether the last rows of a sequence, which fill no
            window, are a shorter one.

    Returns:
        A tuple: `Sequences` in their order, and an int array with the index
        of the sequence that each was cut from.
    """
    counts = np.maximum((sequences.lengths - window) // stride + 1, 0)
    if keep_rest:
        covered = np.where(counts > 0, (counts - 1) * stride + window, 0)
        has_rest = covered < sequences.lengths
        counts += has_rest & (counts * stride < sequences.lengths)
    origin = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(origin)) - np.repeat(
        np.cumsum(counts) - counts, counts
    )
    starts = sequences.starts[origin] + number * stride
    ends = (sequences.starts + sequences.lengths)[origin]
    lengths = np.minimum(window, ends - starts)
    return Sequences(sequences.order, starts, lengths), origin


def majority(sequences: Sequences, labels: np.ndarray) -> Majority:
    """The most common label of each sequence.

    Args:
        sequences: `Sequences`.
        labels: int array `(rows,)` of classes.
    """
    ordered = labels[sequences.order]
    starts, ends = sequences.starts, sequences.starts + sequences.lengths
    best = np.zeros(len(starts), np.int32)
    if (sequences.lengths == 1).all():
        best[:] = ordered[starts]
        return Majority(best, np.ones_like(best), np.zeros(len(best), bool))
    counts = np.zeros(len(starts), np.int32)
    is_tie = np.zeros(len(starts), bool)
    # Class by class: one array per class would not fit into memory.
    before = np.zeros(len(ordered) + 1, np.int32)
    for label in range(int(labels.max(initial=-1)) + 1):
        np.cumsum(ordered == label, out=before[1:])
        count = before[ends] - before[starts]
        is_tie = np.where(count > counts, False, is_tie | (count == counts))
        best[count > counts] = label
        np.maximum(counts, count, out=counts)
    return Majority(best, counts, is_tie)


def left_out(count: int, total: int, kind: str) -> list[str]:
    """Says how many rows, groups or windows are left out.

    Args:
        count: int, how many are left out.
        total: int, of how many.
        kind: string, what they are.

    Returns:
        A list of one string, or of none.

    Raises:
        ValueError: all are left out.
    """
    if not count:
        return []
    if count == total:
        raise ValueError(
            f"All {count:,} {kind} have missing cells or labels, so nothing is "
            "left. Fill cells in with fill (--fill median), or leave a column "
            "out of which most cells are missing with ignore_column "
            "(--ignore-column)."
        )
    return [f"left out: {count:,} {kind} with missing cells or labels"]
