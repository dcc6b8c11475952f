"""`keras-fpt tasks` and `tasks show`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from keras_fpt.cli import early
from keras_fpt.cli.backend import load_backend
from keras_fpt.cli.console import cell, console, print_plain
from keras_fpt.cli.flags import with_flags
from keras_fpt.cli.overwrite import Overwrite
from keras_fpt.cli.task_options import (
    TASK_FLAGS,
    DataDir,
    TaskArgument,
    given_options,
)
from keras_fpt.compat import typer_flags

CLASSES_SHOWN = 12


def list_tasks(context: typer.Context) -> None:
    """List the tasks, or show one."""
    if context.invoked_subcommand is not None:
        return
    load_backend()
    from keras_fpt import tasks

    table = Table(
        "task", "tokens", "token", "answers", "classes", "description"
    )
    for name in tasks.names():
        task = tasks.get(name)
        answers = task.num_output_tokens * task.labels_per_token
        numbers = (
            task.sequence_length,
            _kind_of_token(task),
            answers,
            task.num_classes,
        )
        table.add_row(name, *map(str, numbers), task.description)
    console.print(table)
    console.print(
        "A file or folder of your own works as well: see `keras-fpt train "
        "--help`."
    )


@with_flags(options=TASK_FLAGS)
def show_task(
    task: TaskArgument,
    options: dict,
    data_dir: DataDir = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The .png file to write.",
            show_default="<task>.png",
        ),
    ] = None,
    write_splits: Annotated[
        Path | None,
        typer.Option(
            help="A .csv file to write with the split, label and group of each "
            "example.",
            show_default="none",
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Show a task's data, and draw a few examples as a PNG."""
    early.require_task(task)
    early.require_columns(task, options)
    early.require_inputs(options | {"data_dir": data_dir})
    load_backend()
    from keras_fpt import files, logs, tasks

    inputs = [task] if tasks.is_user_data(task) else []
    inputs += [options[name] for name in tasks.PATH_OPTIONS if options[name]]
    if output is not None:
        tasks.picture_output(output, overwrite, inputs).check()
    splits = None
    if write_splits is not None:
        splits = tasks.split_output(write_splits, inputs, overwrite)
        splits.check()
    with logs.only_warnings(tasks.log_findings.__module__):
        shown = tasks.get(task, data_dir, **given_options(options))
    output = output or Path(f"{files.safe_name(shown.name)}.png")
    tasks.picture_output(output, overwrite, inputs).check()
    table = Table(title=cell(shown.name), show_header=False)
    for row in _facts(shown):
        table.add_row(*map(cell, row))
    console.print(table)
    if not shown.is_regression:
        console.print(_class_table(shown))
    if shown.findings:
        print_plain("Notes on the data, see docs/audit.md:")
    for finding in shown.findings:
        print_plain(f"- {finding.kind}: {finding}")
    tasks.draw_examples(shown, output, overwrite)
    print_plain(f"Examples drawn to {output}.")
    if splits is not None:
        splits.write(tasks.splits_to_csv(shown.split_table()))
        print_plain(f"Splits written to {write_splits}.")


def _kind_of_token(task: Any) -> str:
    if task.vocabulary_size is not None:
        return f"1 of {task.vocabulary_size}"
    return f"{task.input_dim} float" + "s" * (task.input_dim > 1)


def _facts(task: Any) -> Iterator[tuple[str, str]]:
    yield "description", task.description
    yield "tokens", f"up to {task.sequence_length:,}, {_kind_of_token(task)}"
    if task.is_forecast:
        yield "answers", f"the next {task.horizon:,} rows: a forecast"
    elif task.is_regression:
        yield "answers", f"{task.num_targets} numbers: a regression"
    if task.is_regression:
        yield "targets of train", task.describe_targets("train")
    elif task.is_multilabel:
        yield "answers", f"{task.num_classes:,} labels of 0 and 1"
    elif task.is_per_token:
        yield "answers", f"1 of {task.num_classes:,} classes for each token"
    else:
        answers = task.num_output_tokens * task.labels_per_token
        yield (
            "answers",
            f"{answers:,} per sequence, each one of {task.num_classes:,} "
            "classes",
        )
    for split in ("train", *task.held_out_splits):
        size = task.data.size(split)
        yield split, "endless" if size is None else f"{size:,} examples"
    for split in () if task.is_regression else task.held_out_splits:
        yield (
            f"majority class, {split}",
            f"scores {task.majority_accuracy(split):.2%}",
        )
    if task.origin is not None:
        yield "source", task.origin.source
        yield "license", task.origin.licence
        yield "citation", task.origin.citation


def _class_table(task: Any) -> Table:
    """A table of the most common classes and their shares."""
    counts = {
        split: task.class_counts(split)
        for split in ("train", *task.held_out_splits)
    }
    counts = {k: v for k, v in counts.items() if v is not None}
    table = Table("label" if task.is_multilabel else "class", *counts)
    order = sorted(
        range(task.num_classes), key=lambda i: -next(iter(counts.values()))[i]
    )
    for i in order[:CLASSES_SHOWN]:
        name = task.class_names[i] if task.class_names else str(i)
        totals = [
            task.data.size(split) if task.is_multilabel else int(each.sum())
            for split, each in counts.items()
        ]
        shares = zip(counts.values(), totals, strict=True)
        table.add_row(cell(name), *(_share(v[i], n) for v, n in shares))
    if len(order) > CLASSES_SHOWN:
        table.add_row(
            f"{len(order) - CLASSES_SHOWN:,} more", *("" for _ in counts)
        )
    return table


def _share(count: int, total: int) -> str:
    return f"{count:,} ({count / total:.1%})"


app = typer.Typer(
    cls=typer_flags.Group,
    help="List the tasks, or show one.",
    add_completion=False,
)
app.callback(invoke_without_command=True)(list_tasks)
app.command("show")(show_task)
