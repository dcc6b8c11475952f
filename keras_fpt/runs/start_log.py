"""What a run says about itself before its first step."""

import logging
import pathlib

import keras
import numpy as np

from keras_fpt import freezing
from keras_fpt.models import FPTClassifier
from keras_fpt.runs.resolved import ResolvedRun
from keras_fpt.tasks import Task

LOGGER = logging.getLogger(__name__)
CLASSES_SHOWN = 5


def log_start(
    run: ResolvedRun, model: FPTClassifier, run_folder: pathlib.Path
) -> None:
    """Logs what a run trains, on which data, with which settings."""
    trained = freezing.count_parameters(model.trainable_variables)
    total = freezing.count_parameters(model.weights)
    LOGGER.info(f"Task {run.task.name}: {run.task.description}.")
    LOGGER.info(_describe_answers(run.task))
    LOGGER.info(
        f"Arm {run.arm.name} ({run.arm.description}) of {run.preset.text}: "
        f"{trained:,} of {total:,} parameters train."
    )
    if run.config.model.patch_size is None and model.options.patch_size:
        LOGGER.info(
            f"Patches: each token joins {model.options.patch_size:,} steps, so "
            f"that the longest sequence, of {run.task.sequence_length:,}, has "
            f"{model.front.num_tokens(run.task.sequence_length):,} tokens. "
            "Another size: --patch-size."
        )
    if run.config.cache_features:
        LOGGER.info(
            "The frozen features of the training examples are computed once, "
            "before the first step."
        )
    LOGGER.info(
        f"{run.steps:,} steps, batch size {run.batch_size}, learning rate "
        f"{run.learning_rate:g}, dropout {run.model.dropout:g}, seed "
        f"{run.seed}, {keras.backend.backend()} backend. Output: {run_folder}"
    )


def _describe_answers(task: Task) -> str:
    """The shares of classes, or the targets, in train, and a baseline."""
    if task.is_regression:
        floors = task.target_floors("validation")
        return (
            f"Targets of train: {task.describe_targets('train')}. Baseline: "
            "always predicting the mean has an RMSE of "
            f"{floors['floor_rmse']:.4g} on validation."
        )
    counts = task.class_counts("train")
    baseline = (
        "Baseline: always guessing the most common class scores "
        f"{task.majority_accuracy('validation'):.1%} on validation."
    )
    if counts is None:
        return f"Answers are generated. {baseline}"
    most_common = np.argsort(-counts, kind="stable")[:CLASSES_SHOWN]
    shares = ", ".join(
        f"{task.class_names[i] if task.class_names else i} "
        f"{counts[i] / counts.sum():.1%}"
        for i in most_common
    )
    more = len(counts) - len(most_common)
    shares += f" and {more:,} more" if more else ""
    return f"Classes of train: {shares}. {baseline}"
