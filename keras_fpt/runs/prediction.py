"""Predictions of a finished run on new files, or on a split of its data."""

import contextlib
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from scipy import special

from keras_fpt import files
from keras_fpt.files import pictures, spreadsheets
from keras_fpt.runs import (
    answer_tables,
    forecasts,
    target_results,
    test_examples,
)
from keras_fpt.runs.answering import (
    Answers,
    answer_in_blocks,
    check_finite,
    read_indicators,
    read_labels,
    read_targets,
    read_tokens,
    token_probabilities,
)
from keras_fpt.runs.evaluation import load_trained

Path = str | os.PathLike[str]

# The beginning of a file of predictions.
MARK = (
    rb'\Aexample,(step,|prediction(,"?probability_|,quantile_|_1,|'
    rb"(,label)?\r?\n))"
)


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
        `prediction_1`, `prediction_2`, ... for several; each is followed by its
        quantiles, if the run predicts any, as `quantile_0.1` and so on. Where
        an example may have several labels, or rows have a label each, see
        `answer_tables`: of a table whose rows have a label each there is one
        row per row, which is the mean over the windows that contain it. For a
        forecast, it is what `forecasts.following` returns: one row for each
        step after the last row of each series.

    Raises:
        FileExistsError: `output` is the new data, or another file that may
            not be replaced.
        FileNotFoundError: the run, the new data or a preset does not exist.
        ValueError: the new data does not fit what the run was trained on, or
            a file of the run has changed.
        FloatingPointError: a prediction is not finite.
    """
    import pandas as pd

    frames = [*predict_in_blocks(run_folder, path, output, overwrite, preset)]
    return (
        frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    )


def predict_in_blocks(
    run_folder: Path,
    path: Path,
    output: Path | None = None,
    overwrite: bool = False,
    preset: Path | None = None,
) -> Iterator[Any]:
    """Predicts new examples, of a large table some at a time.

    So neither the table nor its predictions need to fit into memory.

    Args:
        run_folder, path, output, overwrite, preset: as for `predict`. The
            output is complete once the iterator ends.

    Yields:
        What `predict` returns, in parts: `pandas.DataFrame`s of the same
        columns. A column `label` is there if the first part has labels; it is
        empty, or NaN, where a later part has none.

    Raises:
        FileExistsError, FileNotFoundError, FloatingPointError, ValueError: as
            for `predict`.
    """
    if output is None:
        yield from _frames(run_folder, path, preset)
        return
    file = files.Output(output, MARK, (path, run_folder), overwrite)
    file.check()
    frames = _frames(run_folder, path, preset)
    first = next(frames)  # Errors come before a file is made.
    with file.writing() as write:
        for number, frame in enumerate(itertools.chain([first], frames)):
            write(to_csv(frame, header=not number))
            yield frame


def _frames(run_folder: Path, path: Path, preset: Path | None) -> Iterator[Any]:
    """The tables of predictions, each of some of the new examples."""
    has_label: bool | None = None
    for answers in answer_in_blocks(run_folder, path, preset):
        frame = _frame(answers, path, has_label)
        if has_label is None:
            has_label = "label" in frame
        elif has_label and "label" not in frame:
            frame["label"] = np.nan if answers.task.is_regression else ""
        elif not has_label:
            frame = frame.drop(columns="label", errors="ignore")
        yield frame


def _frame(answers: Answers, path: Path, has_label: bool | None) -> Any:
    """The table of the predictions of some new examples.

    Args:
        answers: `Answers`.
        path: the new data.
        has_label: bool, whether the examples before had labels; `None` if
            there were none.
    """
    if answers.task.is_forecast:
        return forecasts.following(answers, path)
    if answers.task.is_regression:
        return _numbers(answers, path)
    if answers.task.is_multilabel:
        return _labels(answers, path)
    if answers.task.is_per_token:
        return _tokens(answers, path)
    frame = _to_frame(answers.names, answers.class_names, answers.logits)
    # Labels are not needed, whatever they lack.
    with contextlib.suppress(ValueError):
        labels = read_labels(answers, path)
        if has_label or {*labels} & {*answers.class_names}:
            frame["label"] = labels
    return frame


def _numbers(answers: Answers, path: Path) -> Any:
    """The predictions of a regression; labels are not needed."""
    targets = None
    with contextlib.suppress(ValueError):
        targets = read_targets(answers, path)
    return _to_numbers(answers, targets)


def _labels(answers: Answers, path: Path) -> Any:
    """The predictions of several labels; labels are not needed."""
    labels = None
    with contextlib.suppress(ValueError):
        labels = read_indicators(answers, path)
    return answer_tables.of_labels(
        answers.names, answers.class_names, answers.logits, labels
    )


def _tokens(answers: Answers, path: Path) -> Any:
    """The predictions of the tokens' classes; labels are not needed."""
    names, probabilities = token_probabilities(answers, path)
    labels = None
    with contextlib.suppress(ValueError, KeyError):
        labels = read_tokens(answers, path)
    return answer_tables.of_tokens(
        names, answers.class_names, probabilities, labels
    )


