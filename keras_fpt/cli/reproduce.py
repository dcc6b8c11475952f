"""`keras-fpt reproduce`."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from keras_fpt.cli import early
from keras_fpt.cli.arms_table import print_arms
from keras_fpt.cli.backend import load_backend
from keras_fpt.cli.console import cell, console, print_plain
from keras_fpt.cli.resuming import Resume, given_flags, require_folder
from keras_fpt.cli.stacking import Stack
from keras_fpt.cli.task_options import DataDir
from keras_fpt.cli.train import exit_if_stopped

# The file that describes the study, in its folder.
QUESTION_FILE = "question.json"


def reproduce(
    context: typer.Context,
    question: Annotated[
        str,
        typer.Argument(
            help="One of transfer, modality, architecture, efficiency, "
            "attention, fit, size, statistics, linear-probe, depth, "
            "train-more, groups, language-models, layer-norm, input-init, "
            "no-language-model or recipe."
        ),
    ],
    budget: Annotated[
        str,
        typer.Option(
            help="How much to train: minutes (at most ten), hours, or paper "
            "(the paper's scale, for accelerators)."
        ),
    ] = "minutes",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Output folder. Repeat the command with it to continue, or "
            "use --resume.",
            show_default="runs/<question>-<budget>-<n>",
        ),
    ] = None,
    resume: Resume = False,
    data_dir: DataDir = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="List the runs and their cost without training them.",
        ),
    ] = False,
    stack: Stack = "auto",
) -> None:
    """Answer one of the paper's questions by training runs."""
    began = time.monotonic()
    is_alone = resume and output is None
    if is_alone:
        output = require_folder(question, (QUESTION_FILE,), "reproduce")
    early.require_path(data_dir)
    load_backend()
    from keras_fpt import studies
    from keras_fpt.studies import reproduce as reproduction

    if is_alone:
        assert output is not None
        loaded, saved_budget, saved_data_dir = studies.read_question(output)
        data_dir = data_dir or saved_data_dir
        if not given_flags(context, {"budget": budget}):
            budget = saved_budget
    else:
        loaded = studies.load_question(question)
    print_plain(f"{loaded.title}\n{loaded.outcome}")
    if dry_run:
        planned = reproduction.plan(loaded, budget, data_dir)
        _print_plan(planned)
        print_plain(reproduction.cost(planned, budget))
        return
    with exit_if_stopped():
        folder, table = reproduction.run_question(
            loaded, budget, output, data_dir, began, stack
        )
    print_arms(table)
    print_plain(f"The report: {folder / 'report.html'}")


def _print_plan(planned: list[Any]) -> None:
    """Prints the `PlannedRuns` of a question."""
    table = Table("task", "arm", "runs", "steps per run")
    for runs in planned:
        table.add_row(
            runs.task, cell(runs.what), str(runs.count), f"{runs.steps:,}"
        )
    console.print(table)
