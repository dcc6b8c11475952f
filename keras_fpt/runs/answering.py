"""Predicts new examples with a finished run, and reads their labels."""

import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_fpt.files import pictures
from keras_fpt.runs import (
    answer_tables,
    answers_on_disk,
    data_description,
    folder,
    lengths,
    manifest,
)
from keras_fpt.runs.config import RunConfig
from keras_fpt.runs.evaluation import load_model, read_moved_config
from keras_fpt.runs.resolved import ResolvedRun, resolve
from keras_fpt.tasks import (
    Stored,
    Task,
    read_new,
    read_new_blocks,
    read_new_indicators,
    read_new_labels,
    read_new_targets,
    read_new_tokens,
    rows_of_tokens,
    sequence_store,
    sequences,
)

Path = str | os.PathLike[str]
Columns = str | Sequence[str] | None


class Answers(NamedTuple):
    """The predictions of a finished run for new examples.

    Args:
        task: the run's `Task`, without data.
        options: dict of the options that the task was made with.
        class_names: list of strings, as they are printed.
        names: n strings, the examples' names, one after the other.
        logits: float array `(n, classes)`; for a regression the numbers,
            `(n, targets)`, or with quantiles `(n, targets, quantiles)`; of a
            forecast `(n, horizon, columns)`, or likewise, which may be on
            disk; of tokens `(n, tokens, classes)`.
        quantiles: tuple of floats, those that the run predicts, if any.
        x: the n sequences.
        block: the part of the new table that the examples are from, see
            `keras_fpt.tasks.read_new_blocks`; `None` if they are all examples
            of the new data.
    """

    task: Task
    options: dict[str, Any]
    class_names: list[str]
    names: Sequence[str]
    logits: Any
    quantiles: tuple[float, ...] = ()
    x: Any = None
    block: Any = None


def answer_in_blocks(
    run_folder: Path, path: Path, preset: Path | None = None
) -> Iterator[Answers]:
    """Reads and predicts new examples, some at a time if there are many.

    Args:
        run_folder, path, preset: as for `predict`.

    Yields:
        `Answers` of some examples, in their order: all of them where
        they are read as a whole.
    """
    config, task = open_run(run_folder, preset)
    blocks = read_new_blocks(task.reader, path, config.options)
    if blocks is None:
        x, names = read_new(task.reader, path, config.options)
        yield ask(run_folder, path, config, task, x, names)
        return
    run = resolve(config, task)
    model = load_model(run, run_folder)
    for block in blocks:
        answers = _ask(run, model, path, block.x, block.names)
        yield answers._replace(block=block)


def open_run(
    run_folder: Path, preset: Path | None = None
) -> tuple[RunConfig, Task]:
    """The configuration and the task, without data, of a finished run.

    Args:
        run_folder, preset: as for `predict`.
    """
    config = read_moved_config(run_folder, preset)
    folder.finished_adapter(run_folder)
    saved = manifest.read(run_folder)
    if saved is not None:
        manifest.check_description(saved, run_folder)
    return config, data_description.read_description(run_folder)


def ask(
    run_folder: Path,
    path: Path,
    config: RunConfig,
    task: Task,
    x: Any,
    names: Sequence[str],
) -> Answers:
    """Predicts examples that have been read, with a finished run.

    Args:
        run_folder, path: as for `predict`.
        config, task: what `open_run` returned.
        x: the examples, as the task's reader reads them.
        names: n strings, their names, one after the other.
    """
    run = resolve(config, task)
    model = load_model(run, run_folder)
    return _ask(run, model, path, x, names)


def _ask(
    run: ResolvedRun, model: Any, path: Path, x: Any, names: Sequence[str]
) -> Answers:
    task = run.task
    is_on_disk = task.is_forecast and sequence_store.is_on_disk(x)
    if not is_on_disk:
        # pandas supports only UTF-8, and names of files may be other bytes.
        names = list(map(pictures.printable, names))
    classes = [pictures.printable(name) for name in task.class_names or ()]
    lengths.check(task, x, names, model.max_sequence_length, path)
    # Sorted by length, so that short sequences are not padded to long ones.
    order = np.argsort(sequences.lengths(x), kind="stable")
    stored = Stored(dict, is_per_token=task.is_per_token)
    size = run.evaluation_batch_size
    logits: Any
    if is_on_disk:  # All examples are of one length.
        logits = answers_on_disk.predict(model, stored, x, order, size)
    else:
        found = model.predict(stored.in_order(x, order, size), verbose=0)
        logits = np.empty(found.shape, np.float32)
        logits[order] = found
    check_finite(logits, names, path)
    return Answers(
        task, run.config.options, classes, names, logits, run.quantiles, x
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
        answers.block,
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
        answers.task.reader,
        path,
        answers.names,
        options,
        labels,
        answers.block,
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
        answers.block,
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


def check_finite(logits: Any, names: Sequence[str], path: Path) -> None:
    """Raises `FloatingPointError` if a prediction is not finite."""
    axes = tuple(range(1, len(logits.shape)))
    is_finite = [
        np.isfinite(part).all(axis=axes)
        for part in sequence_store.chunks(logits)
    ]
    bad = np.flatnonzero(~np.concatenate(is_finite))
    if bad.size:
        raise FloatingPointError(
            f"`{path}`, {names[bad[0]]}: the model's prediction is not finite, "
            f"as for {bad.size:,} of {len(names):,} examples. Look for extreme "
            "values there, or train the run with a lower learning rate."
        )


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
