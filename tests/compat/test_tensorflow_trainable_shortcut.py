import keras
import pytest

from keras_fpt.compat import tensorflow_trainable_shortcut

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a fault on TensorFlow"
)


@pytest.fixture
def model():
    """Its own flag is `True`, that of a layer in it is not."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.layers[0].trainable = False
    return model


def test_the_fault_is_still_there(model):
    from keras.src.backend.tensorflow.trackable import KerasAutoTrackable

    tensorflow_trainable_shortcut.repair()
    KerasAutoTrackable.__setattr__.repaired(model, "trainable", True)
    assert not model.trainable_variables


def test_the_workaround_reaches_the_layers(model):
    tensorflow_trainable_shortcut.repair()
    tensorflow_trainable_shortcut.repair()  # Once is enough.
    model.trainable = True
    assert len(model.trainable_variables) == 2
    model.name = "other"  # Other attributes are set as before.
    assert model.name == "other"
