"""Backbones of KerasHub that cannot be cut; named in docs/families.md."""

import re

import keras_hub
import pytest

from keras_fpt import FPTClassifier

pytestmark = pytest.mark.backend_free

SIZES = {
    "vocabulary_size": 11,
    "num_layers": 2,
    "hidden_dim": 8,
    "intermediate_dim": 12,
}
HEADS = {**SIZES, "num_heads": 2}
GROUPED = {
    **SIZES,
    "num_query_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 4,
    "image_size": 8,
}
NO_TOKENS = "Expected a KerasHub text backbone"
UNCUTTABLE = {
    "RWKV7Backbone": (
        {
            "vocabulary_size": 11,
            "num_layers": 2,
            "hidden_size": 8,
            "head_size": 4,
            "intermediate_dim": 12,
            "gate_lora": 4,
            "mv_lora": 4,
            "aaa_lora": 4,
            "decay_lora": 4,
        },
        "its output comes from a dense layer and is not hidden states",
    ),
    "XLNetBackbone": (
        HEADS,
        "its `content_query_embedding` needs the token IDs themselves",
    ),
    "SigLIPTextEncoder": (
        {**HEADS, "embedding_dim": 8},
        "its `embedding` needs the token IDs themselves",
    ),
    "Gemma4Backbone": (
        GROUPED,
        "it has inputs that are not known here: position_ids",
    ),
    "PaliGemmaBackbone": (
        {
            **GROUPED,
            "vit_patch_size": 4,
            "vit_num_heads": 2,
            "vit_hidden_dim": 8,
            "vit_num_layers": 1,
            "vit_intermediate_dim": 8,
        },
        "it has inputs that are not known here: images, response_mask",
    ),
    "Gemma3nBackbone": (
        {
            "text_vocab_size": 11,
            "text_hidden_size": 8,
            "num_hidden_layers": 2,
            "pad_token_id": 0,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 4,
            "intermediate_size": [12, 12],
            "hidden_activation": "gelu_approximate",
            "layer_types": ["full_attention"] * 2,
            "sliding_window": 4,
            "rope_theta": 1e4,
            "max_position_embeddings": 16,
            "vocab_size_per_layer_input": 11,
            "hidden_size_per_layer_input": 4,
            "altup_num_inputs": 2,
            "laurel_rank": 2,
        },
        NO_TOKENS,
    ),
    "WhisperBackbone": (HEADS, NO_TOKENS),
    "MoonshineBackbone": (
        {
            "vocabulary_size": 11,
            "filter_dim": 8,
            "encoder_num_layers": 2,
            "decoder_num_layers": 2,
            "hidden_dim": 8,
            "intermediate_dim": 12,
            "encoder_num_heads": 2,
            "decoder_num_heads": 2,
        },
        NO_TOKENS,
    ),
    "ResNetBackbone": (
        {
            "input_conv_filters": [64],
            "input_conv_kernel_sizes": [7],
            "stackwise_num_filters": [64],
            "stackwise_num_blocks": [1],
            "stackwise_num_strides": [1],
            "block_type": "basic_block",
        },
        NO_TOKENS,
    ),
}


@pytest.mark.parametrize("name", UNCUTTABLE)
def test_says_what_it_cannot_cut(name):
    arguments, reason = UNCUTTABLE[name]
    backbone = getattr(keras_hub.models, name)(**arguments)
    with pytest.raises(ValueError, match=re.escape(reason)) as error:
        FPTClassifier(backbone)
    assert name in str(error.value)
