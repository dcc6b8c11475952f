import numpy as np
import pytest
from conftest import gpt2_backbone
from families import numpy

from keras_fpt import AdapterSet, FPTClassifier


@pytest.fixture(scope="module")
def integers():
    return np.random.default_rng(1).integers(7, size=(12, 6), dtype="int32")


@pytest.fixture(scope="module")
def adapters(preset, data, integers, tmp_path_factory):
    """Files of three tasks, and the outputs of their own models."""
    folder = tmp_path_factory.mktemp("adapters")
    generator = np.random.default_rng(0)
    made = {}
    for name, x, arguments in (
        ("vectors", data[0], {}),
        ("integers", integers, {"num_classes": 3, "vocabulary_size": 7}),
        ("low_rank", data[0], {"policy": "fpt+low_rank", "lora_rank": 2}),
    ):
        model = FPTClassifier.from_preset(preset, **arguments)
        model(x[:1])  # Builds it.
        for variable in model.trainable_variables:
            variable.assign(generator.normal(0, 0.3, variable.shape))
        path = folder / f"{name}.safetensors"
        model.save_adapter(path, {"task": name})
        made[name] = path, x, numpy(model(x))
    return made


def test_switching_gives_each_task_its_own_outputs(preset, adapters):
    shared = AdapterSet.from_preset(preset)
    for name, (path, _, _) in adapters.items():
        assert shared.load(name, path)["task"] == name
    assert shared.names == list(adapters)
    for name in ("vectors", "low_rank", "integers", "vectors", "vectors"):
        _, x, expected = adapters[name]
        logits = shared.activate(name).predict(x, verbose=0)
        np.testing.assert_allclose(logits, expected, atol=1e-6)


@pytest.mark.backend_free
def test_the_backbone_is_in_memory_once(preset, adapters):
    shared = AdapterSet.from_preset(preset)
    for name, (path, _, _) in adapters.items():
        shared.load(name, path)
    backbones = {id(shared.activate(name).backbone) for name in adapters}
    assert backbones == {id(shared.backbone)}


@pytest.mark.backend_free
def test_loading_again_replaces(preset, adapters):
    shared = AdapterSet.from_preset(preset)
    shared.load("one", adapters["integers"][0])
    path, x, expected = adapters["vectors"]
    shared.load("one", path)
    assert shared.names == ["one"]
    logits = shared.activate("one").predict(x, verbose=0)
    np.testing.assert_allclose(logits, expected, atol=1e-6)


@pytest.mark.backend_free
def test_an_adapter_that_does_not_fit_is_refused_and_the_others_work(
    preset, adapters, tmp_path
):
    other = FPTClassifier(gpt2_backbone(), input_dim=3)
    other.save_adapter(tmp_path / "other.safetensors")
    shared = AdapterSet.from_preset(preset)
    path, x, expected = adapters["vectors"]
    shared.load("vectors", path)
    with pytest.raises(ValueError, match="another backbone"):
        shared.load("other", tmp_path / "other.safetensors")
    with pytest.raises(KeyError, match="No adapter 'other'.*vectors"):
        shared.activate("other")
    logits = shared.activate("vectors").predict(x, verbose=0)
    np.testing.assert_allclose(logits, expected, atol=1e-6)
