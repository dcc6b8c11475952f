"""Models from presets, and trained models as presets and exports.

`save_to_preset` and `export` are methods of `FPTModel`, which is their first
argument.
"""

import os
from typing import Any

import keras
from keras import ops

from keras_fpt import freezing
from keras_fpt.files import checkpoints
from keras_fpt.models import (
    exporting,
    head_file,
    model_settings,
    precision,
    quantization,
)
from keras_fpt.models.paper_recipe import default_dropout
from keras_fpt.presets import Preset

# What the model of a task's kind is called, for errors.
_CLASS_NAMES = {
    "classifier": "FPTClassifier",
    "regressor": "FPTRegressor",
    "multi_label": "FPTMultiLabelClassifier",
    "token_classifier": "FPTTokenClassifier",
}
_LOW_RANK = "low_rank/"  # Before the names of weights of layers with LoRA.


def head_file_of(model: Any) -> str:
    """The name of the file that a preset has for a class of models."""
    return f"fpt_{model.head}.safetensors"


def from_preset(
    cls: Any,
    preset: str | os.PathLike[str],
    load_weights: bool,
    task: Any,
    overrides: dict[str, Any],
) -> Any:
    """See `FPTClassifier.from_preset`."""
    overrides = dict(overrides)
    seed = overrides.pop("seed", 0)
    dtype = overrides.pop("dtype", None)
    parsed = Preset.parse(preset)
    backbone = parsed.load_backbone(load_weights, seed=seed, dtype=dtype)
    path = os.path.join(parsed.location, head_file_of(cls))
    has_head = load_weights and os.path.exists(path)
    arguments = {} if task is None else task.model_arguments()
    if task is not None and task.head != cls.head:
        raise ValueError(
            f"The task '{task.name}' is for a {task.head}, which "
            f"{cls.__name__} is not. Use keras_fpt."
            f"{_CLASS_NAMES[task.head]}.from_preset."
        )
    if task is not None or not has_head:
        rate = arguments.get("dropout")
        arguments["dropout"] = default_dropout(backbone, rate)
    arguments.update(overrides)
    if not has_head:
        return cls(backbone, **arguments)

    arrays, header = head_file.read(path, exact=_LOW_RANK)
    saved = model_settings.check_settings(header.get("model"), path, cls.head)
    for name, value in arguments.items():
        if name in saved and name != "policy" and saved[name] != value:
            raise ValueError(
                f"The preset `{preset}` contains a {cls.head} with "
                f"{name}={saved[name]}, but received {name}={value}. For "
                f"another task, take only its backbone: {cls.__name__}("
                f"keras_hub.models.Backbone.from_preset('{preset}'), ...)."
            )
    model = cls(backbone, **{**saved, **arguments})
    for name, variable in _head_variables(model).items():
        if name not in arrays or arrays[name].shape != tuple(variable.shape):
            raise ValueError(
                f"`{path}` is damaged: expected `{name}` of shape "
                f"{tuple(variable.shape)}."
            )
        variable.assign(arrays[name])
    exact = {
        name.removeprefix(_LOW_RANK): array
        for name, array in arrays.items()
        if name.startswith(_LOW_RANK)
    }
    if exact:
        model.low_rank_state.load_own_variables(exact)
    return model


def save_to_preset(model: Any, folder: str | os.PathLike[str]) -> None:
    """Writes a KerasHub preset, with this model's input and output layers.

    The folder is a normal KerasHub preset of the trained backbone, with one
    more file. `FPTClassifier.from_preset(folder)` returns a model with the
    same outputs.

    Args:
        folder: path. It is created if it does not exist.

    Raises:
        ValueError: the input layer is not built yet.
    """
    head_file.require_built(model)
    model.backbone.save_to_preset(folder)
    arrays = {
        name: ops.convert_to_numpy(variable)
        for name, variable in _head_variables(model).items()
    }
    if quantization.is_quantized(model.backbone):
        # KerasHub's file has their sum, rounded to integers.
        exact: dict[str, Any] = {}
        model.low_rank_state.save_own_variables(exact)
        for name, variable in exact.items():
            arrays[_LOW_RANK + name] = ops.convert_to_numpy(variable)
    checkpoints.write_arrays(
        os.path.join(folder, head_file_of(model)),
        arrays,
        {"model": model.head_config()},
    )


def export(
    model: Any,
    filepath: str | os.PathLike[str],
    format: str = "tf_saved_model",
    verbose: bool | str | None = None,
    input_signature: list[Any] | None = None,
    **kwargs: Any,
) -> None:
    """`keras.Model.export`; see docs/export.md for each format.

    What is written computes in float32 where the model has
    `precision="bfloat16"`.

    Args:
        filepath: string or path of the file or folder to write.
        format: string, `"tf_saved_model"`, `"onnx"`, `"openvino"`,
            `"litert"` or `"torch"`.
        verbose: bool, whether to print what was written.
        input_signature: list of one `keras.InputSpec`, or of a dict of
            one for `tokens` and one for `padding_mask`, with `None` for
            open sizes. `None` means tokens without a mask, of any number
            and length.
        **kwargs: other arguments of `keras.Model.export`.

    Raises:
        ValueError: the width of the tokens is not known yet, or the
            backend cannot write the format, or not with open sizes.
    """
    signature = exporting.input_signature(model, format, input_signature)
    exporting.call_once(model, signature)
    # Other programs lack products of bfloat16, such as ONNX Runtime on CPUs.
    with precision.exact(model):
        keras.Model.export(
            model,
            str(filepath),
            format=format,
            verbose=verbose,
            input_signature=signature,
            **kwargs,
        )


def _head_variables(model: Any) -> dict[str, Any]:
    layers = [
        layer for new in freezing.new_layers(model).values() for layer in new
    ]
    if model.target_layer is not None:
        layers.append(model.target_layer)
    return {
        f"{layer.name}/{variable.name}": variable
        for layer in layers
        for variable in layer.weights
    }
