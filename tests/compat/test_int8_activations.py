"""Fails when a dtype policy says that activations are not quantized."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_fpt.compat.int8_activations import keep_activations


@pytest.fixture
def layers():
    """A layer with int8 weights only, and one built from its dtype policy."""
    original = keras.layers.Dense(4)
    original.build((None, 3))
    config = keras.quantizers.Int8QuantizationConfig(activation_quantizer=None)
    original.quantize("int8", config=config)
    again = keras.layers.Dense(4, dtype=original.dtype_policy)
    again.build((None, 3))
    again.set_weights(original.get_weights())
    return original, again


def test_the_fault_is_still_there(layers):
    original, again = layers
    assert original.inputs_quantizer is None
    assert again.inputs_quantizer is not None


def test_the_workaround_gives_the_same_outputs(layers):
    original, again = layers
    keep_activations(again)
    x = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")
    np.testing.assert_array_equal(
        *(ops.convert_to_numpy(layer(x)) for layer in (original, again))
    )
