"""Finds sequences that may be padded with zeros to one length."""

from typing import Any

import numpy as np

from keras_fpt.tasks.user_data import sequences
from keras_fpt.tasks.user_data.audit.findings import Finding

EXAMPLES = 2_000
MIN_EXAMPLES, MIN_TOKENS = 10, 4
# The share of examples that end in zeros, and of how many different lengths.
SHARE, MIN_LENGTHS = 0.2, 3
# Of measurements that fade to nothing, the last ones are smaller than this
# share of the others.
FADED = 0.3


def find_padding(x: Any) -> list[Finding]:
    """Examples that end in rows of zeros, where no other row is of zeros.

    Zeros within examples, as in images, at the beginning of others, or after
    values that become smaller and smaller, are values.

    Args:
        x: as in `Examples`, numbers or symbols before they are standardized.

    Returns:
        A list of at most one `Finding`.
    """
    size = len(sequences.lengths(x))
    if sequences.is_ragged(x) or size < MIN_EXAMPLES:
        return []
    step = -(-size // EXAMPLES)
    part = np.asarray(x[np.arange(0, size, step)])
    part = part.reshape(*part.shape[:2], -1)
    is_zero = (part == 0).all(axis=2)
    tokens = is_zero.shape[1]
    if tokens < MIN_TOKENS:
        return []
    # The number of rows up to the last that is not of zeros.
    lengths = np.where(
        is_zero.all(axis=1), 0, tokens - np.argmin(is_zero[:, ::-1], axis=1)
    )
    is_padded = lengths < tokens
    within = is_zero & (np.arange(tokens) < lengths[:, None])
    if (
        within.any()
        or not lengths.all()
        or is_padded.mean() < SHARE
        or len(np.unique(lengths[is_padded])) < MIN_LENGTHS
    ):
        return []
    magnitudes = np.abs(part).mean(axis=2)
    last = magnitudes[is_padded, lengths[is_padded] - 1]
    if np.median(last) < FADED * np.median(magnitudes[~is_zero]):
        return []
    return [
        Finding(
            "zero-padding",
            f"{is_padded.mean():.1%} of the examples end in rows of zeros, "
            f"{tokens - lengths[is_padded].max():,} to "
            f"{tokens - lengths.min():,} of {tokens:,}, and no other row is of "
            "zeros: they look padded, and a model reads the zeros as values.",
            "If they are padded, give an array 'lengths' or 'mask' beside x in "
            "the .npz file, or in Python a list of sequences.",
        )
    ]
