"""Finds examples of test that nearly equal one of train."""

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
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
# Shorter sequences at one gain and level are alike by chance.
MIN_STEPS = 32
# Distances and deviations that rounding makes.
NOISE = 1e-3
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
    near = NEAR_IMAGE if checked.is_image else NEAR
    is_near = _are_near(_project(x, train), _project(x, test), near)
    is_changed = np.zeros(len(test), bool)
    if checked.is_image or (
        not checked.is_by_row and _shortest(checked.x) >= MIN_STEPS
    ):
        is_changed = _are_near_when_changed(x, train, test, near) & ~is_near
    count = int((is_near | is_changed).sum())
    if not count:
        return []
    changes = "mirrored, turned or brighter" if checked.is_image else "scaled"
    how = f" if {changes}" if is_changed.any() else ""
    return [
        Finding(
            "near-copies-across-splits",
            f"{share_of(count, len(test), 'test example')} nearly "
            f"{'equals' if count == 1 else 'equal'} an example of train{how}: "
            "far closer than to any other.",
            "Keep versions of one example in one split: --split-group COLUMN.",
            is_leak=True,
        )
    ]


def _shortest(x: Any) -> int:
    """The number of tokens of the shortest sequence."""
    return int(sequences.lengths(x).min())


def _resampled(x: Any) -> np.ndarray:
    """Sequences of different lengths at as many places, and their lengths."""
    lengths = sequences.lengths(x)
    starts = np.cumsum(lengths) - lengths
    values = x.flat_values.numpy()
    places = starts[:, None] + np.round(
        np.linspace(0, 1, RESAMPLED) * (lengths - 1)[:, None]
    ).astype(int)
    return values[places]


def _are_near_when_changed(
    x: np.ndarray, train: np.ndarray, test: np.ndarray, near: float
) -> np.ndarray:
    """Which examples are near copies that augmentation has changed.

    Args:
        x: array `(n, tokens, dim)`, or `(n, height, width, channels)`.
        train, test: int arrays of indices in `x`.
        near: float, see `NEAR`.

    Returns:
        Bool array `(len(test),)`.
    """
    trained = _project(x, train, _standardize)
    if (trained.std(axis=0) < NOISE * np.abs(trained).mean(axis=0)).any():
        return np.zeros(len(test), bool)  # All have one shape.
    found = _are_near(trained, _project(x, test, _standardize), near)
    for turn in _turns(x):
        turned = _project(x, test, turn)
        found |= _are_near(trained, turned, near)
    return found


def _turns(x: np.ndarray) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
    """Functions that mirror and turn images, if they are images."""
    if x.ndim != 4:
        return
    swaps = (False, True) if x.shape[1] == x.shape[2] else (False,)
    for swap, *steps in itertools.product(swaps, (1, -1), (1, -1)):
        if swap or steps != [1, 1]:
            yield functools.partial(_turn, swap=swap, steps=steps)


def _turn(x: np.ndarray, swap: bool, steps: Sequence[int]) -> np.ndarray:
    x = x[:, :: steps[0], :: steps[1]]
    return _standardize(x.swapaxes(1, 2) if swap else x)


def _standardize(x: np.ndarray) -> np.ndarray:
    """Examples at one brightness and contrast, or at one level and gain.

    Each channel by itself: the gain of a sound moves all bins of a log-mel
    spectrum, but not by as many of their standard deviations.
    """
    axes = tuple(range(1, x.ndim - 1))
    x = x - x.mean(axis=axes, keepdims=True)
    scale = x.std(axis=axes, keepdims=True)
    return x / np.where(scale > 0, scale, 1)


def _are_near(train: np.ndarray, test: np.ndarray, near: float) -> np.ndarray:
    """Which points stand out as near copies, beyond chance.

    A near copy is much closer than the neighbors after it. In few dimensions
    that happens by chance, as often as the distances of those neighbors tell.

    Returns:
        Bool array `(len(test),)`; none are if they may be near by chance.
    """
    from sklearn.neighbors import NearestNeighbors

    center, scale = train.mean(axis=0), train.std(axis=0)
    scale = np.where(scale > 0, scale, 1)
    train, test = (train - center) / scale, (test - center) / scale
    index = NearestNeighbors(n_neighbors=NEIGHBORS, algorithm="brute")
    distance, _ = index.fit(train).kneighbors(test)
    nearest, second, middle = distance[:, 0], distance[:, 1], distance[:, -1]
    is_real = (middle > second) & (middle > NOISE)
    none = np.zeros(len(test), bool)
    if not (is_real & (second > 0)).any():
        return none
    spread = np.log(middle / np.maximum(second, 1e-30))[is_real & (second > 0)]
    dimension = math.log(NEIGHBORS / 2) / float(np.median(spread))
    is_near = (nearest < near * middle) & is_real
    expected = len(test) * min(1.0, NEIGHBORS * near**dimension)
    is_sure = is_near.sum() >= max(2, 3 * expected + 4 * math.sqrt(expected))
    return is_near if is_sure else none


def _some_of(rows: np.ndarray, size: int) -> np.ndarray:
    if len(rows) <= size:
        return rows
    return rows[np.linspace(0, len(rows) - 1, size).astype(int)]


def _project(
    x: np.ndarray,
    rows: np.ndarray,
    change: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """Random projections of some examples, which keep their distances."""

    def read(part: np.ndarray) -> np.ndarray:
        part = _coarse(part) if part.ndim == 4 else part.astype(np.float32)
        return part if change is None else change(part)

    generator = np.random.default_rng(0)
    size = read(np.asarray(x[:1])).size
    directions = generator.normal(size=(size, PROJECTIONS)).astype(np.float32)
    parts = []
    for i in range(0, len(rows), BLOCK):
        part = read(np.asarray(x[rows[i : i + BLOCK]]))
        parts.append(part.reshape(-1, size) @ directions)
    return np.concatenate(parts)


def _coarse(pixels: np.ndarray) -> np.ndarray:
    """Images of about 8 x 8 pixels.

    What compression, resizing and a camera's noise change averages out.
    """
    n, height, width, channels = pixels.shape
    size = max(1, min(height, width) // COARSE)
    rows, columns = height // size, width // size
    # From the middle, which is the same in images that are mirrored.
    top, left = (height - rows * size) // 2, (width - columns * size) // 2
    cut = pixels[:, top : top + rows * size, left : left + columns * size]
    shape = (n, rows, size, columns, size, channels)
    return cut.reshape(shape).mean(axis=(2, 4), dtype=np.float32)
