"""Scores of a finished run on labeled files that it has not seen."""

import logging
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from keras_fpt.runs import class_results, label_results, target_results
from keras_fpt.runs.new_answers import (
    Answers,
    answer,
    read_indicators,
    read_labels,
    read_targets,
    read_tokens,
    token_probabilities,
)

LOGGER = logging.getLogger(__name__)
Path = str | os.PathLike[str]


def evaluate_file(
    run_folder: Path,
    path: Path,
    labels: Path | None = None,
    label_column: str | Sequence[str] | None = None,
    preset: Path | None = None,
) -> dict[str, Any]:
    """Scores a finished run on a labeled file or folder.

    Args:
        run_folder: path of a finished run on the user's own data.
        path: a file or folder of the kind that the run was trained on: a
            table with the column of labels, an `.npz` file with `x` and `y`,
            a folder with one subfolder per class, and so on.
        labels: path of the labels, if they are in another file, as for a
            FASTA file.
        label_column: string or strings, the columns of labels, if they have
            other names than in training.
        preset: name or path of the run's preset, if it has moved.

    Returns:
        A dict of `examples`, `accuracy`, `loss`, `majority` (the most common
        class of the file), `majority_accuracy`, and what
        `keras_fpt.runs.train` measures of classes. For a regression, of
        `examples`, `mae`, `rmse` and `r2`, and of quantiles also of what
        `target_results.measure_quantiles` finds. Where an example may have
        several labels, `accuracy` is the share of all labels that are right,
        and beside it is what `label_results.measure` finds; where rows have a
        label each, accuracies are of the rows.

    Raises:
        FileNotFoundError: the run, a file or a preset does not exist.
        ValueError: the file does not fit what the run was trained on, has no
            labels, or has others than the run's classes.
        FloatingPointError: an answer is not finite.
    """
    answers = answer(run_folder, path, preset)
    if answers.task.is_regression:
        numbers = read_targets(answers, path, labels, label_column)
        scores = target_results.measure(answers.numbers, numbers)
        if answers.quantiles:
            scores |= target_results.measure_quantiles(
                answers.logits, numbers, answers.quantiles
            )
        return {"examples": len(numbers), **scores}
    if answers.task.is_multilabel:
        y = read_indicators(answers, path, labels, label_column)
        return _several(answers.logits, y, answers.class_names)
    if answers.task.is_per_token:
        return _tokens(answers, path, labels, label_column)
    found = read_labels(answers, path, labels, label_column)
    names, logits = answers.class_names, answers.logits
    has_windows = getattr(answers.task.reader, "window", None) is not None
    if answers.options.get("drop_missing") or has_windows:
        has_label = np.array([label != "" for label in found])
        if has_label.any() and not has_label.all():
            why = "that no label is the most common in" * has_windows
            LOGGER.info(
                f"left out: {int((~has_label).sum()):,} examples "
                f"{why or 'without a label'}, as in training"
            )
            found = [label for label in found if label]
            logits = logits[has_label]
            answers = answers._replace(
                names=[answers.names[i] for i in np.flatnonzero(has_label)],
            )
    is_unknown = ~np.isin(found, names)
    if is_unknown.any():
        index = int(np.argmax(is_unknown))
        unknown = sorted({label for label in found if label not in names})
        if not found[index]:
            raise ValueError(
                f"`{path}`, {answers.names[index]}: the label is missing. "
                "Remove the example, or label it."
            )
        raise ValueError(
            f"`{path}`, {answers.names[index]}: the label '{found[index]}' is "
            f"not a class of the run. {len(unknown)} of the file's labels are "
            f"not: {', '.join(unknown[:8])}. The classes are "
            f"{', '.join(names[:8])}{', ...' * (len(names) > 8)}."
        )
    index_of = {name: i for i, name in enumerate(names)}
    y = np.array([index_of[label] for label in found])
    return _one_class(logits, y, names)


def _one_class(
    logits: np.ndarray, y: np.ndarray, names: Sequence[str]
) -> dict[str, Any]:
    """Scores of one class for each example, or for each row."""
    counts = np.bincount(y, minlength=len(names))
    right = logits.argmax(axis=1) == y
    logs = special.log_softmax(logits.astype(np.float64), axis=1)
    return {
        "examples": len(y),
        "accuracy": float(right.mean()),
        "loss": float(-logs[np.arange(len(y)), y].mean()),
        "majority": names[int(counts.argmax())],
        "majority_accuracy": float(counts.max() / len(y)),
        **class_results.measure(logits, y, names),
    }


def _several(
    logits: np.ndarray, y: np.ndarray, names: Sequence[str]
) -> dict[str, Any]:
    """Scores of several labels per example."""
    logits = logits.astype(np.float64)
    # The binary cross-entropy of logits.
    losses = np.logaddexp(0, logits) - logits * y
    constant = np.maximum(y.mean(axis=0), 1 - y.mean(axis=0))
    return {
        "examples": len(y),
        "accuracy": float(((logits > 0) == y).mean()),
        "loss": float(losses.mean()),
        "majority_accuracy": float(constant.mean()),
        **label_results.measure(logits, y, names),
    }


def _tokens(
    answers: Answers,
    path: Path,
    labels: Path | None,
    label_column: str | Sequence[str] | None,
) -> dict[str, Any]:
    """Scores of the classes of a file's rows, or of an array's tokens."""
    y = read_tokens(answers, path, labels, label_column)
    _, probabilities = token_probabilities(answers, path)
    has_label = y >= 0
    if not has_label.any():
        raise ValueError(f"`{path}` has no labels.")
    tiny = np.finfo(np.float64).tiny
    logs = np.log(np.maximum(probabilities[has_label], tiny))
    return _one_class(logs, y[has_label], answers.class_names)
