"""Whole numbers in stretches of equal steps, as the places of windows are."""

from collections.abc import Callable
from typing import Any

import numpy as np

# The numbers that are made at a time.
_AT_ONCE = 2**20


class Ranges:
    """Numbers that take memory for each stretch, and not for each number.

    It looks like an int64 array `(n,)`.

    Args:
        firsts: int array, the first number of each stretch.
        counts: int array, how many numbers each stretch has.
        step: int, from one number of a stretch to the next.

    Example:

    ```python
    from keras_fpt.tasks.ranges import Ranges

    Ranges([0, 100], [3, 2], step=5)[:]  # 0, 5, 10, 100 and 105.
    ```
    """

    def __init__(self, firsts: Any, counts: Any, step: int) -> None:
        counts = np.asarray(counts, np.int64)
        is_used = counts > 0
        self._firsts = np.asarray(firsts, np.int64)[is_used]
        self._ends = np.cumsum(counts[is_used])
        self._before = self._ends - counts[is_used]
        self._step = step

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            index = np.arange(*index.indices(len(self)))
        index = np.asarray(index, np.int64)
        if index.size and not 0 <= index.min() <= index.max() < len(self):
            raise IndexError(f"Expected indices from 0 to {len(self) - 1:,}.")
        stretch = np.searchsorted(self._ends, index, side="right")
        place = index - self._before[stretch]
        return self._firsts[stretch] + place * self._step

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self[:], dtype)

    def plus(self, number: int) -> "Ranges":
        """The same numbers, each with a number added to it."""
        counts = self._ends - self._before
        return Ranges(self._firsts + number, counts, self._step)

    def kept(self, is_kept: Callable[[np.ndarray], np.ndarray]) -> "Ranges":
        """Some of the numbers.

        Args:
            is_kept: function of an int array that returns a bool array.
        """
        firsts, counts = [np.arange(0)], [np.arange(0)]
        for start in range(0, len(self), _AT_ONCE):
            numbers = self[start : start + _AT_ONCE]
            numbers = numbers[is_kept(numbers)]
            steps = np.diff(numbers, prepend=numbers[:1] - self._step - 1)
            places = np.flatnonzero(steps != self._step)
            firsts.append(numbers[places])
            counts.append(np.diff(np.append(places, len(numbers))))
        return Ranges(
            np.concatenate(firsts), np.concatenate(counts), self._step
        )
