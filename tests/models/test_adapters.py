import keras
import numpy as np
import pytest
from conftest import gpt2_backbone

from keras_fpt import AdapterSet, FPTClassifier
from keras_fpt.files import checkpoints


@pytest.fixture(scope="module")
def trained(preset, data):
    """A trained model, which no test changes."""
    model = FPTClassifier.from_preset(preset, num_classes=3)
    model.fit(*data, epochs=2, verbose=0)
    return model


def test_adapter_restores_the_outputs(trained, preset, data, tmp_path):
    path = tmp_path / "adapter.safetensors"
    trained.save_adapter(path, {"arm": "fpt", "seed": 7})
    fresh = FPTClassifier.from_preset(preset, num_classes=3)
    header = fresh.load_adapter(path)
    assert (header["arm"], header["seed"]) == ("fpt", 7)
    np.testing.assert_array_equal(
        trained.predict(data[0], verbose=0), fresh.predict(data[0], verbose=0)
    )


def test_adapter_holds_only_what_trains(trained, tmp_path):
    path = tmp_path / "adapter.safetensors"
    trained.save_adapter(path)
    arrays, _ = checkpoints.read_arrays(path)
    groups = {name.split("/")[0] for name in arrays}
    assert groups == {"input", "positions", "layer_norm", "output"}
    size = sum(array.size for array in arrays.values())
    assert size == sum(np.prod(v.shape) for v in trained.trainable_variables)


@pytest.mark.backend_free
@pytest.mark.parametrize("policy", ["output_only", "output+layer_norm"])
def test_new_layers_that_do_not_train_are_restored(
    policy, preset, data, tmp_path
):
    arguments = {"policy": policy, "learned_positions": 10}
    model = FPTClassifier.from_preset(preset, num_classes=2, **arguments)
    model.fit(*data, epochs=1, verbose=0)
    model.save_adapter(tmp_path / "adapter.safetensors")
    keras.utils.set_random_seed(5)  # Another input layer.
    fresh = FPTClassifier.from_preset(preset, num_classes=2, **arguments)
    fresh.load_adapter(tmp_path / "adapter.safetensors")
    np.testing.assert_array_equal(
        model.predict(data[0], verbose=0), fresh.predict(data[0], verbose=0)
    )


@pytest.mark.backend_free
def test_adapter_of_another_backbone_is_refused(trained, tmp_path):
    path = tmp_path / "adapter.safetensors"
    trained.save_adapter(path, {"preset": "tiny"})
    other = FPTClassifier(gpt2_backbone(), num_classes=3, input_dim=3)
    before = other.get_weights()
    with pytest.raises(ValueError, match="another backbone.*preset tiny"):
        other.load_adapter(path)
    for old, new in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.backend_free
def test_adapter_of_another_shape_is_refused(trained, preset, tmp_path):
    path = tmp_path / "adapter.safetensors"
    trained.save_adapter(path)
    other = FPTClassifier.from_preset(preset, num_classes=5)
    with pytest.raises(ValueError, match="num_classes=3, but.*num_classes=5"):
        other.load_adapter(path)


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_classes": True}, "its model has num_classes=True"),
        ({"num_classes": 3.0}, "its model has num_classes=3.0"),
        ({"learned_positions": False}, "learned_positions=False"),
        ({"policy": None}, "policy=None"),
        ({"quantize": 8}, "quantize=8"),
        ({"color": "red"}, "expected the settings num_classes, .*, quantize"),
    ],
)
def test_settings_of_another_type_are_refused(
    trained, tmp_path, change, message
):
    path = tmp_path / "adapter.safetensors"
    trained.save_adapter(path)
    arrays, header = checkpoints.read_arrays(path)
    header["model"] |= change
    checkpoints.write_arrays(path, arrays, header)
    with pytest.raises(ValueError, match=f"`{path}` is damaged: .*{message}"):
        trained.load_adapter(path)


