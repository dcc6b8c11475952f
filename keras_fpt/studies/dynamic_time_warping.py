"""The nearest neighbor of a series by dynamic time warping, in NumPy.

Source: Sakoe and Chiba (1978), "Dynamic programming algorithm optimization for
spoken word recognition", IEEE Transactions on Acoustics, Speech, and Signal
Processing 26(1).
"""

import math
from typing import Any, Self

import numpy as np


class NearestNeighbor:
    """Predicts the label of the most similar training example.

    Args:
        window: float from 0 to 1, how far a place of one series may be from
            the place of the other that it is compared with, as a share of the
            longest. 0 is the Euclidean distance, if lengths are equal; with
            different lengths, their difference is added.
    """

    def __init__(self, window: float) -> None:
        self.window = window

    def fit(self, rows: Any, y: np.ndarray) -> Self:
        """Keeps the training examples.

        Args:
            rows: `Rows` of float tokens.
            y: int array `(n, 1)`.
        """
        self.rows, self.y = rows, y
        return self

    def predict(self, rows: Any) -> np.ndarray:
        """The labels of the nearest training examples, `(n, 1)`."""
        nearest = [
            distances(
                series[:length],
                self.rows.tokens,
                self.rows.lengths,
                self.window,
            ).argmin()
            for series, length in zip(rows.tokens, rows.lengths, strict=True)
        ]
        return self.y[nearest]


def distances(
    series: np.ndarray, others: np.ndarray, lengths: np.ndarray, window: float
) -> np.ndarray:
    """Squared distances of a series to others by dynamic time warping.

    All others are computed together, along the anti-diagonals of the table of
    pairs of places.

    Args:
        series: float array `(length, channels)`.
        others: float array `(n, longest, channels)`, padded.
        lengths: int array `(n,)`, the lengths of the others.
        window: float, see `NearestNeighbor`.

    Returns:
        float array `(n,)`.
    """
    size, longest = len(series), others.shape[1]
    band = window * max(size, longest) + np.abs(size - lengths)
    widest, is_one_band = band.max(), (lengths == lengths[0]).all()
    places = np.arange(size)
    found = np.full(len(others), np.inf)
    shape = (len(others), size + 1)
    # Column i + 1 is place i of the series; column 0 lies outside.
    last, before = np.full(shape, np.inf), np.full(shape, np.inf)
    for total in range(size + longest - 1):
        low = max(0, total - longest + 1, math.ceil((total - widest) / 2))
        high = min(total, size - 1, math.floor((total + widest) / 2)) + 1
        i = places[low:high]
        cost = ((series[i] - others[:, total - i]) ** 2).sum(-1)
        if not is_one_band:
            cost[np.abs(2 * i - total) > band[:, None]] = np.inf
        reached = np.minimum(last[:, low + 1 : high + 1], last[:, low:high])
        reached = np.minimum(reached, before[:, low:high])
        if total == 0:
            reached = np.zeros_like(cost)
        now = np.full(shape, np.inf)
        now[:, low + 1 : high + 1] = cost + reached
        ends = lengths - 1 == total - (size - 1)
        found[ends] = now[ends, size]
        last, before = now, last
    return found
