"""The command line: parses, calls the library, prints."""

import contextlib
import functools
import inspect
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

app = typer.Typer(
    help="Frozen pretrained transformers for sequences that are not language.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
pretrain_app = typer.Typer(
    help="Make presets: pretrain a backbone.", no_args_is_help=True
)
app.add_typer(pretrain_app, name="pretrain")
tasks_app = typer.Typer(help="List the tasks, or show one.")
app.add_typer(tasks_app, name="tasks")
presets_app = typer.Typer(help="List the presets, or show one.")
app.add_typer(presets_app, name="presets")

CLASSES_SHOWN = 12
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
PREEMPTED = 75  # EX_TEMPFAIL of sysexits.h: try again later
console = Console(soft_wrap=True, highlight=False)


OWN_DATA = "Your own data"


def _own(kind, text):
    return Annotated[
        kind | None, typer.Option(help=text, rich_help_panel=OWN_DATA)
    ]


TASK_OPTIONS = {
    "max_length": Annotated[
        int | None,
        typer.Option(help="Longest sequence, where a task has such a limit."),
    ],
    "label_column": _own(str, "Column of the labels."),
    "group_column": _own(str, "Column whose equal values make a sequence."),
    "ignore_column": _own(list[str], "A column to leave out; may be repeated."),
    "window": _own(int, "Rows of a time series that make a sequence."),
    "stride": _own(int, "Rows between windows. [window]"),
    "split_column": _own(str, "Column that says train, validation or test."),
    "text_column": _own(str, "Column of strings: their characters are tokens."),
    "labels": _own(str, "Table of the labels of a FASTA file's records."),
    "id_column": _own(str, "Its column of names. [the first]"),
    "image_size": _own(int, "Height and width that images are resized to."),
    "patch_size": _own(int, "Height and width of a patch, in pixels. [4]"),
    "max_seconds": _own(float, "Length that sounds are cut to. [10]"),
}


def _with_task_options(command):
    """Gives a command the options of tasks and of people's own data.

    Those that are given are its argument `options`, a dict.
    """

    @functools.wraps(command)
    def wrapped(**arguments):
        options = {name: arguments.pop(name) for name in TASK_OPTIONS}
        options = {k: v for k, v in options.items() if v is not None}
        return command(**arguments, options=options)

    parameters = dict(inspect.signature(command).parameters)
    kind = parameters.pop("options").kind
    added = [
        inspect.Parameter(name, kind, default=None, annotation=annotation)
        for name, annotation in TASK_OPTIONS.items()
    ]
    wrapped.__signature__ = inspect.Signature([*parameters.values(), *added])
    return wrapped


TaskArgument = Annotated[
    str,
    typer.Argument(
        help="A name, see `keras-fpt tasks`; or a file or folder of your own: "
        ".csv, .tsv, .fasta, .npz, a folder of images or .wav files."
    ),
]
DataDir = Annotated[str | None, typer.Option(help="Folder of the task's data.")]


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks of errors.")
    ] = False,
):
    """Frozen pretrained transformers for sequences that are not language."""


