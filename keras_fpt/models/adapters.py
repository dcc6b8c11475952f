"""Adapter files: what a model has trained, and what it has beside a backbone.

New layers are kept whether or not they have trained: they were drawn at random.
"""

import hashlib

import numpy as np
from keras import ops

from keras_fpt import freezing
from keras_fpt.files import checkpoints
from keras_fpt.models import head_file
from keras_fpt.models.low_rank import add_low_rank

FORMAT = "keras_fpt adapter"


def fingerprint(model, policy):
    """A hash of the backbone's weights that a policy never trains.

    Args:
        model: an `FPTClassifier`.
        policy: string.

    Returns:
        A hexadecimal string, the same on every backend.
    """
    trained = freezing.parse_policy(policy)
    digest = hashlib.sha256()
    of_backbone = {id(v) for v in model.backbone.weights}
    for group, variables in freezing.parameter_groups(model).items():
        # Weights of low rank are an adapter's, never the backbone's.
        if group in trained or group == "low_rank":
            continue
        for variable in variables:
            if id(variable) not in of_backbone:
                continue
            value = np.asarray(ops.convert_to_numpy(variable), "<f4")
            digest.update(f"{variable.path}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value))
    return digest.hexdigest()


def save_adapter(model, path, metadata):
    """See `FPTClassifier.save_adapter`."""
    if not model.built:
        raise ValueError(
            "The model has no input layer yet, so there is nothing to save: "
            "fit it first."
        )
    of_backbone = {id(v) for v in model.backbone.weights}
    arrays = {
        f"{group}/{index}": ops.convert_to_numpy(variable)
        for group, variables in freezing.parameter_groups(model).items()
        for index, variable in enumerate(variables)
        if variable.trainable
        or (id(variable) not in of_backbone and group != "low_rank")
    }
    header = {
        **metadata,
        "format": FORMAT,
        "model": model.head_config(),
        "backbone": type(model.backbone).__name__,
        "fingerprint": fingerprint(model, model.policy),
    }
    checkpoints.write_arrays(path, arrays, header)


def read(path):
    """The arrays and the header of an adapter file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or no adapter.
    """
    with head_file.named_errors(path):
        arrays, header = checkpoints.read_arrays(path)
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError(f"`{path}` is not an adapter file.")
    head_file.check_settings(header.get("model"), path)
    if not isinstance(header.get("fingerprint"), str):
        raise ValueError(f"`{path}` is damaged: it has no fingerprint.")
    return arrays, header


def load_adapter(model, path):
    """See `FPTClassifier.load_adapter`."""
    arrays, header = read(path)
    _check_model(model, path, header)
    # The weights are read into place only once all of them are known to fit.
    if not model.built:
        model.build((None, None, header["model"]["input_dim"]))
    if "low_rank" in freezing.parse_policy(header["model"]["policy"]):
        add_low_rank(model, header["model"]["lora_rank"])
    groups = freezing.parameter_groups(model)
    targets = {
        f"{group}/{index}": variable
        for group, variables in groups.items()
        for index, variable in enumerate(variables)
    }
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


def _check_model(model, path, header):
    saved = header["model"]
    ours = model.head_config()
    for name in (
        "num_classes",
        "input_dim",
        "vocabulary_size",
        "num_output_tokens",
        "labels_per_token",
        "readout",
        "learned_positions",
    ):
        is_open = name == "input_dim" and not model.built
        if saved[name] != ours[name] and not is_open:
            raise ValueError(
                f"The adapter `{path}` is for a model with "
                f"{name}={saved[name]}, but this one has {name}={ours[name]}."
            )
    if header["fingerprint"] != fingerprint(model, saved["policy"]):
        raise ValueError(
            f"The adapter `{path}` was trained on another backbone: the "
            "fingerprint of its frozen weights differs from this model's. "
            "Build the model from the preset (and for the random arm, the "
            f"seed) of the adapter: {_origin(header)}."
        )


def _origin(header):
    names = ("preset", "arm", "seed", "depth", "quantize", "backbone")
    known = [
        f"{name} {header[name]}"
        for name in names
        if header.get(name) is not None
    ]
    return ", ".join(known)
