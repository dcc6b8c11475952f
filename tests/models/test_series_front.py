"""Patches, instance norm, independent channels and readouts in a model."""

import keras
import numpy as np
import pytest
from conftest import gpt2_backbone, jit_compile, snapshot

from keras_fpt import AdapterSet, FPTClassifier

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 11, 3)).astype("float32")
Y = np.array([0, 1, 0, 1, 1, 0])
LENGTHS = np.array([11, 4, 7, 1, 5, 9])
MASK = (np.arange(11) < LENGTHS[:, None]).astype("int32")
PADDED = {
    "tokens": np.where(MASK[..., None], X, 99).astype("float32"),
    "padding_mask": MASK,
}
SETTINGS = [
    {"patch_size": 4, "patch_stride": 2, "instance_norm": True},
    {"readout": "last+mean", "output_norm": "batch"},
    {
        "channel_independent": "concat",
        "patch_size": 3,
        "readout": "flatten",
        "output_norm": "layer",
    },
]


def make(backbone=None, **settings):
    backbone = gpt2_backbone(num_layers=1) if backbone is None else backbone
    model = FPTClassifier(backbone, compile=False, **settings)
    model.compile(jit_compile=jit_compile())
    return model


def logits(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


def test_patches_reproduce_tokens_made_by_hand():
    x = X[:, :8]
    model = make(patch_size=4, input_dim=3)
    by_hand = make(model.backbone, input_dim=12)
    for name in ("input_layer", "output_layer"):
        getattr(by_hand, name).set_weights(getattr(model, name).get_weights())
    np.testing.assert_allclose(
        logits(model, x), logits(by_hand, x.reshape(6, 2, 12)), atol=1e-6
    )


@pytest.mark.parametrize(
    "settings",
    [*SETTINGS[:2], {"channel_independent": "mean", "instance_norm": True}],
)
def test_padding_changes_nothing(settings):
    model = make(**settings)
    together = logits(model, PADDED)
    for i in (1, 2, 3):
        alone = logits(model, X[i : i + 1, : LENGTHS[i]])
        np.testing.assert_allclose(together[i : i + 1], alone, atol=1e-5)
    np.testing.assert_allclose(
        model.predict(PADDED, verbose=0), together, atol=1e-5
    )


@pytest.mark.parametrize("settings", SETTINGS)
def test_all_that_saves_a_model_saves_its_front(settings, tmp_path):
    model = make(**settings)
    model.fit(X, Y, epochs=2, verbose=0)
    expected = logits(model, X)
    path = tmp_path / "adapter.safetensors"
    model.save_adapter(path)
    model.save(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "preset")

    backbone = gpt2_backbone(num_layers=1)
    backbone.set_weights(model.backbone.get_weights())
    fresh = make(backbone, **settings)
    fresh.load_adapter(path)
    np.testing.assert_allclose(logits(fresh, X), expected, atol=1e-6)
    adapters = AdapterSet(backbone)
    adapters.load("series", path)
    found = adapters.activate("series").predict(X, verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    for loaded in (
        keras.saving.load_model(tmp_path / "model.keras"),
        FPTClassifier.from_preset(tmp_path / "preset"),
    ):
        np.testing.assert_allclose(logits(loaded, X), expected, atol=1e-6)


def test_a_batch_norm_is_part_of_what_trains():
    model = make(output_norm="batch", policy="output_only", input_dim=3)
    before = snapshot(model.output_norm_layer.weights)
    model.fit(X + 1, Y, verbose=0)
    after = snapshot(model.output_norm_layer.weights)
    assert len(after) == 4
    assert all((after[name] != before[name]).any() for name in after)
    assert model.get_config()["changed_flags"] == {}
    model.set_policy("input")
    model.fit(X, Y, verbose=0)
    frozen = snapshot(model.output_norm_layer.weights)
    assert all((after[name] == frozen[name]).all() for name in after)


@pytest.mark.parametrize("settings", SETTINGS)
def test_features_are_what_the_output_layer_reads(settings):
    model = make(policy="output_only", input_dim=3, dropout=0, **settings)
    if not model.built:
        with pytest.raises(ValueError, match="first batch"):
            model.feature_head()
        model.build(X.shape)
    head = model.feature_head()
    found = head.predict(model.frozen_features(X), verbose=0)
    np.testing.assert_allclose(found, model.predict(X, verbose=0), atol=1e-5)


def test_a_layer_within_a_larger_model():
    model = make(input_dim=3, patch_size=4, instance_norm=True)
    inputs = keras.Input((None, 3))
    masked = keras.layers.Masking(99.0)(inputs)
    larger = keras.Model(inputs, model(masked))
    found = larger.predict(PADDED["tokens"], verbose=0)
    np.testing.assert_allclose(found, logits(model, PADDED), atol=1e-5)


def test_instance_norm_keeps_what_it_divides_by():
    model = make(instance_norm=True, patch_size=4, input_dim=3)
    shifted = 5 * X + 100
    tokens, _ = model.front(keras.ops.convert_to_tensor(X), None)
    others, _ = model.front(keras.ops.convert_to_tensor(shifted), None)
    tokens, others = map(keras.ops.convert_to_numpy, (tokens, others))
    assert tokens.shape == (6, 3, 4 * 3 + 2 * 3)
    np.testing.assert_allclose(tokens[..., :12], others[..., :12], atol=1e-4)
    mean, scale = shifted.mean(1), np.sqrt(shifted.var(1) + 1e-5)
    expected = np.concatenate([np.arcsinh(mean), np.log(scale)], axis=1)
    for patch in others[..., 12:].swapaxes(0, 1):
        np.testing.assert_allclose(patch, expected, rtol=1e-5)


def test_channels_do_not_meet_before_the_output():
    model = make(channel_independent="concat", input_dim=3)
    changed = X.copy()
    changed[..., 1] += 1
    before, after = (
        keras.ops.convert_to_numpy(model.read_states(x)).reshape(6, 3, 16)
        for x in map(keras.ops.convert_to_tensor, (X, changed))
    )
    np.testing.assert_allclose(before[:, ::2], after[:, ::2], atol=1e-6)
    assert np.abs(before[:, 1] - after[:, 1]).max() > 1e-3


@pytest.mark.backend_free
def test_long_series_fit_as_patches():
    backbone = gpt2_backbone(num_layers=1, max_sequence_length=8)
    model = make(backbone, patch_size=16, patch_stride=8, input_dim=1)
    assert model.max_sequence_length == 64
    x = RNG.normal(size=(2, 64, 1)).astype("float32")
    assert logits(model, x).shape == (2, 2)
    with pytest.raises(ValueError, match="at most 64 tokens.*patch_size"):
        model.predict(np.zeros((2, 65, 1), "float32"))


@pytest.mark.backend_free
def test_attention_is_between_patches():
    model = make(patch_size=4, channel_independent="mean")
    assert model.attention_scores(X).shape == (1, 18, 3, 3)


@pytest.mark.backend_free
def test_flatten_takes_sequences_of_one_length():
    model = make(readout="flatten", input_dim=3)
    model.predict(X, verbose=0)
    assert model.output_layer.kernel.shape[0] == 11 * 16
    with pytest.raises(ValueError, match="sequences of 11 tokens.*last.mean"):
        model.predict(X[:, :9])
    with pytest.raises(ValueError, match="without a padding_mask"):
        model.predict(PADDED)
    with pytest.raises(ValueError, match="must be known"):
        make(readout="flatten", input_dim=3).build((None, None, 3))


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patch_size": 0}, "patch_size to be an integer of at least 1"),
        ({"patch_size": 2, "patch_stride": 3}, "no step is left out"),
        ({"output_norm": "group"}, "Unknown output_norm"),
        ({"channel_independent": "sum"}, "Unknown channel_independent"),
        ({"patch_size": 2, "vocabulary_size": 9}, "tokens that are vectors"),
        ({"patch_size": 2, "num_output_tokens": 2}, "one output per series"),
    ],
)
def test_options_that_do_not_fit(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)
