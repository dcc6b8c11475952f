"""`keras-fpt sweep` and `compare`.

This file is longer than others, since it has the flags of two commands.
"""

import dataclasses
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from keras_fpt.cli import early
from keras_fpt.cli.arms_table import print_arms
from keras_fpt.cli.backend import load_backend
from keras_fpt.cli.console import cell, console, print_plain
from keras_fpt.cli.flags import FlagsOf, with_flags
from keras_fpt.cli.resuming import (
    Resume,
    divide_patch_size,
    given_flags,
    has_any,
    require_folder,
    saved_study,
    study_files,
    with_paths,
)
from keras_fpt.cli.stacking import Stack
from keras_fpt.cli.task_options import (
    TASK_FLAGS,
    TaskArgument,
    given,
    given_options,
)
from keras_fpt.cli.train import exit_if_stopped
from keras_fpt.runs import RunConfig

# The files that describe studies, in their folders.
SWEEP_FILE, COMPARE_FILE = "sweep.json", "compare.json"
SIZES_FILE = "sizes.json"


@with_flags(
    settings=FlagsOf(
        RunConfig, ("preset", "steps", "seed", "data_dir", "patch_size")
    ),
    options=TASK_FLAGS,
)
def sweep(
    call: typer.Context,
    task: TaskArgument,
    settings: dict,
    options: dict,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Output folder; required. Repeat the command to continue, or "
            "use --resume.",
        ),
    ] = None,
    resume: Resume = False,
    arm: Annotated[
        list[str] | None,
        typer.Option(
            help="Arm to compare, see `keras-fpt train --help`; may be "
            "repeated.",
            show_default="fpt and random",
            rich_help_panel="Study",
        ),
    ] = None,
    search: Annotated[
        list[str] | None,
        typer.Option(
            help="Setting to search instead of the default, as "
            "NAME=VALUE,VALUE,... or NAME=LOW:HIGH; may be repeated.",
            show_default="learning_rate=3e-4,1e-3,3e-3",
            rich_help_panel="Study",
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            help="Number of runs in each arm's search; required for a range "
            "(NAME=LOW:HIGH), and only then.",
            show_default="all values of the grid",
            rich_help_panel="Study",
        ),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            help="Number of runs of each arm at its best settings. Their seeds "
            "follow --seed, which the search uses.",
            rich_help_panel="Study",
        ),
    ] = 3,
    share_seed: Annotated[
        bool,
        typer.Option(
            "--share-seed",
            help="Count the search's best run as the run of the first seed, as "
            "earlier versions did. This saves a run, but overestimates its "
            "accuracy, since it was selected for it.",
            rich_help_panel="Rarely needed",
        ),
    ] = False,
    extensions: Annotated[
        int,
        typer.Option(
            help="Maximum number of learning rates to try beyond the grid, "
            "with every arm, while an arm's best is the lowest or the highest.",
            rich_help_panel="Rarely needed",
        ),
    ] = 3,
    stack: Stack = "auto",
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Set an option of `train` for every run, as NAME=VALUE, e.g. "
            "batch_size=16; may be repeated.",
            rich_help_panel="Study",
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Optuna database, which several machines can share: "
            "postgresql://...",
            show_default="an SQLite file in the output folder",
            rich_help_panel="Rarely needed",
        ),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            help="Number of runs to train in parallel on this machine.",
            rich_help_panel="Study",
        ),
    ] = 1,
    takeover_seconds: Annotated[
        int,
        typer.Option(
            help="Seconds without a heartbeat after which a worker's run is "
            "given to another worker.",
            rich_help_panel="Rarely needed",
        ),
    ] = 60,
) -> None:
    """Compare arms, each at its own best settings, over several seeds.

    Settings are chosen on validation data; the test split is read only for
    the best.
    """
    is_alone = resume and output is None
    if is_alone:
        output = require_folder(task, study_files(SWEEP_FILE), "sweep")
    elif output is None:
        raise typer.BadParameter("Give the output folder with --output.")
    else:
        early.require_task(task)
        early.require_columns(task, options)
    early.require_inputs(settings | options)
    load_backend()
    from keras_fpt import studies
    from keras_fpt.studies import sweep_config

    saved: Any = None
    if is_alone:
        saved = saved_study(studies.SweepConfig, output, SWEEP_FILE)
    divide_patch_size(task, settings, options, saved and saved.run)
    flags = given_flags(call, settings) if is_alone else given(settings)
    fixed = flags | sweep_config.parse_each(
        setting or [], sweep_config.parse_setting, flags
    )
    searched = sweep_config.parse_each(
        search or [], sweep_config.parse_search, fixed
    )
    chosen: dict[str, Any] = {
        "arms": tuple(arm or ()),
        "search": searched,
        "trials": trials,
        "seeds": seeds,
        "shares_seed": share_seed,
        "extensions": extensions,
        "stack": stack,
    }
    if is_alone:
        run, again = saved.run, given_flags(call, options)
        of_flags = {"arms": "arm", "shares_seed": "share_seed"}
        flags_of = {of_flags.get(name, name): name for name in chosen}
        again_chosen = given_flags(call, dict.fromkeys(flags_of))
        config = dataclasses.replace(
            saved,
            run=dataclasses.replace(
                run, options=run.options | given_options(again)
            ).with_settings(**fixed),
            **{flags_of[name]: chosen[flags_of[name]] for name in again_chosen},
        )
    else:
        chosen["arms"] = chosen["arms"] or ("fpt", "random")
        chosen["search"] = searched or sweep_config.DEFAULT_SEARCH
        run = RunConfig(task, options=given_options(options))
        begun = None
        if has_any(output, study_files(SWEEP_FILE)):
            begun = saved_study(studies.SweepConfig, output, SWEEP_FILE).run
        run = studies.with_kind_defaults(
            run.with_settings(**fixed), fixed.keys() | searched.keys(), begun
        )
        config = studies.SweepConfig(run, **chosen)
    how: dict[str, Any] = {
        "storage_url": storage,
        "workers": workers,
        "takeover_seconds": takeover_seconds,
    }
    with exit_if_stopped():
        if studies.needs_folds(config.run.options):
            table, sentences = studies.sweep_folds(config, output, **how)
        else:
            table = studies.run_sweep(config, output, **how)
            sentences = studies.sweep_verdicts(output)
    print_arms(table)
    for sentence in sentences:
        print_plain(sentence)


