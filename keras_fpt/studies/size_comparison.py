"""Compares a frozen language model with its rivals on fewer examples."""

import dataclasses
import json
import logging
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from keras_fpt import files, tasks
from keras_fpt.files import json_files
from keras_fpt.reports import draw_accuracy_by_size, write_report
from keras_fpt.results import by_size, load_runs, run_folders
from keras_fpt.runs import folder, measures, resolve
from keras_fpt.studies import study_folder
from keras_fpt.studies.compare import REPORT, Comparison, run_comparison
from keras_fpt.studies.deadline import Deadline
from keras_fpt.studies.folds import needs_folds

LOGGER = logging.getLogger(__name__)
CONFIG = "sizes.json"
ALL = "all"


def parse_sizes(text: str) -> tuple[int | None, ...]:
    """Numbers of training examples from text, in ascending order.

    Args:
        text: string such as `10,30,100,all`, where `all` becomes `None`.

    Raises:
        ValueError: the text is something else, or names a size twice.

    >>> parse_sizes("all,10")
    (10, None)
    """
    sizes = []
    for part in text.split(","):
        word = part.strip().lower()
        if word != ALL and not (word.isdecimal() and int(word) > 0):
            raise ValueError(
                "Expected numbers of training examples such as 10,30,100,all "
                f"but received {text!r}."
            )
        sizes.append(None if word == ALL else int(word))
    if len(set(sizes)) < len(sizes):
        raise ValueError(f"A size is named twice in {text!r}.")
    return tuple(sorted(sizes, key=lambda size: (size is None, size)))


def read_sizes(
    folder: str | os.PathLike[str],
) -> tuple[Comparison, tuple[int | None, ...]]:
    """The comparison of an earlier call of `run_sizes`, and its sizes.

    Raises:
        FileNotFoundError: the folder has no such comparison.
        ValueError: the file that describes it is damaged.
    """
    path = pathlib.Path(folder, CONFIG)
    where = f"This is not a comparison of sizes: `{path}`"
    entry = json_files.read_object(path)
    sizes = entry.pop("sizes", None)
    if not isinstance(sizes, list):
        raise ValueError(f"{where}: expected a list 'sizes'.")
    wanted = parse_sizes(",".join(map(str, sizes)))
    return Comparison.from_entry(entry, where), wanted


def run_sizes(
    comparison: Comparison,
    sizes: Sequence[int | None],
    output: str | os.PathLike[str] | None,
    seconds: float,
    began: float | None = None,
) -> tuple[pathlib.Path, Any, dict[int, str | None]]:
    """Compares at several numbers of training examples.

    All candidates have the same examples, and those of a smaller number are
    among those of a larger one; see `keras_fpt.tasks.with_train_examples`.
    Validation and test examples are always all of them. Each size is a
    comparison in a separate folder, with an equal share of the remaining time.
    Repeat the call to continue.

    Args:
        comparison: a `Comparison`.
        sizes: ascending ints, or `None` for all training examples.
        output: path of the folder, or `None` for a new one,
            `runs/<task>-sizes-<n>`.
        seconds: float, wall time that it may take.
        began: float, `time.monotonic()` when the time begins; `None` is now.

    Returns:
        Tuple of the folder; the `pandas.DataFrame` of
        `keras_fpt.results.by_size`; and a dict from numbers of training
        examples to what `keras_fpt.results.conclude` says.

    Raises:
        ValueError, FileExistsError, FileNotFoundError: as `run_comparison`, or
            a size is larger than train, or smaller than its classes.
    """
    if needs_folds(comparison.run.options):
        raise ValueError(
            "Sizes are compared on one fold: give fold (--fold 1) as well as "
            "folds."
        )
    deadline = Deadline(seconds, began)
    run = resolve(comparison.run)
    for size in sizes:
        check_size(run.task, size)
    if output is None:
        output = folder.new_folder(run.task.name, "sizes")
    output = pathlib.Path(output)
    if not (output / CONFIG).is_file():
        comparison = dataclasses.replace(
            comparison, run=comparison.run.with_absolute_paths()
        )
    comparison = comparison.as_begun(output / CONFIG)
    described = {
        **comparison.described(),
        "sizes": [size or ALL for size in sizes],
    }
    text = json.dumps(described, indent=2) + "\n"
    study_folder.initialize(output, CONFIG, text, "comparison", run)
    tables, conclusions = {}, {}
    measure = measures.of_task(run.task)
    picture = output / table_file(measure).with_suffix(".png")
    for number, size in enumerate(sizes):
        count = size or run.task.data.size("train")
        LOGGER.info(f"With {count:,} training examples:")
        _, tables[count], conclusions[count] = run_comparison(
            dataclasses.replace(
                comparison,
                run=dataclasses.replace(comparison.run, train_examples=size),
            ),
            output / f"size-{size or ALL}",
            max(1.0, deadline.left / (len(sizes) - number)),
            budget=seconds / len(sizes),
        )
        # Results so far are kept if a later size is interrupted.
        table = by_size(tables)
        text = table.to_csv(index=False)
        files.write_text(output / table_file(measure), text)
        draw_accuracy_by_size(table, run.task.name, picture)
    if run_folders(output) and load_runs(output)["final"].any():
        caption = (
            f"Test {measure.title} against the number of training examples"
        )
        write_report([output], output / REPORT, pictures={caption: picture})
    return output, table, conclusions


def table_file(measure: measures.Measure) -> pathlib.Path:
    """The name of the table in a folder of `run_sizes`.

    >>> str(table_file(measures.ACCURACY))
    'accuracy_by_size.csv'
    """
    return pathlib.Path(f"{measure.name}_by_size.csv")


def check_size(task: tasks.Task, size: int | None) -> None:
    """Raises `ValueError` if a task has too few examples for a size."""
    count = task.data.size("train")
    if size is None and count is not None:
        return
    tasks.with_train_examples(task, size or 1)
    if size is not None and size >= count:
        raise ValueError(
            f"'{task.name}' has {count:,} training examples, so {size:,} of "
            f"them cannot be chosen. Leave it out, or give '{ALL}'."
        )
