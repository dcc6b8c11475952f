"""Patches and instance norm against NumPy."""

import keras
import numpy as np
import pytest

from keras_fpt.layers import InstanceNorm, Patches, num_patches

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 11, 2)).astype("float32")
LENGTHS = np.array([11, 5, 8])
MASK = (np.arange(11) < LENGTHS[:, None]).astype("int32")


def numpy(values):
    return [keras.ops.convert_to_numpy(value) for value in values]


def hand_made(series, size, stride):
    """The patches of one series `(steps, dim)`."""
    padded = np.pad(series, ((0, size), (0, 0)))
    begins = range(0, len(series), stride)
    return np.stack([padded[i : i + size].ravel() for i in begins])


@pytest.mark.parametrize(("size", "stride"), [(4, 4), (4, 2), (3, 2), (20, 20)])
def test_patches_are_those_made_by_hand(size, stride):
    patches, mask = Patches(size, stride)(X)
    expected = np.stack([hand_made(x, size, stride) for x in X])
    np.testing.assert_array_equal(*numpy([patches, expected]))
    assert mask is None
    assert patches.shape[1] == num_patches(11, stride)


@pytest.mark.parametrize(("size", "stride"), [(4, 4), (4, 3)])
def test_padding_makes_no_patches_and_gets_into_none(size, stride):
    padded = np.where(MASK[..., None], X, np.nan).astype("float32")
    patches, mask = numpy(Patches(size, stride)(padded, MASK))
    for one, is_real, series, length in zip(
        patches, mask, X, LENGTHS, strict=True
    ):
        alone = hand_made(series[:length], size, stride)
        np.testing.assert_array_equal(one[: len(alone)], alone)
        assert is_real.tolist() == [1] * len(alone) + [0] * (
            len(one) - len(alone)
        )


def test_instance_norm_is_exact():
    x = X * [3, 0.1] + [1e4, -2]
    x = x.astype("float32")
    found, mean, scale = numpy(InstanceNorm()(x, MASK))
    for i, length in enumerate(LENGTHS):
        real = x[i, :length].astype("float64")
        np.testing.assert_allclose(mean[i, 0], real.mean(0), rtol=1e-6)
        expected = np.sqrt(real.var(0) + 1e-5)
        np.testing.assert_allclose(scale[i, 0], expected, rtol=1e-5)
        np.testing.assert_allclose(
            found[i, :length], (real - real.mean(0)) / expected, atol=1e-5
        )
        assert not found[i, length:].any()


def test_a_mask_of_ones_is_none():
    alike = InstanceNorm()(X), InstanceNorm()(X, np.ones_like(MASK))
    for one, other in zip(*map(numpy, alike), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, -3e7])
def test_a_constant_channel_becomes_zero(value):
    found, mean, _ = numpy(InstanceNorm()(np.full_like(X, value), MASK))
    np.testing.assert_allclose(found, 0, atol=1e-6)
    np.testing.assert_allclose(mean, value, rtol=1e-6)


@pytest.mark.backend_free
@pytest.mark.parametrize("layer", [Patches(4, 2), InstanceNorm(0.1)])
def test_config_round_trip(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
