"""Fails when KerasHub's Llama says whether its embeddings are tied."""

import keras_hub
import pytest

from keras_fpt.compat.llama_tied_embeddings import complete_config

pytestmark = pytest.mark.backend_free


@pytest.fixture
def llama():
    return keras_hub.models.LlamaBackbone(
        vocabulary_size=10,
        num_layers=1,
        num_query_heads=2,
        num_key_value_heads=1,
        hidden_dim=8,
        intermediate_dim=8,
        tie_word_embeddings=True,
    )


def test_the_fault_is_still_there(llama):
    assert llama.tie_word_embeddings
    assert "tie_word_embeddings" not in llama.get_config()


def test_the_completed_config_builds_the_same_backbone(llama):
    complete_config(llama)
    copy = type(llama).from_config(llama.get_config())
    assert copy.tie_word_embeddings
    assert copy.count_params() == llama.count_params()
