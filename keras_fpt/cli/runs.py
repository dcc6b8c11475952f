"""`keras-fpt runs`: lists, shows, compares and deletes runs."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from keras_fpt.cli.class_table import print_classes
from keras_fpt.cli.console import cell, console, print_plain
from keras_fpt.cli.forecast_table import print_forecasts
from keras_fpt.compat import typer_flags

DEFAULT_FOLDER = Path("runs")
# What `runs show` leaves out, since tables show it or it is long.
_LONG = (
    "test_classes",
    "test_calibration",
    "test_mistakes",
    "test_forecasts",
    "test_forecast_example",
    "steps_to_accuracy",
    "versions",
)

Folders = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Folders of runs or of studies.", show_default=str(DEFAULT_FOLDER)
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        help="Condition such as arm=fpt, steps>=500 or status!=finished; may "
        "be repeated.",
        show_default="all runs",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OneRun = Annotated[Path, typer.Argument(help="Folder of a run.")]


def runs(context: typer.Context) -> None:
    """List runs, show or compare them, find the best, or delete them."""
    if context.invoked_subcommand is None:
        list_runs()


def list_runs(
    folders: Folders = None,
    where: Where = None,
    sort: Annotated[
        str,
        typer.Option(
            help="Value to sort by, such as validation_accuracy; a leading - "
            "puts the highest first."
        ),
    ] = "folder",
    as_json: AsJson = False,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Print only the folders."),
    ] = False,
) -> None:
    """List runs with their settings and accuracies."""
    from keras_fpt.runs import listing

    ordered = listing.sort(_find_runs(folders), sort)
    _print(listing.where(ordered, where or []), as_json, quiet)


def best_runs(
    folders: Folders = None,
    where: Where = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="Metric to compare runs by: the highest is best; for a loss "
            "or an error, the lowest.",
            show_default="validation_accuracy, validation_rmse for "
            "regression, or validation_mse for forecasts",
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Print only the folders."),
    ] = False,
) -> None:
    """Show the best run of each task, by its validation metric."""
    from keras_fpt.runs import listing

    chosen = listing.where(_find_runs(folders), where or [])
    best = listing.best(chosen, metric) if chosen else []
    _print(best, as_json, quiet)


def show_run(folder: OneRun, as_json: AsJson = False) -> None:
    """Show a run's settings and metrics."""
    from keras_fpt.runs import listing

    run = listing.read(folder)
    if as_json:
        print_plain(json.dumps(dataclasses.asdict(run), indent=2))
        return
    table = Table(title=cell(run.folder), show_header=False)
    for name, value in run.values.items():
        if name not in _LONG and value is not None and name != "folder":
            table.add_row(name.replace("_", " "), cell(_text(value)))
    console.print(table)
    print_classes(run.metrics)
    print_forecasts(run.metrics.get("test_forecasts"))


def compare_runs(one: OneRun, other: OneRun, as_json: AsJson = False) -> None:
    """Show in which settings and metrics two runs differ."""
    from keras_fpt.runs import listing

    pair = listing.read(one), listing.read(other)
    rows = listing.differences(*pair)
    if as_json:
        print_plain(json.dumps({name: both for name, *both in rows}, indent=2))
        return
    table = Table("", *(cell(run.folder) for run in pair))
    for name, *both in rows:
        if name not in (*_LONG, "folder"):
            table.add_row(
                name.replace("_", " "), *(cell(_text(v)) for v in both)
            )
    console.print(table)


def delete_runs(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders of runs to delete.")
    ],
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", "-y", help="Delete without asking for confirmation."
        ),
    ] = False,
) -> None:
    """Delete the files of runs, and their folders if these are empty then."""
    from keras_fpt.cli.backend import load_backend
    from keras_fpt.runs import listing

    for folder in folders:
        run = listing.read(folder)
        about = f"{run.settings['task']}, arm {run.settings['arm']}"
        question = f"Delete the run in {folder} ({about}, {run.status})?"
        if not (yes or typer.confirm(question)):
            continue
        load_backend()
        from keras_fpt.runs import folder as run_folder

        run_folder.delete(folder)
        print_plain(
            f"Deleted the run in {folder}."
            + " Other files there are kept." * folder.exists()
        )


def _find_runs(folders: list[Path] | None) -> list:
    from keras_fpt.runs import listing

    if not folders and not DEFAULT_FOLDER.is_dir():
        raise FileNotFoundError(
            "There is no folder `runs` here, where `keras-fpt train` writes. "
            "Name the folder of the runs: `keras-fpt runs list FOLDER`."
        )
    found = listing.find(*(folders or [DEFAULT_FOLDER]))
    if not found:
        raise FileNotFoundError("There is no run in these folders.")
    return found


def _print(found: list, as_json: bool, quiet: bool) -> None:
    if quiet:
        print_plain("\n".join(run.folder for run in found))
        return
    if as_json:
        rows = [dataclasses.asdict(run) for run in found]
        print_plain(json.dumps(rows, indent=2))
        return
    if not found:
        print_plain("No run matches the conditions.")
        return
    table = Table("folder", "task", "arm")
    for title in ("steps", "rate", "seed", "validation", "test"):
        table.add_column(title, justify="right", no_wrap=True)
    from keras_fpt.runs import measures

    for run in found:
        values, shown = run.values, []
        for split in ("validation", "test"):
            shown.append(measures.in_words(values, split))
        if run.status != "finished":
            shown[-1] = run.status
        numbers = (values["steps"], values["learning_rate"], values["seed"])
        words = (run.folder, values["task"], values["arm"])
        table.add_row(*map(cell, words), *map(_text, numbers), *shown)
    console.print(table)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, dict):
        return ", ".join(f"{k} {_text(v)}" for k, v in value.items())
    return "" if value is None else str(value)


app = typer.Typer(
    cls=typer_flags.Group,
    help="List runs, show or compare them, find the best, or delete them.",
    add_completion=False,
)
app.callback(invoke_without_command=True)(runs)
for _name, _function in (
    ("list", list_runs),
    ("show", show_run),
    ("compare", compare_runs),
    ("best", best_runs),
    ("delete", delete_runs),
):
    app.command(_name)(_function)
