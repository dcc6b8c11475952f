"""MiniROCKET in NumPy: features of time series from 84 small convolutions.

Source: Dempster, Schmidt and Webb (2021), "MiniRocket: A Very Fast (Almost)
Deterministic Transform for Time Series Classification", KDD.
"""

import itertools
from typing import Self

import numpy as np

NUM_FEATURES = 10_000
# A kernel has 9 weights, of which these three are 2 and the others -1.
_KERNELS = list(itertools.combinations(range(9), 3))
_LENGTH = 9
_MAX_DILATIONS = 32
_MAX_CHANNELS = 9
# Numbers in the arrays of some examples that are convolved together.
_CHUNK = 2**21


class MiniRocket:
    """The features of MiniROCKET, for one or several channels.

    A feature is the share of a series' convolution with a kernel that lies
    above a bias, which is a quantile of a training example's convolution. Of
    series of different lengths, each has the features that it would have by
    itself.

    Args:
        seed: int, of the examples that the biases are from and, if there are
            several channels, of which ones a kernel adds up.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, x: np.ndarray, lengths: np.ndarray) -> Self:
        """Chooses dilations, channels and biases.

        Args:
            x: float array `(n, channels, length)`, padded with zeros.
            lengths: int array `(n,)`.
        """
        rng = np.random.default_rng(self.seed)
        x = _with_room(x)
        _, channels, length = x.shape
        self.dilations, self.counts = _dilations(length)
        most = np.log2(min(channels, _MAX_CHANNELS) + 1)
        golden = (np.sqrt(5) + 1) / 2
        numbers = 1 + np.arange(len(_KERNELS) * self.counts.sum())
        quantiles = iter((numbers * golden) % 1)
        self.channels: list[np.ndarray] = []
        self.biases: list[np.ndarray] = []
        for number, dilation in enumerate(self.dilations):
            for kernel in range(len(_KERNELS)):
                size = int(2 ** rng.uniform(0, most))
                chosen = rng.choice(channels, size, replace=False)
                row = rng.integers(len(x))
                taps = _taps(x[row : row + 1, chosen], dilation)
                output = _convolve(taps, kernel, np.arange(size))[0]
                wanted = itertools.islice(quantiles, int(self.counts[number]))
                self.channels.append(chosen)
                self.biases.append(
                    np.quantile(output[: lengths[row]], list(wanted))
                )
        return self

    def transform(self, x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """The features of series.

        Args:
            x: float array `(n, channels, length)`, as for `fit`.
            lengths: int array `(n,)`.

        Returns:
            float32 array `(n, features)`, about `NUM_FEATURES` of them.
        """
        x = _with_room(x)
        size = max(1, _CHUNK // (_LENGTH * x[0].size))
        parts = [
            self._features(x[i : i + size], lengths[i : i + size])
            for i in range(0, len(x), size)
        ]
        return np.concatenate(parts)

    def _features(self, x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        places, found = np.arange(x.shape[-1]), []
        settings = zip(self.channels, self.biases, strict=True)
        for number, dilation in enumerate(self.dilations):
            taps, padding = _taps(x, dilation), (_LENGTH // 2) * dilation
            is_real = places < lengths[:, None]
            is_inside = (places >= padding) & (
                places < lengths[:, None] - padding
            )
            for kernel in range(len(_KERNELS)):
                channels, biases = next(settings)
                # Every other one only has outputs that need no padding.
                used = (is_real, is_inside)[(number + kernel) % 2]
                output = _convolve(taps, kernel, channels)
                output = np.where(used, output, -np.inf)
                total = np.maximum(used.sum(1), 1)
                above = [(output > bias).sum(1) / total for bias in biases]
                found += above
        return np.stack(found, axis=1).astype("float32")


def _with_room(x: np.ndarray) -> np.ndarray:
    """Series that are not shorter than a kernel."""
    missing = max(0, _LENGTH - x.shape[-1])
    return np.pad(x.astype("float32"), [(0, 0), (0, 0), (0, missing)])


def _dilations(length: int) -> tuple[np.ndarray, np.ndarray]:
    """The dilations for a length, and each kernel's features of each."""
    per_kernel = NUM_FEATURES // len(_KERNELS)
    most = min(per_kernel, _MAX_DILATIONS)
    exponent = np.log2((length - 1) / (_LENGTH - 1))
    dilations, counts = np.unique(
        np.logspace(0, exponent, most, base=2).astype(int), return_counts=True
    )
    counts = (counts * (per_kernel / most)).astype(int)
    for i in range(per_kernel - counts.sum()):
        counts[i % len(counts)] += 1
    return dilations, counts


def _taps(x: np.ndarray, dilation: int) -> np.ndarray:
    """The input of each kernel weight at each position; zeros lie outside.

    Returns:
        float array `(9, n, channels, length)`.
    """
    length, padding = x.shape[-1], (_LENGTH // 2) * dilation
    padded = np.pad(x, [(0, 0), (0, 0), (padding, padding)])
    return np.stack(
        [
            padded[..., i * dilation : i * dilation + length]
            for i in range(_LENGTH)
        ]
    )


def _convolve(
    taps: np.ndarray, kernel: int, channels: np.ndarray
) -> np.ndarray:
    """A kernel's convolution, added up over channels: `(n, length)`."""
    twos = taps[list(_KERNELS[kernel])][:, :, channels]
    return 3 * twos.sum((0, 2)) - taps[:, :, channels].sum((0, 2))
