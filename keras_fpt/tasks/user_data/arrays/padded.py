"""Cuts sequences of different lengths that were saved as one array."""

import numpy as np


def by_lengths(x: np.ndarray, lengths: np.ndarray, where: str) -> list:
    """Cuts padded or concatenated sequences to their lengths.

    Args:
        x: array `(n, tokens, ...)` of padded sequences, or `(tokens, ...)` of
            all sequences one after the other.
        lengths: int array `(n,)`.
        where: string that says where the lengths are from, for errors.

    Returns:
        A list of n arrays.

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
    if x.ndim > 1 and len(x) == len(lengths):
        wrong = np.flatnonzero(lengths > x.shape[1])
        if len(wrong):
            raise ValueError(
                f"{where}: the length of example {wrong[0]} is "
                f"{lengths[wrong[0]]}, but x has {x.shape[1]} tokens."
            )
        return [row[:length] for row, length in zip(x, lengths, strict=True)]
    total = sum(map(int, lengths))
    if x.ndim and len(x) == total:
        return np.split(x, np.cumsum(lengths)[:-1])
    raise ValueError(
        f"{where}: {len(lengths):,} lengths, {total:,} tokens altogether, do "
        f"not fit x of shape {x.shape}. Expected x of shape "
        f"({len(lengths)}, tokens, dim), padded, or ({total}, dim), one "
        "sequence after the other."
    )


def by_mask(x: np.ndarray, mask: np.ndarray, where: str) -> list:
    """Cuts padded sequences to the tokens whose mask is true.

    Args:
        x: array `(n, tokens, ...)`.
        mask: array `(n, tokens)`, true or 1 for real tokens.
        where: string that says where the mask is from, for errors.

    Returns:
        A list of n arrays.

    Raises:
        ValueError: the mask does not fit the sequences.
    """
    if x.ndim < 2 or mask.shape != x.shape[:2]:
        raise ValueError(
            f"{where}: expected a mask of shape {x.shape[:2]}, that of the "
            f"tokens of x, but found {mask.shape}."
        )
    if mask.dtype != bool and not np.isin(mask, (0, 1)).all():
        raise ValueError(f"{where}: expected 1 for tokens and 0 for padding.")
    mask = mask.astype(bool)
    kept, left_out = x[mask], x[~mask]
    if len(kept) and np.ptp(kept) == 0 and len(left_out) and np.ptp(left_out):
        raise ValueError(
            f"{where}: the tokens that it keeps are all {kept.flat[0]}, and "
            "those that it leaves out are not. A mask is true (1) for tokens "
            "and false (0) for padding: write the opposite."
        )
    empty = np.flatnonzero(~mask.any(axis=1))
    if len(empty):
        raise ValueError(
            f"{where}: example {empty[0]} has no token. A mask is true (1) "
            "for tokens and false (0) for padding."
        )
    return [row[real] for row, real in zip(x, mask, strict=True)]
