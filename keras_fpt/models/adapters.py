"""Adapter files: the weights that a model has trained, and its new layers.

New layers are stored even where they have not trained, since they were
initialized randomly. `save_adapter` and `load_adapter` are methods of
`FPTClassifier`, which is their first argument.
"""

import hashlib
import os
from typing import Any

import numpy as np
from keras import ops

from keras_fpt import freezing
from keras_fpt.files import checkpoints
from keras_fpt.models import head_file, model_settings
from keras_fpt.models.low_rank import add_low_rank

FORMAT = "keras_fpt adapter"
# An adapter holds its own low-rank weights, and the fingerprint compares the
# weights that its policy froze, quantized or not.
_MAY_DIFFER = {"policy", "lora_rank", "quantize"}


def fingerprint(model: Any, policy: str) -> str:
    """A hash of the backbone's weights that a policy never trains.

    Args:
        model: an `FPTClassifier`.
        policy: string.

    Returns:
        A hexadecimal string, the same on every backend.
    """
    trained = freezing.parse_policy(policy)
    digest = hashlib.sha256()
    in_backbone = {id(v) for v in model.backbone.weights}
    for group, variables in freezing.parameter_groups(model).items():
        # Low-rank weights belong to an adapter, never to the backbone.
        if group in trained or group == "low_rank":
            continue
        for variable in variables:
            if id(variable) not in in_backbone:
                continue
            value = np.asarray(ops.convert_to_numpy(variable), "<f4")
            digest.update(f"{variable.path}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).data)
    return digest.hexdigest()


def save_adapter(
    model: Any,
    path: str | os.PathLike[str],
    metadata: dict[str, Any] | None = None,
) -> None:
    """Writes what trains, and the new layers, to a safetensors file.

    The input and output layers are saved even where they do not train; of the
    backbone, only what trains.

    Args:
        path: the file to write.
        metadata: dict of further entries for the file's header, e.g. `arm`
            and `seed`.

    Raises:
        ValueError: the input layer is not built yet.
    """
    head_file.require_built(model)
    in_backbone = {id(v) for v in model.backbone.weights}
    arrays = {
        f"{group}/{index}": ops.convert_to_numpy(variable)
        for group, variables in freezing.parameter_groups(model).items()
        for index, variable in enumerate(variables)
        if variable.trainable
        or (id(variable) not in in_backbone and group != "low_rank")
    }
    header = {
        **(metadata or {}),
        "format": FORMAT,
        "model": model.head_config(),
        "backbone": type(model.backbone).__name__,
        "fingerprint": fingerprint(model, model.policy),
    }
    checkpoints.write_arrays(path, arrays, header)


def read(
    path: str | os.PathLike[str],
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the header of an adapter file.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is damaged, or not an adapter.
    """
    arrays, header = head_file.read(path)
    if header.get("format") != FORMAT:
        raise ValueError(f"`{path}` is not an adapter file.")
    header["model"] = model_settings.check_settings(header.get("model"), path)
    if not isinstance(header.get("fingerprint"), str):
        raise ValueError(f"`{path}` is damaged: it has no fingerprint.")
    return arrays, header


def load_adapter(model: Any, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Loads what `save_adapter` wrote, onto the same backbone.

    Args:
        path: a file that `save_adapter` wrote.

    Returns:
        The dict in the file's header.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is damaged, or was made for another backbone or
            another shape of model.
    """
    arrays, header = read(path)
    _require_same_model(model, path, header)
    if not model.built:
        model.build((None, None, header["model"]["input_dim"]))
    if "low_rank" in freezing.parse_policy(header["model"]["policy"]):
        add_low_rank(model, header["model"]["lora_rank"])
    targets = {
        f"{group}/{index}": variable
        for group, variables in freezing.parameter_groups(model).items()
        for index, variable in enumerate(variables)
    }
    # No weight is assigned before all of them are known to fit.
    for name, array in arrays.items():
        target = targets.get(name)
        if target is None or tuple(target.shape) != array.shape:
            raise ValueError(
                f"The adapter `{path}` does not fit the model: its `{name}` "
                f"has shape {array.shape}, the model's "
                f"{None if target is None else tuple(target.shape)}."
            )
    for name, array in arrays.items():
        targets[name].assign(array)
    return header


def _require_same_model(
    model: Any, path: str | os.PathLike[str], header: dict[str, Any]
) -> None:
    """Raises a `ValueError` where a model is not the adapter's."""
    saved = header["model"]
    for name, value in model.head_config().items():
        is_open = name == "input_dim" and not model.built
        if saved[name] != value and name not in _MAY_DIFFER and not is_open:
            raise ValueError(
                f"The adapter `{path}` is for a model with "
                f"{name}={saved[name]}, but this one has {name}={value}."
            )
    if header["fingerprint"] != fingerprint(model, saved["policy"]):
        raise ValueError(
            f"The adapter `{path}` was trained on another backbone: the "
            "fingerprint of its frozen weights differs from this model's. "
            "Build the model from the preset (and for the random arm, the "
            f"seed) of the adapter: {_origin(header)}."
        )


def _origin(header: dict[str, Any]) -> str:
    names = ("preset", "arm", "seed", "depth", "quantize", "backbone")
    entries = [
        f"{name} {header[name]}"
        for name in names
        if header.get(name) is not None
    ]
    return ", ".join(entries)
