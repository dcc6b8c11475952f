"""Evaluates models and finished runs on the splits of a task."""

import dataclasses
import json
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import special

from keras_fpt import files, logs, tasks
from keras_fpt.models import FPTClassifier
from keras_fpt.runs import (
    class_results,
    data_description,
    folder,
    forecast_results,
    label_results,
    manifest,
    measures,
    target_results,
    test_examples,
)
from keras_fpt.runs.config import RunConfig
from keras_fpt.runs.model import build_model
from keras_fpt.runs.resolved import ResolvedRun, resolve
from keras_fpt.runs.test_examples import ExampleScores
from keras_fpt.tasks import Task

Path = str | os.PathLike[str]


def evaluate(
    run_folder: Path,
    split: str = "test",
    data_dir: Path | None = None,
    preset: Path | None = None,
) -> dict[str, Any]:
    """Evaluates a finished run again, from its adapter.

    Args:
        run_folder: path of the run's folder.
        split: string, `"validation"`, `"test"` or another held-out split of
            the task.
        data_dir: path of the task's data, or of the user's own file or
            folder, if it has moved; `None` means the path that the run
            recorded, relative to the run's folder or, if nothing exists there,
            as an absolute path.
        preset: name or path of the run's preset, if it has moved; `None`
            likewise.

    Returns:
        A dict of `loss`, `accuracy` and the task's other metrics; for a
        regression of `loss`, `mae`, `rmse` and `r2`; for a forecast of `loss`,
        `mse`, `mae` and `forecasts`, the result of `forecast_results.compare`.
        Of quantiles, also what `target_results.measure_quantiles` returns. For
        several labels, and for labels of tokens, also what `measure_answers`
        returns.

    Raises:
        FileNotFoundError: the folder contains no finished run.
        ValueError: the split is unknown, the adapter does not fit, or the
            data or the configuration has changed.
        FloatingPointError: the loss is not finite.
    """
    run, model = load_trained(run_folder, data_dir, preset)
    task = run.task
    found = evaluate_model(
        model, task.held_out(split, run.evaluation_batch_size)
    )
    result: dict[str, Any] = dict(_require_finite(found, split))
    is_other = task.is_multilabel or task.is_per_token
    if not (run.quantiles or task.is_forecast or is_other):
        return result
    answers = test_examples.predict_split(
        task, split, model, run.evaluation_batch_size
    )
    if task.is_forecast:
        x, y, *_ = task.data.splits[split]
        result["forecasts"] = forecast_results.compare(
            task.reader, x, y, answers, run.quantiles
        )
        labels = y
    else:
        labels = task.data.labels(split)[task.data.order(split)]
    if run.quantiles:
        result |= target_results.measure_quantiles(
            answers, labels, run.quantiles
        )
    if is_other:
        result |= measure_answers(task, answers, labels)
    return result


def measure_answers(
    task: tasks.Task, logits: np.ndarray, labels: np.ndarray
) -> dict[str, Any]:
    """Metrics of several labels per example, or of the classes of tokens.

    Args:
        task: a `Task` that is one or the other.
        logits: float array `(examples, labels)`, or
            `(examples, tokens, classes)`.
        labels: int array `(examples, labels)` or `(examples, tokens)`; tokens
            with -1 are left out.

    Returns:
        What `label_results.measure`, or `class_results.measure`, returns.
    """
    names = list(task.class_names or ())
    if task.is_multilabel:
        return label_results.measure(logits, labels, names)
    has_label = labels >= 0
    return class_results.measure(logits[has_label], labels[has_label], names)


