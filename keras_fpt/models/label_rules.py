"""The labels that a compiled loss takes, and whether it suits logits."""

import dataclasses
import inspect
import warnings
from typing import Any

import keras

from keras_fpt.models import several_answers

# Keras's losses by what their labels are. Where none of these is compiled, or
# a subclass trains in its own way, only what is certain is checked.
_OF_CLASSES = {"SparseCategoricalCrossentropy"}
_OVER_CLASSES = {
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
}
_OF_PROBABILITIES = _OVER_CLASSES | {
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "Dice",
    "KLDivergence",
    "Tversky",
}
_OF_NUMBERS = {
    "CategoricalHinge",
    "CosineSimilarity",
    "Hinge",
    "Huber",
    "LogCosh",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SquaredHinge",
}
# Strings for which Keras chooses the loss by the shape of the labels.
_BY_SHAPE = ("crossentropy", "ce")


@dataclasses.dataclass(frozen=True)
class LabelRule:
    """The kind of labels that a loss takes.

    Args:
        kind: string. `"classes"`: integers that name classes. `"numbers"`:
            numbers of the logits' shape. `"by_shape"`: either, according to
            the shape. `"targets"`: several numbers for each example.
            `"per_token"`: integers that name the class of each token.
            `"unknown"`: not known.
        loss: string, the name of the loss, for errors.
        ignore_class: int, a label outside the classes that the loss leaves
            out, or `None`.
        is_probability: bool, whether numbers must be from 0 to 1.
        size: string, the model's argument that says how many numbers a label
            of the kind `"targets"` has.
        shape: tuple of ints, the shape of a label of the kind `"targets"`, or
            `None` where it is only the model's `label_size`.
    """

    kind: str = "unknown"
    loss: str = "loss"
    ignore_class: int | None = None
    is_probability: bool = False
    size: str = "num_targets"
    shape: tuple[int, ...] | None = None


def rule_of(model: Any) -> LabelRule:
    """The kind of labels that an `FPTClassifier` takes, as compiled.

    Args:
        model: an `FPTClassifier`.

    Returns:
        A `LabelRule`. Its kind is `"unknown"` for losses that are not
        Keras's own, and for subclasses that override `train_step`, `test_step`
        or `compute_loss`.
    """
    if not trains_as(model, several_answers.compute_loss):
        return LabelRule()
    loss = _only_one(model.loss)
    if _is_by_shape(loss):
        if model.num_classes == 1:
            return LabelRule("numbers", loss, is_probability=True)
        return LabelRule("by_shape", loss, is_probability=True)
    name = _keras_name(loss)
    if name in _OF_CLASSES:
        ignored = _setting(loss, "ignore_class")
        return LabelRule("classes", name, ignore_class=ignored)
    if name in _OF_PROBABILITIES or name in _OF_NUMBERS:
        is_probability = name in _OF_PROBABILITIES
        return LabelRule("numbers", name, is_probability=is_probability)
    return LabelRule()


def trains_as(model: Any, compute_loss: Any) -> bool:
    """Whether a model is compiled, and trains and computes the loss so."""
    cls = type(model)
    return (
        model.compiled
        and cls.train_step is keras.Model.train_step
        and cls.test_step is keras.Model.test_step
        and cls.compute_loss is compute_loss
    )


def check_loss(loss: Any, num_classes: int) -> None:
    """Checks that a loss suits the logits of a model.

    It warns of a loss that takes probabilities, since a model of logits
    trains badly with it.

    Args:
        loss: what `compile` received.
        num_classes: int.

    Raises:
        ValueError: a loss over all classes, where the model has one only.
    """
    loss = _only_one(loss)
    if _is_by_shape(loss):
        # Keras takes the function of that name, on probabilities.
        kind = "Binary" if num_classes == 1 else "SparseCategorical"
        remedy = f"keras.losses.{kind}Crossentropy"
        _warn_of_probabilities(f"loss='{loss}'", remedy)
        return
    known = _keras_name(loss)
    if known is None:
        return
    if num_classes == 1 and known in _OF_CLASSES | _OVER_CLASSES:
        raise ValueError(
            f"The loss {known} is always 0 for a model with num_classes=1, "
            "since a softmax over one class is 1. Use "
            "keras.losses.BinaryCrossentropy(from_logits=True), or "
            "num_classes=2."
        )
    if _setting(loss, "from_logits") is False:
        given = f"loss='{loss}'" if isinstance(loss, str) else f"loss {known}"
        _warn_of_probabilities(given, f"keras.losses.{known}")


def metrics_on_logits(metrics: Any, num_classes: int) -> Any:
    """Metrics for logits.

    It warns of Keras's metrics that take probabilities.

    Args:
        metrics: what `compile` received.
        num_classes: int.

    Returns:
        The metrics. With one logit, `"accuracy"` says whether it is above 0
        and not, as Keras would take it, above 0.5.
    """
    for metric in keras.tree.flatten(metrics):
        name = type(metric).__name__
        if getattr(keras.metrics, name, None) is not type(metric):
            continue
        config = metric.get_config()
        if config.get("from_logits") is False:
            _warn_of_probabilities(f"metric {name}", f"keras.metrics.{name}")
        elif name == "BinaryAccuracy" and config["threshold"] == 0.5:
            warnings.warn(
                "The model's outputs are logits, but the metric "
                "BinaryAccuracy has threshold=0.5, which is meant for "
                "probabilities. Use keras.metrics.BinaryAccuracy("
                "threshold=0.0).",
                stacklevel=4,
            )
    if num_classes > 1 or not isinstance(metrics, (list, tuple)):
        return metrics
    return [
        keras.metrics.BinaryAccuracy(name=metric, threshold=0.0)
        if metric in ("accuracy", "acc", "binary_accuracy")
        else metric
        for metric in metrics
    ]


def _warn_of_probabilities(given: str, remedy: str) -> None:
    warnings.warn(
        f"The model's outputs are logits, but the {given} takes "
        f"probabilities, so its values are wrong. Use {remedy}("
        "from_logits=True).",
        stacklevel=4,
    )


def _only_one(loss: Any) -> Any:
    """The loss itself where it is the only one of a list."""
    if isinstance(loss, (list, tuple)) and len(loss) == 1:
        return loss[0]
    return loss


def _is_by_shape(loss: Any) -> bool:
    return isinstance(loss, str) and loss.lower() in _BY_SHAPE


def _function(loss: Any) -> Any:
    """The function that a string names, or `loss` itself."""
    if isinstance(loss, str):
        try:
            return keras.losses.get(loss)
        except ValueError:
            return None  # Keras refuses it when it is used.
    return loss


def _keras_name(loss: Any) -> str | None:
    """The class name of one of Keras's own losses, or `None`."""
    loss = _function(loss)
    if isinstance(loss, keras.losses.Loss):
        name = type(loss).__name__
        is_own = getattr(keras.losses, name, None) is type(loss)
        return name if is_own else None
    name = getattr(loss, "__name__", "")
    if getattr(keras.losses, name, None) is not loss or not name:
        return None
    lower = name.replace("_", "")
    known = _OF_CLASSES | _OF_PROBABILITIES | _OF_NUMBERS
    return next((n for n in known if n.lower() == lower), None)


def _setting(loss: Any, name: str) -> Any:
    """An argument of one of Keras's losses, or `None` if it has none."""
    loss = _function(loss)
    if isinstance(loss, keras.losses.Loss):
        return loss.get_config().get(name)
    parameter = inspect.signature(loss).parameters.get(name)
    return None if parameter is None else parameter.default
