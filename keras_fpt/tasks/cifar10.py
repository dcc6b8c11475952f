"""CIFAR-10 in color from TensorFlow Datasets, cut into patches."""

import functools

import numpy as np
import tensorflow as tf

from keras_fpt.tasks import augmentation, images, tfds_arrays
from keras_fpt.tasks.stored import Stored
from keras_fpt.tasks.task import Origin, Recipe, Task

PATCH_SIZE = 4
ROWS = 32 // PATCH_SIZE
CHANNELS = 3
CLASS_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
ORIGIN = Origin(
    "TensorFlow Datasets, cifar10; https://www.cs.toronto.edu/~kriz/cifar.html",
    "not stated by its authors",
    "Krizhevsky, 2009, Learning Multiple Layers of Features from Tiny Images",
)
# Statistics of each channel of the 50,000 published training images, scaled to
# [0, 1].
MEAN = np.array([0.4914, 0.4822, 0.4465], "float32")
DEVIATION = np.array([0.2470, 0.2435, 0.2616], "float32")


def task(data_dir: str | None = None) -> Task:
    """32 x 32 color images as 64 tokens of 4 x 4 pixels.

    Training images are randomly cropped, flipped and rotated; see
    `keras_fpt.tasks.augmentation`.

    Args:
        data_dir: TFDS folder. `None` is TFDS's default folder, which the
            environment variable `TFDS_DATA_DIR` sets.

    Source: Krizhevsky, 2009; Lu et al., 2021, section 2.2.
    """
    return Task(
        name="cifar10",
        description="32 x 32 color images, 4 x 4 patches -> 10 classes",
        num_classes=10,
        sequence_length=ROWS**2,
        data=Stored(
            functools.partial(tfds_arrays.read, "cifar10", data_dir),
            encode,
            augmentation.augment,
        ),
        recipe=Recipe(steps=2000),
        input_dim=PATCH_SIZE**2 * CHANNELS,
        class_names=CLASS_NAMES,
        origin=ORIGIN,
        picture=picture,
    )


def encode(x: tf.Tensor) -> tf.Tensor:
    """Images `(batch, 32, 32, 3)` to normalized tokens `(batch, 64, 48)`."""
    x = (tf.cast(x, tf.float32) / images.MAX_PIXEL - MEAN) / DEVIATION
    return images.patches(x, PATCH_SIZE)


def picture(tokens: np.ndarray) -> np.ndarray:
    """Tokens `(64, 48)` to the image `(32, 32, 3)` in [0, 1]."""
    return images.unpatch(tokens, ROWS, PATCH_SIZE) * DEVIATION + MEAN
