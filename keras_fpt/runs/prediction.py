"""Predictions of a finished run on new files, or on a split of its data."""

import contextlib
import os
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from keras_fpt import files
from keras_fpt.files import pictures, spreadsheets
from keras_fpt.runs import (
    data_description,
    folder,
    lengths,
    manifest,
    target_results,
    test_examples,
)
from keras_fpt.runs.evaluation import (
    load_model,
    load_trained,
    read_moved_config,
)
from keras_fpt.runs.resolved import resolve
from keras_fpt.tasks import (
    Stored,
    Task,
    read_new,
    read_new_labels,
    read_new_targets,
    sequences,
)

Path = str | os.PathLike[str]


# The beginning of a file of predictions.
MARK = rb'\Aexample,prediction(,"?probability_|,quantile_|_1,|(,label)?\r?\n)'


def predict(
    run_folder: Path,
    path: Path,
    output: Path | None = None,
    overwrite: bool = False,
    preset: Path | None = None,
) -> Any:
    """Predicts the classes, or the numbers, of new examples.

    Args:
        run_folder: path of a finished run on the user's own data.
        path: a file or folder of the kind that the run was trained on;
            labels are not needed.
        output: path of the `.csv` file to write, or `None`. Earlier
            predictions there are replaced.
        overwrite: bool, whether an existing file that keras-fpt did not write
            may be replaced.
        preset: name or path of the run's preset, if it has moved.

    Returns:
        A `pandas.DataFrame` with one row per example: `example` (the row,
        group, file or record), `prediction` (a class name) and
        `probability_<class>` for each class; and `label`, if the new data
        has labels. Of a regression, `prediction` is a number, or there are
        `prediction_1`, `prediction_2`, ... for several; beside each are its
        quantiles, if the run predicts any, as `quantile_0.1` and so on.

    Raises:
        FileExistsError: `output` is the new data, or another file that may
            not be replaced.
        FileNotFoundError: the run, the new data or a preset does not exist.
        ValueError: the new data does not fit what the run was trained on, or
            a file of the run has changed.
        FloatingPointError: an answer is not finite.
    """
    file = None
    if output is not None:
        file = files.Output(output, MARK, (path, run_folder), overwrite)
        file.check()
    answers = answer(run_folder, path, preset)
    if answers.task.is_regression:
        frame = _numbers(answers, path)
        if file is not None:
            file.write(to_csv(frame))
        return frame
    frame = _to_frame(answers.names, answers.class_names, answers.logits)
    # Labels are not needed, whatever they lack.
    with contextlib.suppress(ValueError):
        labels = read_labels(answers, path)
        if {*labels} & {*answers.class_names}:
            frame["label"] = labels
    if file is not None:
        file.write(to_csv(frame))
    return frame


def _numbers(answers: "Answers", path: Path) -> Any:
    """The predictions of a regression; labels are not needed."""

    targets = None
    with contextlib.suppress(ValueError):
        targets = read_targets(answers, path)
    return _to_numbers(answers, targets)


def _to_numbers(answers: "Answers", targets: np.ndarray | None) -> Any:
    """The table of predicted numbers, with the target if there is one."""
    import pandas as pd

    levels = answers.quantiles
    numbers = target_results.points(answers.logits, levels)
    count = numbers.shape[1]
    ends = [""] if count == 1 else [f"_{i + 1}" for i in range(count)]
    columns: dict[str, Any] = {
        "example": list(map(files.without_doubled_words, answers.names))
    }
    for i, end in enumerate(ends):
        columns[f"prediction{end}"] = numbers[:, i]
        for j, level in enumerate(levels):
            columns[f"quantile_{level:g}{end}"] = answers.logits[:, i, j]
    frame = pd.DataFrame(columns)
    if targets is not None and count == 1:
        frame["label"] = targets[:, 0]
    return frame