def draw_mistakes(
    run_folder: Path,
    path: Path,
    split: str = "test",
    data_dir: Path | None = None,
    preset: Path | None = None,
    overwrite: bool = False,
) -> int:
    """Draws the wrong predictions of the highest probability of a finished run.

    Args:
        run_folder: path of the run's folder.
        path: the PNG file to write.
        split, data_dir, preset: as for `evaluate`.
        overwrite: bool, whether an existing file that keras-fpt did not write
            may be replaced.

    Returns:
        How many were drawn. If none is wrong, no file is written.

    Raises:
        FileExistsError: such a file exists.
        ValueError: the examples have several labels each; or as for `evaluate`.
    """
    tasks.picture_output(path, overwrite).check()
    run, model = load_trained(run_folder, data_dir, preset)
    task = run.task
    task.held_out(split, run.evaluation_batch_size)  # Checks the split's name.
    if not task.has_one_class:
        raise ValueError(
            f"The examples of '{task.name}' have several labels each, or "
            "numeric ones; the worst mistakes can be drawn only of examples "
            "with one class."
        )
    logits = test_examples.predict_split(
        task, split, model, run.evaluation_batch_size
    )
    labels = task.data.labels(split)[task.data.order(split)]
    names = task.class_names or list(map(str, range(task.num_classes)))
    chosen = {
        found["place"]: f"predicted {names[found['answer']]} "
        f"({found['probability']:.0%})"
        for found in class_results.worst_mistakes(logits, labels)
    }
    if chosen:
        tasks.draw_examples(task, path, overwrite, split, chosen)
    return len(chosen)


def load_trained(
    run_folder: Path,
    data_dir: Path | None = None,
    preset: Path | None = None,
) -> tuple[ResolvedRun, FPTClassifier]:
    """A finished run and its trained model.

    Args:
        run_folder: path of the run's folder.
        data_dir, preset: as for `evaluate`.

    Raises:
        FileNotFoundError: the folder contains no finished run.
        ValueError: the adapter does not fit, or the data or the configuration
            has changed.
    """
    config = read_moved_config(run_folder, preset)
    folder.finished_adapter(run_folder)
    if data_dir is not None:
        name = "data_dir" if config.source is None else "source"
        config = config.with_settings(**{name: str(data_dir)})
    with logs.only_warnings(tasks.__name__):  # It was described in training.
        run = resolve(config)
    task = data_description.as_started(run.task, run_folder)
    run = dataclasses.replace(run, task=task)
    if run.task.reader is not None:
        data_description.check_same_data(run.task, run_folder)
    saved = manifest.read(run_folder)
    if saved is not None:
        manifest.check_data(saved, run.task.data.fingerprint, run_folder)
    return run, load_model(run, run_folder)


def read_moved_config(
    run_folder: Path, preset: Path | None = None
) -> RunConfig:
    """The configuration of a run, with the current paths of its files.

    Args:
        run_folder: path of the run's folder.
        preset: as for `evaluate`.

    Raises:
        FileNotFoundError: the folder contains no run.
        ValueError: the configuration has changed since the run started.
    """
    config = folder.read_config(run_folder)
    saved = manifest.read(run_folder)
    if saved is not None:
        current = manifest.configuration(config.identity())
        manifest.check_configuration(saved, current, run_folder)
    config = manifest.locate(config, run_folder)
    return (
        config if preset is None else config.with_settings(preset=str(preset))
    )


def load_model(run: ResolvedRun, run_folder: Path) -> FPTClassifier:
    """The trained model of a finished run, from its adapter.

    Raises:
        FileNotFoundError: the folder contains no finished run.
        ValueError: the adapter does not fit, or is that of another run.
    """
    adapter = folder.finished_adapter(run_folder)
    model = build_model(run)
    header = model.load_adapter(adapter)
    saved = manifest.read(run_folder)
    if saved is not None:
        manifest.check_adapter(saved, header, adapter)
    return model


def evaluate_model(
    model: FPTClassifier, dataset: Any, callbacks: Sequence[Any] = ()
) -> dict[str, float]:
    """Loss and metrics of a model on a batched `tf.data.Dataset`."""
    result = model.evaluate(
        dataset, verbose=0, return_dict=True, callbacks=[*callbacks]
    )
    return {name: float(value) for name, value in result.items()}


