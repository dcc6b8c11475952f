"""Finds arrays of whole numbers that may be measurements, not symbols."""

from typing import Any

import numpy as np

from keras_fpt.tasks.user_data import sequences
from keras_fpt.tasks.user_data.audit.findings import Finding

# Letters, bytes and states are no more than these.
MIN_VOCABULARY = 256
MAX_TEST = 1000
SHARE = 0.1


def find_new_symbols(
    x: Any, splits: dict[str, np.ndarray], vocabulary_size: int
) -> list[Finding]:
    """Symbols in test that no training example has.

    Args:
        x: as in `Examples`, integer tokens of all examples.
        splits: dict from splits to int arrays of indices in `x`.
        vocabulary_size: int.

    Returns:
        A list of `Finding`s.
    """
    if vocabulary_size <= MIN_VOCABULARY:
        return []
    is_known = np.zeros(vocabulary_size, bool)
    for tokens in sequences.each(sequences.select(x, splits["train"])):
        is_known[tokens] = True
    rows = splits["test"][:: -(-len(splits["test"]) // MAX_TEST) or 1]
    new = [
        ~is_known[tokens]
        for tokens in sequences.each(sequences.select(x, rows))
    ]
    share = float(np.mean(np.concatenate(new))) if new else 0.0
    if share < SHARE:
        return []
    return [
        Finding(
            "new-symbols",
            f"{share:.1%} of the test tokens are symbols that no training "
            f"example has (of {vocabulary_size:,}).",
            "If they are measurements, whose sizes matter, give floats: "
            "x.astype('float32'). If they are words, make rare ones one "
            "symbol.",
        )
    ]
