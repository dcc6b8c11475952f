"""The grammar of presets."""

import os
import pathlib
import subprocess
import sys

import pytest

import keras_fpt
from keras_fpt.presets import Preset

pytestmark = pytest.mark.backend_free


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("gpt2_tiny_en", "packaged", "gpt2_tiny_en"),
        ("gpt2_base_en", "keras_hub", "gpt2_base_en"),
        ("gpt2_bsae_en", "keras_hub", "gpt2_bsae_en"),
        ("", "keras_hub", ""),
        ("hf://google-bert/bert-base-cased", "hub", "bert-base-cased"),
        ("kaggle://keras/gpt2/keras/gpt2_base_en", "hub", "gpt2_base_en"),
        ("modelscope://keras/gpt2_base_en/", "hub", "gpt2_base_en"),
        ("./nowhere/at/all", "local", "all"),
    ],
)
def test_names_stay_as_they_are(text, kind, name):
    preset = Preset.parse(text)
    assert (preset.text, preset.kind, preset.name) == (text, kind, name)
    assert str(preset) == text
    if kind != "packaged":
        assert preset.location == text


def test_a_packaged_preset_is_in_its_folder():
    location = Preset.parse("gpt2_tiny_en").location
    assert location == keras_fpt.presets.path("gpt2_tiny_en")
    assert pathlib.Path(location, "config.json").is_file()
    assert keras_fpt.presets.locate("gpt2_tiny_en") == location


@pytest.mark.parametrize("text", ["mine", "./mine", "mine/", "~/mine"])
def test_a_folder_gets_its_absolute_path(text, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    preset = Preset.parse(text)
    assert preset.text == str(folder)
    assert (preset.kind, preset.name) == ("local", "mine")
    assert os.path.samefile(preset.location, folder)


def test_a_path_object(tmp_path):
    assert Preset.parse(tmp_path).text == str(tmp_path)


def test_a_folder_comes_before_the_name_of_keras_hub(tmp_path):
    (tmp_path / "gpt2_base_en").mkdir()
    assert Preset.parse("gpt2_base_en").kind == "local"


@pytest.mark.parametrize(
    "text", ["gguf:a/b.gguf", "gguf:./a/b.gguf", "gguf:~/a/b.gguf"]
)
def test_a_gguf_file_gets_its_absolute_path(text, tmp_path):
    preset = Preset.parse(text)  # It need not exist until it is loaded.
    assert preset.text == f"gguf:{tmp_path}/a/b.gguf"
    assert (preset.kind, preset.name) == ("gguf", "b.gguf")
    with pytest.raises(FileNotFoundError, match="There is no GGUF file"):
        preset.load_backbone()


def test_the_canonical_text_means_the_same(tmp_path):
    (tmp_path / "mine").mkdir()
    for text in ("gpt2_tiny_en", "mine", "gguf:b.gguf", "hf://a/b", "unknown"):
        preset = Preset.parse(text)
        again = Preset.parse(preset.text)
        assert (again.text, again.kind) == (preset.text, preset.kind)
        assert Preset.parse(preset) is preset


def test_number_of_parameters(preset):
    parsed = Preset.parse(preset)
    count = parsed.load_backbone(load_weights=False).count_params()
    assert parsed.num_parameters() == count
    # KerasHub's own presets are not downloaded for it.
    assert Preset.parse("gpt2_base_en").num_parameters() > 1e8


def test_parsing_imports_no_keras():
    code = (
        "import sys; sys.argv = ['keras-fpt']\n"
        "from keras_fpt.presets import Preset\n"
        "Preset.parse('gpt2_tiny_en'); Preset.parse('hf://a/b')\n"
        "assert not {'keras', 'keras_hub', 'tensorflow'} & {*sys.modules}"
    )
    root = pathlib.Path(keras_fpt.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
