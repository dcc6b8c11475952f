"""MNIST from TensorFlow Datasets, cut into patches."""

import functools

import tensorflow as tf

from keras_fpt.tasks import images, tfds_arrays
from keras_fpt.tasks.stored import Stored
from keras_fpt.tasks.task import Origin, Recipe, Task

PATCH_SIZE = 4
PADDING = 2  # to 32 x 32
ROWS = (28 + 2 * PADDING) // PATCH_SIZE


def task(data_dir: str | None = None) -> Task:
    """28 x 28 digits, padded to 32 x 32, as 64 tokens of 4 x 4 pixels.

    Args:
        data_dir: TFDS folder. `None` is TFDS's default folder, which the
            environment variable `TFDS_DATA_DIR` sets.

    Source: LeCun et al., 1998; Lu et al., 2021, section 2.2.
    """
    return Task(
        name="mnist",
        description="28 x 28 handwritten digits, 4 x 4 patches -> 10 classes",
        num_classes=10,
        sequence_length=ROWS**2,
        data=Stored(
            functools.partial(tfds_arrays.read, "mnist", data_dir), encode
        ),
        recipe=Recipe(steps=1000),
        input_dim=PATCH_SIZE**2,
        origin=Origin(
            "TensorFlow Datasets, mnist; http://yann.lecun.com/exdb/mnist/",
            "CC BY-SA 3.0",
            "LeCun, Bottou, Bengio and Haffner, 1998, Gradient-Based Learning "
            "Applied to Document Recognition",
        ),
        picture=images.picture_of(ROWS, PATCH_SIZE),
    )


def encode(x: tf.Tensor) -> tf.Tensor:
    """Images `(batch, 28, 28, 1)` to tokens `(batch, 64, 16)` in [-1, 1]."""
    around = [PADDING, PADDING]
    x = tf.pad(x, [[0, 0], around, around, [0, 0]])
    return images.patches(images.center(x), PATCH_SIZE)
