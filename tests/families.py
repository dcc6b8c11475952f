"""Tiny random backbones of every family that the cut is tested on."""

import dataclasses

import numpy as np
from keras import ops

# Sizes that the counts below are computed from.
LAYERS, WIDTH, INNER, HEADS, HEAD = 2, 8, 12, 2, 4
VOCABULARY, POSITIONS = 11, 16
NARROW = 6  # The embedding of ALBERT and ELECTRA.

SQUARE = WIDTH * WIDTH
BIASED = SQUARE + WIDTH
ATTENTION = 4 * BIASED  # Query, key, value, output.
GROUPED = 2 * SQUARE + 2 * WIDTH * HEAD  # One head of keys for two of queries.
GROUPED_BIASES = WIDTH + 2 * HEAD  # Of queries, keys and values.
FEEDFORWARD = 2 * WIDTH * INNER + INNER + WIDTH
GATED = 3 * WIDTH * INNER
SCALE_AND_SHIFT = 2 * WIDTH
TABLE = VOCABULARY * WIDTH

_SIZES = {
    "vocabulary_size": VOCABULARY,
    "num_layers": LAYERS,
    "hidden_dim": WIDTH,
    "intermediate_dim": INNER,
}
_HEADS = {**_SIZES, "num_heads": HEADS, "dropout": 0.0}
_LENGTH = {"max_sequence_length": POSITIONS}
_GROUPED = {**_SIZES, "num_query_heads": HEADS, "num_key_value_heads": 1}
_GEMMA_2 = {
    **_GROUPED,
    "head_dim": HEAD,
    "use_post_ffw_norm": True,
    "use_post_attention_norm": True,
    "use_sliding_window_attention": True,
    "sliding_window_size": 4,
}


@dataclasses.dataclass(frozen=True)
class Family:
    """A family and its expected properties.

    Args:
        backbone: string, KerasHub's name of the class, without `Backbone`.
        arguments: dict, for the class.
        groups: dict from parameter group to its number of parameters.
        final_norm: string, the attribute with the norm behind the blocks.
        blocks: string, the attribute with the blocks.
        pooled: bool, whether there is a pooled output.
        dropout: bool, whether dropout can be set and does something.
        quick: bool, whether its tests are part of the everyday suite.
    """

    backbone: str
    arguments: dict
    groups: dict
    final_norm: str | None = None
    blocks: str = "transformer_layers"
    pooled: bool = False
    dropout: bool = True
    quick: bool = True

    def build(self, **changes):
        """A new backbone with weights that Keras draws."""
        import keras_hub

        cls = getattr(keras_hub.models, f"{self.backbone}Backbone")
        return cls(**{**self.arguments, **changes})


def _decoder(norms, **groups):
    return {
        "token_embedding": TABLE,
        "attention": LAYERS * ATTENTION,
        "feedforward": LAYERS * FEEDFORWARD,
        "layer_norm": norms * SCALE_AND_SHIFT,
        **groups,
    }


def _rotary(scales=2 * LAYERS + 1, **groups):
    """Grouped attention, a gated feedforward, norms that only scale."""
    return {
        "token_embedding": TABLE,
        "attention": LAYERS * GROUPED,
        "feedforward": LAYERS * GATED,
        "layer_norm": scales * WIDTH,
        **groups,
    }


_UNTIED = {"token_embedding": 2 * TABLE}
_LEARNED = {"positions": POSITIONS * WIDTH}
_HEAD_NORMS = LAYERS * 2 * HEAD  # Of queries and of keys.
_NARROW = {
    "token_embedding": VOCABULARY * NARROW,
    "positions": POSITIONS * NARROW,
    # Segments, the projection to the width, the pooler.
    "other": 2 * NARROW + NARROW * WIDTH + WIDTH + BIASED,
}