@pytest.mark.backend_free
def test_the_settings_in_a_file_are_those_of_earlier_versions(
    trained, tmp_path
):
    path = tmp_path / "adapter.safetensors"
    trained.save_adapter(path)
    _, header = checkpoints.read_arrays(path)
    assert list(header["model"].items()) == [
        ("num_classes", 3),
        ("input_dim", 3),
        ("vocabulary_size", None),
        ("num_output_tokens", 1),
        ("labels_per_token", 1),
        ("policy", "fpt"),
        ("readout", "last"),
        ("learned_positions", None),
        ("lora_rank", 8),
        ("quantize", None),
    ]


@pytest.mark.backend_free
def test_output_only_adapter_needs_the_same_norms(preset, data, tmp_path):
    path = tmp_path / "adapter.safetensors"
    probe = FPTClassifier.from_preset(preset, policy="output_only", dropout=0)
    probe.fit(*data, verbose=0)
    probe.save_adapter(path)
    tuned = FPTClassifier.from_preset(preset, dropout=0)
    tuned.fit(*data, verbose=0)
    with pytest.raises(ValueError, match="another backbone"):
        tuned.load_adapter(path)


@pytest.mark.backend_free
def test_finetuned_adapter_restores_everything(preset, data, tmp_path):
    path = tmp_path / "adapter.safetensors"
    model = FPTClassifier.from_preset(preset, policy="full")
    model.fit(*data, epochs=2, verbose=0)
    model.save_adapter(path)
    fresh = FPTClassifier.from_preset(preset)
    fresh.load_adapter(path)
    np.testing.assert_array_equal(
        model.predict(data[0], verbose=0), fresh.predict(data[0], verbose=0)
    )


@pytest.mark.backend_free
def test_damaged_file_is_refused(trained, preset, tmp_path):
    path = tmp_path / "adapter.safetensors"
    trained.save_adapter(path)
    path.write_bytes(path.read_bytes()[:1000])
    before = trained.get_weights()
    with pytest.raises(ValueError, match="damaged"):
        trained.load_adapter(path)
    with pytest.raises(FileNotFoundError):
        trained.load_adapter(tmp_path / "none.safetensors")
    for old, new in zip(before, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.backend_free
def test_unbuilt_model_has_nothing_to_save(backbone, tmp_path):
    model = FPTClassifier(backbone)
    with pytest.raises(ValueError, match="fit it first"):
        model.save_adapter(tmp_path / "adapter.safetensors")
    with pytest.raises(ValueError, match="fit it first"):
        model.save_to_preset(str(tmp_path / "preset"))


def without(name):
    return lambda arrays: arrays.pop(name)


def filled(value, dtype="float32"):
    return lambda arrays: arrays.update(
        {"output/0": np.full((16, 3), value, dtype)}
    )


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("output/0"), "is not complete: it lacks `output/0`"),
        (without("layer_norm/2"), "is not complete: it lacks `layer_norm/2`"),
        (without("input/0"), "is not complete: .* `input/0`"),
        (lambda arrays: arrays.clear(), "is not complete"),
        (
            lambda arrays: arrays.update({"attention/0": np.ones((16, 2, 8))}),
            "contains `attention/0`, which its policy does not train",
        ),
        (
            lambda arrays: arrays.update({"low_rank/0": np.ones((16, 2, 8))}),
            "contains `low_rank/0`, which its policy does not train",
        ),
        (
            lambda arrays: arrays.update({"output/2": np.ones(3)}),
            "contains `output/2`",
        ),
        (
            lambda arrays: arrays.update({"layer_norm/0": np.ones(8)}),
            r"`layer_norm/0` has shape \(8,\)",
        ),
        (filled(np.nan), "`output/0` .* hold NaN or infinity"),
        (filled(-np.inf), "`output/0` .* hold NaN or infinity"),
        (filled(1e300, "float64"), "too large for float32"),
        (filled(1, "int64"), "expected `output/0` to hold floating-point"),
        (filled(1, "bool"), "expected `output/0` to hold floating-point"),
        (filled(1, "complex64"), "expected `output/0` to hold floating-point"),
    ],
)
def test_only_what_the_policy_trains_is_loaded(
    trained, tmp_path, change, message
):
    path = tmp_path / "adapter.safetensors"
    trained.save_adapter(path)
    arrays, header = checkpoints.read_arrays(path)
    change(arrays)
    checkpoints.write_arrays(path, arrays, header)
    before = trained.get_weights()
    with pytest.raises(ValueError, match=message) as error:
        trained.load_adapter(path)
    assert str(path) in str(error.value)
    for old, new in zip(before, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_classes", 10**12),
        ("labels_per_token", 10**9),
        ("input_dim", 10**11),
        ("learned_positions", 10**12),
    ],
)
def test_a_header_cannot_ask_for_more_than_the_file_holds(
    trained, tmp_path, preset, name, value
):
    path = tmp_path / "adapter.safetensors"
    trained.save_adapter(path)
    arrays, header = checkpoints.read_arrays(path)
    header["model"][name] = value
    checkpoints.write_arrays(path, arrays, header)
    with pytest.raises(ValueError, match="is not complete: its header says"):
        AdapterSet.from_preset(preset).load("huge", path)


