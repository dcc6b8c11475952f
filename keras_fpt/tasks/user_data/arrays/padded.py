"""Cuts sequences of different lengths that were saved as one array."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from keras_fpt.tasks.user_data.arrays.array_on_disk import (
    ArrayOnDisk,
    SequencesOnDisk,
)


class Cut(NamedTuple):
    """Sequences of different lengths.

    Args:
        rows: list of n arrays; `SequencesOnDisk` if they were cut from an
            `ArrayOnDisk`.
        lengths: int array `(n,)`.
        differ: bool, whether the numbers that a mask leaves out differ.
    """

    rows: Any
    lengths: np.ndarray
    differ: bool = False


def by_lengths(x: Any, lengths: np.ndarray, where: str) -> Cut:
    """Cuts padded or concatenated sequences to their lengths.

    Args:
        x: array `(n, tokens, ...)` of padded sequences, or `(tokens, ...)` of
            all sequences one after the other; or likewise an `ArrayOnDisk`.
        lengths: int array `(n,)`.
        where: string that says where the lengths are from, for errors.

    Raises:
        ValueError: the lengths do not fit the sequences.
    """
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or not len(lengths):
        raise ValueError(
            f"{where}: expected whole numbers of shape (sequences,) but found "
            f"{lengths.dtype} of shape {lengths.shape}."
        )
    wrong = np.flatnonzero(lengths < 1)
    if len(wrong):
        raise ValueError(
            f"{where}: the length of example {wrong[0]} is "
            f"{lengths[wrong[0]]}. Expected at least 1."
        )
    is_large = isinstance(x, ArrayOnDisk)
    if x.ndim > 1 and len(x) == len(lengths):
        wrong = np.flatnonzero(lengths > x.shape[1])
        if len(wrong):
            raise ValueError(
                f"{where}: the length of example {wrong[0]} is "
                f"{lengths[wrong[0]]}, but x has {x.shape[1]} tokens."
            )
        if is_large:
            rows: Any = SequencesOnDisk(
                len(x), lambda: _first_tokens(x, lengths)
            )
        else:
            rows = [row[:n] for row, n in zip(x, lengths, strict=True)]
        return Cut(rows, lengths)
    total = sum(map(int, lengths))
    if x.ndim and len(x) == total:
        ends = np.cumsum(lengths, dtype=np.int64)
        if is_large:
            rows = SequencesOnDisk(len(lengths), lambda: _split(x, ends))
        else:
            rows = np.split(x, ends[:-1])
        return Cut(rows, lengths)
    raise ValueError(
        f"{where}: {len(lengths):,} lengths, {total:,} tokens altogether, do "
        f"not fit x of shape {x.shape}. Expected x of shape "
        f"({len(lengths)}, tokens, dim), padded, or ({total}, dim), one "
        "sequence after the other."
    )


def by_mask(x: Any, mask: Any, where: str) -> Cut:
    """Cuts padded sequences to the tokens whose mask is true.

    Args:
        x: array `(n, tokens, ...)`, or an `ArrayOnDisk`.
        mask: array `(n, tokens)`, true or 1 for real tokens; or an
            `ArrayOnDisk`.
        where: string that says where the mask is from, for errors.

    Raises:
        ValueError: the mask does not fit the sequences.
    """
    if x.ndim < 2 or mask.shape != x.shape[:2]:
        raise ValueError(
            f"{where}: expected a mask of shape {x.shape[:2]}, that of the "
            f"tokens of x, but found {mask.shape}."
        )
    bits = np.concatenate([_packed(block, where) for block in _blocks(mask)])
    lengths = np.concatenate(
        [_unpacked(part, x).sum(axis=1) for part in np.array_split(bits, 64)]
    )
    # The lowest and the highest number of each block.
    kept, left_out, left_out_known = [], [], []
    for block, real in _with_mask(x, bits):
        kept += _range(block[real])
        others = block[~real]
        left_out += _range(others)
        left_out_known += _range(others[~np.isnan(others)])
    if kept and np.ptp(kept) == 0 and left_out and np.ptp(left_out):
        raise ValueError(
            f"{where}: the tokens that it keeps are all {kept[0]}, and "
            "those that it leaves out are not. A mask is true (1) for tokens "
            "and false (0) for padding: write the opposite."
        )
    empty = np.flatnonzero(lengths == 0)
    if len(empty):
        raise ValueError(
            f"{where}: example {empty[0]} has no token. A mask is true (1) "
            "for tokens and false (0) for padding."
        )

    def blocks() -> Iterator[list[np.ndarray]]:
        for block, real in _with_mask(x, bits):
            yield [row[own] for row, own in zip(block, real, strict=True)]

    rows: Any = SequencesOnDisk(len(x), blocks)
    if not isinstance(x, ArrayOnDisk):
        rows = [row for block in blocks() for row in block]
    return Cut(rows, lengths, bool(left_out_known and np.ptp(left_out_known)))


def _blocks(x: Any) -> Iterator[np.ndarray]:
    return x.blocks() if isinstance(x, ArrayOnDisk) else iter([x])


def _packed(mask: np.ndarray, where: str) -> np.ndarray:
    """A mask in one bit per token, so that it may be kept in memory."""
    if mask.dtype != bool and not np.isin(mask, (0, 1)).all():
        raise ValueError(f"{where}: expected 1 for tokens and 0 for padding.")
    return np.packbits(mask.astype(bool), axis=1)


def _unpacked(bits: np.ndarray, x: Any) -> np.ndarray:
    return np.unpackbits(bits, axis=1, count=x.shape[1]).astype(bool)


def _with_mask(
    x: Any, bits: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields some sequences and their mask."""
    start = 0
    for block in _blocks(x):
        yield block, _unpacked(bits[start : start + len(block)], x)
        start += len(block)


def _range(values: np.ndarray) -> list:
    return [values.min(), values.max()] if values.size else []


def _first_tokens(
    x: ArrayOnDisk, lengths: np.ndarray
) -> Iterator[list[np.ndarray]]:
    """Yields the first tokens of some sequences."""
    start = 0
    for block in x.blocks():
        own = lengths[start : start + len(block)]
        yield [row[:length] for row, length in zip(block, own, strict=True)]
        start += len(block)


def _split(x: ArrayOnDisk, ends: np.ndarray) -> Iterator[list[np.ndarray]]:
    """Yields sequences that are stored one after the other.

    Args:
        x: `ArrayOnDisk` of all tokens.
        ends: int array, the number of the token before which each ends.
    """
    held, start, first = np.empty((0, *x.shape[1:]), x.dtype), 0, 0
    for block in x.blocks():
        held = np.concatenate([held, block])
        last = int(np.searchsorted(ends, start + len(held), side="right"))
        if last > first:
            *rows, held = np.split(held, ends[first:last] - start)
            yield rows
            start, first = int(ends[last - 1]), last
