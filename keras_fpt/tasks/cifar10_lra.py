"""CIFAR-10 as in Long Range Arena: one gray pixel per token."""

import functools

import tensorflow as tf

from keras_fpt.tasks import cifar10, images, tfds_arrays
from keras_fpt.tasks.stored import Stored
from keras_fpt.tasks.task import Recipe, Task

SIDE = 32


def task(data_dir: str | None = None) -> Task:
    """32 x 32 grayscale images as 1,024 tokens of one pixel, row by row.

    Args:
        data_dir: TFDS folder. `None` is TFDS's default folder, which the
            environment variable `TFDS_DATA_DIR` sets.

    Source: Krizhevsky, 2009; Tay et al., 2020, section 2.2.4; Lu et al.,
    2021, section 2.2.
    """
    return Task(
        name="cifar10_lra",
        description="32 x 32 grayscale images, pixel by pixel -> 10 classes",
        num_classes=10,
        sequence_length=SIDE**2,
        data=Stored(
            functools.partial(tfds_arrays.read, "cifar10", data_dir), encode
        ),
        recipe=Recipe(steps=2000, batch_size=16),
        input_dim=1,
        class_names=cifar10.CLASS_NAMES,
        origin=cifar10.ORIGIN,
        picture=images.picture_of(SIDE, 1),
    )


def encode(x: tf.Tensor) -> tf.Tensor:
    """Images `(batch, 32, 32, 3)` to tokens `(batch, 1024, 1)` in [-1, 1]."""
    gray = tf.image.rgb_to_grayscale(tf.cast(x, tf.float32))
    return images.patches(images.center(gray), 1)
