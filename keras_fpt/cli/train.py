"""`keras-fpt train`."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from keras_fpt.cli import early
from keras_fpt.cli.backend import load_backend
from keras_fpt.cli.class_table import print_classes
from keras_fpt.cli.console import cell, console
from keras_fpt.cli.flags import FlagsOf, with_flags
from keras_fpt.cli.forecast_table import print_forecasts
from keras_fpt.cli.resuming import (
    RUN_FILES,
    divide_patch_size,
    given_flags,
    has_any,
    require_folder,
    saved_run,
)
from keras_fpt.cli.task_options import TASK_FLAGS, TaskArgument, given_options
from keras_fpt.runs import RunConfig

INTERRUPTED = 130  # 128 + SIGINT, as in shells
PREEMPTED = 75  # EX_TEMPFAIL of sysexits.h: try again later


@with_flags(settings=FlagsOf(RunConfig), options=TASK_FLAGS)
def train(
    call: typer.Context,
    settings: dict,
    options: dict,
    task: TaskArgument = "",
    config_file: Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="File with options: .toml, as `keras-fpt init` writes it, or "
            "a run's config.json. Options on the command line override it.",
            show_default="none",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Output folder.",
            show_default="runs/<task>-<arm>-<n>",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Resume an existing run: `keras-fpt train --resume FOLDER`, "
            "which needs no other options.",
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing run.")
    ] = False,
    distribution: Annotated[
        str | None,
        typer.Option(
            help="Train on all devices, including those of processes that e.g. "
            "torchrun started: data_parallel, model_parallel (JAX) or auto.",
            show_default="one device",
            rich_help_panel="Rarely needed",
        ),
    ] = None,
    checkpoint_seconds: Annotated[
        float,
        typer.Option(
            help="Minimum time between two checkpoints, in seconds.",
            rich_help_panel="Rarely needed",
        ),
    ] = 5.0,
) -> None:
    """Train a frozen pretrained transformer on a task or your own data.

    On SIGTERM it saves a checkpoint and exits with status 75; Ctrl-C does the
    same, with status 130. `keras-fpt train --resume FOLDER` continues.
    """
    from_file: RunConfig | None = None
    in_config: frozenset[str] = frozenset()
    if config_file is not None:
        from keras_fpt.cli import config_file as config_files

        early.require_path(config_file)
        from_file, in_config = config_files.read(config_file)
    elif not task:
        raise typer.BadParameter("Give a task, or --config FILE.")
    if resume and overwrite:
        raise ValueError("Give --resume or --overwrite, not both.")
    if overwrite and output is None:
        raise ValueError("Name the run to overwrite with --output.")
    is_alone = resume and output is None and config_file is None
    if is_alone:
        output = require_folder(task, RUN_FILES, "train")
    else:
        known = from_file or RunConfig("")
        task_path = task or known.source or known.task
        early.require_task(task_path)
        # Options on the command line override those of the file.
        early.require_columns(
            task_path, known.options | given_flags(call, options)
        )
    early.require_inputs(settings | options)
    load_backend()
    from keras_fpt import distribution as distributions
    from keras_fpt import runs, studies

    given_settings = given_flags(call, settings)
    given_data = given_options(given_flags(call, options))
    chosen = given_options(options)
    for among in (settings, chosen), (given_settings, given_data):
        divide_patch_size(task if is_alone else task_path, *among)
    if is_alone:
        config = saved_run(task, given_settings, given_data)
    elif from_file is not None:
        model = {"patch_size": from_file.model.patch_size}
        in_file = dict(from_file.options)
        divide_patch_size(task_path, model, in_file)
        config = from_file.with_settings(
            options=in_file, patch_size=model.get("patch_size")
        )
        if task:
            given_settings |= {"task": task, "source": None}
        given_settings["options"] = config.options | given_data
        config = config.with_settings(**given_settings)
    else:
        config = RunConfig(task, options=chosen).with_settings(**settings)
    scope: Any = contextlib.nullcontext()
    if distribution is not None:
        scope = distributions.scope(distribution)
    is_begun = resume and output is not None and has_any(output, RUN_FILES)
    begun = saved_run(str(output), {}, {}) if is_begun else None
    with exit_if_stopped(), scope:
        if not is_alone:
            config = studies.with_kind_defaults(
                config, in_config | given_settings.keys(), begun
            )
        is_one = not studies.needs_folds(config.options)
        train_all: Any = runs.train if is_one else studies.train_folds
        found = train_all(
            config,
            output,
            resume,
            overwrite,
            checkpoint_seconds=checkpoint_seconds,
        )
        is_first = distributions.is_first_process()
    if is_first and is_one:
        _print_summary(found)
    elif is_first:
        _print_folds(found)


@contextlib.contextmanager
def exit_if_stopped() -> Iterator[None]:
    """Exits with a status that says so if the block was asked to stop."""
    from keras_fpt.runs import Preempted

    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except Preempted:
        raise typer.Exit(PREEMPTED) from None


def _print_folds(validation: Any) -> None:
    """Prints a `CrossValidation`."""
    measure = validation.measure
    names = (
        f"validation_{measure.name}",
        f"test_{measure.name}",
        f"test_{measure.floor_metric}",
    )
    title = f"{len(validation.metrics)} folds in {validation.folder}"
    table = Table("fold", title=cell(title))
    rule = measure.floor_rule
    for heading in ("validation", "test", rule, "test examples"):
        table.add_column(heading, justify="right")
    for number, metrics in enumerate(validation.metrics, start=1):
        shown = [
            measure.show(metrics[n]) if n in metrics else "" for n in names
        ]
        count = f"{metrics['test_examples']:,}"
        table.add_row(str(number), *shown, count)
    summary = [validation.mean_and_deviation(name) for name in names]
    table.add_section()
    table.add_row("mean", *(measure.show(mean) for mean, _ in summary), "")
    spreads = (measure.show(spread) for _, spread in summary)
    table.add_row("standard deviation", *spreads, "")
    console.print(table)
    total = int(validation.values("test_examples").sum())
    console.print(
        f"{measure.title[0].upper()}{measure.title[1:]} on all {total:,} test "
        f"examples, each tested in one fold: {measure.show(validation.pooled)}."
    )


# Of runs whose examples may have several labels.
_OF_SEVERAL = (
    ("exact_match", "exact match", ".2%"),
    ("auroc", "AUROC", ".3f"),
    ("macro_f1", "macro F1", ".2%"),
)


def _print_summary(metrics: dict[str, Any]) -> None:
    table = Table(title=cell(f"{metrics['task']}, arm {metrics['arm']}"))
    table.add_column("")
    splits = [
        name.removesuffix("_loss") for name in metrics if name.endswith("_loss")
    ]
    for split in splits:
        table.add_column(split, justify="right")
    floor = "last value" if "test_floor_mse" in metrics else "median"
    for metric, label, form in (
        ("rmse", "RMSE", ".4g"),
        ("mse", "MSE", ".4g"),
        ("mae", "MAE", ".4g"),
        ("r2", "R2", ".4f"),
        ("pinball", "pinball loss", ".4g"),
        ("coverage", "within the outer quantiles", ".1%"),
        ("nominal_coverage", "nominal", ".1%"),
        ("floor_rmse", "RMSE of the mean", ".4g"),
        ("floor_mse", "MSE of the last value", ".4g"),
        ("floor_mae", f"MAE of the {floor}", ".4g"),
        ("accuracy", "accuracy", ".2%"),
        *(_OF_SEVERAL if "test_exact_match" in metrics else ()),
        ("top_5_accuracy", "top-5 accuracy", ".2%"),
        ("majority_accuracy", "majority class", ".2%"),
        ("loss", "loss", ".4f"),
    ):
        values = [metrics.get(f"{split}_{metric}") for split in splits]
        if any(value is not None for value in values):
            table.add_row(
                label,
                *("" if v is None else format(v, form) for v in values),
            )
    console.print(table)
    print_classes(metrics)
    print_forecasts(metrics.get("test_forecasts"))
    trained, total = (
        metrics["trainable_parameters"],
        metrics["total_parameters"],
    )
    steps = metrics.get("trained_steps", metrics["steps"])
    console.print(
        f"Trained: {metrics['policy']}, {trained:,} of {total:,} parameters "
        f"({trained / total:.2%}), {steps:,} steps in "
        f"{metrics['wall_seconds']:.0f} s on {metrics['backend']}."
    )
    if steps < metrics["steps"]:
        console.print(
            f"Stopped before step {metrics['steps']:,}: the validation loss "
            f"had not fallen for {metrics['patience']} evaluations."
        )
    if metrics.get("kept_step", steps) != steps:
        console.print(
            f"Kept: the weights of step {metrics['kept_step']:,}, where the "
            "validation loss was lowest."
        )