@app.command()
@_with_task_options
def train(
    task: TaskArgument,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Backbone: a name, a folder, hf://... or gguf:FILE. "
            "[gpt2_tiny_en]"
        ),
    ] = None,
    arm: Annotated[
        str,
        typer.Option(
            help="Where the weights come from: fpt, random, statistics, bit, "
            "vit, finetune, full, lstm, random_lstm or random_lstm_deep."
        ),
    ] = "fpt",
    policy: Annotated[
        str | None,
        typer.Option(help="What trains, e.g. fpt+attention. [the arm's own]"),
    ] = None,
    readout: Annotated[
        str, typer.Option(help="last, first, mean or pooled.")
    ] = "last",
    depth: Annotated[
        int | None, typer.Option(help="Use the first blocks alone. [all]")
    ] = None,
    learned_positions: Annotated[
        bool,
        typer.Option(
            "--learned-positions",
            help="Add learned positions, zero at first, to the input.",
        ),
    ] = False,
    quantize: Annotated[
        str | None,
        typer.Option(help="Keep the frozen weights as int8 or int4."),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(help="Of the backbone: float32, mixed_bfloat16, ..."),
    ] = None,
    cache_features: Annotated[
        bool,
        typer.Option(
            "--cache-features",
            help="Compute the frozen features once, where the output layer "
            "alone trains and dropout is 0.",
        ),
    ] = False,
    rematerialize: Annotated[
        bool,
        typer.Option(
            "--rematerialize",
            help="Compute blocks again for the gradient, to save memory.",
        ),
    ] = False,
    gradient_accumulation_steps: Annotated[
        int | None,
        typer.Option(help="Steps whose mean gradient moves the weights. [1]"),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Gradient steps. [the task's own]")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Examples a step. [the task's own]")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Of Adam. [the task's own]")
    ] = None,
    dropout: Annotated[
        float | None, typer.Option(help="Dropout rate. [the task's own]")
    ] = None,
    seed: int = 0,
    data_dir: DataDir = None,
    output: Annotated[
        Path | None, typer.Option(help="[runs/<task>-<arm>-<n>]")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run, if any.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a run, if any.")
    ] = False,
    distribution: Annotated[
        str | None,
        typer.Option(
            help="data_parallel, model_parallel (JAX) or auto: use all "
            "devices, and the other processes of a run. [one device]"
        ),
    ] = None,
    checkpoint_seconds: Annotated[
        float, typer.Option(help="Least time between two checkpoints.")
    ] = 5.0,
    options: dict | None = None,
):
    """Train a frozen pretrained transformer on a task or your own data.

    Stopped by SIGTERM, it checkpoints and exits with status 75; the same
    command with --resume goes on. Ctrl-C does the same, with status 130.
    """
    if resume and overwrite:
        raise ValueError("Give --resume or --overwrite, not both.")
    if (resume or overwrite) and output is None:
        raise ValueError("Say with --output which run to resume or overwrite.")
    _load_backend()
    from keras_fpt.distribution import is_first_process
    from keras_fpt.runs import train as run
    from keras_fpt.runs.config import RunConfig

    config = RunConfig(
        task=task,
        preset=preset,
        arm=arm,
        policy=policy,
        readout=readout,
        depth=depth,
        learned_positions=learned_positions,
        quantize=quantize,
        dtype=dtype,
        cache_features=cache_features,
        rematerialize=rematerialize,
        gradient_accumulation_steps=gradient_accumulation_steps,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        dropout=dropout,
        seed=seed,
        data_dir=data_dir,
        options=options,
    )
    with _stopping_as_asked(), _spread(distribution):
        metrics = run.train(
            config, output, resume, overwrite, _log, checkpoint_seconds
        )
        is_first = is_first_process()
    if is_first:
        _print_summary(metrics)


def _spread(kind):
    from keras_fpt.distribution import scope

    return contextlib.nullcontext() if kind is None else scope(kind)


def _log(line):
    console.print(line, markup=False)


def _print_summary(metrics):
    table = Table(title=escape(f"{metrics['task']}, arm {metrics['arm']}"))
    table.add_column("")
    splits = [
        name.removesuffix("_loss") for name in metrics if name.endswith("_loss")
    ]
    for split in splits:
        table.add_column(split, justify="right")
    for metric, label, form in (
        ("accuracy", "accuracy", ".2%"),
        ("top_5_accuracy", "top-5 accuracy", ".2%"),
        ("majority_accuracy", "commonest answer", ".2%"),
        ("loss", "loss", ".4f"),
    ):
        values = [metrics.get(f"{split}_{metric}") for split in splits]
        if any(value is not None for value in values):
            table.add_row(
                label,
                *("" if v is None else format(v, form) for v in values),
            )
    console.print(table)
    trained, total = (
        metrics["trainable_parameters"],
        metrics["total_parameters"],
    )
    console.print(
        f"Trained: {metrics['policy']}, {trained:,} of {total:,} parameters "
        f"({trained / total:.2%}), {metrics['steps']:,} steps in "
        f"{metrics['wall_seconds']:.0f} s on {metrics['backend']}."
    )


