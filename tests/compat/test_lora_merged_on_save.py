import keras
import numpy as np
import pytest
from keras import ops

from keras_fpt.compat import lora_merged_on_save

pytestmark = pytest.mark.backend_free


class Holder(keras.Model):
    """A backbone, and perhaps its state, as attributes of a model."""

    def __init__(self, with_state):
        super().__init__()
        layer = keras.layers.Dense(3)
        self.backbone = keras.Sequential([keras.Input((4,)), layer])
        layer.enable_lora(2)
        layer.lora_kernel_b.assign(np.ones((2, 3)))
        self.built = True
        if with_state:
            self.low_rank_state = lora_merged_on_save.LowRankState(
                self.backbone
            )

    def factors(self):
        layer = self.backbone.layers[0]
        weights = (layer._kernel, layer.lora_kernel_a, layer.lora_kernel_b)
        return [ops.convert_to_numpy(weight) for weight in weights]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.weights.h5"


def test_the_fault_is_still_there(path):
    Holder(with_state=False).save_weights(path)
    loaded = Holder(with_state=False)
    loaded.load_weights(path)
    _, first, second = loaded.factors()
    assert not first.any() and not second.any()


def test_the_workaround_keeps_all_three(path):
    saved, loaded = Holder(with_state=True), Holder(with_state=True)
    saved.save_weights(path)
    loaded.load_weights(path)
    for old, new in zip(saved.factors(), loaded.factors(), strict=True):
        np.testing.assert_array_equal(old, new)
