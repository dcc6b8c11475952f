"""Finds examples of test that nearly equal one of train."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fpt.tasks.user_data import sequences
from keras_fpt.tasks.user_data.audit.audit_strings import (
    find_near_strings,
    find_shared_pieces,
)
from keras_fpt.tasks.user_data.audit.checked import Checked
from keras_fpt.tasks.user_data.audit.findings import Finding, share_of

# They are looked for by random projections, among so many examples.
PROJECTIONS = 16
MIN_TRAIN, MAX_TRAIN = 40, 100_000
MAX_TEST = 300
CELLS = 200_000_000
NEIGHBORS = 5
# Distance of a near copy, as a share of that to the last of the neighbors.
NEAR = 0.02
# JPEG changes the mean of its blocks.
NEAR_IMAGE = 0.06
MIN_NUMBERS = 8
BLOCK = 4096
# The least side of an image, in pixels, whose copies are looked for.
COARSE = 8
# Sequences of different lengths are compared at so many places.
RESAMPLED = 32


def find_near_copies(checked: Checked, is_copy: np.ndarray) -> list[Finding]:
    """Finds examples of test that nearly equal one of train.

    Args:
        checked: a `Checked`.
        is_copy: bool array `(n,)`, whether an example equals one of train.

    Returns:
        A list of `Finding`s.
    """
    x = checked.x
    if not tf.as_dtype(x.dtype).is_floating and not checked.is_image:
        return find_near_strings(
            x, checked.splits, is_copy
        ) or find_shared_pieces(x, checked.splits, is_copy, checked.symbols)
    if sequences.is_ragged(x):
        x = _resampled(x)
    size = int(np.prod(x.shape[1:]))
    if size < MIN_NUMBERS or len(checked.splits["train"]) < MIN_TRAIN:
        return []
    train = _some_of(checked.splits["train"], min(MAX_TRAIN, CELLS // size))
    test = _some_of(checked.splits["test"], MAX_TEST)
    test = test[~is_copy[test]]
    if not len(test):
        return []
    count = _num_near(
        _project(x, train, size),
        _project(x, test, size),
        NEAR_IMAGE if checked.is_image else NEAR,
    )
    if not count:
        return []
    return [
        Finding(
            "near-copies-across-splits",
            f"{share_of(count, len(test), 'test example')} nearly "
            f"{'equals' if count == 1 else 'equal'} an example of train: far "
            "closer than to any other.",
            "Keep versions of one example in one split: --split-group COLUMN.",
            is_leak=True,
        )
    ]


def _resampled(x: Any) -> np.ndarray:
    """Sequences of different lengths at as many places, and their lengths."""
    lengths = sequences.lengths(x)
    starts = np.cumsum(lengths) - lengths
    values = x.flat_values.numpy()
    places = starts[:, None] + np.round(
        np.linspace(0, 1, RESAMPLED) * (lengths - 1)[:, None]
    ).astype(int)
    return values[places]


def _num_near(train: np.ndarray, test: np.ndarray, near: float) -> int:
    """How many points stand out as near copies, beyond chance.

    A near copy is much closer than the neighbors after it. In few dimensions
    that happens by chance, as often as the distances of those neighbors tell.
    """
    from sklearn.neighbors import NearestNeighbors

    center, scale = train.mean(axis=0), train.std(axis=0)
    scale = np.where(scale > 0, scale, 1)
    train, test = (train - center) / scale, (test - center) / scale
    index = NearestNeighbors(n_neighbors=NEIGHBORS, algorithm="brute")
    distance, _ = index.fit(train).kneighbors(test)
    nearest, second, middle = distance[:, 0], distance[:, 1], distance[:, -1]
    is_real = middle > second
    if not (is_real & (second > 0)).any():
        return 0
    spread = np.log(middle / np.maximum(second, 1e-30))[is_real & (second > 0)]
    dimension = math.log(NEIGHBORS / 2) / float(np.median(spread))
    count = int((nearest < near * middle)[is_real].sum())
    expected = len(test) * min(1.0, NEIGHBORS * near**dimension)
    is_sure = count >= max(2, 3 * expected + 4 * math.sqrt(expected))
    return count if is_sure else 0


def _some_of(rows: np.ndarray, size: int) -> np.ndarray:
    if len(rows) <= size:
        return rows
    return rows[np.linspace(0, len(rows) - 1, size).astype(int)]


def _project(x: np.ndarray, rows: np.ndarray, size: int) -> np.ndarray:
    """Random projections of some examples, which keep their distances."""
    generator = np.random.default_rng(0)
    is_image = x.ndim == 4
    if is_image:
        size = _coarse(np.asarray(x[:1])).size
    directions = generator.normal(size=(size, PROJECTIONS)).astype(np.float32)
    parts = []
    for i in range(0, len(rows), BLOCK):
        part = np.asarray(x[rows[i : i + BLOCK]])
        part = _coarse(part) if is_image else part
        parts.append(part.astype(np.float32).reshape(-1, size) @ directions)
    return np.concatenate(parts)


def _coarse(pixels: np.ndarray) -> np.ndarray:
    """Images of about 8 x 8 pixels.

    What compression, resizing and a camera's noise change averages out.
    """
    n, height, width, channels = pixels.shape
    size = max(1, min(height, width) // COARSE)
    rows, columns = height // size, width // size
    cut = pixels[:, : rows * size, : columns * size]
    shape = (n, rows, size, columns, size, channels)
    return cut.reshape(shape).mean(axis=(2, 4), dtype=np.float32)
