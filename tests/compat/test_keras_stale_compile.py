import keras
import pytest

from keras_fpt.compat import keras_stale_compile

pytestmark = pytest.mark.backend_free


def compiled_model():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def test_keras_still_keeps_them():
    """Where this fails, Keras forgets them, and the workaround can go."""
    model = compiled_model()
    model.compile("sgd")
    assert model.loss == "mse"
    assert len(model.metrics) == 2


def test_they_are_forgotten():
    model = compiled_model()
    keras_stale_compile.forget(model)
    model.compile("sgd")
    assert model.loss is None
    assert len(model.metrics) == 1
