import json
import os
import shutil

import keras
import numpy as np
import pytest
from conftest import gpt2_backbone

import keras_fpt
from keras_fpt import FPTClassifier, backbones, presets
from keras_fpt.models import default_dropout


@pytest.mark.backend_free
def test_local_keras_hub_folder(preset, data):
    import keras_hub

    original = keras_hub.models.Backbone.from_preset(preset)
    model = FPTClassifier.from_preset(preset)
    for ours, theirs in zip(
        model.backbone.get_weights(), original.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert model.num_classes == 2
    assert model.backbone.dropout == pytest.approx(0.1)
    model.fit(*data, verbose=0)


@pytest.mark.backend_free
def test_hugging_face_folder_and_its_logits(tmp_path, data):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(
        vocab_size=40, n_positions=64, n_embd=32, n_layer=3, n_head=4
    )
    torch.manual_seed(0)
    reference = transformers.GPT2Model(config).eval()
    reference.save_pretrained(tmp_path)

    model = FPTClassifier.from_preset(str(tmp_path), num_classes=5)
    x = data[0]
    ours = model.predict(x, verbose=0)
    to_numpy = keras.ops.convert_to_numpy
    embedded = torch.tensor(np.array(to_numpy(model.input_layer(x))))
    with torch.no_grad():
        hidden = reference(inputs_embeds=embedded).last_hidden_state
    expected = to_numpy(model.output_layer(hidden[:, -1].numpy()))
    np.testing.assert_allclose(ours, expected, atol=1e-4)


@pytest.mark.backend_free
def test_saved_classifier_gives_the_same_outputs(preset, data, tmp_path):
    model = FPTClassifier.from_preset(preset, num_classes=3)
    model.fit(*data, epochs=2, verbose=0)
    model.save_to_preset(str(tmp_path / "saved"))
    loaded = FPTClassifier.from_preset(str(tmp_path / "saved"))
    np.testing.assert_array_equal(
        model.predict(data[0], verbose=0), loaded.predict(data[0], verbose=0)
    )
    with pytest.raises(ValueError, match="num_classes=3, but received"):
        FPTClassifier.from_preset(str(tmp_path / "saved"), num_classes=4)


@pytest.mark.backend_free
def test_random_arm_follows_from_its_seed(preset):
    def weights(seed):
        model = FPTClassifier.from_preset(preset, load_weights=False, seed=seed)
        return np.concatenate([w.ravel() for w in model.backbone.get_weights()])

    np.testing.assert_array_equal(weights(3), weights(3))
    assert (weights(3) != weights(4)).any()


@pytest.mark.backend_free
def test_task_gives_shapes_and_dropout(preset):
    task = keras_fpt.tasks.get("bit_memory")
    model = FPTClassifier.from_preset(preset, task=task)
    assert model.head_config()["num_output_tokens"] == 20
    assert model.backbone.dropout == 0.0
    model = FPTClassifier.from_preset(preset, task=task, dropout=0.2)
    assert model.backbone.dropout == pytest.approx(0.2)


@pytest.mark.backend_free
def test_default_dropout_applies_to_every_name_of_it(tmp_path):
    """Falcon has two dropout rates, under its own names."""
    import keras_hub

    falcon = keras_hub.models.FalconBackbone(
        vocabulary_size=20,
        num_layers=1,
        num_attention_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        attention_dropout_rate=0,
        feedforward_dropout_rate=0,
    )
    falcon.save_to_preset(str(tmp_path))

    def rates(**arguments):
        model = FPTClassifier.from_preset(str(tmp_path), **arguments)
        config = model.backbone.get_config()
        return [config[n] for n in backbones.dropout_names(model.backbone)]

    assert rates() == [0.1, 0.1]
    assert rates(dropout=0.2) == [0.2, 0.2]
    assert rates(dropout=None) == [0, 0]
    task = keras_fpt.tasks.get("bit_memory")
    assert rates(task=task) == [task.recipe.dropout] * 2


@pytest.mark.backend_free
def test_no_dropout_is_the_default_of_a_backbone_without():
    import keras_hub

    llama = keras_hub.models.LlamaBackbone(
        vocabulary_size=20,
        num_layers=1,
        num_query_heads=2,
        num_key_value_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
    )
    names = backbones.dropout_names(llama)
    expected = 0.3 if names else 0.0
    assert default_dropout(llama, 0.3) == expected
    assert default_dropout(gpt2_backbone(), 0.3) == 0.3
    assert default_dropout(gpt2_backbone()) == 0.1


@pytest.mark.backend_free
def test_a_saved_classifier_keeps_its_dropout(preset, tmp_path):
    model = FPTClassifier.from_preset(preset, dropout=0.3, input_dim=3)
    model.save_to_preset(tmp_path / "saved")
    loaded = FPTClassifier.from_preset(tmp_path / "saved")
    assert loaded.backbone.dropout == pytest.approx(0.3)


@pytest.mark.backend_free
def test_packaged_preset_knows_english():
    import keras_hub

    assert "gpt2_tiny_en" in presets.names()
    lm = keras_hub.models.GPT2CausalLM.from_preset(presets.path("gpt2_tiny_en"))
    text = (
        "It was the best of times, it was the worst of times, and there was "
        "nothing that he could have said to her which she did not know."
    )
    tokens = np.asarray(lm.preprocessor.tokenizer(text))[None]

    def loss(tokens):
        inputs = {"token_ids": tokens, "padding_mask": np.ones_like(tokens)}
        scores = keras.losses.sparse_categorical_crossentropy(
            tokens[:, 1:], lm(inputs)[:, :-1], from_logits=True
        )
        return float(keras.ops.mean(scores))

    shuffled = np.random.default_rng(0).permutation(tokens[0])[None]
    assert loss(tokens) < 4.5 < np.log(4096)
    assert loss(tokens) < loss(shuffled) - 1.0


@pytest.mark.backend_free
class TestErrors:
    def test_near_name(self):
        with pytest.raises(ValueError, match="Did you mean 'gpt2_tiny_en'"):
            presets.load_backbone("gpt2_tiny_eng")

    def test_missing_folder(self):
        with pytest.raises(FileNotFoundError, match="no preset folder"):
            presets.load_backbone("./nowhere/at/all")

    def test_folder_without_config(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no config.json"):
            presets.load_backbone(str(tmp_path))

    def test_missing_weights(self, preset, tmp_path):
        shutil.copytree(preset, tmp_path, dirs_exist_ok=True)
        os.remove(tmp_path / "model.weights.h5")
        with pytest.raises(FileNotFoundError, match="not complete"):
            presets.load_backbone(str(tmp_path))

    def test_missing_shard_of_a_hugging_face_folder(self, tmp_path):
        from safetensors.numpy import save_file

        sizes = {"vocab_size": 40, "n_positions": 8, "n_embd": 4}
        config = {"model_type": "gpt2", "n_layer": 1, "n_head": 1, **sizes}
        config["resid_pdrop"] = 0.0
        (tmp_path / "config.json").write_text(json.dumps(config))
        first, second = (f"model-0000{i}-of-00002.safetensors" for i in (1, 2))
        embeddings = {
            "wte.weight": np.zeros((40, 4), "float32"),
            "wpe.weight": np.zeros((8, 4), "float32"),
        }
        save_file(embeddings, tmp_path / first)
        files = {**dict.fromkeys(embeddings, first), "h.0.ln_1.weight": second}
        index = tmp_path / "model.safetensors.index.json"
        index.write_text(json.dumps({"weight_map": files}))
        with pytest.raises(FileNotFoundError, match=f"not complete: .{second}"):
            presets.load_backbone(str(tmp_path))

    def test_more_weights_than_memory(self, preset, monkeypatch):
        import keras_hub

        def from_preset(*arguments, **options):
            return np.empty(2**50)

        monkeypatch.setattr(
            keras_hub.models.Backbone, "from_preset", from_preset
        )
        message = "not enough memory to load .*: Unable to allocate"
        with pytest.raises(MemoryError, match=message):
            presets.load_backbone(str(preset))

    @pytest.mark.parametrize("part", [0.0, 0.3, 0.9, 0.999])
    def test_weights_cut_off(self, preset, tmp_path, part):
        shutil.copytree(preset, tmp_path, dirs_exist_ok=True)
        path = tmp_path / "model.weights.h5"
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
        with pytest.raises(ValueError, match="damaged, cut off, or do not fit"):
            presets.load_backbone(str(tmp_path))

    def test_weights_of_another_shape(self, preset, tmp_path):
        shutil.copytree(preset, tmp_path, dirs_exist_ok=True)
        config = json.loads((tmp_path / "config.json").read_text())
        config["config"]["intermediate_dim"] = 48
        (tmp_path / "config.json").write_text(json.dumps(config))
        with pytest.raises(ValueError, match="do not fit its config.json, or"):
            presets.load_backbone(str(tmp_path))

    def test_damaged_config(self, preset, tmp_path):
        shutil.copytree(preset, tmp_path, dirs_exist_ok=True)
        (tmp_path / "config.json").write_text('{"class_name": ')
        with pytest.raises(ValueError, match="damaged"):
            presets.load_backbone(str(tmp_path))

    def test_no_network(self, monkeypatch):
        import socket

        def refuse(*args, **kwargs):
            raise socket.gaierror(-2, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        with pytest.raises(ValueError, match="Without network access"):
            presets.load_backbone("gpt2_base_en")
        with pytest.raises(ValueError, match="Without network access"):
            presets.load_backbone("hf://nobody/nothing")


@pytest.mark.backend_free
def test_kerashub_uploads_what_save_to_preset_writes(tmp_path, monkeypatch):
    import keras_hub
    from keras_hub.src.utils import preset_utils

    class Hub:
        """Keeps what would be sent to the Hugging Face Hub."""

        def create_repo(self, repo_id, exist_ok):
            return type("Repository", (), {"repo_id": repo_id})

        def file_exists(self, repo_id, filename):
            return False

        def upload_folder(self, repo_id, folder_path):
            shutil.copytree(folder_path, tmp_path / repo_id)

    monkeypatch.setattr(preset_utils, "huggingface_hub", Hub())
    model = FPTClassifier.from_preset("gpt2_tiny_en", input_dim=3, depth=1)
    model.save_to_preset(tmp_path / "preset")
    keras_hub.upload_preset("hf://somebody/model", str(tmp_path / "preset"))
    loaded = FPTClassifier.from_preset(str(tmp_path / "somebody/model"))
    x = np.ones((1, 4, 3), "float32")
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))