def with_prefix(split: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics under the names they have in `metrics.json`."""
    return {f"{split}_{name}": value for name, value in values.items()}


def test_metrics(
    run: ResolvedRun, model: FPTClassifier, callbacks: Sequence[Any] = ()
) -> tuple[dict[str, Any], ExampleScores | None]:
    """Metrics on the test split, and on further held-out ones.

    Returns:
        Tuple of a dict, and the scores of the test examples, as `measure` in
        `test_examples` has them.
    """
    metrics: dict[str, Any] = {}
    for name in run.task.held_out_splits[1:]:
        dataset = run.task.held_out(name, run.evaluation_batch_size)
        result = evaluate_model(model, dataset, callbacks)
        result = _require_finite(result, name)
        metrics |= with_prefix(name, result)
    measure = measures.of_task(run.task)
    logits = test_examples.predict(
        run.task,
        model,
        run.evaluation_batch_size,
        metrics[f"test_{measure.name}"],
        callbacks,
    )
    examples = None
    if logits is not None:
        examples = test_examples.measure(run.task, logits, run.quantiles)
        if run.quantiles:
            found = target_results.measure_quantiles(
                logits, test_examples.targets(run.task), run.quantiles
            )
            metrics |= with_prefix("test", found)
        if run.task.is_forecast:
            metrics |= _of_forecasts(run.task, logits, run.quantiles)
        elif run.task.is_multilabel or run.task.is_per_token:
            found = measure_answers(run.task, logits, run.task.test_labels())
            metrics |= with_prefix("test", found)
        elif run.task.has_one_class:
            metrics |= _by_class(run, model, logits[:, 0], callbacks)
    metrics["test_examples"] = run.task.data.size("test")
    floors = run.task.floors("test") if examples is None else examples.rules
    metrics["test_floors"] = mean_floors(floors, measure)
    return metrics, examples


def _of_forecasts(
    task: Task, answers: Any, quantiles: Sequence[float]
) -> dict[str, Any]:
    """Errors of the test forecasts beside simple rules, and one to draw."""
    x, y, names, _ = task.data.splits["test"]
    return {
        "test_forecasts": forecast_results.compare(
            task.reader, x, y, answers, quantiles
        ),
        "test_forecast_example": forecast_results.typical_example(
            task.reader, x, y, answers, names, quantiles
        ),
    }


def _by_class(
    run: ResolvedRun,
    model: FPTClassifier,
    logits: np.ndarray,
    callbacks: Sequence[Any] = (),
) -> dict[str, Any]:
    """Metrics of the test examples' classes and probabilities."""
    task = run.task
    labels = task.test_labels()[:, 0]
    validation = task.data.labels("validation")[task.data.order("validation")]
    temperature = class_results.fit_temperature(
        test_examples.predict_split(
            task, "validation", model, run.evaluation_batch_size, callbacks
        ),
        validation.reshape(-1),
    )
    scaled = special.softmax(logits / temperature, axis=1)
    return {
        **with_prefix(
            "test", class_results.measure(logits, labels, task.class_names)
        ),
        "test_mistakes": class_results.worst_mistakes(logits, labels),
        "temperature": temperature,
        "test_scaled_calibration_error": class_results.calibration_error(
            scaled, labels
        ),
    }


def mean_floors(
    rules: Mapping[str, np.ndarray], measure: measures.Measure
) -> dict[str, float]:
    """The accuracy, or error, of each of `Task.floors`."""
    return {
        name: float(measure.value(scores.mean()))
        for name, scores in rules.items()
    }


def _require_finite(result: dict[str, float], split: str) -> dict[str, float]:
    if not math.isfinite(result["loss"]):
        raise FloatingPointError(
            f"The loss on {split} is {result['loss']}: the model's predictions "
            "for some examples are not finite. Look for extreme values in the "
            "data, or train with a lower learning rate."
        )
    return result


def add_test(run_folder: Path, take_over: str | None = None) -> dict[str, Any]:
    """Evaluates a run that was trained with `test=False` on the test split.

    Args:
        run_folder: path of the finished run's folder.
        take_over: string, a process that has locked the folder and is known to
            be unresponsive, as for `keras_fpt.runs.train`.

    Returns:
        The dict in `metrics.json`, with the new metrics.

    Raises:
        FileNotFoundError: the folder contains no finished run.
        BlockingIOError: another process is writing to the folder.
    """
    run_folder = pathlib.Path(run_folder)
    folder.check_links(run_folder)
    with folder.lock(run_folder, take_over=take_over) as held:
        run, model = load_trained(run_folder)
        tested, examples = test_metrics(run, model)
        metrics = folder.read_metrics(run_folder) | tested
        held.check()
        if examples is not None:
            examples.write(run_folder)
        write_metrics(run_folder, metrics)
    return metrics


def write_metrics(run_folder: Path, metrics: Mapping[str, Any]) -> None:
    """Writes `metrics.json`, the last file of a finished run."""
    files.write_text(
        pathlib.Path(run_folder, folder.METRICS),
        json.dumps(metrics, indent=2) + "\n",
    )
