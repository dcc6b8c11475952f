from concurrent import futures

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import gpt2_backbone

from keras_fpt import FPTClassifier
from keras_fpt.compat import jax_lost_state

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax",
    reason="Keras takes the values out of variables on JAX only",
)


def trained_model():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(batches(), shuffle=False, verbose=0)
    return model


def batches(bad=-1):
    """Three batches, of which the one numbered `bad` cannot be made."""

    def make(index):
        tf.debugging.assert_none_equal(index, tf.constant(bad, tf.int64))
        return tf.ones((4, 2)), tf.ones((4, 1))

    return tf.data.Dataset.range(3).map(make)


@pytest.mark.parametrize(
    ("method", "bad"),
    [("fit", 0), ("evaluate", 0), ("evaluate", 1), ("predict", 1)],
)
def test_keras_still_loses_the_weights(method, bad):
    """Where this fails, Keras restores them, and the workaround can go."""
    model = trained_model()
    with pytest.raises(tf.errors.InvalidArgumentError):
        getattr(model, method)(batches(bad), verbose=0)
    assert all(variable._value is None for variable in model.weights)


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
@pytest.mark.parametrize("bad", [0, 1])
def test_weights_are_restored(method, bad):
    model = trained_model()
    before = model.get_weights()
    with (
        pytest.raises(tf.errors.InvalidArgumentError),
        jax_lost_state.restored(model),
    ):
        getattr(model, method)(batches(bad), verbose=0)
    after = model.get_weights()
    if (method, bad) == ("fit", 1):  # It has trained on the batch before.
        assert np.isfinite(np.concatenate([w.ravel() for w in after])).all()
    else:
        for old, new in zip(before, after, strict=True):
            np.testing.assert_array_equal(old, new)


def test_a_step_that_cannot_be_traced_loses_nothing():
    model = trained_model()
    before = model.get_weights()
    with (
        pytest.raises((ValueError, TypeError)),
        jax_lost_state.restored(model),
    ):
        weights = np.ones((4, 3))
        model.fit(np.ones((4, 2)), np.ones(4), sample_weight=weights, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_threads_wait_for_one_another():
    model = trained_model()
    x = np.arange(8.0).reshape(4, 2)
    right = model.predict(x, verbose=0)

    def predict(_):
        with jax_lost_state.restored(model):
            return model.predict(x, verbose=0)

    with futures.ThreadPoolExecutor(4) as threads:
        for answer in threads.map(predict, range(12)):
            np.testing.assert_array_equal(answer, right)


def test_a_classifier_answers_while_other_threads_predict(tmp_path):
    model = FPTClassifier(gpt2_backbone(num_layers=1), input_dim=3)
    x = np.random.default_rng(0).normal(size=(6, 4, 3)).astype("float32")
    right = model.predict(x, verbose=0)

    def answer(number):
        if number % 3 == 0:
            model.save_adapter(tmp_path / f"{number}.safetensors")
        if number % 3 == 1:
            return np.asarray(model(x))
        return model.predict(x, batch_size=1, verbose=0)

    with futures.ThreadPoolExecutor(4) as threads:
        for found in threads.map(answer, range(18)):
            np.testing.assert_allclose(found, right, atol=1e-5)
    assert len(list(tmp_path.iterdir())) == 6
