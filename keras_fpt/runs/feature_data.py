"""The features that a run's frozen model computes, as its data."""

import math
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fpt import distribution, progress
from keras_fpt.models import FPTClassifier, frozen_features
from keras_fpt.tasks import Stored, Task

# Features that take more bytes are stored on disk.
MAX_BYTES_IN_MEMORY = 2**30


def check_cacheable(task: Task, model: FPTClassifier) -> None:
    """Checks that a run's features can be computed once.

    Args:
        task: a `Task`.
        model: the run's `FPTClassifier`.

    Raises:
        ValueError: it trains more than the output layer, or has dropout; its
            training examples change; or it is distributed over devices.
    """
    frozen_features.check_constant(model)
    if not isinstance(task.data, Stored):
        raise ValueError(
            f"Features cannot be cached: the task '{task.name}' generates new "
            "training examples for each batch and never repeats one."
        )
    if task.data.augment is not None:
        raise ValueError(
            f"Features cannot be cached: the task '{task.name}' augments its "
            "training examples, which then differ each time."
        )
    if distribution.current() is not None:
        raise ValueError(
            "Features cannot be cached in a distributed run. Training only the "
            "output layer is fast on one device: leave out --distribution."
        )


def train_features(
    task: Task, model: FPTClassifier, batch_size: int, path: pathlib.Path
) -> np.ndarray:
    """The features of the training examples.

    Args:
        task: a `Task` with `Stored` data.
        model: an `FPTClassifier`.
        batch_size: int.
        path: `.npy` file that large features are stored in.

    Returns:
        Array `(n, num_output_tokens, dim)`, in the order of the split.
    """
    x, y, *_ = task.data.splits["train"]
    order = task.data.order("train")
    size = math.prod(frozen_features.features_shape(model))
    num_bytes = len(y) * size * np.dtype("float32").itemsize
    is_large = num_bytes > MAX_BYTES_IN_MEMORY
    batches = task.data.in_order(x, order, batch_size)
    batches = progress.track(
        batches.as_numpy_iterator(), "features", len(batches)
    )
    return frozen_features.compute(
        model, batches, order, path if is_large else None
    )


def train_batches(
    task: Task,
    features: np.ndarray,
    batch_size: int,
    seed: int,
    first_batch: int,
) -> tf.data.Dataset:
    """The batches of `Task.datasets`' training data, as features."""
    y = tf.constant(task.data.labels("train"))
    shape = (batch_size, *features.shape[1:])

    def gather(indices: tf.Tensor) -> Any:
        # Not `tf.gather`, which would read the whole file.
        rows = tf.numpy_function(features.__getitem__, [indices], tf.float32)
        return tf.ensure_shape(rows, shape), tf.gather(y, indices)

    batches = task.data.train_indices(batch_size, seed, first_batch)
    return batches.map(lambda _, indices: gather(indices)).prefetch(2)


def held_out_batches(
    dataset: tf.data.Dataset, model: FPTClassifier, batch_size: int
) -> tf.data.Dataset:
    """The batches of a dataset of `(x, y)`, as features."""
    batches, labels = zip(*dataset.as_numpy_iterator(), strict=True)
    y = np.concatenate(labels)
    features = frozen_features.compute(model, batches, np.arange(len(y)))
    rows = tf.data.Dataset.from_tensor_slices((features, y))
    return rows.batch(batch_size)
