"""Sums of more numbers than fit into memory, to the last bit as NumPy's."""

from collections.abc import Iterator

import numpy as np

# The rows that are added up by NumPy alone; at least 128.
AT_ONCE = 2**16


def sum_of_columns(parts: Iterator[np.ndarray], count: int) -> np.ndarray:
    """Sums each column of some rows, as `np.sum` does of that column alone.

    NumPy adds up the numbers of an array by halves, in pairwise summation.

    Args:
        parts: iterator over float arrays `(rows, columns)`, at least one.
        count: int, how many rows there are in all.

    Returns:
        Array `(columns,)`.
    """
    waiting = [next(parts)]

    def take(size: int) -> np.ndarray:
        while sum(map(len, waiting)) < size:
            waiting.append(next(parts))
        found = np.concatenate(waiting) if len(waiting) > 1 else waiting[0]
        waiting[:] = [found[size:]]
        return found[:size]

    def add(size: int) -> np.ndarray:
        if size <= AT_ONCE:
            return np.ascontiguousarray(take(size).T).sum(axis=1)
        half = size // 2
        half -= half % 8  # NumPy adds up 8 numbers side by side.
        first = add(half)
        return first + add(size - half)

    return add(count)
