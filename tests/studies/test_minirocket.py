import itertools

import numpy as np
import pytest

from keras_fpt.studies import minirocket

pytestmark = pytest.mark.backend_free


def by_definition(series, features):
    """The features of one series by the paper's words, number by number.

    Args:
        series: float array `(channels, length)`.
        features: a fitted `MiniRocket`.
    """
    found, length = [], series.shape[1]
    settings = zip(features.channels, features.biases, strict=True)
    kernels = list(itertools.combinations(range(9), 3))
    for number, dilation in enumerate(features.dilations):
        for index, twos in enumerate(kernels):
            channels, biases = next(settings)
            weights = [2 if i in twos else -1 for i in range(9)]
            outputs = []
            for t in range(length):
                places = [t + (i - 4) * dilation for i in range(9)]
                is_inside = places[0] >= 0 and places[-1] < length
                if (number + index) % 2 and not is_inside:
                    continue
                outputs.append(
                    sum(
                        weight * series[channel, place]
                        for channel in channels
                        for weight, place in zip(weights, places, strict=True)
                        if 0 <= place < length
                    )
                )
            found += [np.mean(np.array(outputs) > bias) for bias in biases]
    return np.array(found)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_features_are_those_of_the_definition(channels, monkeypatch):
    monkeypatch.setattr(minirocket, "NUM_FEATURES", 84 * 4)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, channels, 24)).astype("float32")
    lengths = np.array([24, 24, 18, 24, 20])
    for row, length in zip(x, lengths, strict=True):
        row[:, length:] = 0
    features = minirocket.MiniRocket().fit(x, lengths)
    found = features.transform(x, lengths)
    assert found.shape == (5, 84 * 4)
    for i in (0, 2):  # By itself, and without its padding.
        expected = by_definition(x[i, :, : lengths[i]], features)
        # A number that equals a bias, its own quantile, may round either way.
        assert np.mean(np.abs(found[i] - expected) > 1e-6) < 0.01


def test_dilations_grow_with_the_length():
    """Values of the published code for series of 150 and 24 steps."""
    dilations, counts = minirocket._dilations(150)
    assert dilations[0] == 1 and dilations[-1] == 18 and counts.sum() == 119
    dilations, counts = minirocket._dilations(24)
    assert list(dilations) == [1, 2] and counts.sum() == 119


def test_series_that_are_shorter_than_a_kernel():
    x = np.random.default_rng(0).normal(size=(4, 1, 5))
    features = minirocket.MiniRocket().fit(x, np.full(4, 5))
    assert np.isfinite(features.transform(x, np.full(4, 5))).all()
