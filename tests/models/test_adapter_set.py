import concurrent.futures
import threading

import numpy as np
import pytest
from conftest import gpt2_backbone
from families import numpy

from keras_fpt import AdapterSet, FPTClassifier
from keras_fpt.files import checkpoints


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


@pytest.mark.backend_free
def test_a_refused_adapter_leaves_the_set_as_it_was(preset, adapters, tmp_path):
    shared = AdapterSet.from_preset(preset)
    path, x, expected = adapters["vectors"]
    shared.load("vectors", path)
    arrays, header = checkpoints.read_arrays(path)
    arrays["attention/0"] = np.full((16, 2, 8), 3, "float32")
    stray = tmp_path / "stray.safetensors"
    checkpoints.write_arrays(stray, arrays, header)
    # The low-rank weights that it asks for have another rank than those of the
    # adapter that is loaded after it.
    arrays, header = checkpoints.read_arrays(adapters["low_rank"][0])
    arrays["layer_norm/0"] = np.ones(7, "float32")
    header["model"]["lora_rank"] = 4
    for name, array in arrays.items():
        if name.startswith("low_rank/"):
            shape = [4 if size == 2 else size for size in array.shape]
            arrays[name] = np.ones(shape, "float32")
    other_rank = tmp_path / "rank.safetensors"
    checkpoints.write_arrays(other_rank, arrays, header)
    quantized = FPTClassifier.from_preset(preset, input_dim=3, quantize="int8")
    quantized.save_adapter(tmp_path / "int8.safetensors")
    for bad, message in (
        (stray, "contains `attention/0`"),
        (other_rank, "does not fit"),
        (tmp_path / "int8.safetensors", "would change the outputs of"),
    ):
        with pytest.raises(ValueError, match=message):
            shared.load("bad", bad)
        assert shared.active == "vectors" and shared.names == ["vectors"]
        logits = shared.activate("vectors").predict(x, verbose=0)
        np.testing.assert_allclose(logits, expected, atol=1e-6)
    path, x, expected = adapters["low_rank"]
    shared.load("low_rank", path)
    logits = shared.activate("low_rank").predict(x, verbose=0)
    np.testing.assert_allclose(logits, expected, atol=1e-6)


@pytest.mark.backend_free
def test_a_set_of_quantized_adapters(preset, data, tmp_path):
    model = FPTClassifier.from_preset(preset, input_dim=3, quantize="int8")
    model.save_adapter(tmp_path / "int8.safetensors")
    shared = AdapterSet.from_preset(preset)
    shared.load("one", tmp_path / "int8.safetensors")
    shared.load("other", tmp_path / "int8.safetensors")
    np.testing.assert_allclose(
        shared.activate("one").predict(data[0], verbose=0),
        model.predict(data[0], verbose=0),
        atol=1e-5,
    )


def test_threads_get_the_answers_of_their_own_adapters(preset, adapters):
    shared = AdapterSet.from_preset(preset)
    for name, (path, x, _) in adapters.items():
        shared.load(name, path)
        shared.activate(name).predict(x, verbose=0)  # Compiles it.
    models = {name: shared.activate(name) for name in adapters}
    began = threading.Barrier(4, timeout=60)

    def answers(name):
        """Of the classifier that `activate` returns, and of one kept."""
        _, x, expected = adapters[name]
        began.wait()
        for _ in range(4):
            for model in (shared.activate(name), models[name]):
                logits = model.predict(x, verbose=0)
                np.testing.assert_allclose(logits, expected, atol=1e-6)
                logits = numpy(model(x))
                np.testing.assert_allclose(logits, expected, atol=1e-6)

    names = ("vectors", "low_rank", "integers", "vectors")
    with concurrent.futures.ThreadPoolExecutor(len(names)) as threads:
        list(threads.map(answers, names))


@pytest.mark.backend_free
def test_a_classifier_whose_adapter_was_replaced_says_so(preset, adapters):
    shared = AdapterSet.from_preset(preset)
    path, x, _ = adapters["vectors"]
    shared.load("one", path)
    old = shared.activate("one")
    shared.load("one", path)
    with pytest.raises(ValueError, match="replaced by another one"):
        old(x)
