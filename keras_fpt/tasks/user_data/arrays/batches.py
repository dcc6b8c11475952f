"""All examples of a data set or another iterable of batches, in memory."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


def collect_examples(
    dataset: Iterable, rank: int | None = None
) -> tuple[list[np.ndarray], list]:
    """Collects all examples of an iterable.

    Args:
        dataset: iterable of `(x, y)`; if `rank` is given, of `x` or of
            `(x, y)`, whose `y` is ignored.
        rank: int, the rank of one sequence, which tells single examples from
            batches. If `None`, an element whose label is a scalar is a single
            example.

    Returns:
        A list of sequences and a list of labels.

    Raises:
        ValueError: the data set is infinite or empty, or its elements are not
            examples.
    """
    import tensorflow as tf

    if isinstance(dataset, tf.data.Dataset):
        if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise ValueError(
                "The data set is infinite. Give a finite one, e.g. "
                "dataset.take(1000)."
            )
        dataset = dataset.as_numpy_iterator()
    x, y = [], []
    for number, element in enumerate(dataset):
        where = f"Element {number} of the data set"
        is_pair = isinstance(element, (tuple, list)) and len(element) == 2
        if rank is None and not is_pair:
            raise ValueError(f"{where} is not a pair of inputs and labels.")
        inputs, mask = _split_mask(element[0] if is_pair else element, where)
        if rank is None:
            labels = np.asarray(element[1])
            is_single = labels.ndim == 0
            labels = _flatten_labels(labels, where)
        else:
            is_single = inputs.ndim == rank
        rows = [inputs] if is_single else list(inputs)
        if mask is not None:
            masks = [mask] if is_single else mask
            rows = [r[real] for r, real in zip(rows, masks, strict=True)]
        x += rows
        if rank is None:
            if len(rows) != len(labels):
                raise ValueError(
                    f"{where} has {len(rows)} sequences but {len(labels)} "
                    "labels."
                )
            y += labels.tolist()
    if not x:
        raise ValueError("The data set is empty.")
    return x, y


def order_by_content(x: Sequence[np.ndarray], y: Sequence[Any]) -> list[int]:
    """An order of examples that depends only on what they hold.

    Args:
        x: sequence of n arrays.
        y: sequence of n labels.

    Returns:
        A list of n indices.
    """
    keys = [
        (
            hashlib.sha256(
                repr((row.dtype.str, row.shape)).encode()
                + np.ascontiguousarray(row).tobytes()
            ).digest(),
            str(label),
        )
        for row, label in zip(map(np.asarray, x), y, strict=True)
    ]
    return sorted(range(len(keys)), key=keys.__getitem__)


def _split_mask(
    inputs: Any, where: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """The tokens of an element, and their mask or `None`."""
    if not isinstance(inputs, dict):
        return np.asarray(inputs), None
    missing = {"tokens", "padding_mask"} - inputs.keys()
    if missing:
        raise ValueError(f"{where} has no '{min(missing)}'.")
    mask = np.asarray(inputs["padding_mask"]).astype(bool)
    return np.asarray(inputs["tokens"]), mask


def _flatten_labels(labels: np.ndarray, where: str) -> np.ndarray:
    if labels.ndim > 1 and labels.shape[-1] > 1:
        raise ValueError(
            f"{where} has labels of shape {labels.shape}; expected one label "
            "per example. For one-hot labels, give np.argmax(y, axis=1); for "
            "several labels per example, or one per token, use from_arrays."
        )
    return labels.reshape(-1)