FAMILIES = {
    "gpt2": Family(
        "GPT2",
        {**_HEADS, **_LENGTH},
        _decoder(2 * LAYERS + 1, **_LEARNED),
        final_norm="layer_norm",
    ),
    "opt": Family(
        "OPT",
        {**_HEADS, **_LENGTH},
        _decoder(2 * LAYERS + 1, **_LEARNED),
        final_norm="layer_norm",
    ),
    "gpt_neo_x": Family(
        "GPTNeoX",
        {**_HEADS, "rotary_percentage": 0.5},
        _decoder(2 * LAYERS + 1),
        final_norm="layer_norm",
    ),
    "bloom": Family(
        "Bloom", _HEADS, _decoder(2 * LAYERS + 2), final_norm="layer_norm"
    ),
    "falcon": Family(
        "Falcon",
        {**_SIZES, "num_attention_heads": HEADS},
        _decoder(2 * LAYERS + 1),
        final_norm="final_layernorm",
    ),
    "llama": Family(
        "Llama",
        _GROUPED,
        _rotary(**_UNTIED),
        final_norm="layer_norm",
        quick=False,
    ),
    "llama3": Family(
        "Llama3", _GROUPED, _rotary(**_UNTIED), final_norm="layer_norm"
    ),
    "smollm3": Family(
        "SmolLM3",
        {
            **_SIZES,
            "num_attention_heads": HEADS,
            "num_key_value_heads": 1,
            "attention_bias": False,
            "attention_dropout": 0.0,
            "rope_layer_enabled_list": [True, False],
            "layer_types": ["full_attention", "full_attention"],
            "mlp_bias": False,
            "layer_norm_epsilon": 1e-6,
            "max_position_embeddings": POSITIONS,
            "rope_theta": 10000.0,
            "partial_rotary_factor": 1.0,
        },
        # Other: the frequencies of the rotary positions.
        _rotary(other=LAYERS * HEAD // 2),
        dropout=False,  # KerasHub takes the rate and does nothing with it.
        final_norm="norm",
    ),
    "mistral": Family(
        "Mistral", _GROUPED, _rotary(**_UNTIED), final_norm="layer_norm"
    ),
    # Gemma's two halves of the gated layer share `intermediate_dim`.
    "gemma": Family(
        "Gemma",
        {**_GROUPED, "head_dim": HEAD},
        _rotary(feedforward=LAYERS * GATED // 2),
        final_norm="layer_norm",
    ),
    "gemma2": Family(
        "Gemma",
        {**_GEMMA_2, "attention_logit_soft_cap": 50.0},
        _rotary(4 * LAYERS + 1, feedforward=LAYERS * GATED // 2),
        final_norm="layer_norm",
        quick=False,
    ),
    "gemma3": Family(
        "Gemma3",
        {**_GEMMA_2, "image_size": 8},
        _rotary(layer_norm=(4 * LAYERS + 1) * WIDTH + _HEAD_NORMS),
        final_norm="layer_norm",
        quick=False,
    ),
    "qwen": Family(
        "Qwen",
        _GROUPED,
        _rotary(attention=LAYERS * (GROUPED + GROUPED_BIASES)),
        final_norm="layer_norm",
        quick=False,
    ),
    "qwen3": Family(
        "Qwen3",
        {**_GROUPED, "head_dim": HEAD},
        _rotary(layer_norm=(2 * LAYERS + 1) * WIDTH + _HEAD_NORMS),
        final_norm="layer_norm",
    ),
    "phi3": Family(
        "Phi3", _GROUPED, _rotary(**_UNTIED), final_norm="layer_norm"
    ),
    "bert": Family(
        "Bert",
        {**_HEADS, **_LENGTH},
        # Other: segments and the pooler.
        _decoder(2 * LAYERS + 1, **_LEARNED, other=2 * WIDTH + BIASED),
        pooled=True,
    ),
    "roberta": Family(
        "Roberta",
        {**_HEADS, **_LENGTH},
        _decoder(2 * LAYERS + 1, **_LEARNED),
    ),
    "xlm_roberta": Family(
        "XLMRoberta",
        {**_HEADS, **_LENGTH},
        _decoder(2 * LAYERS + 1, **_LEARNED),
        quick=False,
    ),
    "distil_bert": Family(
        "DistilBert",
        {**_HEADS, **_LENGTH},
        _decoder(2 * LAYERS + 1, **_LEARNED),
    ),
    "albert": Family(
        "Albert",
        {**_HEADS, **_LENGTH, "embedding_dim": NARROW},
        {
            **_NARROW,
            # All blocks share one block's weights.
            "attention": ATTENTION,
            "feedforward": FEEDFORWARD,
            "layer_norm": 2 * NARROW + 2 * SCALE_AND_SHIFT,
        },
        pooled=True,
    ),
    "t5": Family(
        "T5",
        _HEADS,
        {
            "token_embedding": TABLE,
            "positions": 2 * 32 * HEADS,  # 32 buckets, in each stack.
            # Once in each encoder block, twice in each decoder block.
            "attention": LAYERS * 3 * 4 * SQUARE,
            "feedforward": LAYERS * 2 * GATED,
            "layer_norm": ((2 * LAYERS + 1) + (3 * LAYERS + 1)) * WIDTH,
        },
        blocks="encoder_transformer_layers",
        final_norm="encoder_layer_norm",
    ),
    "esm": Family(
        "ESM", _HEADS, _decoder(2 * LAYERS + 1), final_norm="output_layer_norm"
    ),
    "esm_absolute": Family(
        "ESM",
        {
            **_HEADS,
            **_LENGTH,
            "position_embedding_type": "absolute",
            "use_pre_layer_norm": True,
            "pad_token_id": 1,
        },
        _decoder(2 * LAYERS + 2, **_LEARNED),
        final_norm="output_layer_norm",
        quick=False,
    ),
    "electra": Family(
        "Electra",
        {
            **{k: v for k, v in _HEADS.items() if k != "vocabulary_size"},
            **_LENGTH,
            "vocab_size": VOCABULARY,
            "embedding_dim": NARROW,
        },
        {
            **_NARROW,
            "attention": LAYERS * ATTENTION,
            "feedforward": LAYERS * FEEDFORWARD,
            "layer_norm": 2 * NARROW + 2 * LAYERS * SCALE_AND_SHIFT,
        },
        pooled=True,
        quick=False,
    ),
    "deberta_v3": Family(
        "DebertaV3",
        {**_HEADS, **_LENGTH, "bucket_size": 8},
        _decoder(2 * LAYERS + 2, positions=2 * 8 * WIDTH),
        quick=False,
    ),
    "f_net": Family(
        "FNet",
        {**_SIZES, **_LENGTH, "dropout": 0.0},
        {
            **_LEARNED,
            "token_embedding": TABLE,
            "feedforward": LAYERS * FEEDFORWARD,
            "layer_norm": (2 * LAYERS + 1) * SCALE_AND_SHIFT,
            "other": 4 * WIDTH + 2 * BIASED,
        },
        pooled=True,
        quick=False,
    ),
    "roformer_v2": Family(
        "RoformerV2",
        {**_HEADS, "head_size": HEAD},
        {
            "token_embedding": TABLE,
            "attention": LAYERS * 4 * SQUARE,
            "feedforward": LAYERS * 2 * WIDTH * INNER,
            "layer_norm": (2 * LAYERS + 1) * WIDTH,
            "other": 2 * WIDTH,
        },
        quick=False,
    ),
    "vit": Family(
        "ViT",
        {
            "image_shape": (8, 8, 3),
            "patch_size": 4,
            "num_layers": LAYERS,
            "num_heads": HEADS,
            "hidden_dim": WIDTH,
            "mlp_dim": INNER,
        },
        {
            "positions": 5 * WIDTH,
            "attention": LAYERS * ATTENTION,
            "feedforward": LAYERS * FEEDFORWARD,
            "layer_norm": (2 * LAYERS + 1) * SCALE_AND_SHIFT,
            "other": WIDTH + 4 * 4 * 3 * WIDTH + WIDTH,
        },
    ),
    "mixtral": Family(
        "Mixtral",
        {**_GROUPED, "num_experts": 2},
        _rotary(**_UNTIED, feedforward=LAYERS * 2 * (WIDTH + GATED)),
        final_norm="layer_norm",
        quick=False,
    ),
    "qwen_moe": Family(
        "QwenMoe",
        {
            **_GROUPED,
            "moe_intermediate_dim": 6,
            "shared_expert_intermediate_dim": 10,
            "num_experts": 2,
            "top_k": 1,
        },
        _rotary(
            **_UNTIED,
            attention=LAYERS * (GROUPED + GROUPED_BIASES),
            # The router, two experts, the shared expert and its gate.
            feedforward=LAYERS
            * (2 * (WIDTH + 3 * WIDTH * 6) + 3 * WIDTH * 10 + WIDTH),
        ),
        final_norm="layer_norm",
        quick=False,
    ),
    "qwen3_moe": Family(
        "Qwen3Moe",
        {
            **_GROUPED,
            "head_dim": HEAD,
            "moe_intermediate_dim": 6,
            "num_experts": 2,
            "top_k": 1,
        },
        _rotary(
            **_UNTIED,
            feedforward=LAYERS * 2 * (WIDTH + 3 * WIDTH * 6),
            layer_norm=(2 * LAYERS + 1) * WIDTH + _HEAD_NORMS,
        ),
        final_norm="layer_norm",
        quick=False,
    ),
    "gpt_oss": Family(
        "GptOss",
        {**_GROUPED, "head_dim": HEAD, "num_experts": 2},
        _rotary(
            **_UNTIED,
            # With biases everywhere, and a sink for each head.
            attention=LAYERS * (GROUPED + GROUPED_BIASES + WIDTH + HEADS),
            feedforward=LAYERS * 2 * (WIDTH + 1 + GATED + 2 * INNER + WIDTH),
        ),
        final_norm="layer_norm",
        quick=False,
    ),
    "qwen3_5": Family(
        "Qwen3_5",
        {
            **_GROUPED,
            "head_dim": HEAD,
            "layer_types": ["linear_attention", "full_attention"],
            "partial_rotary_factor": 0.5,
            "linear_num_key_heads": 1,
            "linear_num_value_heads": 2,
            "linear_key_head_dim": HEAD,
            "linear_value_head_dim": HEAD,
        },
        _rotary(
            **_UNTIED,
            # Linear: a convolution of 4 over 16 channels, biases, decays and
            # projections. Full: queries come with gates.
            attention=(16 * 4 + 2 + 2 + WIDTH * (16 + WIDTH + 2 + 2) + SQUARE)
            + (GROUPED + SQUARE),
            layer_norm=(2 * LAYERS + 1) * WIDTH + 3 * HEAD,
        ),
        final_norm="layer_norm",
        quick=False,
    ),
    "bart": Family(
        "Bart",
        {**_HEADS, **_LENGTH},
        {
            "token_embedding": TABLE,
            "positions": 2 * POSITIONS * WIDTH,
            "attention": LAYERS * 3 * ATTENTION,
            "feedforward": LAYERS * 2 * FEEDFORWARD,
            "layer_norm": (5 * LAYERS + 2) * SCALE_AND_SHIFT,
        },
        blocks="encoder_transformer_layers",
        quick=False,
    ),
    "t5_gemma": Family(
        "T5Gemma",
        {
            "vocabulary_size": VOCABULARY,
            **{
                f"{stack}_{name}": value
                for stack in ("encoder", "decoder")
                for name, value in {
                    "num_layers": LAYERS,
                    "hidden_dim": WIDTH,
                    "intermediate_dim": INNER,
                    "num_attention_heads": HEADS,
                    "num_key_value_heads": 1,
                    "head_dim": HEAD,
                    "layer_types": ["full_attention"] * LAYERS,
                }.items()
            },
        },
        _rotary(
            10 * LAYERS + 2,
            **_UNTIED,
            attention=LAYERS * 3 * GROUPED,
            feedforward=LAYERS * 2 * GATED,
        ),
        blocks="encoder_layers",
        final_norm="encoder_norm",
        quick=False,
    ),
}


def numpy(x):
    return np.array(ops.convert_to_numpy(x))


def draw_weights(backbone, seed=0):
    """Weights of some size everywhere, so that each makes a difference."""
    generator = np.random.default_rng(seed)
    for variable in backbone.weights:
        if variable.trainable:
            value = generator.normal(0.0, 0.3, variable.shape)
            if len(variable.shape) == 1:
                value += 0.5
            variable.assign(value.astype("float32"))


def make_inputs(backbone, mask):
    """The inputs of a whole backbone.

    Args:
        backbone: a backbone of this table.
        mask: int array `(batch, tokens)`, 1 where a token is real.

    Returns:
        A dict of tensors, or a tensor of images.
    """
    generator = np.random.default_rng(1)
    if not isinstance(backbone.input, dict):
        images = generator.normal(size=(len(mask), 8, 8, 3))
        return ops.convert_to_tensor(images, "float32")
    # Padding is what ESM and RoFormer know it by; real tokens are others.
    padding = getattr(backbone, "pad_token_id", 0)
    ids = generator.integers(2, VOCABULARY, mask.shape)
    ids = np.where(mask == 1, ids, padding)
    known = {"token_ids": ids, "padding_mask": mask, "segment_ids": 0 * mask}
    return {
        name: ops.convert_to_tensor(known[name.split("coder_")[-1]], "int32")
        for name in backbone.input
    }


def run_uncut(backbone, inputs):
    """The embeddings, hidden states and pooled vectors, or `None`.

    A ViT's embeddings are what it has behind its patches: five tokens.
    """
    output = backbone(inputs)
    if not isinstance(inputs, dict):
        embed = backbone.get_layer("vit_patching_and_embedding")
        return numpy(embed(inputs)), numpy(output), None
    if not isinstance(output, dict):
        output = {"sequence_output": output}
    ids = inputs.get("token_ids", inputs.get("encoder_token_ids"))
    hidden, pooled = (
        next((output[name] for name in names if name in output), None)
        for names in (
            ("sequence_output", "encoder_sequence_output"),
            ("pooled_output",),
        )
    )
    return (
        numpy(backbone.token_embedding(ids)),
        numpy(hidden),
        None if pooled is None else numpy(pooled),
    )