@app.command()
@_with_task_options
def sweep(
    task: TaskArgument,
    output: Annotated[
        Path,
        typer.Option(help="Folder of the sweep; the same command goes on."),
    ],
    arm: Annotated[
        list[str] | None,
        typer.Option(help="May be repeated. [fpt and random]"),
    ] = None,
    search: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=VALUE,VALUE,... or NAME=LOW:HIGH, a setting to choose; "
            "may be repeated. [learning_rate=3e-4,1e-3,3e-3]"
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(help="Runs of each arm's search, if there is LOW:HIGH."),
    ] = None,
    seeds: Annotated[
        int, typer.Option(help="Runs of each arm at its best settings.")
    ] = 3,
    preset: Annotated[
        str | None, typer.Option(help="As for train. [gpt2_tiny_en]")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Gradient steps. [the task's own]")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="NAME=VALUE, another setting of every run, as train's "
            "option of that name; may be repeated.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Of the search, and the first of --seeds.")
    ] = 0,
    data_dir: DataDir = None,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Optuna's database, which machines may share: "
            "postgresql://... [an SQLite file in the output folder]"
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Runs that train at a time here.")
    ] = 1,
    takeover_seconds: Annotated[
        int,
        typer.Option(
            help="Silence after which a worker's run is given to another."
        ),
    ] = 60,
    options: dict | None = None,
):
    """Compare arms, each at its own best settings, over several seeds.

    Settings are chosen on validation data; the test split is read for the
    best alone.
    """
    _load_backend()
    from keras_fpt.runs.config import RunConfig
    from keras_fpt.studies import sweep as sweeps
    from keras_fpt.studies import sweep_config

    fixed = dict(map(sweep_config.parse_setting, setting or []))
    fixed |= {"preset": preset} if preset is not None else {}
    fixed |= {"steps": steps} if steps is not None else {}
    searched = dict(map(sweep_config.parse_search, search or []))
    config = sweep_config.SweepConfig(
        RunConfig(task, seed=seed, data_dir=data_dir, options=options, **fixed),
        tuple(arm or ("fpt", "random")),
        searched or sweep_config.DEFAULT_SEARCH,
        trials,
        seeds,
    )
    with _stopping_as_asked():
        table = sweeps.sweep(
            config, output, storage, workers, takeover_seconds, _log
        )
    _print_arms(table)
    for sentence in sweeps.verdicts(output):
        console.print(sentence, markup=False)


def _print_arms(summary):
    """The table of `summary.summarize`, in 80 columns, a part a task."""
    for task, rows in summary.groupby(level="task", sort=False):
        table = Table(title=escape(task))
        table.add_column("arm")
        for title in ("rate", "runs", "validation", "test", "steps"):
            table.add_column(title, justify="right", no_wrap=True)
        for (_, arm, settings), row in rows.iterrows():
            lost = f" of {row['n'] + row['diverged']}" * bool(row["diverged"])
            table.add_row(
                escape(f"{arm}\n{settings}" if settings else arm),
                _or_nothing(row["learning_rate"], "g"),
                f"{row['n']}{lost}",
                _mean(row, "validation_accuracy"),
                _mean(row, "test_accuracy"),
                _or_nothing(row["steps_to_converge"], ""),
            )
        console.print(table)
    console.print(
        "Accuracies are means over seeds, ± half of a 95% interval. Steps: the "
        "median to 95% of the arm's best validation accuracy."
    )


def _mean(row, name):
    half = _or_nothing(100 * row[f"{name}_interval"], ".2f")
    return f"{row[name]:.2%}" + (f" ± {half}" if half else "")


def _or_nothing(value, form):
    return "" if value is None or value != value else format(value, form)


@contextlib.contextmanager
def _stopping_as_asked():
    """Turns a request to stop into the exit status that says so."""
    from keras_fpt.runs.signals import Preempted

    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except Preempted:
        raise typer.Exit(PREEMPTED) from None


