"""Backbones from presets, with errors that say what to do."""

import difflib
import os

from keras_fpt import random_weights
from keras_fpt.files import json_files
from keras_fpt.presets import gguf_files, packaged

# What says in which file each weight is, in KerasHub's and Hugging Face's
# folders.
INDEXES = ("model.weights.json", "model.safetensors.index.json")
SCHEMES = ("hf://", "kaggle://", "modelscope://")


def load_backbone(preset, load_weights=True, seed=0, dtype=None):
    """Loads a KerasHub backbone.

    Args:
        preset: string. A packaged name, a KerasHub name, `"hf://..."`,
            `"kaggle://..."`, a local KerasHub or Hugging Face folder, or
            `"gguf:FILE"`; see `keras_fpt.presets.gguf_files`.
        load_weights: bool. `False` draws fresh weights instead; see
            `keras_fpt.random_weights`.
        seed: int, for fresh weights.
        dtype: Keras dtype or policy of the backbone; `None` is the global
            one.

    Raises:
        FileNotFoundError: a local folder lacks a file, or there is no such
            GGUF file.
        ValueError: the name is unknown, the folder is damaged or names
            anything outside of it, or the hub cannot be reached.
    """
    preset = str(preset)
    if preset.startswith(gguf_files.SCHEME):
        backbone = gguf_files.load(preset, load_weights, dtype)
    else:
        backbone = _load_keras_hub(preset, load_weights, dtype)
    if not load_weights:
        random_weights.randomize(backbone, seed)
    return backbone


def locate(preset):
    """The folder of a packaged preset; any other name or path as it is."""
    preset = str(preset)
    return packaged.path(preset) if preset in packaged.names() else preset


def _load_keras_hub(preset, load_weights, dtype):
    import keras_hub

    location = locate(preset)
    is_local = os.path.isdir(location)
    if is_local:
        _check_folder(preset, location)
    elif not preset.startswith(SCHEMES):
        _check_name(preset, keras_hub)

    try:
        if is_local:
            dtype = _with_quantization(location, dtype)
        arguments = {} if dtype is None else {"dtype": dtype}
        return keras_hub.models.Backbone.from_preset(
            location, load_weights=load_weights, **arguments
        )
    except _loading_errors() as error:
        raise _explain(preset, is_local, error) from error


def _check_folder(preset, location):
    config = os.path.join(location, "config.json")
    if not os.path.isfile(config):
        raise FileNotFoundError(
            f"The folder `{preset}` is not a preset: it has no config.json. "
            "Expected a KerasHub or Hugging Face model folder."
        )
    described = json_files.read_object(config)
    is_keras = "registered_name" in described
    if is_keras and not isinstance(described.get("config"), dict):
        raise ValueError(f"`{config}` has no object 'config'.")
    for name in INDEXES:
        index = os.path.join(location, name)
        if os.path.isfile(index):
            _check_index(index)


def _check_index(path):
    """Checks that the files of an index are in its own folder."""
    weight_map = json_files.read_object(path).get("weight_map")
    if not isinstance(weight_map, dict):
        raise ValueError(f"`{path}` has no object 'weight_map'.")
    for files in weight_map.values():
        for file in files if isinstance(files, list) else [files]:
            if not isinstance(file, str) or os.path.basename(file) != file:
                raise ValueError(
                    f"`{path}` names the file {file!r}. Expected names of "
                    "files in its own folder."
                )


def _with_quantization(location, dtype):
    """The dtypes of a preset whose layers are quantised, or `dtype`.

    KerasHub 0.32 saves them and does not read them back.
    """
    described = json_files.read_object(os.path.join(location, "config.json"))
    saved = described.get("config", {}).get("dtype")
    is_map = isinstance(saved, dict)
    is_map = is_map and saved.get("class_name") == "DTypePolicyMap"
    if not is_map:
        return dtype
    if dtype is not None:
        saved["config"]["default_policy"] = dtype
        for policy in saved["config"]["policy_map"].values():
            policy["config"]["source_name"] = dtype
    return saved


def _check_name(preset, keras_hub):
    known = [*packaged.names(), *keras_hub.models.Backbone.presets]
    if preset in known:
        return
    if os.sep in preset:
        raise FileNotFoundError(f"There is no preset folder `{preset}`.")
    close = difflib.get_close_matches(preset, known, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    raise ValueError(
        f"Unknown preset '{preset}'.{hint} Expected a packaged preset "
        f"({', '.join(packaged.names())}), a KerasHub preset, 'hf://...', "
        "'kaggle://...', 'gguf:FILE', or a local folder. `keras-fpt presets` "
        "lists names."
    )


def _loading_errors():
    """What KerasHub and the hubs' clients raise when loading fails."""
    import tensorflow as tf
    from safetensors import SafetensorError

    return (
        OSError,  # damaged HDF5, and the hubs' connection errors
        ValueError,
        LookupError,
        TypeError,
        SafetensorError,
        # Settings that no model has: a number where a name is expected, no
        # heads, more weights than fit into the memory.
        ArithmeticError,
        AssertionError,
        AttributeError,
        MemoryError,
        RuntimeError,
        tf.errors.OpError,
    )


def _explain(preset, is_local, error):
    detail = str(error).strip().splitlines()
    detail = detail[0] if detail else type(error).__name__
    if is_local and isinstance(error, FileNotFoundError):
        return FileNotFoundError(
            f"The preset folder `{preset}` is not complete: {detail}"
        )
    if is_local:
        return ValueError(
            f"Could not load the preset folder `{preset}`: its weights are "
            "damaged, cut off, or do not fit its config.json, or KerasHub "
            f"does not know the architecture. It said: {detail}"
        )
    return ValueError(
        f"Could not get the preset '{preset}' from {_source(preset)}. Where "
        "there is no network, download that model elsewhere, copy its folder "
        "(config.json and weights) here and give the folder's path, or use "
        f"the packaged preset {', '.join(packaged.names())}. The hub's "
        f"client said: {detail}"
    )


def _source(preset):
    """Where a preset comes from, as a handle that can be downloaded."""
    import keras_hub

    entry = keras_hub.models.Backbone.presets.get(preset, {})
    return entry.get("kaggle_handle", preset)
