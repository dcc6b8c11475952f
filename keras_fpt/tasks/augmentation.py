"""Random crops, flips and rotations of a batch of images.

The random numbers depend only on a seed, and pixels are moved but not
interpolated, so that the same seed gives the same images on every machine.
"""

import math
from typing import NamedTuple

import tensorflow as tf

PADDING = 4
MAX_DEGREES = 20


class Moves(NamedTuple):
    """The random crop, flip and rotation of each image of a batch.

    Args:
        offsets: int32 tensor `(batch, 2)`, the row and the column of the
            padded image at which the crop begins, from 0 to `2 * PADDING`.
        flips: bool tensor `(batch,)`.
        angles: float64 tensor `(batch,)`, counter-clockwise, in radians.
    """

    offsets: tf.Tensor
    flips: tf.Tensor
    angles: tf.Tensor


def augment(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Randomly crops, then flips, then rotates each image.

    Crops have the size of the image and are taken from the image with
    `PADDING` black pixels on each side. Half of the images are flipped left to
    right. Rotations are by up to `MAX_DEGREES` to either side, and the empty
    corners are black.

    Args:
        images: uint8 or float tensor `(batch, height, width, channels)`.
        seed: int tensor `(2,)`.

    Returns:
        A tensor of the same shape and type.

    Source: Lu et al., 2021, section 2.2.
    """
    moves = draw_moves(tf.shape(images)[0], seed)
    images = crop(images, moves.offsets)
    images = flip(images, moves.flips)
    return rotate(images, moves.angles)


def draw_moves(batch_size: int | tf.Tensor, seed: tf.Tensor) -> Moves:
    """Draws the `Moves` of a batch."""
    seeds = tf.random.split(seed, 3, alg="philox")
    # float64, so that rounding is the same on all processors.
    limit = tf.constant(math.radians(MAX_DEGREES), tf.float64)
    return Moves(
        _uniform((batch_size, 2), seeds[0], 0, 2 * PADDING + 1, tf.int32),
        _uniform((batch_size,), seeds[1], 0, 2, tf.int32) == 1,
        _uniform((batch_size,), seeds[2], -limit, limit, tf.float64),
    )


def _uniform(shape, seed, low, high, dtype):
    return tf.random.stateless_uniform(
        shape, seed, low, high, dtype, alg="philox"
    )


def crop(images: tf.Tensor, offsets: tf.Tensor) -> tf.Tensor:
    """Crops padded images to the original size.

    Args:
        images: tensor `(batch, height, width, channels)`.
        offsets: int32 tensor `(batch, 2)`, see `Moves`.
    """
    _, height, width, _ = images.shape
    around = [PADDING, PADDING]
    images = tf.pad(images, [[0, 0], around, around, [0, 0]])
    rows = offsets[:, :1] + tf.range(height)
    columns = offsets[:, 1:] + tf.range(width)
    images = tf.gather(images, rows, axis=1, batch_dims=1)
    return tf.gather(images, columns, axis=2, batch_dims=1)


def flip(images: tf.Tensor, flips: tf.Tensor) -> tf.Tensor:
    """Flips those images left to right whose flag in `flips` is set."""
    return tf.where(flips[:, None, None, None], images[:, :, ::-1], images)


def rotate(images: tf.Tensor, angles: tf.Tensor) -> tf.Tensor:
    """Rotates images around their centers, with nearest-neighbor sampling.

    Args:
        images: tensor `(batch, height, width, channels)`.
        angles: float64 tensor `(batch,)`, counter-clockwise, in radians.
    """
    _, height, width, channels = images.shape
    center_row, center_column = (height - 1) / 2, (width - 1) / 2
    down = (tf.range(height, dtype=tf.float64) - center_row)[:, None]
    right = tf.range(width, dtype=tf.float64) - center_column
    cos = tf.cos(angles)[:, None, None]
    sin = tf.sin(angles)[:, None, None]
    # The position in the image of each pixel of the result.
    row = tf.math.rint(center_row + cos * down + sin * right)
    column = tf.math.rint(center_column - sin * down + cos * right)
    is_inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    source = tf.where(is_inside, row * width + column, 0)
    pixels = tf.reshape(images, (-1, height * width, channels))
    pixels = tf.gather(pixels, tf.cast(source, tf.int32), axis=1, batch_dims=1)
    return tf.where(is_inside[..., None], pixels, tf.zeros((), images.dtype))