def _to_numbers(answers: Answers, targets: np.ndarray | None) -> Any:
    """The table of predicted numbers, with the targets if there are any."""
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
        counts them from 1. Of a forecast, it is what `forecasts.beside_truth`
        returns.

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
    # Of all examples, as the table of them is.
    logits = test_examples.predict_split(task, split, model, size)[:]
    order = task.data.order(split)
    labels = task.data.labels(split)[order].reshape(len(order), -1)
    names = [f"{split} {i + 1}" for i in order]
    stored: Any = getattr(task.data, "splits", {}).get(split)
    if getattr(stored, "names", None) is not None:
        known = list(map(pictures.printable, stored.names))
        names = [known[i] for i in order]
    if task.is_regression:
        check_finite(logits, names, f"the split {split}")
        if task.is_forecast:
            frame = forecasts.beside_truth(
                task.reader, names, logits, labels, run.quantiles
            )
            if file is not None:
                file.write(to_csv(frame))
            return frame
        answers = Answers(task, {}, [], names, logits, run.quantiles)
        frame = _to_numbers(answers, labels)
        if file is not None:
            file.write(to_csv(frame))
        return frame
    classes = list(map(str, task.class_names or range(task.num_classes)))
    if task.is_multilabel or task.is_per_token:
        check_finite(logits, names, f"the split {split}")
        classes = list(map(pictures.printable, classes))
        frame = (
            answer_tables.of_labels(names, classes, logits, labels)
            if task.is_multilabel
            else _split_tokens(names, classes, logits, labels)
        )
        if file is not None:
            file.write(to_csv(frame))
        return frame
    count = labels.shape[1]
    logits = logits.reshape(-1, len(classes))
    names = [name for name in names for _ in range(count)]
    check_finite(logits, names, f"the split {split}")
    frame = _to_frame(
        names, list(map(pictures.printable, classes)), logits, labels.ravel()
    )
    if count > 1:
        frame["answer"] = np.tile(np.arange(1, count + 1), len(labels))
    if file is not None:
        file.write(to_csv(frame))
    return frame


def _split_tokens(
    names: list[str], classes: list[str], logits: np.ndarray, labels: np.ndarray
) -> Any:
    """The predictions of a split's tokens that have a label."""
    examples, tokens = np.nonzero(labels >= 0)
    named = [
        f"{names[i]}, token {token + 1}"
        for i, token in zip(examples.tolist(), tokens.tolist(), strict=True)
    ]
    probabilities = special.softmax(logits[examples, tokens], axis=-1)
    return answer_tables.of_tokens(
        named, classes, probabilities, labels[examples, tokens]
    )


def _to_frame(
    names: Sequence[str],
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


def to_csv(predictions: Any, header: bool = True) -> str:
    """Predictions as CSV text, in which no cell begins a formula.

    Args:
        predictions: `pandas.DataFrame` of `predict`.
        header: bool, whether the text begins with the names of the columns.
    """
    texts = [
        name
        for name, column in predictions.items()
        if column.dtype.kind not in "fiu"
    ]
    cells = {
        name: predictions[name].map(spreadsheets.escape_formula)
        for name in texts
    }
    # Probabilities, or numbers in the unit of the labels.
    form = "%.6f" if "prediction" in texts else "%.9g"
    shown = predictions.assign(**cells)
    # Those of forecasts are named by the table.
    shown.columns = list(map(spreadsheets.escape_formula, shown.columns))
    return shown.to_csv(index=False, float_format=form, header=header)