@app.command()
@_with_task_options
def compare(
    task: TaskArgument,
    budget: Annotated[
        str, typer.Option(help="Wall time that it may take: 90s, 10m, 2h, ...")
    ] = "10m",
    finetune: Annotated[
        bool,
        typer.Option(
            "--finetune", help="Also the arms finetune and full, all trained."
        ),
    ] = False,
    preset: Annotated[
        str | None, typer.Option(help="As for train. [gpt2_tiny_en]")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Examples a step. [the task's own]")
    ] = None,
    seed: Annotated[int, typer.Option(help="The first.")] = 0,
    data_dir: DataDir = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Its folder; the same command goes on. "
            "[runs/<task>-compare-<n>]"
        ),
    ] = None,
    options: dict | None = None,
):
    """Tell whether a frozen language model is worth it on some data.

    Beside it: the majority class, scikit-learn's logistic regression and
    gradient boosting, a linear probe and random weights, each at its own best
    settings.
    """
    from keras_fpt.studies.deadline import parse_seconds

    began = time.monotonic()
    seconds = parse_seconds(budget)
    _load_backend()
    from keras_fpt.runs.config import RunConfig
    from keras_fpt.studies import compare as comparing

    run = RunConfig(
        task,
        preset=preset,
        batch_size=batch_size,
        seed=seed,
        data_dir=data_dir,
        options=options,
    )
    with _stopping_as_asked():
        folder, table, sentence = comparing.compare(
            comparing.Comparison(run, finetune), output, seconds, began, _log
        )
    _print_arms(table)
    _log(f"The report: {folder / comparing.REPORT}")
    _log(sentence or "Time was too short to train the frozen language model.")


@app.command()
def reproduce(
    question: Annotated[
        str,
        typer.Argument(
            help="transfer, modality, architecture, efficiency, attention, "
            "fit, size, statistics, linear-probe, depth, train-more, groups or "
            "language-models."
        ),
    ],
    budget: Annotated[
        str,
        typer.Option(
            help="minutes (at most ten), hours, or paper: its own scale, for "
            "those with accelerators."
        ),
    ] = "minutes",
    output: Annotated[
        Path | None,
        typer.Option(
            help="Its folder; the same command goes on. "
            "[runs/<question>-<budget>-<n>]"
        ),
    ] = None,
    data_dir: DataDir = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the runs and their cost.")
    ] = False,
):
    """Answer one of the paper's questions with runs of your own."""
    began = time.monotonic()
    _load_backend()
    from keras_fpt.studies import reproduce as reproduction
    from keras_fpt.studies.question import load_question

    asked = load_question(question)
    console.print(f"{asked.title}\n{asked.outcome}", markup=False)
    if dry_run:
        planned = reproduction.plan(asked, budget, data_dir)
        _print_plan(planned)
        _log(reproduction.cost(planned, budget))
        return
    with _stopping_as_asked():
        folder, table = reproduction.reproduce(
            asked, budget, output, data_dir, began, _log
        )
    _print_arms(table)
    _log(f"The report: {folder / reproduction.REPORT}")


def _print_plan(planned):
    """Prints what `reproduction.plan` gives."""
    table = Table("task", "arm", "runs", "steps of each")
    for runs in planned:
        table.add_row(
            runs.task, escape(runs.what), str(runs.count), f"{runs.steps:,}"
        )
    console.print(table)


@app.command()
def evaluate(
    run_dir: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    split: Annotated[
        str, typer.Option(help="validation, test, or another of the task's.")
    ] = "test",
    data_dir: DataDir = None,
):
    """Evaluate a finished run again, from its adapter."""
    _load_backend()
    from keras_fpt.runs import train as run

    result = run.evaluate(run_dir, split, data_dir)
    accuracies = ", ".join(
        f"{name.replace('_', ' ')} {value:.2%}"
        for name, value in result.items()
        if name.endswith("accuracy")
    )
    console.print(f"{split} {accuracies}, loss {result['loss']:.4f}")


@app.command()
def report(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of runs, or of sweeps.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The .html file to write.")
    ] = Path("report.html"),
    tables: Annotated[
        Path | None,
        typer.Option(help="Folder for the table as .md, .csv and .tex."),
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(help="Folder for the pictures as .svg.")
    ] = None,
):
    """Write what runs have found as a page, with tables and pictures."""
    _load_backend()
    from keras_fpt.reports.page import report

    _print_arms(report(runs, output, tables, figures=figures))
    console.print(f"Written to {output}.", markup=False)


