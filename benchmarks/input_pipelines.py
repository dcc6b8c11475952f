"""Compare the speed of each task's input pipeline with that of a model.

    KERAS_BACKEND=torch python benchmarks/input_pipelines.py \
        --data-dir TFDS_FOLDER --tape-dir TAPE_FOLDER

This prints a table. Each task is measured at the batch size of its recipe, and
the model is `gpt2_tiny_en` with the paper's policy. On 2 CPU cores a task takes
about 10 seconds for its pipeline and, if its sequences are long, minutes for
its model; `--tasks` and `--steps` limit that. Missing image data is downloaded,
and ListOps is generated once.
"""

import argparse
import dataclasses
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

import keras_fpt  # noqa: E402

PRESET = "gpt2_tiny_en"
WARM_UP_BATCHES = 10
WINDOWS = 5


def main():
    arguments = parse_arguments()
    table = Table(
        "task",
        "batch size",
        "pipeline",
        "model",
        "pipeline / model",
        title=f"examples/s, {PRESET}, {keras.backend.backend()} backend",
    )
    for column in table.columns[1:]:
        column.justify = "right"
    missing = []
    folders = {
        "cifar10": arguments.data_dir,
        "cifar10_lra": arguments.data_dir,
        "mnist": arguments.data_dir,
        "remote_homology": arguments.tape_dir,
    }
    console = Console()
    for name in arguments.tasks:
        with console.status(name):
            try:
                task = keras_fpt.tasks.get(name, folders.get(name))
                rows = measure(name, task, arguments)
            except (OSError, ImportError) as error:
                missing.append(f"{name}: {error}")
                continue
        for row in rows:
            table.add_row(*row)
    console.print(table)
    for line in missing:
        console.print(line, style="yellow", markup=False)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", help="folder of TensorFlow Datasets")
    parser.add_argument("--tape-dir", help="folder that holds remote_homology/")
    parser.add_argument(
        "--tasks", nargs="+", default=keras_fpt.tasks.names(), metavar="TASK"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=1.0,
        help=f"length of each of {WINDOWS} timed windows of a pipeline",
    )
    parser.add_argument(
        "--steps", type=int, default=5, help="timed steps of the model"
    )
    return parser.parse_args()


def measure(name, task, arguments):
    """The table's rows of one task."""
    batch_size = task.recipe.batch_size
    pipelines = {name: task.data}
    if getattr(task.data, "augment", None):
        pipelines[f"{name}, not augmented"] = dataclasses.replace(
            task.data, augment=None
        )
    rates = {
        label: pipeline_rate(
            data.train(batch_size, 0, 0), batch_size, arguments.seconds
        )
        for label, data in pipelines.items()
    }
    model = model_rate(task, arguments.steps)
    return [
        (
            label,
            str(batch_size),
            formatted(rate),
            formatted(model),
            formatted(rate / model),
        )
        for label, rate in rates.items()
    ]


def pipeline_rate(dataset, batch_size, seconds):
    """Examples/s of an endless data set: the median over time windows."""
    batches = dataset.as_numpy_iterator()
    for _ in range(WARM_UP_BATCHES):
        next(batches)
    rates = []
    for _ in range(WINDOWS):
        count = 0
        start = time.perf_counter()
        while (passed := time.perf_counter() - start) < seconds:
            next(batches)
            count += batch_size
        rates.append(count / passed)
    return statistics.median(rates)


def model_rate(task, steps):
    """Training examples/s of a model: the median over steps.

    Each batch is trained on once before it is timed, since a new shape may
    have to be compiled.
    """
    keras.utils.set_random_seed(0)
    model = keras_fpt.FPTClassifier.from_preset(PRESET, task=task)
    train = task.datasets(task.recipe.batch_size).train
    batches = list(train.take(steps).as_numpy_iterator())
    rates = []
    for is_timed in (False, True):
        for x, y in batches:
            start = time.perf_counter()
            model.train_on_batch(x, y)
            if is_timed:
                rates.append(len(y) / (time.perf_counter() - start))
    return statistics.median(rates)


def formatted(number):
    """A number with at least two digits, as text."""
    return f"{number:,.1f}" if number < 10 else f"{number:,.0f}"


if __name__ == "__main__":
    main()
