"""Fails when KerasHub's RoFormer masks keys on every backend."""

import keras
import keras_hub
import numpy as np
import pytest

from keras_fpt.compat.roformer_key_mask import mask_keys

LENGTH = 4


@pytest.fixture
def backbone():
    return keras_hub.models.RoformerV2Backbone(
        vocabulary_size=10,
        num_layers=1,
        num_heads=2,
        head_size=8,
        hidden_dim=16,
        intermediate_dim=16,
        dropout=0.0,
    )


def real_tokens(backbone, padding):
    """The hidden states of the real tokens, before some padding."""
    tokens = np.full((1, LENGTH + padding), 0, "int32")  # 0 is padding.
    tokens[:, :LENGTH] = [[3, 5, 2, 7]]
    inputs = {"token_ids": tokens, "segment_ids": np.zeros_like(tokens)}
    output = keras.ops.convert_to_numpy(backbone(inputs))
    return output[:, :LENGTH]


@pytest.mark.skipif(
    keras.backend.backend() == "torch",
    reason="a fault on TensorFlow and JAX",
)
def test_the_fault_is_still_there(backbone):
    alone, padded = (real_tokens(backbone, n) for n in (0, 3))
    assert not np.allclose(alone, padded, atol=1e-3)


def test_padding_does_not_change_real_tokens(backbone):
    mask_keys(backbone)
    alone, padded = (real_tokens(backbone, n) for n in (0, 3))
    np.testing.assert_allclose(alone, padded, atol=1e-5)
