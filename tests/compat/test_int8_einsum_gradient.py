"""Fails when Keras has the right gradient through int8 on PyTorch."""

import keras
import numpy as np
import pytest

from keras_fpt.compat.int8_einsum_gradient import correct_gradient

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="a fault on PyTorch"
)


@pytest.fixture
def layer():
    # The projections of Gemma: their heads come before their inputs.
    layer = keras.layers.EinsumDense("btd,ndh->btnh", (None, 2, 4))
    layer.build((None, 5, 6))
    config = keras.quantizers.Int8QuantizationConfig(activation_quantizer=None)
    layer.quantize("int8", config=config)
    return layer


def inputs_gradient(layer):
    """The gradient of the sum of the outputs, which is the same for any x."""
    import torch

    x = torch.ones((1, 5, 6), requires_grad=True)
    layer(x).sum().backward()
    return x.grad.numpy()


def expected_gradient(layer):
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    scale = keras.ops.convert_to_numpy(layer.kernel_scale)
    floats = kernel / scale.reshape(2, 1, 4)
    return np.broadcast_to(floats.sum((0, 2)), (1, 5, 6))


def test_the_fault_is_still_there(layer):
    try:
        gradient = inputs_gradient(layer)
    except RuntimeError:
        return
    assert not np.allclose(gradient, expected_gradient(layer), rtol=1e-3)


def test_the_workaround_has_the_right_gradient(layer):
    correct_gradient(layer)
    np.testing.assert_allclose(
        inputs_gradient(layer), expected_gradient(layer), rtol=1e-5
    )
