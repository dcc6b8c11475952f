"""Digits: 1,797 real handwritten digits that ship with scikit-learn."""

import functools

import numpy as np
import tensorflow as tf

from keras_fpt.tasks import images
from keras_fpt.tasks.stored import Examples, Stored
from keras_fpt.tasks.task import Origin, Recipe, Task

PATCH_SIZE = 2
ROWS = 8 // PATCH_SIZE
MAX_PIXEL = 16
TEST_SIZE = 360


def task(data_dir: str | None = None) -> Task:
    """8 x 8 images of digits as 16 tokens of 2 x 2 pixels. No download.

    A fixed, seeded, stratified fifth (360 images) is the test split, and a
    tenth of the rest is the validation split.

    Source: Alpaydin and Kaynak, 1998, "Optical Recognition of Handwritten
    Digits", UCI Machine Learning Repository.
    """
    return Task(
        name="digits",
        description="8 x 8 handwritten digits, 2 x 2 patches -> 10 classes",
        num_classes=10,
        sequence_length=ROWS**2,
        data=Stored(_read, encode),
        recipe=Recipe(steps=1000),
        input_dim=PATCH_SIZE**2,
        origin=Origin(
            "UCI's test part of Optical Recognition of Handwritten Digits, "
            "as in sklearn.datasets.load_digits",
            "CC BY 4.0",
            "Alpaydin and Kaynak, 1998, UCI Machine Learning Repository, "
            "doi:10.24432/C50P49",
        ),
        picture=images.picture_of(ROWS, PATCH_SIZE),
    )


@functools.cache
def _read() -> dict[str, Examples]:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8, 1).astype("uint8")
    x_train, x_test, y_train, y_test = train_test_split(
        x,
        y.astype(np.int32),
        test_size=TEST_SIZE,
        stratify=y,
        random_state=0,
    )
    train, validation = images.hold_out_tenth(x_train, y_train)
    return {
        "train": Examples(*train),
        "validation": Examples(*validation),
        "test": Examples(x_test, y_test),
    }


def encode(x: tf.Tensor) -> tf.Tensor:
    """Images `(batch, 8, 8, 1)` to tokens `(batch, 16, 4)` in [-1, 1]."""
    return images.patches(images.center(x, MAX_PIXEL), PATCH_SIZE)