def predict_split(
    run_folder: Path,
    split: str = "test",
    output: Path | None = None,
    overwrite: bool = False,
    data_dir: Path | None = None,
    preset: Path | None = None,
) -> Any:
    """Predicts a held-out split's examples, which have labels.

    Args:
        run_folder: path of a finished run, on any task.
        split: string, `"validation"`, `"test"` or another held-out split of
            the task.
        output, overwrite: as for `predict`.
        data_dir, preset: as for `keras_fpt.runs.evaluate`.

    Returns:
        A `pandas.DataFrame` as of `predict`, with a column `label`. Where an
        example has several answers, each has a row, and a column `answer`
        counts them from 1.

    Raises:
        FileExistsError, FileNotFoundError, FloatingPointError: as for
            `predict`.
        ValueError: the split is unknown, or the data or the configuration has
            changed.
    """
    file = None
    if output is not None:
        file = files.Output(output, MARK, (run_folder,), overwrite)
        file.check()
    run, model = load_trained(run_folder, data_dir, preset)
    task = run.task
    size = run.evaluation_batch_size
    task.held_out(split, size)  # Checks the split's name.
    logits = test_examples.predict_split(task, split, model, size)
    order = task.data.order(split)
    labels = task.data.labels(split)[order].reshape(len(order), -1)
    names = [f"{split} {i + 1}" for i in order]
    stored: Any = getattr(task.data, "splits", {}).get(split)
    if getattr(stored, "names", None) is not None:
        known = list(map(pictures.printable, stored.names))
        names = [known[i] for i in order]
    if task.is_regression:
        _check_finite(logits, names, f"the split {split}")
        answers = Answers(task, {}, [], names, logits, run.quantiles)
        frame = _to_numbers(answers, labels)
        if file is not None:
            file.write(to_csv(frame))
        return frame
    classes = list(map(str, task.class_names or range(task.num_classes)))
    count = labels.shape[1]
    logits = logits.reshape(-1, len(classes))
    names = [name for name in names for _ in range(count)]
    _check_finite(logits, names, f"the split {split}")
    frame = _to_frame(
        names, list(map(pictures.printable, classes)), logits, labels.ravel()
    )
    if count > 1:
        frame["answer"] = np.tile(np.arange(1, count + 1), len(labels))
    if file is not None:
        file.write(to_csv(frame))
    return frame


def _to_frame(
    names: list[str],
    classes: list[str],
    logits: np.ndarray,
    labels: np.ndarray | None = None,
) -> Any:
    """The table of predictions."""
    import pandas as pd

    probabilities = special.softmax(logits, axis=1)
    columns: dict[str, Any] = {
        "example": list(map(files.without_doubled_words, names)),
        "prediction": [classes[i] for i in probabilities.argmax(axis=1)],
        **{
            f"probability_{name}": probabilities[:, i]
            for i, name in enumerate(classes)
        },
    }
    if labels is not None:
        columns["label"] = [classes[i] for i in labels]
    return pd.DataFrame(columns)


class Answers(NamedTuple):
    """What a finished run answers to new examples.

    Args:
        task: the run's `Task`, without data.
        options: dict of the options that the task was made with.
        class_names: list of strings, as they are printed.
        names: list of n strings, the examples' names.
        logits: float array `(n, classes)`; for a regression the numbers,
            `(n, targets)`, or with quantiles `(n, targets, quantiles)`.
        quantiles: tuple of floats, those of a regression that predicts any.
    """

    task: Task
    options: dict[str, Any]
    class_names: list[str]
    names: list[str]
    logits: np.ndarray
    quantiles: tuple[float, ...] = ()

    @property
    def numbers(self) -> np.ndarray:
        """The answers of a regression, `(n, targets)`."""
        return target_results.points(self.logits, self.quantiles)


def answer(run_folder: Path, path: Path, preset: Path | None = None) -> Answers:
    """Reads new examples, and lets a finished run answer them.

    Args:
        run_folder, path, preset: as for `predict`.
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
    batches = Stored(dict).in_order(x, order, run.evaluation_batch_size)
    found = model.predict(batches, verbose=0)
    logits = np.empty(found.shape, np.float32)
    logits[order] = found
    _check_finite(logits, names, path)
    return Answers(task, config.options, classes, names, logits, run.quantiles)


def read_labels(
    answers: Answers,
    path: Path,
    labels: Path | None = None,
    label_column: str | None = None,
) -> list[str]:
    """The labels of a new file's examples, as `read_new_labels` reads them."""
    options = dict(answers.options)
    if label_column is not None:
        options["label_column"] = label_column
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
    label_column: str | None = None,
) -> np.ndarray:
    """The numbers of a new file's examples, for a regression.

    Returns:
        Float array `(n, targets)`.

    Raises:
        ValueError: the file has no labels, or one that is not a number.
    """
    options = dict(answers.options)
    if label_column is not None:
        options["label_column"] = label_column
    return read_new_targets(
        answers.task.reader, path, answers.names, options, labels
    )


def _check_finite(logits: np.ndarray, names: list[str], path: Path) -> None:
    axes = tuple(range(1, logits.ndim))
    bad = np.flatnonzero(~np.isfinite(logits).all(axis=axes))
    if bad.size:
        raise FloatingPointError(
            f"`{path}`, {names[bad[0]]}: the model's answer is not finite, as "
            f"for {bad.size:,} of {len(names):,} examples. Look for extreme "
            "values there, or train the run with a lower learning rate."
        )


def to_csv(predictions: Any) -> str:
    """Predictions as CSV text, in which no cell begins a formula.

    Args:
        predictions: `pandas.DataFrame` of `predict`.
    """
    texts = [
        name
        for name in ("example", "prediction", "label")
        if name in predictions and predictions[name].dtype.kind != "f"
    ]
    cells = {
        name: predictions[name].map(spreadsheets.escape_formula)
        for name in texts
    }
    # Probabilities, or numbers in a unit of their own.
    form = "%.6f" if "prediction" in texts else "%.9g"
    return predictions.assign(**cells).to_csv(index=False, float_format=form)


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
