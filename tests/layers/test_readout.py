import keras
import numpy as np
import pytest

from keras_fpt.layers import Readout

HIDDEN = np.arange(2 * 4 * 3, dtype="float32").reshape(2, 4, 3)
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0]])


def read(readout, num_tokens=1, hidden=HIDDEN):
    layer = Readout(readout, num_tokens)
    return keras.ops.convert_to_numpy(layer(hidden, MASK))


def test_last_reads_the_last_real_tokens_in_order():
    out = read("last", 2)
    np.testing.assert_array_equal(out[0], HIDDEN[0, 2:4])
    np.testing.assert_array_equal(out[1], HIDDEN[1, 0:2])


def test_first():
    np.testing.assert_array_equal(read("first")[:, 0], HIDDEN[:, 0])


def test_mean_leaves_padding_out():
    out = read("mean")[:, 0]
    np.testing.assert_allclose(out[0], HIDDEN[0].mean(0))
    np.testing.assert_allclose(out[1], HIDDEN[1, :2].mean(0))


def test_pooled_passes_on():
    out = read("pooled", hidden=HIDDEN[:, 0])
    np.testing.assert_array_equal(out[:, 0], HIDDEN[:, 0])


def test_last_and_mean_are_joined():
    out = read("last+mean")
    expected = np.concatenate([read("last"), read("mean")], axis=-1)
    np.testing.assert_array_equal(out, expected)


def test_each_token_is_joined_with_the_mean():
    out = read("token+mean")
    np.testing.assert_array_equal(out[..., :3], HIDDEN)
    means = np.broadcast_to(read("mean"), HIDDEN.shape)
    np.testing.assert_array_equal(out[..., 3:], means)


def test_flatten_joins_all_in_order():
    out = read("flatten")
    np.testing.assert_array_equal(out, HIDDEN.reshape(2, 1, 12))


def test_only_last_reads_several():
    with pytest.raises(ValueError, match="reads one token"):
        Readout("mean", 2)


def test_config_round_trip():
    layer = Readout.from_config(Readout("last", 3).get_config())
    assert (layer.readout, layer.num_tokens) == ("last", 3)
