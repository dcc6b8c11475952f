"""Audits the examples of any kind of data, once they are split.

Copies are found by hashes of all examples. What costs more is looked at in a
sample of the test examples.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fpt.tasks.user_data import sequences
from keras_fpt.tasks.user_data.arrays import overlaps
from keras_fpt.tasks.user_data.audit.audit_overlaps import find_shared_tokens
from keras_fpt.tasks.user_data.audit.audit_properties import (
    find_telling_length,
)
from keras_fpt.tasks.user_data.audit.audit_splits import find_unlike_splits
from keras_fpt.tasks.user_data.audit.checked import Checked
from keras_fpt.tasks.user_data.audit.findings import Finding, share_of
from keras_fpt.tasks.user_data.audit.near_copies import find_near_copies

# Equal examples among those with an equal half, from which on they are copies.
COPIES = 0.75
MIN_NUMBERS = 8
BLOCK = 4096
MANY = 10


def find_in_examples(checked: Checked) -> list[Finding]:
    """Audits examples and their splits.

    Args:
        checked: a `Checked`.

    Returns:
        A list of `Finding`s.
    """
    hashes = hash_examples(checked.x)
    is_copy, findings = _find_copies(checked, hashes)
    if not findings:
        findings = find_near_copies(checked, is_copy)
    if checked.groups is not None:
        findings += groups_across_splits(
            np.asarray(checked.groups), checked.splits
        )
    findings += find_telling_length(
        checked.x, checked.y, checked.splits, checked.groups
    )
    if not (checked.is_by_row or checked.is_image):
        if overlaps.LEAK not in checked.known:
            findings += find_shared_tokens(checked.x, checked.splits)
        if "opposite-phase" not in checked.known:
            findings += _find_constant(checked.x)
    if checked.is_given:
        findings += find_unlike_splits(checked)
    return findings


def hash_examples(x: Any) -> np.ndarray:
    """Hashes of examples, equal for equal examples.

    Args:
        x: as in `Examples`.

    Returns:
        int64 array `(n,)`.
    """
    if sequences.is_ragged(x):
        values = np.ascontiguousarray(x.flat_values.numpy())
        ends = np.cumsum(sequences.lengths(x))
        starts = ends - sequences.lengths(x)
        rows = (values[a:b] for a, b in zip(starts, ends, strict=True))
        return np.fromiter((hash(r.tobytes()) for r in rows), np.int64)
    size = len(x)
    found = np.empty(size, np.int64)
    for start in range(0, size, BLOCK):
        block = np.ascontiguousarray(x[start : start + BLOCK])
        found[start : start + len(block)] = [hash(r.tobytes()) for r in block]
    return found


def _find_copies(
    checked: Checked, hashes: np.ndarray
) -> tuple[np.ndarray, list[Finding]]:
    """Copies of train in the other splits, and those with several labels.

    Returns:
        A bool array `(n,)`, whether an example equals one of train, and a
        list of `Finding`s.
    """
    import pandas as pd

    codes, distinct = pd.factorize(hashes)
    size, num_classes = len(distinct), int(checked.y.max()) + 1
    in_train = np.zeros(size, bool)
    in_train[codes[checked.splits["train"]]] = True
    is_known = in_train[codes]
    if size == len(codes):
        return is_known, []
    pairs = codes * num_classes + checked.y
    labels_of = np.bincount(np.unique(pairs) // num_classes, minlength=size)
    num_torn = int((labels_of[codes] > 1).sum())
    held_out = np.concatenate(
        [rows for name, rows in checked.splits.items() if name != "train"]
    )
    is_copy = is_known[held_out]
    if not is_copy.any() and not num_torn:
        return is_known, []
    if _are_by_chance(checked.x, hashes):
        return is_known, []
    findings = []
    if is_copy.any():
        count = int(is_copy.sum())
        findings.append(
            Finding(
                "copies-across-splits",
                f"{share_of(count, len(held_out), 'held-out example')} "
                f"{'equals' if count == 1 else 'equal'} an example of train.",
                "Remove the copies, or keep them in one split: "
                "--split-group COLUMN.",
                is_leak=True,
            )
        )
    if num_torn:
        right = len(codes) - _unavoidable_errors(codes, checked.y)
        findings.append(
            Finding(
                "contradicting-labels",
                f"{share_of(num_torn, len(codes), 'example')} "
                f"{'equals' if num_torn == 1 else 'equal'} an example with "
                "another label; no model can be correct in more than "
                f"{right / len(codes):.1%}.",
                "Correct the labels, or add a column that distinguishes the "
                "examples.",
            )
        )
    return is_known, findings


def _unavoidable_errors(codes: np.ndarray, y: np.ndarray) -> int:
    """How many labels are not the most common of equal examples."""
    size = int(y.max()) + 1
    flat, counts = np.unique(codes * size + y, return_counts=True)
    most = np.zeros(codes.max() + 1, int)
    np.maximum.at(most, flat // size, counts)
    return int(len(codes) - most.sum())


def _are_by_chance(x: Any, hashes: np.ndarray) -> bool:
    """Whether examples are equal because they have few values.

    A copy equals the whole of its example wherever it equals half of it. Where
    the values are few, many more examples are equal in one of the halves.
    """
    whole = _num_pairs(hashes)
    return any(
        whole < COPIES * _num_pairs(hash_examples(half)) for half in _halves(x)
    )


def _num_pairs(hashes: np.ndarray) -> int:
    """How many pairs of equal examples there are."""
    _, counts = np.unique(hashes, return_counts=True)
    return int((counts * (counts - 1) // 2).sum())


def _halves(x: Any) -> Iterator[Any]:
    """Halves of all examples: their numbers on the left, and every other."""
    if sequences.is_ragged(x):
        lengths = sequences.lengths(x)
        starts = np.cumsum(lengths) - lengths
        values = x.flat_values.numpy()
        place = np.arange(len(values)) - np.repeat(starts, lengths)
        is_left = place < np.repeat((lengths + 1) // 2, lengths)
        for kept in (is_left, ~is_left, place % 2 == 0, place % 2 == 1):
            total = np.concatenate([[0], np.cumsum(kept)])
            sizes = total[starts + lengths] - total[starts]
            yield tf.RaggedTensor.from_row_lengths(values[kept], sizes)
        return
    flat = np.reshape(x, (len(x), -1))
    middle = (flat.shape[1] + 1) // 2
    if flat.shape[1] > 1:
        yield from (flat[:, :middle], flat[:, middle:])
        yield from (flat[:, ::2], flat[:, 1::2])
    else:  # A single number is rarely equal, unless it is one of a few.
        yield np.round(flat.astype(float), 1)


def groups_across_splits(
    groups: np.ndarray, splits: Mapping[str, np.ndarray]
) -> list[Finding]:
    """Groups whose examples are in train and in test.

    Args:
        groups: int array `(n,)`, the group of each example.
        splits: dict from splits to int arrays of indices, or bool arrays
            `(n,)`.
    """
    train, test = (
        np.unique(groups[splits[name]]) for name in ("train", "test")
    )
    # A stretch of time may end in train and begin in test.
    shared = np.intersect1d(train, test)
    if len(shared) <= 2:
        return []
    return [
        Finding(
            "groups-across-splits",
            f"{len(shared):,} of {len(np.unique(groups)):,} groups have "
            "examples in train and in test.",
            "If new data comes from other groups, keep each in one split: "
            "--split-group COLUMN.",
            is_leak=True,
        )
    ]


def _find_constant(x: Any) -> list[Finding]:
    """Sequences whose tokens are all equal."""
    is_ragged = sequences.is_ragged(x)
    values = x.flat_values.numpy() if is_ragged else np.asarray(x)
    if values.dtype.kind != "f":
        return []
    if is_ragged:
        lengths = sequences.lengths(x)
        starts = np.cumsum(lengths) - lengths
        high = np.maximum.reduceat(values, starts)
        low = np.minimum.reduceat(values, starts)
        is_long = lengths >= MIN_NUMBERS
    else:
        high, low = values.max(axis=1), values.min(axis=1)
        is_long = np.full(len(values), values.shape[1] >= MIN_NUMBERS)
    is_constant = (high == low).all(axis=-1) & is_long
    count = int(is_constant.sum())
    if not count or len(np.unique(values.reshape(-1)[:1000])) < MANY:
        return []
    first = int(np.argmax(is_constant))
    return [
        Finding(
            "constant-examples",
            f"{share_of(count, len(is_constant), 'example')} "
            f"{'is' if count == 1 else 'are'} constant from the first token "
            f"to the last, such as number {first + 1}.",
            "Check whether the sensor was off, and leave such examples out.",
        )
    ]
