"""On a mesh of devices, `evaluate` and `predict` do what they are asked."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import gpt2_backbone

from keras_fpt import FPTClassifier, distribution

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax",
    reason="on other backends, Keras's own methods evaluate and predict",
)
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(20, 4, 3)).astype("float32")
Y = GENERATOR.integers(2, size=20).astype("int32")
WEIGHTS = GENERATOR.uniform(size=20).astype("float32")


class Count(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.batches = 0

    def on_test_batch_end(self, batch, logs=None):
        self.batches += 1

    def on_predict_batch_end(self, batch, logs=None):
        self.batches += 1


def answers():
    """What a model, alone or on a mesh, answers to what it is asked."""
    keras.utils.set_random_seed(0)
    model = FPTClassifier(gpt2_backbone(num_layers=1), input_dim=3)
    data = tf.data.Dataset.from_tensor_slices((X, Y, WEIGHTS)).batch(8)
    evaluate = {"verbose": 0, "return_dict": True}
    counts = [Count(), Count()]
    measured = [
        model.evaluate(X, Y, sample_weight=WEIGHTS, **evaluate),
        model.evaluate(X, Y, batch_size=8, steps=2, **evaluate),
        model.evaluate(data, **evaluate),
        model.evaluate(data, steps=2, callbacks=[counts[0]], **evaluate),
    ]
    predicted = model.predict(data, steps=2, callbacks=[counts[1]], verbose=0)
    return measured, predicted, [count.batches for count in counts]


def test_a_mesh_evaluates_and_predicts_as_keras_does():
    alone, predicted, counts = answers()
    with distribution.scope("data_parallel"):
        on_mesh, on_mesh_predicted, on_mesh_counts = answers()
    for expected, found in zip(alone, on_mesh, strict=True):
        assert found == pytest.approx(expected, abs=1e-5)
    np.testing.assert_allclose(on_mesh_predicted, predicted, atol=1e-5)
    assert counts == on_mesh_counts == [2, 2]
