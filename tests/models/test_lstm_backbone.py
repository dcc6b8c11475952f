import keras
import keras_hub
import numpy as np
import pytest
from conftest import snapshot
from keras import ops

from keras_fpt import FPTClassifier, freezing, random_weights
from keras_fpt.models import LSTMBackbone


@pytest.fixture
def deep():
    return LSTMBackbone(
        16, num_layers=2, residual=True, max_sequence_length=12, dropout=0.1
    )


@pytest.mark.parametrize(
    "policy",
    ["fpt", pytest.param("full", marks=pytest.mark.backend_free)],
)
def test_only_the_policy_trains(deep, policy, data):
    random_weights.randomize(deep, seed=0)
    model = FPTClassifier(deep, input_dim=3, policy=policy)
    before = snapshot(model.weights)
    model.fit(*data, epochs=2, verbose=0)
    after = snapshot(model.weights)
    changed = {path for path in after if (after[path] != before[path]).any()}
    assert changed == {v.path for v in model.trainable_variables}
    groups = freezing.parameter_groups(model)
    assert not groups["other"] and not groups["attention"]
    assert len(groups["recurrent"]) == 2 * 2
    assert len(groups["layer_norm"]) == 2 * (2 * 3 + 1)
    is_trained = {v.trainable for v in groups["recurrent"]}
    assert is_trained == {policy == "full"}


def test_later_tokens_and_padding_do_not_reach_earlier_ones(deep):
    x = np.random.default_rng(0).normal(size=(2, 6, 16)).astype("float32")
    mask = np.ones((2, 6), "int32")
    first = deep({"embeddings": x, "padding_mask": mask})
    x[:, 4:] = 100.0
    second = deep({"embeddings": x, "padding_mask": mask})
    first, second = map(ops.convert_to_numpy, (first, second))
    np.testing.assert_allclose(first[:, :4], second[:, :4], atol=1e-6)
    assert np.abs(first[:, 4:] - second[:, 4:]).max() > 0.1


@pytest.mark.backend_free
def test_depth_keeps_the_first_layers(deep):
    model = FPTClassifier(deep, input_dim=3, depth=1)
    (layer,) = model.backbone.lstm_layers
    kept = snapshot(layer.weights)
    source = snapshot(deep.lstm_layers[0].weights)
    for old, new in zip(source.values(), kept.values(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.backend_free
def test_presets_and_keras_files_give_back_the_outputs(deep, data, tmp_path):
    model = FPTClassifier(deep, input_dim=3)
    expected = model.predict(data[0], verbose=0)
    model.save(tmp_path / "model.keras")
    model.save_to_preset(str(tmp_path / "preset"))
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    preset = FPTClassifier.from_preset(str(tmp_path / "preset"), dropout=0.1)
    for copy in (loaded, preset):
        np.testing.assert_allclose(
            copy.predict(data[0], verbose=0), expected, atol=1e-6
        )
    backbone = keras_hub.models.Backbone.from_preset(str(tmp_path / "preset"))
    assert isinstance(backbone, LSTMBackbone) and backbone.residual


@pytest.mark.backend_free
def test_it_learns_to_remember_the_first_token():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(400, 8, 2)).astype("float32")
    y = (x[:, 0, 0] > 0).astype("int32")
    backbone = LSTMBackbone(16, num_layers=1)
    random_weights.randomize(backbone, seed=0)
    model = FPTClassifier(backbone, policy="full")
    model.optimizer.learning_rate = 1e-2
    model.fit(x, y, epochs=12, batch_size=40, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] > 0.9


def test_mixed_precision(data):
    backbone = LSTMBackbone(16, num_layers=1, dtype="mixed_bfloat16")
    model = FPTClassifier(backbone, input_dim=3, policy="full")
    losses = model.fit(*data, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert {v.dtype for v in model.weights} == {"float32"}


def test_random_states_are_drawn_in_every_call(data):
    outputs = {}
    for random_states in (False, True):
        backbone = LSTMBackbone(8, 1, random_states=random_states)
        model = FPTClassifier(backbone, input_dim=3)
        outputs[random_states] = [
            keras.ops.convert_to_numpy(model(data[0], training=False))
            for _ in range(2)
        ]
    np.testing.assert_array_equal(*outputs[False])
    assert (outputs[True][0] != outputs[True][1]).any()
    again = LSTMBackbone.from_config(backbone.get_config())
    assert again.random_states
