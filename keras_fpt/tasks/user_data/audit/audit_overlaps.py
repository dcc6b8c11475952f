"""Finds examples of different splits that were cut from the same rows."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_fpt.tasks.user_data import sequences
from keras_fpt.tasks.user_data.audit.findings import Finding

MAX_TEST = 200
MAX_TOKENS = 500_000
MIN_LENGTH = 8
MIN_SHARED = 4
# Cells of a row, of which half are the shortest stretch.
MIN_CELLS = 4
# Stretches of columns of few values, such as indicators, or mostly of one, such
# as counts, are equal by chance.
GLANCE, MIN_VALUES, MOST_COMMON = 20_000, 20, 0.2
# Test examples that share a stretch.
SHARE = 0.05
# Shared stretches among those of half the length.
LONG = 0.5
LONG_IN_CELLS = 0.3
ODD = 0x9E3779B97F4A7C15
INVERSE = pow(ODD, -1, 1 << 64)


class Grams(NamedTuple):
    """Stretches of successive tokens.

    Args:
        hashes: uint64 array `(n,)`.
        examples: int array `(n,)`, the example that each is from.
        places: int array `(n,)`, where it begins there.
    """

    hashes: np.ndarray
    examples: np.ndarray
    places: np.ndarray


def find_shared_tokens(x: Any, splits: dict[str, np.ndarray]) -> list[Finding]:
    """Test examples that share a stretch of tokens with one of train.

    Windows that overlap do, at another place of the window. A stretch is a
    quarter of the shortest example. Only measurements are compared, since
    words and patterns recur in symbols by nature.

    Args:
        x: as in `Examples`, all examples.
        splits: dict from splits to int arrays of indices in `x`.

    Returns:
        A list of `Finding`s.
    """
    length = int(sequences.lengths(x).min())
    if not tf.as_dtype(x.dtype).is_floating or length < MIN_LENGTH:
        return []
    size = max(MIN_SHARED, length // 4)
    words = _count_sharing(x, splits, size)
    if words is None:
        return []
    return [
        Finding(
            "shared-rows-across-splits",
            f"{words} share {size:,} or more successive rows with examples of "
            "train, as overlapping windows do.",
            "Split before windows are cut, e.g. with from_csv (--window), or "
            "give each stretch of rows one split.",
            is_leak=True,
        )
    ]


def find_shared_cells(
    values: np.ndarray, train: np.ndarray, test: np.ndarray
) -> list[Finding]:
    """Rows of test that share a stretch of cells with one of train.

    Rows that hold the last values of a series do, in columns such as `t0`,
    `t1`, ... or `lag1`, `lag2`, ...

    Args:
        values: float array `(rows, columns)`, as in the file.
        train: int array of the rows of the train split.
        test: int array of the rows of the test split.

    Returns:
        A list of `Finding`s.
    """
    values = values[:, [_is_measured(column) for column in values.T]]
    if values.shape[1] < MIN_CELLS:
        return []
    # Windows of several channels have a stretch for each of them.
    size = min(max(MIN_CELLS // 2, values.shape[1] // 4), MIN_SHARED)
    splits = {"train": train, "test": test}
    words = _count_sharing(values[:, :, None], splits, size, LONG_IN_CELLS)
    if words is None:
        return []
    return [
        Finding(
            "shared-rows-across-splits",
            f"{words} share {size:,} or more successive cells, in other "
            "columns, with examples of train, as overlapping windows of a "
            "series do.",
            "Give the series itself, with a row for each time, and --window; "
            "or write into a column which stretch of time a row is of, and "
            "name it with --split-group.",
            is_leak=True,
        )
    ]


def _count_sharing(
    x: Any, splits: dict[str, np.ndarray], size: int, least: float = LONG
) -> str | None:
    """How many test examples share a stretch with train, in words."""
    train, test = splits["train"], splits["test"]
    test = test[:: max(1, len(test) // MAX_TEST)]
    longest = sequences.longest(x)
    if longest * len(test) > MAX_TOKENS:
        return None
    # Those that are next to the test examples in the file come first.
    near = _distance(train, test)
    train = np.sort(
        train[np.argsort(near, kind="stable")][: MAX_TOKENS // longest]
    )
    shared = {}
    for part in (size, size // 2):
        of_train, of_test = _grams(x, train, part), _grams(x, test, part)
        shared[part] = _num_pairs(of_train, of_test)
    # Where tokens recur by nature, short stretches do so far more often.
    if shared[size] < least * shared[size // 2] or not shared[size]:
        return None
    of_train, of_test = _grams(x, train, size), _grams(x, test, size)
    count = len(_match(of_train, of_test))
    if count < max(2, SHARE * len(test)):
        return None
    return f"{count:,} of {len(test):,} test examples ({count / len(test):.1%})"


def _is_measured(column: np.ndarray) -> bool:
    """Whether a column has so many values that few of its cells are equal."""
    _, counts = np.unique(column[:GLANCE], return_counts=True)
    return (
        len(counts) >= MIN_VALUES and counts.max() < MOST_COMMON * counts.sum()
    )


def _distance(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """How far each train example is from the next test example in the file."""
    place = np.searchsorted(test, train)
    before = test[np.maximum(place - 1, 0)]
    after = test[np.minimum(place, len(test) - 1)]
    return np.minimum(np.abs(train - before), np.abs(train - after))


def _grams(x: Any, rows: np.ndarray, size: int) -> Grams:
    """The stretches of `size` tokens of some examples."""
    chosen = sequences.select(x, rows)
    lengths = sequences.lengths(chosen)
    values = (
        chosen.flat_values.numpy()
        if sequences.is_ragged(chosen)
        else np.asarray(chosen)
    )
    values = values.reshape(lengths.sum(), -1)
    tokens = _hash_tokens(values)
    with np.errstate(over="ignore"):
        powers = np.cumprod(np.full(len(tokens), ODD, np.uint64))
        inverse = np.cumprod(np.full(len(tokens), INVERSE, np.uint64))
        total = np.zeros(len(tokens) + 1, np.uint64)
        np.cumsum(tokens * powers, out=total[1:])
        grams = (total[size:] - total[:-size]) * inverse[: len(total) - size]
    ends = np.cumsum(lengths)
    example = np.repeat(np.arange(len(rows)), lengths)
    place = np.arange(len(tokens)) - np.repeat(ends - lengths, lengths)
    starts = np.arange(len(grams))
    fits = place[starts] + size <= lengths[example[starts]]
    # A sensor at rest gives equal stretches.
    changes = np.concatenate([[0], np.cumsum(tokens[1:] != tokens[:-1])])
    moving = changes[starts + size - 1] - changes[starts] >= size // 2
    kept = fits & moving
    return Grams(grams[kept], example[starts][kept], place[starts][kept])


def _hash_tokens(values: np.ndarray) -> np.ndarray:
    import pandas as pd

    mixed = np.zeros(len(values), np.uint64)
    with np.errstate(over="ignore"):
        for column in values.T:
            hashed = pd.util.hash_array(np.ascontiguousarray(column))
            mixed = mixed * np.uint64(ODD) + hashed
    return mixed


def _num_pairs(of_train: Grams, of_test: Grams) -> int:
    """How many pairs of equal stretches are at different places."""
    total = _num_equal(of_train.hashes, of_test.hashes)
    with np.errstate(over="ignore"):
        placed = [
            g.hashes + g.places.astype(np.uint64) for g in (of_train, of_test)
        ]
    return total - _num_equal(*placed)


def _num_equal(first: np.ndarray, second: np.ndarray) -> int:
    keys, counts = np.unique(first, return_counts=True)
    others, numbers = np.unique(second, return_counts=True)
    _, a, b = np.intersect1d(keys, others, return_indices=True)
    return int((counts[a] * numbers[b]).sum())


def _match(of_train: Grams, of_test: Grams) -> np.ndarray:
    """The test examples that share a stretch at another place."""
    order = np.argsort(of_train.hashes, kind="stable")
    keys, places = of_train.hashes[order], of_train.places[order]
    first = np.searchsorted(keys, of_test.hashes)
    last = np.searchsorted(keys, of_test.hashes, side="right") - 1
    is_moved = np.zeros(len(first), bool)
    for index in (first, last):
        index = np.minimum(index, len(keys) - 1)
        is_moved |= places[index] != of_test.places
    return np.unique(of_test.examples[is_moved & (first <= last)])