@pytest.mark.backend_free
def test_weights_that_are_not_finite_are_not_saved(preset, tmp_path):
    model = FPTClassifier.from_preset(preset, input_dim=3)
    model.output_layer.bias.assign([np.nan, 0])
    path = tmp_path / "adapter.safetensors"
    with pytest.raises(ValueError, match="`output/1` .* hold NaN"):
        model.save_adapter(path)
    assert not path.exists()


@pytest.mark.backend_free
def test_an_adapter_without_low_rank_weights_answers_without_them(
    trained, preset, data, tmp_path
):
    path = tmp_path / "adapter.safetensors"
    trained.save_adapter(path)
    model = FPTClassifier.from_preset(
        preset, num_classes=3, policy="fpt+low_rank"
    )
    model.fit(*data, verbose=0)
    model.load_adapter(path)
    np.testing.assert_allclose(
        model.predict(data[0], verbose=0),
        trained.predict(data[0], verbose=0),
        atol=1e-6,
    )


def test_a_refused_adapter_leaves_a_model_as_it_was(preset, tmp_path):
    path = tmp_path / "adapter.safetensors"
    FPTClassifier.from_preset(
        preset, num_classes=3, input_dim=3, policy="fpt+low_rank"
    ).save_adapter(path)
    arrays, header = checkpoints.read_arrays(path)
    arrays["low_rank/1"] = arrays["low_rank/1"][:, :-1]
    checkpoints.write_arrays(path, arrays, header)
    model = FPTClassifier.from_preset(
        preset, num_classes=3, policy="fpt+attention"
    )
    before = [(v.path, v.trainable) for v in model.weights]
    with pytest.raises(ValueError, match="`low_rank/1` has shape"):
        model.load_adapter(path)
    assert [(v.path, v.trainable) for v in model.weights] == before
    assert not model.built
    # Tokens of another width still fit, and all matrices train.
    x = np.random.default_rng(0).normal(size=(8, 4, 5)).astype("float32")
    model.fit(x, np.arange(8) % 3, verbose=0)
    assert len(model.trainable_variables) == 2 + sum(t for _, t in before)
    # One that fits is loaded afterwards, as if nothing had happened.
    whole = FPTClassifier.from_preset(
        preset, num_classes=3, input_dim=5, policy="fpt+low_rank"
    )
    whole.save_adapter(path)
    model = FPTClassifier.from_preset(preset, num_classes=3, input_dim=5)
    model.load_adapter(path)
    np.testing.assert_allclose(
        model.predict(x, verbose=0), whole.predict(x, verbose=0), atol=1e-6
    )
