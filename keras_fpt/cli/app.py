"""All commands, and what is common to them: help, the log, errors."""

import logging
import os
import sys
from typing import Annotated, Any

import typer

import keras_fpt
from keras_fpt import logs
from keras_fpt.cli.console import (
    error_console,
    print_plain,
    show_log,
    without_control,
)
from keras_fpt.cli.lazy_commands import LazyCommands
from keras_fpt.compat import typer_flags

# What bad input raises; everything else is a defect and shows its traceback.
EXPECTED = (
    ValueError,
    OSError,
    FloatingPointError,
    ImportError,
    MemoryError,
)

# In the order of `--help`; each is imported when it is used.
COMMANDS = {
    name: f"keras_fpt.cli.{source}"
    for name, source in (
        ("init", "init:init"),
        ("train", "train:train"),
        ("sweep", "studies:sweep"),
        ("compare", "studies:compare"),
        ("reproduce", "reproduce:reproduce"),
        ("evaluate", "results:evaluate"),
        ("report", "results:report"),
        ("attention", "results:attention"),
        ("predict", "results:predict"),
        ("tasks", "tasks:app"),
        ("presets", "presets:app"),
        ("runs", "runs:app"),
        ("pretrain", "pretrain:app"),
    )
}


class _Commands(typer_flags.Group):
    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.commands: Any = LazyCommands(COMMANDS)


app = typer.Typer(
    cls=_Commands,
    help="Frozen pretrained transformers for sequences that are not language.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
        text = str(error) or type(error).__name__
        # Python's own has no text.
        if isinstance(error, MemoryError) and not str(error):
            text = "There is not enough memory. --debug shows where."
        error_console.print(without_control(text), markup=False)
        sys.exit(1)


def _open_standard_streams() -> None:
    """Opens the null device for standard streams that are closed.

    Otherwise the next file that is opened would take the place of one, and what
    libraries print would be written to it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
