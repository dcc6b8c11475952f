import numpy as np
import pytest
from conftest import gpt2_backbone

from keras_fpt import random_weights


def test_distribution_is_gpt2s():
    backbone = gpt2_backbone(
        num_layers=4, hidden_dim=64, intermediate_dim=256, vocabulary_size=500
    )
    random_weights.randomize(backbone, seed=0)
    weights = {v.path: np.array(v) for v in backbone.weights}
    for path, value in weights.items():
        if path.endswith("gamma"):
            assert (value == 1).all()
        elif path.endswith(("beta", "bias")):
            assert (value == 0).all()
        else:
            residual = "attention_output" in path or "output_dense" in path
            expected = 0.02 / np.sqrt(8) if residual else 0.02
            assert value.std() == pytest.approx(expected, rel=0.05), path


def test_numbers_are_the_same_on_every_backend():
    backbone = gpt2_backbone()
    random_weights.randomize(backbone, seed=5)
    kernel = np.array(backbone.transformer_layers[1].weights[0])
    expected = random_weights.generator(
        5, "transformer_layer_1/self_attention/query/kernel"
    ).normal(0, 0.02, (16, 2, 8))
    np.testing.assert_array_equal(kernel, expected.astype("float32"))
    # Golden: computed once with only NumPy and hashlib.
    first = random_weights.generator(5, "a/b").normal()
    assert first == pytest.approx(1.7658219988335095, abs=1e-12)