@app.command()
def attention(
    run_dir: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The .png file to write.")
    ] = Path("attention.png"),
    example: Annotated[
        int, typer.Option(help="Which example of the validation split.")
    ] = 0,
    block: Annotated[
        int | None,
        typer.Option(
            help="Draw each head of this block, counted from 0. [all blocks, "
            "their heads averaged]"
        ),
    ] = None,
    data_dir: DataDir = None,
):
    """Draw what a finished run's tokens attend to."""
    _load_backend()
    from keras_fpt.reports.attention_maps import attention_map

    panels = attention_map(run_dir, output, example, block, data_dir)
    what = "blocks" if block is None else f"heads of block {block}"
    console.print(
        f"Attention of {len(panels)} {what}, drawn to {output}.", markup=False
    )


@app.command()
def predict(
    run_dir: Annotated[
        Path, typer.Argument(help="Folder of a finished run on your own data.")
    ],
    data: Annotated[
        Path, typer.Argument(help="New data of the same kind; no labels.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The .csv file to write.")
    ] = Path("predictions.csv"),
):
    """Predict the classes of new data with a finished run."""
    _load_backend()
    from keras_fpt.runs.predict import predict

    frame = predict(run_dir, data, output)
    counts = frame["prediction"].value_counts()
    shown = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    console.print(
        f"{len(frame):,} predictions written to {output}: {shown}.",
        markup=False,
    )


@tasks_app.callback(invoke_without_command=True)
def list_tasks(context: typer.Context):
    """List the tasks, or show one."""
    if context.invoked_subcommand is not None:
        return
    _load_backend()
    from keras_fpt import tasks

    table = Table("task", "tokens", "each", "answers", "classes", "what")
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


@tasks_app.command("show")
@_with_task_options
def show_task(
    task: TaskArgument,
    data_dir: DataDir = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="[<task>.png]")
    ] = None,
    options: dict | None = None,
):
    """Show what a task's data is, and draw a few examples as a PNG."""
    _load_backend()
    from keras_fpt import tasks
    from keras_fpt.tasks.drawing import draw_examples

    shown = tasks.get(task, data_dir, **options)
    table = Table(title=escape(shown.name), show_header=False)
    for row in _facts(shown):
        table.add_row(*map(escape, row))
    console.print(table)
    console.print(_class_table(shown))
    output = output or Path(f"{shown.name.replace(':', '-')}.png")
    draw_examples(shown, output)
    console.print(f"Examples drawn to {output}.", markup=False)


def _kind_of_token(task):
    if task.vocabulary_size is not None:
        return f"1 of {task.vocabulary_size}"
    return f"{task.input_dim} float" + "s" * (task.input_dim > 1)


def _facts(task):
    yield "what", task.description
    yield "tokens", f"up to {task.sequence_length:,}, {_kind_of_token(task)}"
    answers = task.num_output_tokens * task.labels_per_token
    yield "answers", f"{answers:,} of {task.num_classes:,} classes"
    for split in ("train", *task.held_out_splits):
        size = task.data.size(split)
        yield split, "without end" if size is None else f"{size:,} examples"
    for split in task.held_out_splits:
        yield (
            f"majority class, {split}",
            f"right in {task.majority_accuracy(split):.2%}",
        )
    if task.origin is not None:
        yield "source", task.origin.source
        yield "licence", task.origin.licence
        yield "citation", task.origin.citation


def _class_table(task):
    """The commonest classes, and how often each is the answer."""
    counts = {
        split: task.class_counts(split)
        for split in ("train", *task.held_out_splits)
    }
    counts = {k: v for k, v in counts.items() if v is not None}
    table = Table("class", *counts)
    order = sorted(
        range(task.num_classes), key=lambda i: -next(iter(counts.values()))[i]
    )
    for i in order[:CLASSES_SHOWN]:
        name = task.class_names[i] if task.class_names else str(i)
        table.add_row(escape(name), *(_share(v, i) for v in counts.values()))
    if len(order) > CLASSES_SHOWN:
        table.add_row(
            f"{len(order) - CLASSES_SHOWN:,} more", *("" for _ in counts)
        )
    return table


