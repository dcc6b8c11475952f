import numpy as np
import pytest
from conftest import gpt2_backbone

from keras_fpt import random_weights
from keras_fpt.random_weights import Draw


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


@pytest.mark.backend_free
def test_a_scale_multiplies_what_is_drawn_and_flat_scales_nothing_down():
    drawn = {}
    for draw in (Draw(1), Draw(1, scale=3.0), Draw(1, style="flat")):
        backbone = gpt2_backbone(num_layers=8)
        random_weights.randomize(backbone, draw)
        drawn[draw] = {v.path: np.array(v) for v in backbone.weights}
    default, scaled, flat = drawn.values()
    for path, value in default.items():
        norms = path.endswith(("gamma", "beta", "bias"))
        factor = 1 if norms else 3
        np.testing.assert_allclose(scaled[path], factor * value, rtol=1e-6)
        residual = "attention_output/kernel" in path or (
            "output_dense/kernel" in path
        )
        factor = 4 if residual else 1
        np.testing.assert_allclose(flat[path], factor * value, rtol=1e-6)


@pytest.mark.backend_free
def test_uniform_draws_norms_and_biases_too():
    backbone = gpt2_backbone(hidden_dim=64, intermediate_dim=256)
    random_weights.randomize(backbone, Draw(1, style="uniform"))
    for variable in backbone.weights:
        limit = 1 / np.sqrt(variable.shape[0])
        value = np.array(variable)
        assert np.abs(value).max() <= limit
        assert np.abs(value).max() > 0.8 * limit, variable.path


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("options", "message"),
    [({"scale": 0.0}, "init_scale above 0"), ({"style": "xavier"}, "gpt2, fl")],
)
def test_an_impossible_draw(options, message):
    with pytest.raises(ValueError, match=message):
        Draw(**options)


@pytest.mark.backend_free
def test_permuting_keeps_the_entries_of_each_tensor():
    backbone = gpt2_backbone()
    old = {v.path: np.array(v) for v in backbone.weights}
    random_weights.permute(backbone, seed=2)
    for variable in backbone.weights:
        new, before = np.array(variable), old[variable.path]
        np.testing.assert_array_equal(np.sort(new, None), np.sort(before, None))
        assert before.std() == 0 or (new != before).any(), variable.path


@pytest.mark.backend_free
def test_spectrum_keeps_singular_values_and_nothing_else_of_a_matrix():
    backbone = gpt2_backbone()
    old = {v.path: np.array(v) for v in backbone.weights}
    random_weights.keep_spectrum(backbone, seed=2)
    for variable in backbone.weights:
        new, before = np.array(variable), old[variable.path]
        if variable.path.endswith(("bias", "beta", "gamma")) or (
            "token_embedding" in variable.path
        ):
            new, before = np.sort(new, None), np.sort(before, None)
            np.testing.assert_array_equal(new, before)
            continue
        # Heads are one projection: (16, 2, 8) and (2, 8, 16).
        shape = new.shape if new.ndim == 2 else (16, 16)
        new, before = new.reshape(shape), before.reshape(shape)
        values = [np.linalg.svd(m, compute_uv=False) for m in (new, before)]
        np.testing.assert_allclose(*values, atol=1e-6)
        overlap = (new * before).sum() / (before**2).sum()
        assert abs(overlap) < 0.4, variable.path
