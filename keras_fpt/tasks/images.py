"""Images as sequences of patches."""

import numpy as np
import tensorflow as tf


def patches(images, size):
    """Cuts images into patches, row by row.

    Args:
        images: tensor `(batch, height, width, channels)`.
        size: int, height and width of a patch; it divides those of the image.

    Returns:
        A tensor `(batch, patches, size * size * channels)`; a patch is
        flattened row by row too.
    """
    _, height, width, channels = images.shape
    rows, columns = height // size, width // size
    x = tf.reshape(images, (-1, rows, size, columns, size, channels))
    x = tf.transpose(x, (0, 1, 3, 2, 4, 5))
    return tf.reshape(x, (-1, rows * columns, size * size * channels))


def centred(images, highest):
    """Pixels from 0 to `highest` as float32 from -1 to 1."""
    return tf.cast(images, tf.float32) * (2.0 / highest) - 1.0


def hold_out_tenth(x, y):
    """Splits training examples into nine tenths and a fixed, seeded tenth.

    Returns:
        A tuple `((x, y), (x, y))`, train and validation.
    """
    order = np.random.default_rng(0).permutation(len(x))
    held_out, rest = np.split(order, [len(x) // 10])
    rest, held_out = np.sort(rest), np.sort(held_out)
    return (x[rest], y[rest]), (x[held_out], y[held_out])