def _share(counts, i):
    return f"{counts[i]:,} ({counts[i] / counts.sum():.1%})"


@presets_app.callback(invoke_without_command=True)
def list_presets(context: typer.Context):
    """List the presets, or show one."""
    if context.invoked_subcommand is not None:
        return
    import json

    from keras_fpt.presets import packaged

    table = Table("packaged preset", "layers", "width", "heads", "positions")
    for name in packaged.names():
        config = json.loads(
            Path(packaged.path(name), "config.json").read_text()
        )
        table.add_row(
            name,
            *(
                str(config["config"][key])
                for key in (
                    "num_layers",
                    "hidden_dim",
                    "num_heads",
                    "max_sequence_length",
                )
            ),
        )
    console.print(table)
    _load_backend()
    import keras_hub

    names = ", ".join(sorted(keras_hub.models.GPT2Backbone.presets))
    console.print(
        f"Downloaded on first use, from KerasHub: {names}, and those of the "
        "other families.\n"
        "Also: hf://USER/MODEL, kaggle://..., gguf:FILE, and any local "
        "KerasHub or Hugging Face folder.\n"
        "`keras-fpt presets show NAME` shows one."
    )


@presets_app.command("show")
def show_preset(
    name: Annotated[str, typer.Argument(help="A name, as `train` takes it.")],
):
    """Show a preset's family and sizes, and what of it would train."""
    _load_backend()
    from keras_fpt import FPTClassifier
    from keras_fpt.presets import load_backbone

    # Fresh weights: sizes need no pretrained ones.
    backbone = load_backbone(name, load_weights=False)
    table = Table(title=escape(name), show_header=False)
    table.add_row("family", type(backbone).__name__)
    for key, label in (
        ("num_layers", "blocks"),
        ("hidden_dim", "width"),
        ("num_heads", "heads"),
        ("num_query_heads", "query heads"),
        ("num_key_value_heads", "key and value heads"),
        ("intermediate_dim", "feedforward width"),
        ("max_sequence_length", "positions"),
        ("vocabulary_size", "vocabulary"),
    ):
        value = getattr(backbone, key, None)
        if value is not None:
            table.add_row(label, f"{value:,}")
    count = backbone.count_params()
    table.add_row("parameters", f"{count:,}, {count * 4e-6:,.1f} MB as float32")
    console.print(table)
    report = FPTClassifier(backbone).parameter_report()
    groups = Table("group", "parameters", "share", "policy fpt")
    for group, row in report.drop(["output", "total"]).iterrows():
        groups.add_row(
            group,
            f"{row['parameters']:,}",
            f"{row['share']:.2%}",
            "trains" if row["trains"] else "frozen",
        )
    console.print(groups)


@pretrain_app.command("bit-memory")
def pretrain_bit_memory(
    preset: Annotated[
        str, typer.Option(help="Whose architecture: a name or a folder.")
    ] = "gpt2_tiny_en",
    steps: Annotated[int, typer.Option(help="Gradient steps.")] = 200,
    batch_size: Annotated[int, typer.Option(help="Examples a step.")] = 64,
    learning_rate: Annotated[float, typer.Option(help="Of Adam.")] = 1e-3,
    seed: int = 0,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for the preset. [where the arm bit looks]"),
    ] = None,
):
    """Train every weight of a fresh backbone on bit memory."""
    _load_backend()
    from keras_fpt.pretraining import BitMemoryConfig, pretrain_bit_memory

    record = pretrain_bit_memory(
        BitMemoryConfig(preset, steps, batch_size, learning_rate, seed),
        output,
        _log,
    )
    console.print(
        f"{record['accuracy']:.1%} of bit memory's bits are right. Written to "
        f"{record['folder']}."
    )


