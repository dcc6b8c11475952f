"""Computes the features of a model's frozen part once."""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np

from keras_fpt import backbones, freezing

# The models whose answers follow from what the readout returns.
_HEADS = ("classifier", "multi_label", "regressor")


def check_constant(model: Any) -> None:
    """Checks that a model has the same features in every epoch.

    Args:
        model: an `FPTClassifier`, `FPTMultiLabelClassifier` or
            `FPTRegressor`.

    Raises:
        ValueError: the output layer is not the only one that trains, or the
            backbone or the input has dropout.
    """
    if model.head not in _HEADS:
        raise ValueError(
            "Features can be cached only for an FPTClassifier, an "
            "FPTMultiLabelClassifier or an FPTRegressor, and this is an "
            f"{type(model).__name__}. Train the model itself with "
            "policy='output_only'."
        )
    output = {
        id(variable) for variable in freezing.parameter_groups(model)["output"]
    }
    if any(id(v) not in output for v in model.trainable_variables):
        raise ValueError(
            "Features stay the same only while the output layer alone is "
            f"trained, but the policy is '{model.policy}'. Use "
            "policy='output_only'."
        )
    config = model.backbone.get_config()
    names = backbones.dropout_names(model.backbone)
    rate = max((config[name] for name in names), default=0)
    if rate:
        raise ValueError(
            "Features stay the same only without dropout, but the backbone's "
            f"rate is {rate}. Use dropout=0."
        )
    if model.input_dropout_layer is not None:
        raise ValueError(
            "Features stay the same only without dropout, but the model has "
            f"input_dropout={model.options.input_dropout}. Leave it out."
        )


def compute(
    model: Any,
    batches: Iterable[Any],
    order: np.ndarray,
    path: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Computes the features of batches of examples.

    Args:
        model: an `FPTClassifier`, or another model.
        batches: iterable of inputs of the model, as NumPy arrays.
        order: int array `(n,)`, the index of each example, in the order of
            the batches.
        path: `.npy` file for the features, so that they do not need memory,
            or `None`.

    Returns:
        float32 array `(n, num_output_tokens, width)`, by the index of the
        example.

    Raises:
        OSError: the file cannot be written, or the disk is full.
    """
    shape = (len(order), *features_shape(model))
    if path is None:
        features = np.empty(shape, "float32")
    else:
        features = np.lib.format.open_memmap(path, "w+", "float32", shape)
        _reserve_space(path)
    start = 0
    for new in of_batches(model, batches):
        features[order[start : start + len(new)]] = new
        start += len(new)
    return features


def of_batches(model: Any, batches: Iterable[Any]) -> Iterator[np.ndarray]:
    """The features of each batch, which are not kept.

    Args:
        model, batches: as of `compute`.

    Yields:
        float32 array `(batch, num_output_tokens, width)`, or
        `(batch, tokens, width)` of a model that reads all tokens.
    """
    frozen = _FrozenPart(model)
    for batch in batches:
        yield frozen.predict_on_batch(batch)


def features_shape(model: Any) -> tuple[int, int]:
    """The shape of the features of one example.

    Args:
        model: an `FPTClassifier`.

    Raises:
        ValueError: it follows from data that the model has not seen yet.
    """
    if not model.output_layer.built:
        raise ValueError(
            "The number of features is not known before the first batch. Build "
            "the model with the shape of its tokens first: "
            "model.build((None, tokens, dim))."
        )
    width = model.states_width(model.sequence_length, model.input_dim)
    return model.readout_layer.num_tokens, width


def _reserve_space(path: str | os.PathLike[str]) -> None:
    """Raises `OSError` if the disk is too full for a file's size.

    Writing to a memory-mapped file on a full disk would end the process.
    """
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.path.getsize(path))


def batched(x: Any, batch_size: int) -> Iterator[Any]:
    """Splits an array, or a dict of arrays, into batches of rows."""
    size = len(keras.tree.flatten(x)[0])
    for start in range(0, size, batch_size):
        rows = slice(start, start + batch_size)
        yield keras.tree.map_structure(lambda array, r=rows: array[r], x)


def head(model: Any) -> keras.Model:
    """A model from features to the answers of a model.

    It shares the output layer and the optimizer, and is compiled in the same
    way.
    """
    check_constant(model)
    is_regression = model.head == "regressor"
    if is_regression and not model.target_layer.is_adapted:
        raise ValueError(
            "The mean and the standard deviation of the targets are not "
            "known. Call model.adapt(y) with the training targets first."
        )
    features = keras.Input(features_shape(model))
    make = _RegressionHead if is_regression else keras.Model
    head = make(features, model.answers(features), name="head")
    if isinstance(head, _RegressionHead):
        # Methods, which Keras does not take for layers of the head.
        head.loss_arguments = model.loss_arguments
        head.metric_arguments = model.metric_arguments
    settings = model.get_compile_config()
    head.compile(
        optimizer=model.optimizer,
        loss=model.loss,
        metrics=keras.saving.deserialize_keras_object(settings["metrics"]),
        jit_compile=model.jit_compile,
    )
    return head


class _RegressionHead(keras.Model):
    """The output layer of an `FPTRegressor`, with the loss of its own."""

    loss_arguments: Callable[[Any, Any], tuple[Any, Any]]
    metric_arguments: Callable[[Any, Any], tuple[Any, Any]]

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        y, y_pred = self.loss_arguments(y, y_pred)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        y, y_pred = self.metric_arguments(y, y_pred)
        return super().compute_metrics(x, y, y_pred, sample_weight)


class _FrozenPart(keras.Model):
    def __init__(self, classifier):
        super().__init__(name="frozen_part")
        self.classifier = classifier
        self.built = True

    def call(self, x):
        return self.classifier.read_states(x, training=False)
