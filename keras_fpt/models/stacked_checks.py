"""Checks of classifiers to be stacked, and of their data."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fpt import distribution, freezing
from keras_fpt.models import arrays, input_checks, paper_recipe
from keras_fpt.models.fpt_classifier import FPTClassifier
from keras_fpt.models.input_checks import Expected
from keras_fpt.models.stacked_adam import StackedAdam

# The layers that `StackedClassifiers` computes.
_LAYERS = (
    *("backbone", "input_layer", "input_dropout_layer"),
    *("position_layer", "readout_layer", "output_layer"),
)
# The options that it supports, and the readouts. Others must be at their
# defaults.
_OPTIONS = (
    *("policy", "depth", "readout", "learned_positions", "lora_rank", "dtype"),
    *("rematerialize", "dropout", "embedding_init", "input_scale"),
    *("output_init", "input_dropout", "precision", "fast"),
    *("patch_size", "patch_stride", "instance_norm", "sequence_length"),
)
_READOUTS = ("last", "first", "mean", "last+mean", "flatten")
_ADAM = ("beta_1", "beta_2", "epsilon", "global_clipnorm")
# Other settings of Adam, which must be off.
_OFF = (
    *("weight_decay", "clipnorm", "clipvalue", "use_ema", "amsgrad"),
    *("loss_scale_factor", "gradient_accumulation_steps"),
)


def check_alike(classifiers: Sequence[Any]) -> None:
    """Checks that classifiers differ only in what a stack supports.

    Args:
        classifiers: sequence of `FPTClassifier`s.

    Raises:
        ValueError: they differ, or one cannot be stacked at all.
    """
    if not classifiers:
        raise ValueError("Expected at least one classifier to stack.")
    if distribution.current() is not None:
        raise ValueError(
            "A stack trains on one device. Train distributed classifiers one "
            "by one."
        )
    for number, one in enumerate(classifiers):
        _check_kind(number, one)
    described = [_description(one) for one in classifiers]
    for number, other in enumerate(described):
        for what, value in described[0].items():
            if other[what] != value:
                raise ValueError(
                    f"Expected classifiers of the same {what}, but number "
                    f"{number} has {other[what]!r} and number 0 has {value!r}."
                )
    frozen = [_frozen(one) for one in classifiers]
    for number, weights in enumerate(frozen):
        for name, variable in weights.items():
            if number and not np.array_equal(
                _array(variable), _array(frozen[0][name])
            ):
                raise ValueError(
                    "Expected classifiers with the same frozen weights, but "
                    f"`{name}` of number {number} differs from that of "
                    "number 0. Build them from the same preset."
                )


def _check_kind(number: int, one: Any) -> None:
    if type(one) is not FPTClassifier:
        raise ValueError(
            "Expected classifiers of the class FPTClassifier, but number "
            f"{number} is a {type(one).__name__}. Train it separately."
        )
    known = {id(getattr(one, name)) for name in _LAYERS}
    for layer in one.layers:
        if id(layer) not in known:
            raise ValueError(
                f"Classifier number {number} has the layer `{layer.name}`, "
                "which cannot be stacked. Train it separately."
            )
    for field in dataclasses.fields(one.options):
        name, value = field.name, getattr(one.options, field.name)
        is_known = value in _READOUTS if name == "readout" else name in _OPTIONS
        if not is_known and value != field.default:
            raise ValueError(
                f"Classifier number {number} has {name}={value!r}, which "
                "cannot be stacked. Train it separately."
            )
    if not (one.built and one.compiled):
        raise ValueError(
            f"Classifier number {number} is not built and compiled yet. Give "
            "input_dim or vocabulary_size when it is made."
        )
    optimizer = one.optimizer
    if not isinstance(optimizer, keras.optimizers.Adam) or any(
        optimizer.get_config().get(name) for name in _OFF
    ):
        raise ValueError(
            "Expected classifiers compiled with "
            "keras_fpt.models.paper_optimizer(), or a keras.optimizers.Adam "
            f"without {', '.join(_OFF)}; number {number} has another one. "
            "Train it separately."
        )
    expected = paper_recipe.paper_loss(one.num_classes)
    loss = one.loss
    if type(loss) is not type(expected) or (
        loss.get_config() != expected.get_config()
    ):
        raise ValueError(
            "Expected classifiers compiled with the loss of the paper, "
            f"cross-entropy; number {number} has another one. Train it "
            "separately."
        )


def _description(one: FPTClassifier) -> dict[str, Any]:
    """The values that must be equal, by their names in errors."""
    adam = one.optimizer.get_config()
    steps = int(one.optimizer.iterations) if one.optimizer.built else 0
    return {
        "backbone": type(one.backbone).__name__,
        "configuration of the backbone": {
            **one.backbone.get_config(),
            "name": None,
        },
        **dataclasses.asdict(one.task_shape),
        "input_dim": one.input_dim,
        **dataclasses.asdict(one.options),
        "settings of Adam": {name: adam[name] for name in _ADAM},
        "number of training steps": steps,
        "trainable weights": {
            name
            for name, variable in freezing.named_weights(one).items()
            if variable.trainable
        },
    }


def _frozen(one: FPTClassifier) -> dict[str, Any]:
    return {
        name: variable
        for name, variable in freezing.named_weights(one).items()
        if name.startswith("backbone/") and not variable.trainable
    }


def _array(variable: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(variable))


def stacked_optimizer(classifiers: Sequence[FPTClassifier]) -> StackedAdam:
    """The optimizers of classifiers as one."""
    configs = [one.optimizer.get_config() for one in classifiers]
    settings = {name: configs[0][name] for name in _ADAM}
    return StackedAdam([_rate(config) for config in configs], **settings)


def _rate(config: dict[str, Any]) -> Any:
    rate = config["learning_rate"]
    if isinstance(rate, dict):
        return keras.optimizers.schedules.deserialize(rate)
    return float(rate)


def check_data(model: Any, x: Any, y: Any) -> None:
    """Checks arrays of tokens and labels; sources of batches pass.

    Args:
        model: a `StackedClassifiers`.
        x, y: as of its `fit`.

    Raises:
        ValueError: they do not fit the classifiers.
    """
    if y is None:
        return
    first, size = model.members.classifiers[0], model.size
    tokens, mask = input_checks.unpack(x)
    tokens = arrays.as_numbers(tokens, "tokens")
    y = np.asarray(y)
    is_each = tokens.ndim == (4 if model.is_of_vectors else 3)
    labels_each = y.ndim == (2 if model.num_answers == 1 else 3)
    for values, has_axis, name in (
        (tokens, is_each, "tokens"),
        (y, labels_each, "labels"),
    ):
        if has_axis and values.shape[1] != size:
            raise ValueError(
                f"Expected {name} of {size} classifiers in the second axis but "
                f"received shape {values.shape}."
            )
    if is_each and not labels_each:
        raise ValueError(
            "Expected labels of each classifier, as the tokens are, but "
            f"received labels of shape {y.shape}."
        )
    if not is_each and labels_each:
        tokens = np.repeat(tokens[:, None], size, axis=1)
        if mask is not None:
            mask = np.repeat(np.asarray(mask)[:, None], size, axis=1)
    if labels_each:
        tokens, y = _joined(tokens), _joined(y)
        mask = None if mask is None else _joined(np.asarray(mask))
    batch = tokens if mask is None else {"tokens": tokens, "padding_mask": mask}
    input_checks.check_batch(Expected.of(first, with_labels=True), batch, y)


def _joined(x: np.ndarray) -> np.ndarray:
    return x.reshape(-1, *x.shape[2:])