@with_flags(
    settings=FlagsOf(
        RunConfig,
        (
            *("preset", "steps", "batch_size", "seed", "data_dir"),
            *("patch_size", "patch_stride", "instance_norm", "readout"),
        ),
    ),
    options=TASK_FLAGS,
)
def compare(
    call: typer.Context,
    task: TaskArgument,
    settings: dict,
    options: dict,
    budget: Annotated[
        str,
        typer.Option(
            help="Wall time to spend, such as 90s, 10m or 2h.",
            rich_help_panel="Study",
        ),
    ] = "10m",
    finetune: Annotated[
        bool,
        typer.Option(
            "--finetune",
            help="Add the arms finetune and full, which train all weights.",
            rich_help_panel="Study",
        ),
    ] = False,
    sizes: Annotated[
        str | None,
        typer.Option(
            help="Compare with fewer training examples as well, e.g. "
            "10,30,100,all, each with an equal share of the budget.",
            show_default="all",
            rich_help_panel="Study",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Output folder. Repeat the command with it to continue.",
            show_default="runs/<task>-compare-<n>",
        ),
    ] = None,
    resume: Resume = False,
    stack: Stack = "auto",
) -> None:
    """Find out whether a frozen language model is worth it on your data.

    It is compared with the majority class, the models that an expert would
    try first on this kind of data, a linear probe and random weights, each at
    its own best settings.
    """
    from keras_fpt.studies import parse_seconds

    began = time.monotonic()
    seconds = parse_seconds(budget)
    is_alone = resume and output is None
    if is_alone:
        names = (SIZES_FILE, *study_files(COMPARE_FILE))
        output = require_folder(task, names, "compare")
    else:
        early.require_task(task)
        early.require_columns(task, options)
    early.require_inputs(settings | options)
    load_backend()
    from keras_fpt import studies

    wanted = studies.parse_sizes(sizes) if sizes is not None else ()
    if is_alone:
        assert output is not None
        if (output / SIZES_FILE).is_file():
            comparison, saved_sizes = studies.read_sizes(output)
            comparison = with_paths(comparison, output)
            wanted = wanted or saved_sizes
        else:
            comparison = saved_study(studies.Comparison, output, COMPARE_FILE)
        divide_patch_size(task, settings, options, comparison.run)
        run, again = comparison.run, given_flags(call, options)
        run = dataclasses.replace(
            run, options=run.options | given_options(again)
        ).with_settings(**given_flags(call, settings))
        comparison = dataclasses.replace(
            comparison,
            run=run,
            finetune=finetune or comparison.finetune,
            chooses_readout=comparison.chooses_readout
            and "readout" not in given_flags(call, settings),
            **given_flags(call, {"stack": stack}),
        )
    else:
        divide_patch_size(task, settings, options)
        run = RunConfig(task, options=given_options(options))
        comparison = studies.Comparison(
            run.with_settings(**settings),
            finetune,
            chooses_readout="readout" not in given_flags(call, settings),
            stack=stack,
        )
    if wanted:
        _compare_sizes(comparison, wanted, output, seconds, began)
        return
    has_folds = studies.needs_folds(comparison.run.options)
    compare_all: Any = (
        studies.compare_folds if has_folds else studies.run_comparison
    )
    with exit_if_stopped():
        folder, table, sentence = compare_all(
            comparison, output, seconds, began
        )
    print_arms(table)
    _print_not_run(folder)
    path = folder / ("fold-*" if has_folds else "") / "report.html"
    if has_folds or path.is_file():
        print_plain(f"The report{'s' if has_folds else ''}: {path}")
    print_plain(sentence or _TOO_SHORT)


