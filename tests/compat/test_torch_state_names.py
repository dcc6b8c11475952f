import keras
import numpy as np
import pytest

from keras_fpt import FPTClassifier
from tests.conftest import gpt2_backbone

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="models are modules on PyTorch"
)


def test_keras_still_fails_for_the_second_model():
    """Where this fails, Keras names no model, and the workaround can go."""
    first, second = (
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        for _ in range(2)
    )
    with pytest.raises(RuntimeError, match="Missing key"):
        second.load_state_dict(first.state_dict())


def test_weights_of_a_model_of_another_name():
    first, second = (
        FPTClassifier(gpt2_backbone(), num_classes=2, input_dim=3)
        for _ in range(2)
    )
    second.load_state_dict(first.state_dict())
    x = np.ones((2, 4, 3), "float32")
    np.testing.assert_array_equal(
        first.predict(x, verbose=0), second.predict(x, verbose=0)
    )
