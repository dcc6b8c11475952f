"""Images as sequences of patches."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

MAX_PIXEL = 255


def patches(images: Any, size: int) -> tf.Tensor:
    """Cuts images into patches, row by row.

    Args:
        images: tensor or array `(batch, height, width, channels)`.
        size: int, height and width of a patch; divides those of the images.

    Returns:
        A tensor `(batch, patches, size * size * channels)`; each patch is
        flattened row by row.

    Raises:
        ValueError: the images have another rank, or patches do not cover them
            evenly.
    """
    if len(images.shape) != 4:
        raise ValueError(
            "Expected images of shape (batch, height, width, channels) but "
            f"received shape {tuple(images.shape)}."
        )
    _, height, width, channels = images.shape
    if height % size or width % size:
        raise ValueError(
            f"Patches of {size} x {size} pixels do not cover images of "
            f"{height} x {width} evenly."
        )
    rows, columns = height // size, width // size
    x = tf.reshape(images, (-1, rows, size, columns, size, channels))
    x = tf.transpose(x, (0, 1, 3, 2, 4, 5))
    return tf.reshape(x, (-1, rows * columns, size * size * channels))


def unpatch(tokens: np.ndarray, rows: int, size: int) -> np.ndarray:
    """Reassembles one image from its patches.

    Args:
        tokens: array `(patches, size * size * channels)`.
        rows: int, the number of rows of patches.
        size: int, height and width of a patch.

    Returns:
        An array `(height, width, channels)`.
    """
    columns = len(tokens) // rows
    x = np.reshape(tokens, (rows, columns, size, size, -1))
    x = np.transpose(x, (0, 2, 1, 3, 4))
    return x.reshape(rows * size, columns * size, -1)


def center(images: Any, max_pixel: int = MAX_PIXEL) -> tf.Tensor:
    """Scales pixels from [0, max_pixel] to float32 in [-1, 1]."""
    return tf.cast(images, tf.float32) * (2.0 / max_pixel) - 1.0


def picture_of(rows: int, size: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function from tokens in [-1, 1] to the image they were cut from.

    Args:
        rows: int, the number of rows of patches.
        size: int, height and width of a patch.
    """
    return functools.partial(_picture, rows=rows, size=size)


def _picture(tokens: np.ndarray, rows: int, size: int) -> np.ndarray:
    return np.squeeze((unpatch(tokens, rows, size) + 1) / 2)


def hold_out_tenth(
    x: np.ndarray, y: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Holds out a fixed, seeded tenth of the training examples.

    Returns:
        A tuple `((x, y), (x, y))`: train and validation.
    """
    order = np.random.default_rng(0).permutation(len(x))
    held_out, rest = np.split(order, [len(x) // 10])
    rest, held_out = np.sort(rest), np.sort(held_out)
    return (x[rest], y[rest]), (x[held_out], y[held_out])