_TOO_SHORT = "There was not enough time to train the frozen language model."


def _compare_sizes(
    comparison: Any,
    sizes: tuple[int | None, ...],
    output: Path | None,
    seconds: float,
    began: float,
) -> None:
    """Compares with several numbers of training examples, and prints it."""
    from keras_fpt import studies
    from keras_fpt.results import arms_table

    with exit_if_stopped():
        folder, found, conclusions = studies.run_sizes(
            comparison, sizes, output, seconds, began
        )
    counts = list(conclusions)
    measure = arms_table.measure_of(found)
    table = Table(
        f"test {measure.title} with",
        title="Number of training examples",
        box=None,
    )
    for count in counts:
        table.add_column(f"{count:,}", justify="right", no_wrap=True)
    for name, rows in found.groupby("candidate", sort=False):
        by_count = rows.set_index("train_examples")[f"test_{measure.name}"]
        cells = [
            measure.show(by_count[n]) if n in by_count else "" for n in counts
        ]
        table.add_row(cell(name), *cells)
    console.print(table)
    _print_not_run(folder)
    for count, sentence in conclusions.items():
        print_plain(
            f"With {count:,} training examples: {sentence or _TOO_SHORT}"
        )
    path = folder / f"{measure.name}_by_size.csv"
    print_plain(f"The table and the picture: {path}")


def _print_not_run(folder: Path) -> None:
    """Prints what could not be run, and why."""
    from keras_fpt.results import not_run

    by_reason: dict[str, list[str]] = {}
    for entry in not_run.read(folder):
        by_reason.setdefault(entry.reason, []).append(entry.what)
    for reason, names in by_reason.items():
        # Several sizes may name the same one.
        print_plain(f"Not run: {', '.join(dict.fromkeys(names))}: {reason}")
