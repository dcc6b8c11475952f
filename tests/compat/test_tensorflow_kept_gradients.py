import gc

import keras
import numpy as np
import pytest

from keras_fpt.compat import tensorflow_kept_gradients
from keras_fpt.models import FPTClassifier

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a fault of TensorFlow"
)


def names_left_by(train):
    """What is registered by a model that trains and is deleted."""
    before = set(tensorflow_kept_gradients.registered())
    train()
    gc.collect()
    return set(tensorflow_kept_gradients.registered()) - before


def test_the_fault_is_still_there():
    import tensorflow as tf

    @tf.custom_gradient
    def double(x):
        return 2 * x, lambda upstream: 2 * upstream

    def train():
        tf.function(lambda: double(tf.constant(1.0)))()

    assert names_left_by(train)


def test_what_a_model_registered_goes_with_it(backbone):
    def train():
        nonlocal backbone
        model = FPTClassifier(backbone, input_dim=2)
        x = np.ones((4, 3, 2), "float32")
        model.fit(x, np.zeros(4, "int32"), verbose=0)
        model.predict(x, verbose=0)
        backbone = None

    assert not names_left_by(train)
