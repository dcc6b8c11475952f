"""Scores of a finished run on labeled files that it has not seen."""

import logging
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from keras_fpt.runs import (
    class_results,
    forecasts,
    label_results,
    target_results,
)
from keras_fpt.runs.answering import (
    Answers,
    answer_in_blocks,
    ask,
    open_run,
    read_indicators,
    read_labels,
    read_targets,
    read_tokens,
    token_probabilities,
)
from keras_fpt.tasks import read_new_windows

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
        class of the file), `majority_accuracy`, and the per-class metrics of
        `keras_fpt.runs.train`. For a regression, of `examples`, `mae`, `rmse`
        and `r2`, and of quantiles also of what
        `target_results.measure_quantiles` returns. Where an example may have
        several labels, `accuracy` is the share of all labels that are right,
        together with what `label_results.measure` returns; where rows have a
        label each, accuracies are those of the rows. For a forecast,
        from every row of the file that has a context before it and a horizon
        after it, of `examples`, `mse`, `mae` and `forecasts`, see
        `forecasts.evaluate_windows`.

    Raises:
        FileNotFoundError: the run, a file or a preset does not exist.
        ValueError: the file does not fit what the run was trained on, has no
            labels, or has labels that are not classes of the run.
        FloatingPointError: a prediction is not finite.
    """
    config, task = open_run(run_folder, preset)
    if task.is_forecast:
        if labels is not None or label_column is not None:
            raise ValueError(
                "A forecast is scored by the rows that follow in the file: "
                "leave out labels and label_column (--labels, --label-column)."
            )
        windows = read_new_windows(task.reader, path)
        answers = ask(run_folder, path, config, task, windows.x, windows.names)
        return forecasts.evaluate_windows(
            task.reader, answers, windows.x, windows.y
        )
    if task.is_per_token:
        (answers,) = answer_in_blocks(run_folder, path, preset)
        return _tokens(answers, path, labels, label_column)
    logits, y = [], []
    missing = None
    for answers in answer_in_blocks(run_folder, path, preset):
        if task.is_regression:
            found = read_targets(answers, path, labels, label_column)
        elif task.is_multilabel:
            found = read_indicators(answers, path, labels, label_column)
        else:
            texts = read_labels(answers, path, labels, label_column)
            found = _indices(texts, answers, path)
            if missing is None and (found < 0).any():
                missing = answers.names[int(np.argmax(found < 0))]
        logits.append(answers.logits)
        y.append(found)
    names = answers.class_names
    all_logits, all_y = np.concatenate(logits), np.concatenate(y)
    if task.is_regression:
        return _numbers(all_logits, all_y, answers.quantiles)
    if task.is_multilabel:
        return _several(all_logits, all_y, names)
    if missing is not None:
        is_kept = _labeled(all_y, answers, missing, path)
        all_logits, all_y = all_logits[is_kept], all_y[is_kept]
    return _one_class(all_logits, all_y, names)


def _indices(texts: list[str], answers: Answers, path: Path) -> np.ndarray:
    """The classes of labels as numbers, -1 where one is missing.

    Raises:
        ValueError: a label is not a class of the run.
    """
    names = answers.class_names
    index_of = {"": -1} | {name: i for i, name in enumerate(names)}
    unknown = [
        *dict.fromkeys(label for label in texts if label not in index_of)
    ]
    if unknown:
        index = texts.index(unknown[0])
        raise ValueError(
            f"`{path}`, {answers.names[index]}: the label '{unknown[0]}' is "
            f"not a class of the run. {len(unknown)} of the file's labels are "
            f"not: {', '.join(sorted(unknown)[:8])}. The classes are "
            f"{', '.join(names[:8])}{', ...' * (len(names) > 8)}."
        )
    return np.array([index_of[label] for label in texts], int)


def _labeled(
    y: np.ndarray, answers: Answers, missing: str, path: Path
) -> np.ndarray:
    """Which examples have a label, if others may lack one.

    Args:
        y: int array `(n,)`, -1 where a label is missing.
        answers: `Answers` of some of the examples.
        missing: string, the name of the first example without a label.
        path: the file, for errors.

    Raises:
        ValueError: none may.
    """
    has_label = y >= 0
    has_windows = getattr(answers.task.reader, "window", None) is not None
    may_lack = answers.options.get("drop_missing") or has_windows
    if not (may_lack and has_label.any()):
        raise ValueError(
            f"`{path}`, {missing}: the label is missing. Remove the example, "
            "or label it."
        )
    why = "that no label is the most common in" * has_windows
    LOGGER.info(
        f"left out: {int((~has_label).sum()):,} examples "
        f"{why or 'without a label'}, as in training"
    )
    return has_label


def _numbers(
    logits: np.ndarray, targets: np.ndarray, quantiles: Sequence[float]
) -> dict[str, Any]:
    """Scores of a regression."""
    points = target_results.points(logits, quantiles)
    scores = target_results.measure(points, targets)
    if len(quantiles):
        scores |= target_results.measure_quantiles(logits, targets, quantiles)
    return {"examples": len(targets), **scores}


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
