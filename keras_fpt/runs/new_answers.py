"""What a finished run answers to the examples of a new file."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_fpt.files import pictures
from keras_fpt.runs import (
    answer_tables,
    data_description,
    folder,
    lengths,
    manifest,
    target_results,
)
from keras_fpt.runs.evaluation import load_model, read_moved_config
from keras_fpt.runs.resolved import resolve
from keras_fpt.tasks import (
    Stored,
    Task,
    read_new,
    read_new_indicators,
    read_new_labels,
    read_new_targets,
    read_new_tokens,
    rows_of_tokens,
    sequences,
)

Path = str | os.PathLike[str]
Columns = str | Sequence[str] | None


class Answers(NamedTuple):
    """What a finished run answers to new examples.

    Args:
        task: the run's `Task`, without data.
        options: dict of the options that the task was made with.
        class_names: list of strings, as they are printed.
        names: list of n strings, the examples' names.
        logits: float array `(n, classes)`; for a regression the numbers,
            `(n, targets)`, or with quantiles `(n, targets, quantiles)`; of
            tokens `(n, tokens, classes)`.
        quantiles: tuple of floats, those of a regression that predicts any.
        x: the n sequences.
    """

    task: Task
    options: dict[str, Any]
    class_names: list[str]
    names: list[str]
    logits: np.ndarray
    quantiles: tuple[float, ...] = ()
    x: Any = None

    @property
    def numbers(self) -> np.ndarray:
        """The answers of a regression, `(n, targets)`."""
        return target_results.points(self.logits, self.quantiles)


def answer(run_folder: Path, path: Path, preset: Path | None = None) -> Answers:
    """Reads new examples, and lets a finished run answer them.

    Args:
        run_folder, path, preset: as for `keras_fpt.runs.predict`.
    """
    config = read_moved_config(run_folder, preset)
    folder.finished_adapter(run_folder)
    saved = manifest.read(run_folder)
    if saved is not None:
        manifest.check_description(saved, run_folder)
    task = data_description.read_description(run_folder)
    x, names = read_new(task.reader, path, config.options)
    # pandas holds UTF-8 alone, and names of files may be other bytes.
    names = list(map(pictures.printable, names))
    classes = [pictures.printable(name) for name in task.class_names or ()]
    run = resolve(config, task)
    model = load_model(run, run_folder)
    _check_lengths(task, x, names, model.max_sequence_length, path)
    # Sorted by length, so that short sequences are not padded to long ones.
    order = np.argsort(sequences.lengths(x), kind="stable")
    stored = Stored(dict, is_per_token=task.is_per_token)
    batches = stored.in_order(x, order, run.batch_size)
    found = model.predict(batches, verbose=0)
    logits = np.empty(found.shape, np.float32)
    logits[order] = found
    check_finite(logits, names, path)
    return Answers(
        task, config.options, classes, names, logits, run.quantiles, x
    )


def read_labels(
    answers: Answers,
    path: Path,
    labels: Path | None = None,
    label_column: Columns = None,
) -> list[str]:
    """The labels of a new file's examples, as `read_new_labels` reads them."""
    options = _options(answers, label_column)
    found = read_new_labels(
        answers.task.reader,
        path,
        answers.names,
        answers.task.class_names or (),
        options,
        labels,
    )
    return list(map(pictures.printable, found))


def read_targets(
    answers: Answers,
    path: Path,
    labels: Path | None = None,
    label_column: Columns = None,
) -> np.ndarray:
    """The numbers of a new file's examples, for a regression.

    Returns:
        Float array `(n, targets)`.

    Raises:
        ValueError: the file has no labels, or one that is not a number.
    """
    options = _options(answers, label_column)
    return read_new_targets(
        answers.task.reader, path, answers.names, options, labels
    )


def read_indicators(
    answers: Answers,
    path: Path,
    labels: Path | None = None,
    label_column: Columns = None,
) -> np.ndarray:
    """Which of several labels a new file's examples have.

    Returns:
        int8 array `(n, labels)` of 0 and 1.

    Raises:
        ValueError: the file has no labels, or others than those of training.
    """
    names = answers.task.class_names or ()
    if label_column and sorted(label_column) == sorted(names):
        label_column = names  # In the order of training.
    return read_new_indicators(
        answers.task.reader,
        path,
        answers.names,
        names,
        _options(answers, label_column),
        labels,
    )


def read_tokens(
    answers: Answers,
    path: Path,
    labels: Path | None = None,
    label_column: Columns = None,
) -> np.ndarray:
    """The classes of a new file's rows or tokens.

    Returns:
        int array `(n,)`, in the order of `token_probabilities`; -1 where
        there is none.

    Raises:
        ValueError: the file has no labels, or others than those of training.
    """
    found = read_new_tokens(
        answers.task.reader,
        path,
        answers.x,
        answers.task.class_names or (),
        _options(answers, label_column),
        labels,
    )
    if found.ndim == 1:
        return found
    lengths = sequences.lengths(answers.x)
    return found[np.arange(found.shape[1]) < lengths[:, None]]


def _options(answers: Answers, label_column: Columns) -> dict[str, Any]:
    """The options of training, with the columns of labels of a new file."""
    options = dict(answers.options)
    if label_column:
        options["label_column"] = label_column
    return options


def token_probabilities(
    answers: Answers, path: Path
) -> tuple[list[str], np.ndarray]:
    """The probabilities of the classes of a new file's rows or tokens.

    Returns:
        A tuple: list of n names, and float array `(n, classes)`.
    """
    places, names = rows_of_tokens(
        answers.task.reader, path, answers.x, answers.names
    )
    return names, answer_tables.mean_probabilities(answers.logits, places)


def check_finite(logits: np.ndarray, names: list[str], path: Path) -> None:
    """Raises `FloatingPointError` if an answer is not finite."""
    axes = tuple(range(1, logits.ndim))
    bad = np.flatnonzero(~np.isfinite(logits).all(axis=axes))
    if bad.size:
        raise FloatingPointError(
            f"`{path}`, {names[bad[0]]}: the model's answer is not finite, as "
            f"for {bad.size:,} of {len(names):,} examples. Look for extreme "
            "values there, or train the run with a lower learning rate."
        )


def _check_lengths(
    task: Task, x: Any, names: list[str], limit: int | None, path: Path
) -> None:
    found = sequences.lengths(x)
    longest = int(np.argmax(found))
    if limit is not None and found[longest] > limit:
        raise ValueError(
            f"`{path}`, {names[longest]}: {found[longest]:,} tokens are more "
            f"than the {limit:,} positions of the run's preset. "
            f"{lengths.advice(task)}"
        )
