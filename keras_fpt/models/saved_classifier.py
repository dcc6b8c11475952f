"""Classifiers from presets, and presets that hold a trained classifier."""

import os

from keras import ops

from keras_fpt.files import checkpoints
from keras_fpt.models import head_file
from keras_fpt.presets import load_backbone, locate

HEAD_FILE = "fpt_classifier.safetensors"
PAPER_DROPOUT = 0.1


def from_preset(cls, preset, load_weights, task, overrides):
    """See `FPTClassifier.from_preset`."""
    overrides = dict(overrides)
    seed = overrides.pop("seed", 0)
    backbone = load_backbone(
        preset, load_weights, seed=seed, dtype=overrides.pop("dtype", None)
    )
    has_dropout = "dropout" in backbone.get_config()
    arguments = {"dropout": PAPER_DROPOUT if has_dropout else None}
    if task is not None:
        arguments.update(task.model_arguments())
    if not has_dropout:
        arguments["dropout"] = None
    arguments.update(overrides)

    head_path = os.path.join(locate(preset), HEAD_FILE)
    if not (load_weights and os.path.exists(head_path)):
        return cls(backbone, **arguments)

    with head_file.named_errors(head_path):
        arrays, header = checkpoints.read_arrays(head_path)
    saved = header.get("model") if isinstance(header, dict) else None
    head_file.check_settings(saved, head_path)
    given = {**(task.model_arguments() if task else {}), **overrides}
    for name, value in given.items():
        if name in saved and name != "policy" and saved[name] != value:
            raise ValueError(
                f"The preset `{preset}` holds a classifier with "
                f"{name}={saved[name]}, but received {name}={value}. For "
                "another task, take its backbone alone: FPTClassifier("
                f"keras_hub.models.Backbone.from_preset('{preset}'), ...)."
            )
    model = cls(backbone, **{**saved, "dropout": None, **given})
    for name, variable in _head_variables(model).items():
        if name not in arrays or arrays[name].shape != tuple(variable.shape):
            raise ValueError(
                f"`{head_path}` is damaged: expected `{name}` of shape "
                f"{tuple(variable.shape)}."
            )
        variable.assign(arrays[name])
    return model


def save_to_preset(model, folder):
    """See `FPTClassifier.save_to_preset`."""
    if not model.built:
        raise ValueError(
            "The model has no input layer yet, so there is nothing to save: "
            "fit it first."
        )
    model.backbone.save_to_preset(folder)
    arrays = {
        name: ops.convert_to_numpy(variable)
        for name, variable in _head_variables(model).items()
    }
    checkpoints.write_arrays(
        os.path.join(folder, HEAD_FILE),
        arrays,
        {"model": model.head_config()},
    )


def _head_variables(model):
    layers = (model.input_layer, model.position_layer, model.output_layer)
    return {
        f"{layer.name}/{variable.name}": variable
        for layer in layers
        if layer is not None
        for variable in layer.weights
    }
