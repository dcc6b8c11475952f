"""Losses, metrics and weights of models that give several answers.

An example's answers, `num_output_tokens * labels_per_token` of them, have equal
weight. `compute_loss` and `compute_metrics` are methods of `FPTClassifier`,
which is their first argument.
"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops


def compute_loss(
    model: Any,
    x: Any = None,
    y: Any = None,
    y_pred: Any = None,
    sample_weight: Any = None,
    training: bool = True,
) -> Any:
    """`keras.Model.compute_loss`, with one weight for each answer."""
    y, sample_weight = _per_answer(model, y, y_pred, sample_weight)
    return keras.Model.compute_loss(
        model, x, y, y_pred, sample_weight, training
    )


def compute_metrics(
    model: Any, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
) -> dict[str, Any]:
    """`keras.Model.compute_metrics`, which counts each answer.

    Keras's own metrics receive all answers as if each were an example: some
    of them take no more than two axes. Where a metric is the user's own, all
    receive them as they are.
    """
    y, sample_weight = _per_answer(model, y, y_pred, sample_weight)
    if (
        model.num_answers > 1
        and model.metrics_take_examples
        and _rank(y) > 1
        and _rank(y_pred) == 3
    ):
        y, y_pred, sample_weight = (
            None if values is None else _as_examples(values)
            for values in (y, y_pred, sample_weight)
        )
    return keras.Model.compute_metrics(model, x, y, y_pred, sample_weight)


def get_metrics_result(model: Any) -> dict[str, Any]:
    """`keras.Model.get_metrics_result`, of metrics that were computed.

    A `train_step` of a subclass may not compute those that were compiled.
    On TensorFlow, Keras would then fail to read them after an epoch.
    """
    if not all(getattr(metric, "built", True) for metric in model.metrics):
        return {}
    return keras.Model.get_metrics_result(model)


def metrics_take_examples(*metrics: Any) -> bool:
    """Whether metrics are to receive each answer as an example.

    Keras's own are. The accuracy of integer labels takes answers as they are,
    and adds them up in another order, so if it is the only metric it receives
    them.

    Args:
        *metrics: what `compile` received.
    """
    given = [m for m in keras.tree.flatten(metrics) if m is not None]
    accuracy = keras.metrics.SparseCategoricalAccuracy
    return not all(type(metric) is accuracy for metric in given) and all(
        isinstance(metric, str)
        or type(metric).__module__.partition(".")[0] == "keras"
        or getattr(keras.metrics, getattr(metric, "__name__", ""), 0) is metric
        for metric in given
    )


def spread(weights: np.ndarray, num_answers: int) -> np.ndarray:
    """Weights of examples as weights of each of their answers.

    Args:
        weights: array `(n,)`, `(n, 1)` or `(n, answers)`. Another shape is
            returned as it is.
        num_answers: int, the number of answers of an example.

    Returns:
        Array `(n, answers)`.
    """
    if weights.ndim == 1:
        weights = weights[:, None]
    if weights.shape[1:] == (1,):
        weights = np.repeat(weights, num_answers, axis=1)
    return weights


def class_weights(
    y: np.ndarray, class_weight: Mapping[int, float], num_answers: int
) -> np.ndarray:
    """The weight of each answer, by its class.

    Args:
        y: array of classes `(n, answers)`, or of their one-hot or soft form
            `(n, answers, classes)`.
        class_weight: dict from a class to its weight. Others weigh 1.
        num_answers: int, the number of answers of an example.

    Returns:
        float32 array `(n, answers)`.
    """
    if y.ndim == 3:
        y = y.argmax(-1) if y.shape[-1] > 1 else y[..., 0]
    y = np.round(y).astype("int64").reshape(-1, num_answers)
    weights = np.ones(y.shape, "float32")
    for index, weight in class_weight.items():
        weights[y == index] = weight
    return weights


def _per_answer(
    model: Any, y: Any, y_pred: Any, sample_weight: Any
) -> tuple[Any, Any]:
    """Labels and weights whose axes are those of the logits.

    Without them, Keras would mistake the axis of the answers for that of the
    classes, or weights of examples for weights of answers.
    """
    if model.num_classes == 1 and _rank(y) == _rank(y_pred) - 1:
        y = ops.expand_dims(y, -1)
    if model.num_answers > 1 and _rank(sample_weight) in (1, 2):
        weights = ops.cast(sample_weight, keras.config.floatx())
        if len(weights.shape) == 1:
            weights = ops.expand_dims(weights, -1)
        if weights.shape[1] == 1:
            sample_weight = ops.tile(weights, (1, model.num_answers))
    return y, sample_weight


def _rank(values: Any) -> int:
    """The number of axes of a tensor; 0 where there is none."""
    return len(getattr(values, "shape", ()))


def _as_examples(values: Any) -> Any:
    """Joins the axes of the examples and of their answers."""
    return ops.reshape(values, (-1, *values.shape[2:]))
