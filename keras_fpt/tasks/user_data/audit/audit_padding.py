"""Finds sequences that may be padded to one length, with zeros or others."""

from typing import Any

import numpy as np

from keras_fpt.tasks.user_data import sequences
from keras_fpt.tasks.user_data.audit.findings import Finding

EXAMPLES = 2_000
MIN_EXAMPLES, MIN_TOKENS = 10, 4
# The share of examples that are padded, and of how many different lengths.
SHARE, MIN_LENGTHS = 0.2, 3
# Of fewer lengths, how many examples and successive rows are padded.
MANY, MIN_RUN = 10, 2
# Rows of one number may be columns of a table, of which the last may be zero
# together. In a series there are more, and all are about as large.
MIN_SERIES, MIN_SERIES_RUN, ALIKE = 12, 4, 5.0
# Of measurements that fade to nothing, the last ones are smaller than this
# share of the others.
FADED = 0.3


def find_padding(x: Any) -> list[Finding]:
    """Examples that end, or begin, in rows of one number.

    That are rows of zeros, or of the number that most examples end or begin
    with, where no other row holds only that number. Zeros within examples, as
    in images, or after values that become smaller and smaller, are values.

    Args:
        x: as in `Examples`, numbers or symbols before they are standardized.

    Returns:
        A list of at most two `Finding`s.
    """
    size = len(sequences.lengths(x))
    if sequences.is_ragged(x) or size < MIN_EXAMPLES:
        return []
    step = -(-size // EXAMPLES)
    part = np.asarray(x[np.arange(0, size, step)])
    part = part.reshape(*part.shape[:2], -1)
    if part.shape[1] < MIN_TOKENS:
        return []
    findings = []
    for at_end, rows in ((True, part), (False, part[:, ::-1])):
        for value in {0.0, _usual(rows[:, -1])}:
            words = _find(rows - value, value, at_end)
            if words is not None:
                findings.append(words)
                break
    return findings


def _usual(rows: np.ndarray) -> float:
    """The number of most of the rows that hold only one number."""
    rows = rows[(rows == rows[:, :1]).all(axis=1), 0]
    values, counts = np.unique(rows, return_counts=True)
    return float(values[np.argmax(counts)]) if len(values) else 0.0


def _find(part: np.ndarray, value: float, at_end: bool) -> Finding | None:
    """The finding about rows of zeros at the end.

    Args:
        part: array `(n, tokens, dim)`, from which `value` is subtracted, in
            reversed order unless `at_end` is true.
        value: float.
        at_end: bool, whether the end of `part` is that of the examples.
    """
    is_zero = (part == 0).all(axis=2)
    tokens = is_zero.shape[1]
    # The number of rows up to the last that is not of zeros.
    lengths = np.where(
        is_zero.all(axis=1), 0, tokens - np.argmin(is_zero[:, ::-1], axis=1)
    )
    is_padded = lengths < tokens
    within = is_zero & (np.arange(tokens) < lengths[:, None])
    if within.any() or not lengths.all() or is_padded.mean() < SHARE:
        return None
    magnitudes = np.abs(part).mean(axis=2)
    if len(np.unique(lengths[is_padded])) < MIN_LENGTHS and not _are_sure(
        magnitudes, lengths, part.shape[2] > 1
    ):
        return None
    last = magnitudes[is_padded, lengths[is_padded] - 1]
    if np.median(last) < FADED * np.median(magnitudes[~is_zero]):
        return None
    what = f"the number {value:g}" if value else "zeros"
    values = "it" if value else "the zeros"
    fewest, most = tokens - lengths[is_padded].max(), tokens - lengths.min()
    counts = f"{fewest:,} to {most:,}" if fewest < most else f"{most:,}"
    # A length says only where a sequence ends.
    names = "'lengths' or 'mask'" if at_end else "'mask'"
    return Finding(
        "zero-padding",
        f"{is_padded.mean():.1%} of the examples {'end' if at_end else 'begin'}"
        f" in rows of {what}, {counts} of {tokens:,}, and no other row is of "
        f"{what}: they look padded, and a model reads {values} as values.",
        f"If they are padded, give an array {names} beside x in the .npz file, "
        "or in Python a list of sequences.",
    )


def _are_sure(
    magnitudes: np.ndarray, lengths: np.ndarray, are_wide: bool
) -> bool:
    """Whether examples of one or two lengths look padded.

    Args:
        magnitudes: float array `(n, tokens)`, the mean size of each row.
        lengths: int array `(n,)`, the number of rows before the padding.
        are_wide: bool, whether rows hold more than one number.
    """
    tokens = magnitudes.shape[1]
    padding = tokens - lengths
    run = padding[padding > 0].min()
    if padding.min() == padding.max() or (padding > 0).sum() < MANY:
        return False
    if are_wide:
        return bool(run >= MIN_RUN)
    is_real = np.arange(tokens) < lengths[:, None]
    counts = is_real.sum(axis=0)
    means = (magnitudes * is_real).sum(axis=0)[counts > 0] / counts[counts > 0]
    return bool(
        tokens >= MIN_SERIES
        and run >= MIN_SERIES_RUN
        and means.max() <= ALIKE * means.min()
    )
