"""Sequences of equal or of different lengths in one container."""

import numpy as np
import tensorflow as tf


def stack(sequences):
    """Puts sequences together.

    Args:
        sequences: list of n arrays `(tokens,)` or `(tokens, dim)`, of one
            dtype and one `dim`.

    Returns:
        An array `(n, tokens, ...)` where all are of one length, and a
        `tf.RaggedTensor` of n rows where they are not.
    """
    lengths = [len(sequence) for sequence in sequences]
    if len(set(lengths)) == 1:
        return np.stack(sequences)
    return tf.RaggedTensor.from_row_lengths(np.concatenate(sequences), lengths)


def take(x, places):
    """The examples at some places of what `stack` made."""
    return tf.gather(x, places) if is_ragged(x) else x[places]


def is_ragged(x):
    """Whether the sequences have different lengths."""
    return isinstance(x, tf.RaggedTensor)


def longest(x):
    """The length of the longest sequence."""
    return int(x.bounding_shape()[1]) if is_ragged(x) else x.shape[1]


def lengths(x):
    """The length of each sequence, an int array."""
    if is_ragged(x):
        return x.row_lengths().numpy()
    return np.full(len(x), x.shape[1])


def tokens_of(x):
    """All tokens of all sequences, one after the other."""
    return x.flat_values.numpy() if is_ragged(x) else np.concatenate(x)


def standardized(x, mean, scale):
    """`(x - mean) / scale`, by column, as float32."""
    if is_ragged(x):
        values = standardized(x.flat_values.numpy(), mean, scale)
        return x.with_flat_values(tf.constant(values))
    return ((x - np.asarray(mean)) / np.asarray(scale)).astype(np.float32)


def statistics(values):
    """Mean and deviation of each column of `(tokens, dim)`; 1 for constants."""
    values = values.astype(np.float64)
    mean, scale = values.mean(axis=0), values.std(axis=0)
    # Rounding gives even a constant some deviation.
    is_constant = scale <= 1e-9 * np.abs(values).max(axis=0)
    return mean, np.where(is_constant, 1.0, scale)
