import keras
import pytest
from conftest import gpt2_backbone

from keras_fpt.compat import quantized_save_again

pytestmark = pytest.mark.backend_free


@pytest.fixture
def layer():
    """The token embedding of a quantized backbone made from its config."""
    backbone = gpt2_backbone(num_layers=1)
    embedding = backbone.get_layer("token_embedding")
    embedding.quantize("int8")
    copy = type(backbone).from_config(backbone.get_config())
    return copy.get_layer("token_embedding")


def saved_by(layer):
    store = {}
    layer.save_own_variables(store)
    return store


def test_the_fault_is_still_there(layer):
    assert saved_by(layer)["1"] is None


def test_the_workaround_saves_the_scale(layer):
    quantized_save_again.resolve_policy(layer)
    scale = saved_by(layer)["1"]
    assert isinstance(scale, keras.Variable) and scale.shape == (50,)
