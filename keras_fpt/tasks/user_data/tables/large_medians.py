"""Medians and quantiles of more rows than fit into memory."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

# Numbers are sorted by 16 of their 64 bits in each pass over the rows.
BITS, PASSES = 16, 4


def medians(parts: Callable[[], Iterator[np.ndarray]]) -> tuple[Any, Any]:
    """Computes the median of each column, as NumPy does.

    Args:
        parts: function that returns an iterator over float64 arrays
            `(rows, columns)`, five times the same. NaN is missing.

    Returns:
        A tuple of arrays `(columns,)`: the medians, NaN where all numbers are
        missing; and how many numbers are missing.
    """
    present: Any = 0
    size = 0
    for values in parts():
        present = present + np.count_nonzero(~np.isnan(values), axis=0)
        size += len(values)
    # The numbers in the middle: of an odd count, both are the same.
    middle = _at_ranks(parts, np.stack([(present - 1) // 2, present // 2]))
    middle[:, present == 0] = np.nan
    return (middle[0] + middle[1]) / 2, size - present


def quantiles(
    parts: Callable[[], Iterator[np.ndarray]], shares: np.ndarray
) -> np.ndarray:
    """Computes quantiles of one column, as `np.quantile` does.

    Args:
        parts: function that returns an iterator over float64 arrays
            `(rows, 1)` of numbers, five times the same.
        shares: float array `(n,)`, from 0 to 1.

    Returns:
        float64 array `(n,)`.
    """
    last = sum(map(len, parts())) - 1
    places = np.asarray(shares) * last
    below = np.floor(places).astype(int)
    ranks = np.stack([below, np.minimum(below + 1, last)])
    low, high = _at_ranks(parts, ranks.reshape(-1, 1)).reshape(2, -1)
    return np.array(
        [
            np.quantile(pair, share)
            for *pair, share in zip(low, high, places - below, strict=True)
        ]
    )


def _at_ranks(
    parts: Callable[[], Iterator[np.ndarray]], ranks: np.ndarray
) -> np.ndarray:
    """The numbers at some places, from 0, of each column when it is sorted.

    Args:
        parts: as for `medians`.
        ranks: int array `(n, columns)`.

    Returns:
        float64 array `(n, columns)`.
    """
    ranks = ranks.copy()
    prefixes = np.zeros(ranks.shape, np.uint64)
    for number in range(PASSES):
        counts = _counts(parts, prefixes, number)
        for place in np.ndindex(*ranks.shape):
            below = np.cumsum(counts[place])
            digit = int(np.searchsorted(below, ranks[place], side="right"))
            digit = min(digit, 2**BITS - 1)  # of a column without numbers
            ranks[place] -= below[digit - 1] if digit else 0
            prefixes[place] = (int(prefixes[place]) << BITS) | digit
    return _as_floats(prefixes)


def _counts(
    parts: Callable[[], Iterator[np.ndarray]], prefixes: np.ndarray, number: int
) -> np.ndarray:
    """How often each of the next bits follows the bits that are known."""
    counts = np.zeros((*prefixes.shape, 2**BITS), np.int64)
    shift = np.uint64(64 - BITS * (number + 1))
    for values in parts():
        leading = _as_ordered(values) >> shift
        for column, keys in enumerate(leading.T):
            keys = keys[~np.isnan(values[:, column])]
            digits = (keys & np.uint64(2**BITS - 1)).astype(np.int64)
            known = keys >> np.uint64(BITS)
            for rank in range(len(prefixes)):
                chosen = digits[known == prefixes[rank, column]]
                counts[rank, column] += np.bincount(chosen, minlength=2**BITS)
    return counts


def _as_ordered(values: np.ndarray) -> np.ndarray:
    """Whole numbers that are in the same order as floats."""
    bits = np.ascontiguousarray(values, np.float64).view(np.uint64)
    sign = np.uint64(1 << 63)
    return np.where(bits & sign, ~bits, bits | sign)


def _as_floats(ordered: np.ndarray) -> np.ndarray:
    sign = np.uint64(1 << 63)
    bits = np.where(ordered & sign, ordered ^ sign, ~ordered)
    return bits.view(np.float64)
