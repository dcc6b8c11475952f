"""Backbones that KerasHub loads, with errors that say what to do."""

import difflib
import os
from typing import TYPE_CHECKING, Any

from keras_fpt.compat import quantized_preset_dtypes
from keras_fpt.files import json_files
from keras_fpt.presets import packaged

if TYPE_CHECKING:
    from keras_fpt.presets import Preset

# The files that list which weights are in which file, in KerasHub's and Hugging
# Face's folders.
INDEXES = ("model.weights.json", "model.safetensors.index.json")


def load(preset: "Preset", load_weights: bool, dtype: Any) -> Any:
    """Loads a backbone with `keras_hub.models.Backbone.from_preset`.

    Args:
        preset: `Preset`, of any kind but `"gguf"`.
        load_weights: bool. `False` keeps KerasHub's initial weights.
        dtype: Keras dtype or policy of the backbone; `None` is the global
            one.

    Raises:
        FileNotFoundError, MemoryError, ValueError: see
            `Preset.load_backbone`.
    """
    import keras_hub

    # Errors show a path as it was given.
    shown = preset.location if preset.kind == "local" else preset.text
    is_local = os.path.isdir(preset.location)
    if is_local:
        _check_folder(shown, preset.location)
    elif preset.kind != "hub":
        _check_name(shown, keras_hub)

    try:
        if is_local:
            config = os.path.join(preset.location, "config.json")
            dtype = quantized_preset_dtypes.saved_dtypes(
                json_files.read_object(config), dtype
            )
        arguments = {} if dtype is None else {"dtype": dtype}
        return keras_hub.models.Backbone.from_preset(
            preset.location, load_weights=load_weights, **arguments
        )
    except _loading_errors() as error:
        raise _explain(shown, is_local, error) from error


def _check_folder(preset: str, location: str) -> None:
    config = os.path.join(location, "config.json")
    if not os.path.isfile(config):
        raise FileNotFoundError(
            f"The folder `{preset}` is not a preset: it has no config.json. "
            "Expected a KerasHub or Hugging Face model folder."
        )
    content = json_files.read_object(config)
    is_keras = "registered_name" in content
    if is_keras and not isinstance(content.get("config"), dict):
        raise ValueError(f"`{config}` has no object 'config'.")
    for name in INDEXES:
        index = os.path.join(location, name)
        if os.path.isfile(index):
            _check_index(index)


def _check_index(path: str) -> None:
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


def _check_name(preset: str, keras_hub: Any) -> None:
    known_names = [*packaged.names(), *keras_hub.models.Backbone.presets]
    if preset in known_names:
        return
    if os.sep in preset:
        raise FileNotFoundError(f"There is no preset folder `{preset}`.")
    close = difflib.get_close_matches(preset, known_names, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    raise ValueError(
        f"Unknown preset '{preset}'.{hint} Expected a packaged preset "
        f"({', '.join(packaged.names())}), a KerasHub preset, 'hf://...', "
        "'kaggle://...', 'gguf:FILE', or a local folder. `keras-fpt presets` "
        "lists names."
    )


def _loading_errors() -> tuple[type[Exception], ...]:
    """The errors of KerasHub and of the hubs' clients when loading fails."""
    import tensorflow as tf
    from safetensors import SafetensorError

    return (
        OSError,  # damaged HDF5, and the hubs' connection errors
        ValueError,
        LookupError,
        TypeError,
        SafetensorError,
        # Settings that no model can have: a number where a name is expected,
        # zero heads.
        ArithmeticError,
        AssertionError,
        AttributeError,
        MemoryError,  # the weights do not fit, or such settings
        RuntimeError,
        tf.errors.OpError,
    )


def _explain(preset: str, is_local: bool, error: Exception) -> Exception:
    lines = str(error).strip().splitlines()
    detail = lines[0] if lines else type(error).__name__
    if is_local and isinstance(error, FileNotFoundError):
        return FileNotFoundError(
            f"The preset folder `{preset}` is not complete: {detail}"
        )
    if isinstance(error, MemoryError):
        return MemoryError(
            f"There is not enough memory to load the preset `{preset}`: "
            f"{detail}"
        )
    if is_local:
        return ValueError(
            f"Could not load the preset folder `{preset}`: its weights are "
            "damaged, cut off, or do not fit its config.json, or KerasHub "
            f"does not know the architecture. Its error: {detail}"
        )
    return ValueError(
        f"Could not get the preset '{preset}' from {_source(preset)}. Without "
        "network access, download that model elsewhere, copy its folder "
        "(config.json and weights) here and give the folder's path, or use "
        f"the packaged preset {', '.join(packaged.names())}. The hub's "
        f"client reported: {detail}"
    )


def _source(preset: str) -> str:
    """Where a preset comes from, as a handle that can be downloaded."""
    import keras_hub

    entry = keras_hub.models.Backbone.presets.get(preset, {})
    return entry.get("kaggle_handle", preset)
