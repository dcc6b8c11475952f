"""All commands, and what is common to them: help, the log, errors."""

import logging
import os
import sys
from typing import Annotated

import typer

import keras_fpt
from keras_fpt import logs
from keras_fpt.cli import presets, pretrain, results, runs, studies, tasks
from keras_fpt.cli.console import (
    error_console,
    print_plain,
    show_log,
    without_control,
)
from keras_fpt.cli.init import init
from keras_fpt.cli.reproduce import reproduce
from keras_fpt.cli.train import train
from keras_fpt.compat import typer_flags

# What bad input raises; everything else is a defect and shows its traceback.
EXPECTED = (
    ValueError,
    OSError,
    FloatingPointError,
    ImportError,
    MemoryError,
)

_HELP = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    cls=typer_flags.Group,
    help="Frozen pretrained transformers for sequences that are not language.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=_HELP,
)
for command in (
    init,
    train,
    studies.sweep,
    studies.compare,
    reproduce,
    results.evaluate,
    results.report,
    results.attention,
    results.predict,
):
    app.command()(command)

tasks_app = typer.Typer(
    cls=typer_flags.Group, help="List the tasks, or show one."
)
tasks_app.callback(invoke_without_command=True)(tasks.list_tasks)
tasks_app.command("show")(tasks.show_task)
app.add_typer(tasks_app, name="tasks")

presets_app = typer.Typer(
    cls=typer_flags.Group, help="List the presets, or show one."
)
presets_app.callback(invoke_without_command=True)(presets.list_presets)
presets_app.command("show")(presets.show_preset)
app.add_typer(presets_app, name="presets")

runs_app = typer.Typer(
    cls=typer_flags.Group,
    help="List runs, show or compare them, find the best, or delete them.",
)
runs_app.callback(invoke_without_command=True)(runs.runs)
for name, command in (
    ("list", runs.list_runs),
    ("show", runs.show_run),
    ("compare", runs.compare_runs),
    ("best", runs.best_runs),
    ("delete", runs.delete_runs),
):
    runs_app.command(name)(command)
app.add_typer(runs_app, name="runs")

pretrain_app = typer.Typer(
    cls=typer_flags.Group,
    help="Make presets: pretrain a backbone.",
    no_args_is_help=True,
)
pretrain_app.command("bit-memory")(pretrain.bit_memory)
pretrain_app.command("language-model")(pretrain.language_model)
app.add_typer(pretrain_app, name="pretrain")


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print_plain(f"keras-fpt {keras_fpt.__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks of errors.")
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Print only results and warnings."),
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version and exit.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Frozen pretrained transformers for sequences that are not language."""
    show_log()
    logs.LOGGER.setLevel(logging.WARNING if quiet else logging.INFO)


def main() -> None:
    """Runs the command line and exits with its status."""
    debug = "--debug" in sys.argv
    _open_standard_streams()
    try:
        app()
    except EXPECTED as error:
        if debug:
            raise
        error_console.print("[red]Error:[/] ", end="")
        error_console.print(without_control(str(error)), markup=False)
        sys.exit(1)


def _open_standard_streams() -> None:
    """Opens the null device for standard streams that are closed.

    Otherwise the next file that is opened would take the place of one, and what
    libraries print would be written to it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