@pretrain_app.command("language-model")
def pretrain_language_model(
    text: Annotated[
        list[str], typer.Option(help="A UTF-8 text file; may be repeated.")
    ],
    output: Annotated[Path, typer.Option(help="Folder for the preset.")],
    num_layers: int = 4,
    num_heads: int = 4,
    hidden_dim: int = 256,
    vocabulary_size: int = 4096,
    max_sequence_length: int = 1024,
    short_sequence_length: Annotated[
        int, typer.Option(help="Length of sequences at first.")
    ] = 256,
    short_fraction: Annotated[
        float, typer.Option(help="Part of the steps at that length.")
    ] = 0.75,
    tokens: Annotated[
        int | None, typer.Option(help="Tokens to train on. [one epoch]")
    ] = None,
    batch_tokens: Annotated[int, typer.Option(help="Tokens a step.")] = 4096,
    learning_rate: Annotated[float, typer.Option(help="The peak.")] = 3e-3,
    decay_fraction: Annotated[
        float, typer.Option(help="Last part, over which the rate falls to 0.")
    ] = 0.3,
    validation_fraction: Annotated[
        float, typer.Option(help="Part of the text, at its end, held out.")
    ] = 0.01,
    seed: int = 0,
    dtype: Annotated[
        str, typer.Option(help="float32, or mixed_bfloat16 where it is fast.")
    ] = "float32",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run, if any.")
    ] = False,
):
    """Train a tokenizer and a GPT-2 on plain text.

    A line that is <|endoftext|> alone, and a file's end, end a document.
    """
    _load_backend()
    from keras_fpt.pretraining import (
        LanguageModelConfig,
        pretrain_language_model,
    )

    config = LanguageModelConfig(
        texts=tuple(text),
        num_layers=num_layers,
        num_heads=num_heads,
        hidden_dim=hidden_dim,
        vocabulary_size=vocabulary_size,
        max_sequence_length=max_sequence_length,
        short_sequence_length=short_sequence_length,
        short_fraction=short_fraction,
        tokens=tokens,
        batch_tokens=batch_tokens,
        learning_rate=learning_rate,
        decay_fraction=decay_fraction,
        validation_fraction=validation_fraction,
        seed=seed,
        dtype=dtype,
    )
    results = pretrain_language_model(config, str(output), resume, _log)
    console.print(
        f"Validation loss {results['validation_loss']:.4f}, "
        f"{results['bits_per_byte']:.3f} bits a byte (bigram: "
        f"{results['bigram_bits_per_byte']:.3f}). Written to {output}."
    )


def _load_backend():
    """Imports the heavy libraries without TensorFlow's start-up chatter.

    TensorFlow writes to the file descriptor itself, whatever Python or its
    own environment variables say. What it wrote is shown if it fails.
    """
    if not os.environ.get("TF_CPP_MIN_LOG_LEVEL"):
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            import keras
            import keras_hub  # noqa: F401
            import tensorflow as tf

            # It warns of tracing when several models train in a process.
            tf.get_logger().setLevel("ERROR")
            if keras.backend.backend() != "tensorflow":
                # It only feeds data then, and would take an accelerator's
                # whole memory.
                tf.config.set_visible_devices([], "GPU")
            if not os.environ.get("TF_CONFIG"):
                # Several workers must first be told of each other.
                tf.config.list_logical_devices()
        except ModuleNotFoundError as error:
            raise ImportError(
                f"The package `{error.name}` is not installed. With "
                "KERAS_BACKEND=jax or torch, install keras-fpt[jax] or "
                "keras-fpt[torch]."
            ) from error
        except BaseException:
            chatter.seek(0)
            os.write(saved, chatter.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


# What bad input raises; everything else is a defect and shows its traceback.
EXPECTED = (
    ValueError,
    OSError,
    FloatingPointError,
    ImportError,
    MemoryError,
)


def main():
    """Runs the command line and exits with its status."""
    debug = "--debug" in sys.argv
    try:
        app()
    except EXPECTED as error:
        if debug:
            raise
        stderr = Console(stderr=True, soft_wrap=True, highlight=False)
        stderr.print("[red]Error:[/] ", end="")
        stderr.print(str(error), markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
