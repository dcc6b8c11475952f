"""The attention scores of the blocks of every family."""

import keras
import numpy as np
import pytest
from conftest import gpt2_backbone
from families import FAMILIES, draw_weights, numpy
from keras import ops

from keras_fpt import FPTClassifier

WITHOUT = {"f_net"}
# Qwen 3.5's first block attends without scores.
BLOCKS = {"t5_gemma": 2, "qwen3_5": 1}
FEW = {"gpt2", "bert", "gemma", "esm", "t5", "albert", "gpt_oss", "qwen3_5"}
TOKENS = 6


def is_causal(model, x):
    """Whether no token's hidden states follow from later tokens."""
    embeddings = ops.convert_to_tensor(x)
    changed = np.array(x)
    changed[:, -1] += 1
    first, second = (
        numpy(model.cut(model.input_layer(e), None))
        for e in (embeddings, ops.convert_to_tensor(changed))
    )
    return np.allclose(first[:, :-1], second[:, :-1], atol=1e-6)


def marks(name):
    if name == "gpt2":  # For every backend.
        return ()
    return pytest.mark.backend_free if name in FEW else pytest.mark.slow


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=marks(name))
        for name in FAMILIES
        if name not in WITHOUT
    ],
)
def test_every_family(name):
    family = FAMILIES[name]
    backbone = family.build()
    draw_weights(backbone)
    model = FPTClassifier(backbone, input_dim=4)
    x = np.random.default_rng(0).normal(size=(2, TOKENS, 4)).astype("float32")
    scores = model.attention_scores(x, average_heads=False)
    blocks, batch, heads, *rows = scores.shape
    assert (batch, *rows) == (2, TOKENS, TOKENS)
    assert blocks == BLOCKS.get(name, family.arguments.get("num_layers"))
    assert heads >= 2
    assert (scores >= 0).all()
    total = scores.sum(-1)
    # GPT-OSS's heads may attend to nothing.
    assert (total < 1.00001).all()
    if name != "gpt_oss":
        np.testing.assert_allclose(total, 1, atol=1e-5)
    assert (np.triu(scores, 1) == 0).all() == is_causal(model, x)
    np.testing.assert_allclose(
        model.attention_scores(x), scores.mean(2), atol=1e-6
    )


def test_a_backbone_without_attention():
    model = FPTClassifier(FAMILIES["f_net"].build(), input_dim=4)
    x = np.zeros((2, TOKENS, 4), "float32")
    with pytest.raises(ValueError, match="FNetBackbone has no attention"):
        model.attention_scores(x)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_they_are_what_the_block_attends_with(dropout):
    model = FPTClassifier(
        gpt2_backbone(num_layers=1, dropout=dropout), input_dim=4
    )
    draw_weights(model.backbone)
    x = np.random.default_rng(0).normal(size=(2, TOKENS, 4)).astype("float32")
    (scores,) = model.attention_scores(x, average_heads=False)
    block = model.backbone.transformer_layers[0]
    positions = model.backbone.position_embedding
    hidden = model.input_layer(ops.convert_to_tensor(x))
    hidden = hidden + positions(hidden)
    hidden = block._self_attention_layer_norm(hidden)
    attention = block._self_attention_layer
    query, key = (
        numpy(layer(hidden))
        for layer in (attention.query_dense, attention.key_dense)
    )
    logits = np.einsum("bqhd,bkhd->bhqk", query, key) * query.shape[-1] ** -0.5
    logits[:, :, ~np.tri(TOKENS, dtype=bool)] = -np.inf
    expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_padding_is_attended_to_by_no_real_token():
    model = FPTClassifier(FAMILIES["bert"].build(), input_dim=4)
    mask = np.arange(TOKENS) < np.array([[TOKENS], [4]])
    x = np.random.default_rng(0).normal(size=(2, TOKENS, 4)).astype("float32")
    scores = model.attention_scores({"tokens": x, "padding_mask": mask})
    assert (scores[:, 1, :4, 4:] < 1e-6).all()
    assert (scores[:, 0] > 1e-6).all()


def test_keras_is_left_as_it_was():
    before = keras.layers.Softmax.call, ops.softmax, ops.dot_product_attention
    model = FPTClassifier(gpt2_backbone(), input_dim=4)
    model.attention_scores(np.zeros((1, 3, 4), "float32"))
    after = keras.layers.Softmax.call, ops.softmax, ops.dot_product_attention
    assert after == before
    with pytest.raises(ValueError, match="width 4"):
        model.attention_scores(np.zeros((1, 3, 5), "float32"))
