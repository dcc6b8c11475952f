"""Adapter files: the weights that a model has trained, and its new layers.

New layers are stored even where they have not trained, since they were
initialized randomly. `save_adapter` and `load_adapter` are methods of
`FPTClassifier`, which is their first argument.

A file is loaded only if it holds exactly what its policy trains: one that
lacks an array would leave random weights in its place, and one with more would
change what is frozen.
"""

import hashlib
import os
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fpt import backbones, freezing
from keras_fpt.compat import jax_lost_state, keras_internals
from keras_fpt.files import checkpoints
from keras_fpt.models import head_file, model_settings, series_front
from keras_fpt.models.compiled_functions import changed_within
from keras_fpt.models.low_rank import add_low_rank

FORMAT = "keras_fpt adapter"
# An adapter holds its own low-rank weights, and the fingerprint compares the
# weights that its policy froze, quantized or not.
_MAY_DIFFER = {"policy", "lora_rank", "quantize"}
# The settings that a model takes from its first batch.
_FROM_DATA = {"input_dim", "sequence_length"}


def fingerprint(model: Any, policy: str) -> str:
    """A hash of the backbone's weights that a policy never trains.

    Args:
        model: an `FPTClassifier`.
        policy: string.

    Returns:
        A hexadecimal string, the same on every backend.
    """
    trains = freezing.names_weight(model.backbone, policy)
    digest = hashlib.sha256()
    in_backbone = {id(v) for v in model.backbone.weights}
    for group, variables in freezing.parameter_groups(model).items():
        # Low-rank weights belong to an adapter, never to the backbone.
        if group == "low_rank":
            continue
        for variable in variables:
            if id(variable) not in in_backbone or trains(variable.path):
                continue
            value = backbones.to_float32(variable)
            digest.update(f"{variable.path}{value.shape}".encode())
            digest.update(value.data)
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
        ValueError: the input layer is not built yet, a weight is NaN or
            infinite, or more trains than the policy says.
    """
    head_file.require_built(model)
    with jax_lost_state.waiting(model):
        stored = _stored_weights(model, model.policy)
        _require_all_stored(model, stored)
        arrays = {
            name: ops.convert_to_numpy(variable)
            for name, variable in stored.items()
        }
        head_file.require_finite(arrays, path)
        header = {
            **(metadata or {}),
            **_kind(model),
            "format": FORMAT,
            "model": model.head_config(),
            "backbone": type(model.backbone).__name__,
            "fingerprint": fingerprint(model, model.policy),
        }
    checkpoints.write_arrays(path, arrays, header)


def _kind(model: Any) -> dict[str, str]:
    # Files of classifiers are as those of older versions.
    is_classifier = model.head == model_settings.TaskShape.head
    return {} if is_classifier else {"head": model.head}


def _require_all_stored(model: Any, stored: dict[str, Any]) -> None:
    """Raises a `ValueError` where an adapter would leave out what trains."""
    ids = {id(variable) for variable in stored.values()}
    left_out = [v for v in model.trainable_variables if id(v) not in ids]
    if left_out:
        raise ValueError(
            f"An adapter contains what the policy '{model.policy}' trains, but "
            f"`{left_out[0].path}` is trainable as well. Name its group in "
            "set_policy, or save the whole model with model.save."
        )


def read(
    path: str | os.PathLike[str],
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the header of an adapter file.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is damaged, or not an adapter.
    """
    arrays, header, settings = _read(path)
    _check_sizes(arrays, header, settings, path)
    return arrays, header


def _read(
    path: str | os.PathLike[str],
) -> tuple[dict[str, np.ndarray], dict[str, Any], dict[str, Any]]:
    """The arrays, the header and the checked settings of an adapter file."""
    arrays, header = head_file.read(path)
    if header.get("format") != FORMAT:
        raise ValueError(f"`{path}` is not an adapter file.")
    settings = model_settings.check_settings(
        header.get("model"), path, model_settings.head_of(header, path)
    )
    if not isinstance(header.get("fingerprint"), str):
        raise ValueError(f"`{path}` is damaged: it has no fingerprint.")
    return arrays, header, settings


def _check_sizes(
    arrays: dict[str, np.ndarray],
    header: dict[str, Any],
    settings: dict[str, Any],
    path: str | os.PathLike[str],
) -> None:
    """Checks a header's sizes against the arrays, before any layer is made.

    A header could ask for layers that do not fit into memory.
    """
    shape = model_settings.SHAPES[model_settings.head_of(header, path)]
    labels = shape.units_of(settings)
    tokens = settings.get("vocabulary_size")
    front = series_front.of_settings(settings, shape)
    if settings["input_dim"]:
        tokens = front.width(settings["input_dim"])
    expected = [("output/1", 0, labels), ("input/0", 0, tokens)]
    if settings["learned_positions"] is not None:
        expected.append(("positions/0", 0, settings["learned_positions"]))
    for name, axis, size in expected:
        shape = arrays[name].shape if name in arrays else None
        if not shape or shape[axis] != size or 0 in shape:
            raise ValueError(
                f"`{path}` is not complete: its header says {size} for "
                f"`{name}`, but the array has shape {shape}."
            )
    if "output/0" not in arrays:
        raise ValueError(f"`{path}` is not complete: it lacks `output/0`.")
    joined = front.num_joined(
        settings["sequence_length"], settings["input_dim"]
    )
    if joined < 1 or arrays["output/0"].shape[0] % joined:
        raise ValueError(
            f"`{path}` is not complete: its header says that the output layer "
            f"reads {joined} hidden states, but the array `output/0` has "
            f"shape {arrays['output/0'].shape}."
        )
    rank = settings["lora_rank"]
    for name, array in arrays.items():
        if name.startswith("low_rank/") and rank not in array.shape:
            raise ValueError(
                f"`{path}` is damaged: its header has lora_rank={rank}, but "
                f"`{name}` has shape {array.shape}."
            )


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
    with changed_within(model):
        new_values, header = prepare(model, path)
        for variable, value in new_values:
            variable.assign(value)
    return header


