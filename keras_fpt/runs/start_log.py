"""Logs the settings of a run before its first step."""

import logging
import pathlib

import keras

from keras_fpt import freezing
from keras_fpt.models import FPTClassifier
from keras_fpt.runs import answer_words
from keras_fpt.runs.resolved import ResolvedRun

LOGGER = logging.getLogger(__name__)


def log_start(
    run: ResolvedRun, model: FPTClassifier, run_folder: pathlib.Path
) -> None:
    """Logs what a run trains, on which data, with which settings."""
    trained = freezing.count_parameters(model.trainable_variables)
    total = freezing.count_parameters(model.weights)
    LOGGER.info(f"Task {run.task.name}: {run.task.description}.")
    LOGGER.info(answer_words.describe(run.task))
    LOGGER.info(
        f"Arm {run.arm.name} ({run.arm.description}) of {run.preset.text}: "
        f"{trained:,} of {total:,} parameters are trained."
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
