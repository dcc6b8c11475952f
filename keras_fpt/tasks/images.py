"""Images as sequences of patches."""

import functools

import numpy as np
import tensorflow as tf

HIGHEST = 255


def patches(images, size):
    """Cuts images into patches, row by row.

    Args:
        images: tensor or array `(batch, height, width, channels)`.
        size: int, height and width of a patch; it divides those of the image.

    Returns:
        A tensor `(batch, patches, size * size * channels)`; a patch is
        flattened row by row too.

    Raises:
        ValueError: the images are not so, or are not cut evenly.
    """
    if len(images.shape) != 4:
        raise ValueError(
            "Expected images of shape (batch, height, width, channels) but "
            f"received shape {tuple(images.shape)}."
        )
    _, height, width, channels = images.shape
    if height % size or width % size:
        raise ValueError(
            f"Patches of {size} x {size} pixels do not cut images of "
            f"{height} x {width} evenly."
        )
    rows, columns = height // size, width // size
    x = tf.reshape(images, (-1, rows, size, columns, size, channels))
    x = tf.transpose(x, (0, 1, 3, 2, 4, 5))
    return tf.reshape(x, (-1, rows * columns, size * size * channels))


def unpatch(tokens, rows, size):
    """Puts the patches of one image together again.

    Args:
        tokens: array `(patches, size * size * channels)`.
        rows: int, how many patches are above each other.
        size: int, height and width of a patch.

    Returns:
        An array `(height, width, channels)`.
    """
    columns = len(tokens) // rows
    x = np.reshape(tokens, (rows, columns, size, size, -1))
    x = np.transpose(x, (0, 2, 1, 3, 4))
    return x.reshape(rows * size, columns * size, -1)


def centred(images, highest=HIGHEST):
    """Pixels from 0 to `highest` as float32 from -1 to 1."""
    return tf.cast(images, tf.float32) * (2.0 / highest) - 1.0


def picture_of(rows, size):
    """A function from tokens in [-1, 1] to the image they were cut from."""
    return functools.partial(_picture, rows=rows, size=size)


def _picture(tokens, rows, size):
    return np.squeeze((unpatch(tokens, rows, size) + 1) / 2)


def hold_out_tenth(x, y):
    """Splits training examples into nine tenths and a fixed, seeded tenth.

    Returns:
        A tuple `((x, y), (x, y))`, train and validation.
    """
    order = np.random.default_rng(0).permutation(len(x))
    held_out, rest = np.split(order, [len(x) // 10])
    rest, held_out = np.sort(rest), np.sort(held_out)
    return (x[rest], y[rest]), (x[held_out], y[held_out])
