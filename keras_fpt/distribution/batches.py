"""Divides batches between processes."""

from typing import Any

import keras

from keras_fpt.data_errors import MARK


def is_dataset(x: Any) -> bool:
    """Whether `x` is a `tf.data.Dataset`."""
    import tensorflow as tf

    return isinstance(x, tf.data.Dataset)


def own_rows(dataset: Any, index: int, count: int, divisor: int) -> Any:
    """The rows of each batch that belong to one process.

    Args:
        dataset: batched `tf.data.Dataset`, the same in every process.
        index: int, the index of the process.
        count: int, the number of processes.
        divisor: int, the number of parts that a batch must be divisible into.

    Returns:
        A `tf.data.Dataset`.

    Raises:
        ValueError: it is not a `tf.data.Dataset`, or its batches cannot be
            divided. If the size of a batch is known only when it is read, the
            error is TensorFlow's.
    """
    import tensorflow as tf

    if not is_dataset(dataset):
        raise ValueError(
            "Expected a batched tf.data.Dataset, the same in every process, "
            f"but received {type(dataset).__name__}."
        )
    expected = f"Expected batches whose size is a multiple of {divisor}"
    size = tf.nest.flatten(dataset.element_spec)[0].shape[0]
    if size is not None and size % divisor:
        raise ValueError(
            f"{expected}, the number of parts per batch, but received a "
            f"batch size of {size}."
        )

    def select_rows(*batch):
        size = tf.shape(tf.nest.flatten(batch)[0])[0]
        tf.debugging.assert_equal(size % divisor, 0, f"{MARK}{expected}.")
        share = size // count
        rows = tf.nest.map_structure(
            lambda x: x[index * share : (index + 1) * share], batch
        )
        return rows if len(rows) > 1 else rows[0]

    return dataset.map(select_rows)


def own_batches(dataset: Any, index: int, count: int) -> Any:
    """The batches of a held-out data set that belong to one process.

    Args:
        dataset: batched `tf.data.Dataset`, the same in every process.
        index: int, the index of the process.
        count: int, the number of processes: each has every `count`-th batch.
    """
    return dataset.shard(count, index)


def as_dataset(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    steps: int | None = None,
) -> Any:
    """A `tf.data.Dataset` of the arguments of Keras's `evaluate`."""
    import tensorflow as tf

    if not is_dataset(x):
        data = keras.utils.pack_x_y_sample_weight(x, y, sample_weight)
        x = tf.data.Dataset.from_tensor_slices(data).batch(batch_size or 32)
    return x if steps is None else x.take(steps)
