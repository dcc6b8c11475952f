"""TensorFlow changes arrays that a generator has yielded.

The fault: a tensor that `tf.data.Dataset.from_generator` or
`tf.numpy_function` makes of an array has the array's memory. A part of such a
tensor, as of `batch[:8]`, or of a batch that is divided between devices,
passes for memory of its own in TensorFlow 2.21, so that operations write their
results to it. If the array is a view of the user's data, the data changes from
step to step.

No upstream issue was found.
"""

from typing import Any

import keras


def copied(tensors: Any) -> Any:
    """The same tensors, in memory of their own where TensorFlow computes.

    Args:
        tensors: nested structure of tensors of a `tf.data.Dataset`.
    """
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        return tensors
    return tf.nest.map_structure(
        lambda tensor: tf.raw_ops.DeepCopy(x=tensor),
        tensors,
        expand_composites=True,
    )
