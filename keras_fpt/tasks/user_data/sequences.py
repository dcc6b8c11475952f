"""Sequences of equal or different lengths in one array or ragged tensor."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf


def stack(sequences: Sequence[np.ndarray]) -> Any:
    """Stacks sequences.

    Args:
        sequences: list of n arrays `(tokens,)` or `(tokens, dim)`, of one
            dtype and one `dim`.

    Returns:
        An array `(n, tokens, ...)` if all lengths are equal, else a
        `tf.RaggedTensor` of n rows.
    """
    lengths = [len(sequence) for sequence in sequences]
    if len(set(lengths)) == 1:
        return np.stack(sequences)
    return tf.RaggedTensor.from_row_lengths(np.concatenate(sequences), lengths)


def select(x: Any, indices: np.ndarray) -> Any:
    """Some of the sequences, in the order of the indices."""
    return tf.gather(x, indices) if is_ragged(x) else x[indices]


def is_ragged(x: Any) -> bool:
    """Whether the sequences have different lengths."""
    return isinstance(x, tf.RaggedTensor)


def longest(x: Any) -> int:
    """The length of the longest sequence."""
    return int(x.bounding_shape()[1]) if is_ragged(x) else x.shape[1]


def lengths(x: Any) -> np.ndarray:
    """The length of each sequence, int array `(n,)`."""
    if is_ragged(x):
        return x.row_lengths().numpy()
    return np.full(len(x), x.shape[1])


def concatenate(x: Any) -> np.ndarray:
    """All tokens of all sequences, one after the other."""
    return x.flat_values.numpy() if is_ragged(x) else np.concatenate(x)


def standardized(x: Any, mean: Any, scale: Any) -> Any:
    """Computes `(x - mean) / scale` for each column, as float32."""
    if is_ragged(x):
        values = standardized(x.flat_values.numpy(), mean, scale)
        return x.with_flat_values(tf.constant(values))
    return ((x - np.asarray(mean)) / np.asarray(scale)).astype(np.float32)


def statistics(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Computes the mean and the standard deviation of each column.

    Args:
        values: array `(tokens, dim)`.

    Returns:
        A tuple of float64 arrays `(dim,)`. The deviation of a constant
        column is 1.
    """
    values = values.astype(np.float64)
    mean, scale = values.mean(axis=0), values.std(axis=0)
    # Rounding errors give even constants a small deviation.
    is_constant = scale <= 1e-9 * np.abs(values).max(axis=0)
    return mean, np.where(is_constant, 1.0, scale)
