"""The batches of several data sets as one, for runs that train together."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def side_by_side(
    datasets: Sequence[tf.data.Dataset], order: Sequence[int]
) -> tf.data.Dataset:
    """Joins the batches of data sets along a new second axis.

    Args:
        datasets: list of `tf.data.Dataset`s whose elements have one structure
            and, apart from the batch axis, one known shape.
        order: list of ints, the number of the data set at each place of the
            new axis.

    Returns:
        A `tf.data.Dataset` of tensors `(batch, len(order), ...)`.

    Raises:
        ValueError: a shape is not known.
    """
    if not has_known_shapes(datasets[0]):
        raise ValueError(
            "Expected batches of sequences of one length but received "
            f"{datasets[0].element_spec}."
        )

    def join(*batches: Any) -> Any:
        chosen = [batches[number] for number in order]
        return tf.nest.map_structure(
            lambda *parts: tf.stack(parts, axis=1), *chosen
        )

    return tf.data.Dataset.zip(*datasets).map(join).prefetch(2)


def has_known_shapes(dataset: tf.data.Dataset) -> bool:
    """Whether all batches have one shape, apart from the batch axis."""
    return all(
        spec.shape.rank is not None and None not in spec.shape[1:].as_list()
        for spec in tf.nest.flatten(dataset.element_spec)
    )
