"""Evaluates models and finished runs on the splits of a task."""

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from keras_fpt import files, logs, tasks
from keras_fpt.models import FPTClassifier
from keras_fpt.runs import data_description, folder
from keras_fpt.runs.model import build_model
from keras_fpt.runs.resolved import ResolvedRun, resolve

Path = str | os.PathLike[str]


def evaluate(
    run_folder: Path, split: str = "test", data_dir: Path | None = None
) -> dict[str, float]:
    """Evaluates a finished run again, from its adapter.

    Args:
        run_folder: path of the run's folder.
        split: string, `"validation"`, `"test"` or another held-out split of
            the task.
        data_dir: path of the task's data, or of the user's own file or
            folder, if it has moved; `None` means where it was.

    Returns:
        A dict of `loss`, `accuracy` and the task's other metrics.

    Raises:
        FileNotFoundError: the folder holds no finished run.
        ValueError: the split is unknown, the adapter does not fit, or the
            user's own data has changed.
    """
    run, model = load_trained(run_folder, data_dir)
    return evaluate_model(model, run.task.held_out(split, run.batch_size))


def load_trained(
    run_folder: Path, data_dir: Path | None = None
) -> tuple[ResolvedRun, FPTClassifier]:
    """A finished run and its trained model.

    Args:
        run_folder: path of the run's folder.
        data_dir: as for `evaluate`.

    Raises:
        FileNotFoundError: the folder holds no finished run.
        ValueError: the adapter does not fit, or the user's own data has
            changed.
    """
    config = folder.read_config(run_folder)
    adapter = folder.finished_adapter(run_folder)
    if data_dir is not None:
        name = "data_dir" if config.source is None else "source"
        config = config.with_settings(**{name: str(data_dir)})
    with logs.only_warnings(tasks.__name__):  # It was described in training.
        run = resolve(config)
    if run.task.reader is not None:
        data_description.check_same_data(run.task, run_folder)
    model = build_model(run)
    model.load_adapter(adapter)
    return run, model


def evaluate_model(model: FPTClassifier, dataset: Any) -> dict[str, float]:
    """Loss and metrics of a model on a batched `tf.data.Dataset`."""
    result = model.evaluate(dataset, verbose=0, return_dict=True)
    return {name: float(value) for name, value in result.items()}


def with_prefix(split: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics under the names they have in `metrics.json`."""
    return {f"{split}_{name}": value for name, value in values.items()}


def test_metrics(run: ResolvedRun, model: FPTClassifier) -> dict[str, float]:
    """Metrics on the test split, and on further held-out ones."""
    metrics: dict[str, float] = {}
    for name in run.task.held_out_splits[1:]:
        dataset = run.task.held_out(name, run.batch_size)
        metrics |= with_prefix(name, evaluate_model(model, dataset))
    return metrics


def add_test(run_folder: Path) -> dict[str, Any]:
    """Evaluates a run that was trained with `test=False` on the test split.

    Args:
        run_folder: path of the finished run's folder.

    Returns:
        The dict in `metrics.json`, with the new metrics.

    Raises:
        FileNotFoundError: the folder holds no finished run.
        BlockingIOError: another process is writing to the folder.
    """
    run_folder = pathlib.Path(run_folder)
    with folder.lock(run_folder):
        run, model = load_trained(run_folder)
        metrics = folder.read_metrics(run_folder) | test_metrics(run, model)
        write_metrics(run_folder, metrics)
    return metrics


def write_metrics(run_folder: Path, metrics: Mapping[str, Any]) -> None:
    """Writes `metrics.json`, the last file of a finished run."""
    files.write_text(
        pathlib.Path(run_folder, folder.METRICS),
        json.dumps(metrics, indent=2) + "\n",
    )
