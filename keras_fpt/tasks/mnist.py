"""MNIST through TensorFlow Datasets."""

import functools

import numpy as np
import tensorflow as tf

from keras_fpt.tasks import images, tfds_arrays
from keras_fpt.tasks.streams import array_splits
from keras_fpt.tasks.task import Recipe, Task

PATCH_SIZE = 4
PADDING = 2  # to 32 x 32


def task(data_dir=None):
    """28 x 28 digits, padded to 32 x 32, as 64 tokens of 4 x 4 pixels.

    Args:
        data_dir: TFDS folder. `None` is TFDS's own default, which the
            environment variable `TFDS_DATA_DIR` sets.

    Source: LeCun et al., 1998; Lu et al., 2021, section 2.2.
    """
    return Task(
        name="mnist",
        description="28 x 28 handwritten digits, 4 x 4 patches -> 10 classes",
        num_classes=10,
        sequence_length=((28 + 2 * PADDING) // PATCH_SIZE) ** 2,
        make_splits=functools.partial(_splits, data_dir),
        recipe=Recipe(steps=1000),
        input_dim=PATCH_SIZE**2,
    )


def _splits(data_dir, batch_size, seed, first_batch):
    train, validation, test = _load(data_dir)
    return array_splits(
        train, validation, test, encode, batch_size, seed, first_batch
    )


@functools.cache
def _load(data_dir):
    (x, y), test = tfds_arrays.load("mnist", ("train", "test"), data_dir)
    return *images.hold_out_tenth(x, y), test


def encode(x):
    """Images `(batch, 28, 28, 1)` to tokens `(batch, 64, 16)` in [-1, 1]."""
    around = [PADDING, PADDING]
    x = tf.pad(x, [[0, 0], around, around, [0, 0]])
    return images.patches(images.centred(x, np.iinfo("uint8").max), PATCH_SIZE)
