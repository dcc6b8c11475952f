"""Builds the compiled model of a resolved run."""

import dataclasses
from typing import Any

import keras
import numpy as np

from keras_fpt.models import (
    HEADS,
    FPTModel,
    default_dropout,
    paper_optimizer,
)
from keras_fpt.runs import lengths, patching
from keras_fpt.runs.resolved import ResolvedRun
from keras_fpt.tasks import Task, sequences


def make_backbone(run: ResolvedRun) -> Any:
    """The backbone of a run, with weights as they were loaded or drawn.

    Args:
        run: a `ResolvedRun`.

    Raises:
        FileNotFoundError, ValueError: the preset cannot be loaded.
    """
    length = patching.num_tokens(run.task, run.model)
    task = dataclasses.replace(run.task, sequence_length=length)
    return run.arm.make_backbone(run.preset, task, run.draw, run.model.dtype)


def build_model(run: ResolvedRun, backbone: Any = None) -> FPTModel:
    """The compiled model of a run, before training.

    A regressor has the mean and the standard deviation of the training
    targets, unless the task has no data, as for predictions.

    Args:
        run: a `ResolvedRun`.
        backbone: the run's backbone; `None` makes it.

    Raises:
        ValueError: the preset cannot be loaded, or has too few positions.
    """
    task, options = run.task, run.model
    backbone = make_backbone(run) if backbone is None else backbone
    if run.config.model.dropout is None:
        rate = default_dropout(backbone, options.dropout)
        options = dataclasses.replace(options, dropout=rate)
    size = patching.patch_size(run, backbone)
    options = dataclasses.replace(
        options, patch_size=size, sequence_length=task.sequence_length
    )
    if options.learned_positions is True:
        length = patching.num_tokens(task, options)
        options = dataclasses.replace(options, learned_positions=length)
    arguments = dataclasses.asdict(options)
    if task.is_regression:
        arguments["loss"] = run.config.loss or "mse"
        arguments["quantiles"] = run.quantiles or None
    del arguments["dtype"]  # The backbone has it.
    make: Any = HEADS[task.head]
    model = make(
        backbone, **(task.model_arguments() | arguments), compile=False
    )
    limit = model.max_sequence_length
    if limit is not None and task.sequence_length > limit:
        raise ValueError(
            f"The task '{task.name}' has sequences of {task.sequence_length} "
            f"tokens, but the preset '{run.preset.text}' has {limit} "
            f"positions. {lengths.advice(task)}"
        )
    optimizer = paper_optimizer(
        run.learning_rate, run.config.gradient_accumulation_steps
    )
    if task.is_regression and task.data is not None:
        _adapt(model, task.data.labels("train"))
    if task.head == "classifier":
        model.compile(optimizer=optimizer, metrics=_metrics(task))
    else:
        model.compile(optimizer=optimizer)
    return model


def _metrics(task: Task) -> list[keras.metrics.Metric]:
    metrics = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
    if task.top_5:
        top_5 = keras.metrics.SparseTopKCategoricalAccuracy
        metrics.append(top_5(5, name="top_5_accuracy"))
    return metrics


def _adapt(model: Any, labels: Any) -> None:
    """Takes the statistics of the labels, which may be on disk."""
    if isinstance(labels, np.ndarray):
        model.adapt(labels)
    else:
        model.target_layer.assign(*sequences.statistics_of_labels(labels))
