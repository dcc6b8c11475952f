import keras
import numpy as np
import pytest
from conftest import gpt2_backbone

from keras_fpt import FPTClassifier
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
