"""Fails when KerasHub loads presets with quantized layers."""

import json

import keras_hub
import numpy as np
import pytest
from conftest import gpt2_backbone

from keras_fpt.compat.quantized_preset_dtypes import saved_dtypes

pytestmark = pytest.mark.backend_free


@pytest.fixture(scope="module")
def backbone():
    backbone = gpt2_backbone()
    backbone.quantize("int8")
    return backbone


@pytest.fixture(scope="module")
def folder(backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("quantized") / "preset"
    backbone.save_to_preset(str(folder))
    return folder


def test_the_fault_is_still_there(folder):
    with pytest.raises(ValueError, match="could not be loaded"):
        keras_hub.models.Backbone.from_preset(str(folder))


def test_the_saved_dtypes_load_the_preset(backbone, folder):
    config = json.loads((folder / "config.json").read_text())
    loaded = keras_hub.models.Backbone.from_preset(
        str(folder), dtype=saved_dtypes(config, None)
    )
    for ours, theirs in zip(
        loaded.get_weights(), backbone.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_another_dtype_is_for_the_layers_that_are_not_quantized(folder):
    config = json.loads((folder / "config.json").read_text())
    dtypes = saved_dtypes(config, "bfloat16")["config"]
    assert dtypes["default_policy"] == "bfloat16"
    names = {
        policy["config"]["source_name"]
        for policy in dtypes["policy_map"].values()
    }
    assert names == {"bfloat16"}


def test_a_preset_without_quantized_layers_keeps_the_dtype():
    config = {"config": {"dtype": {"class_name": "DTypePolicy"}}}
    assert saved_dtypes(config, "float16") == "float16"
