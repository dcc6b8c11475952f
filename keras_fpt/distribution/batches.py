"""Batches, shared out."""

from keras_fpt.data_errors import MARK


def is_dataset(x):
    """Whether `x` is a `tf.data.Dataset`."""
    import tensorflow as tf

    return isinstance(x, tf.data.Dataset)


def own_rows(dataset, index, count, divisor):
    """A process's rows of each batch.

    Args:
        dataset: batched `tf.data.Dataset`, the same in every process.
        index: int, number of the process.
        count: int, how many processes there are.
        divisor: int, into how many parts a batch must be divisible.

    Returns:
        A `tf.data.Dataset`.

    Raises:
        ValueError: it is no `tf.data.Dataset`, or its batches cannot be
            divided. Where the size is known only when a batch comes up, the
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
            f"{expected}, the parts that are made of each, but received a "
            f"batch size of {size}."
        )

    def take(*batch):
        size = tf.shape(tf.nest.flatten(batch)[0])[0]
        tf.debugging.assert_equal(size % divisor, 0, f"{MARK}{expected}.")
        share = size // count
        rows = tf.nest.map_structure(
            lambda x: x[index * share : (index + 1) * share], batch
        )
        return rows if len(rows) > 1 else rows[0]

    return dataset.map(take)


def own_batches(dataset, index, count):
    """A process's batches of a held-out data set: every `count`-th one."""
    return dataset.shard(count, index)


def as_dataset(x, y, batch_size):
    """Arrays, as Keras's `evaluate` takes them, as a `tf.data.Dataset`."""
    import tensorflow as tf

    if is_dataset(x):
        return x
    batch = (x,) if y is None else (x, y)
    return tf.data.Dataset.from_tensor_slices(batch).batch(batch_size or 32)