def prepare(
    model: Any, path: str | os.PathLike[str]
) -> tuple[list[tuple[Any, np.ndarray]], dict[str, Any]]:
    """Checks an adapter file against a model, and changes no weight.

    Where it fits, the model's input layer is built, and low-rank weights, which
    have no effect yet, are added if the adapter has them.

    Args:
        model: an `FPTClassifier`.
        path: a file that `save_adapter` wrote.

    Returns:
        Tuple of a list of pairs, a variable of the model and its new value,
        and the dict in the file's header.

    Raises:
        FileNotFoundError, ValueError: see `load_adapter`.
    """
    arrays, header, settings = _read(path)
    _require_same_model(model, path, header, settings)
    _check_sizes(arrays, header, settings, path)
    policy = settings["policy"]
    has_low_rank = "low_rank" in freezing.parse_policy(policy)
    flags = [(v, v.trainable) for v in model.backbone.weights]
    added = add_low_rank(model, settings["lora_rank"]) if has_low_rank else []
    try:
        weights = _stored_weights(model, policy) | _unbuilt(model, settings)
        _check_fits(weights, arrays, path)
    except ValueError:
        for layer in added:
            keras_internals.remove_lora(layer)
        for variable, flag in flags if added else ():
            variable.trainable = flag  # LoRA freezes the layer's matrix.
        raise
    if not model.built:
        model.build((None, settings["sequence_length"], settings["input_dim"]))
        weights = _stored_weights(model, policy)
    pairs = [(weights[name], array) for name, array in arrays.items()]
    if not has_low_rank:
        # The model may have trained low-rank weights that the adapter's did
        # not have: with one factor of zeros they have no effect.
        pairs += [
            (variable, np.zeros(variable.shape, "float32"))
            for variable in freezing.parameter_groups(model)["low_rank"]
            if variable.path.endswith("_b")
        ]
    return pairs, header


def _unbuilt(model: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """The input layer's weights for an adapter, if it is not built yet.

    A model without a width must stay so if the adapter is refused.
    """
    if model.built:
        return {}
    dim = settings["input_dim"]
    widths = {"input": model.front.width(dim)}
    if not model.output_layer.built:
        widths["output"] = model.states_width(settings["sequence_length"], dim)
    weights: dict[str, Any] = {}
    for group, layers in freezing.new_layers(model).items():
        if group in widths:
            twins = [_twin(layer, widths[group]) for layer in layers]
            variables = [v for twin in twins for v in twin.weights]
            if group == "output" and model.target_layer is not None:
                variables += model.target_layer.weights
            weights |= {f"{group}/{i}": v for i, v in enumerate(variables)}
    return weights


def _twin(layer: Any, width: int) -> Any:
    """A new layer like another one, built without drawing numbers."""
    if isinstance(layer, keras.layers.Dense):
        twin = keras.layers.Dense(layer.units, dtype=layer.dtype_policy)
        twin.kernel_initializer = keras.initializers.Zeros()
    else:
        twin = type(layer).from_config(layer.get_config())
    twin.build((None, None, width))
    return twin


def _check_fits(
    weights: dict[str, Any],
    arrays: dict[str, np.ndarray],
    path: str | os.PathLike[str],
) -> None:
    """Raises a `ValueError` unless a file has each weight's array, and no more.

    Args:
        weights: dict from names in the file to variables.
        arrays: dict of the arrays in the file.
        path: the file.
    """
    missing = weights.keys() - arrays.keys()
    if missing:
        raise ValueError(
            f"The adapter `{path}` is not complete: it lacks `{min(missing)}`"
            f", and {len(arrays)} of {len(weights)} arrays are present. Copy "
            "the file again, or train again."
        )
    unknown = arrays.keys() - weights.keys()
    if unknown:
        raise ValueError(
            f"The adapter `{path}` does not fit the model: it contains "
            f"`{min(unknown)}`, which its policy does not train."
        )
    for name, array in arrays.items():
        expected = tuple(weights[name].shape)
        if array.shape != expected:
            raise ValueError(
                f"The adapter `{path}` does not fit the model: its `{name}` "
                f"has shape {array.shape}, the model's {expected}."
            )
        # A number too large for the model's type would become infinite.
        head_file.require_finite({name: array}, path, weights[name].dtype)


def _stored_weights(model: Any, policy: str) -> dict[str, Any]:
    """The variables that an adapter of a policy stores, by name in the file.

    That is what the policy trains, whatever the flags of layers say, and the
    new layers.
    """
    trained = {id(v) for v in freezing.policy_weights(model, policy)}
    in_backbone = {id(v) for v in model.backbone.weights}
    return {
        f"{group}/{index}": variable
        for group, variables in freezing.parameter_groups(model).items()
        for index, variable in enumerate(variables)
        if id(variable) not in in_backbone or id(variable) in trained
    }


def _require_same_model(
    model: Any,
    path: str | os.PathLike[str],
    header: dict[str, Any],
    saved: dict[str, Any],
) -> None:
    """Raises a `ValueError` where a model is not the adapter's."""
    head = model_settings.head_of(header, path)
    if head != model.head:
        raise ValueError(
            f"The adapter `{path}` is for a {head}, but this model is a "
            f"{model.head}."
        )
    own = model_settings.complete(model.head_config(), head)
    for name, value in own.items():
        is_open = name in _FROM_DATA and not model.built
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
