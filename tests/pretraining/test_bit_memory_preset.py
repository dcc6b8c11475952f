"""The preset of bit memory is whole at every moment."""

import json
import os
import pathlib

import keras
import numpy as np
import pytest
from conftest import gpt2_backbone

from keras_fpt.presets import load_backbone
from keras_fpt.pretraining import bit_memory

pytestmark = pytest.mark.backend_free


def filled(value):
    backbone = gpt2_backbone(num_layers=1, hidden_dim=4, intermediate_dim=4)
    for variable in backbone.weights:
        variable.assign(np.full(variable.shape, value, "float32"))
    return backbone


def weights_of(folder):
    """The value of the weights of a preset that is whole, or `None`."""
    if not (folder / bit_memory.RECORD).is_file():
        return None
    json.loads((folder / bit_memory.RECORD).read_text())
    values = {
        float(value)
        for variable in load_backbone(str(folder)).weights
        for value in np.unique(keras.ops.convert_to_numpy(variable))
    }
    (value,) = values
    return value


@pytest.fixture
def moments(tmp_path, monkeypatch):
    """What a reader finds before and after each rename."""
    found, replace = [], os.replace

    def watched(source, target):
        before = weights_of(tmp_path / "preset")
        replace(source, target)
        if pathlib.Path(target).is_relative_to(tmp_path / "preset"):
            found.extend((before, weights_of(tmp_path / "preset")))

    monkeypatch.setattr(bit_memory.os, "replace", watched)
    return found


def test_a_reader_finds_one_preset_or_the_other(tmp_path, moments):
    folder = tmp_path / "preset"
    bit_memory._write_preset(filled(1.0), {"steps": 1}, folder)
    assert moments == [None, 1.0]
    bit_memory._write_preset(filled(2.0), {"steps": 2}, folder)
    assert set(moments[2:-1]) == {1.0, 2.0} and moments[-1] == 2.0
    assert json.loads((folder / bit_memory.RECORD).read_text())["steps"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["preset"]


def test_two_concurrent_writers_leave_a_complete_preset(tmp_path, monkeypatch):
    folder, replace = tmp_path / "preset", os.replace

    def overtaken(source, target):
        monkeypatch.setattr(bit_memory.os, "replace", replace)
        bit_memory._write_preset(filled(2.0), {"steps": 2}, folder)
        replace(source, target)

    monkeypatch.setattr(bit_memory.os, "replace", overtaken)
    bit_memory._write_preset(filled(1.0), {"steps": 1}, folder)
    assert weights_of(folder) == 1.0


def test_a_cache_that_cannot_be_written_is_named_first(
    preset, tmp_path, monkeypatch
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("KERAS_FPT_HOME", str(tmp_path / "file"))
    with pytest.raises(OSError, match="Set KERAS_FPT_HOME to a writable"):
        bit_memory.cached_preset(preset)
