"""The end of a run: its last evaluation, and the files that it writes."""

import contextlib
import importlib.metadata
import logging
import math
import pathlib
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import keras

import keras_fpt
from keras_fpt import distribution, freezing
from keras_fpt.models import FPTClassifier
from keras_fpt.progress import BatchProgress
from keras_fpt.runs import board_pictures, errors, folder, manifest, measures
from keras_fpt.runs.curves import draw_curves
from keras_fpt.runs.evaluation import (
    evaluate_model,
    mean_floors,
    test_metrics,
    with_prefix,
    write_metrics,
)
from keras_fpt.runs.recorder import Recorder, read_history
from keras_fpt.runs.resolved import ResolvedRun
from keras_fpt.runs.test_examples import ExampleScores
from keras_fpt.tasks import Task

LOGGER = logging.getLogger(__name__)
TRAIN_SUBSET_SIZE = 2048
ACCURACY_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def finish(
    run: ResolvedRun, model: FPTClassifier, recorder: Recorder, test: bool
) -> dict[str, Any]:
    """Evaluates a trained model and writes the files of a finished run.

    Args:
        run: the `ResolvedRun`.
        model: its trained model.
        recorder: the `Recorder` of its training.
        test: bool, whether the test split is read, too.

    Returns:
        The dict in `metrics.json`.

    Raises:
        FloatingPointError: the loss on the test split is not finite. The files
            are written, without metrics of it.
    """
    splits = _evaluated(recorder, test)
    if splits:
        *others, last = splits
        names = f"{', '.join(others)} and {last}" if others else last
        LOGGER.info(f"Evaluating on {names}.")
    progress = BatchProgress("evaluation", _num_batches(run, splits))
    is_shown = distribution.is_first_process()
    with progress if is_shown else contextlib.nullcontext():
        metrics, examples, error = _measure(
            run, model, recorder, test, [progress]
        )
    if distribution.is_first_process():
        _write(run, model, recorder, metrics, examples)
    if error is not None:
        raise FloatingPointError(
            f"{error} The adapter, and the metrics on train and validation, "
            f"are in `{recorder.folder}`."
        ) from error
    return metrics


def _evaluated(recorder: Recorder, test: bool) -> list[str]:
    """The splits that are evaluated at the end.

    A run that has paused has its last evaluation, and is evaluated on all of
    validation when it is tested.
    """
    if recorder.is_over:
        return ["train", "validation"] + test * ["test"]
    return test * ["validation", "test"]


def _num_batches(run: ResolvedRun, splits: Sequence[str]) -> int:
    """The batches of the last evaluation, as far as they are known."""
    task, size = run.task, run.evaluation_batch_size
    counts = []
    if "train" in splits:
        counts.append(train_subset_size(task))
    if "validation" in splits:
        counts.append(task.data.size("validation"))
    if "test" in splits:
        held_out = map(task.data.size, task.held_out_splits[1:])
        counts += [*held_out, task.data.size("test")]
        if task.has_one_class:
            counts.append(task.data.size("validation"))
    return sum(math.ceil(count / size) for count in counts)


def _measure(
    run: ResolvedRun,
    model: FPTClassifier,
    recorder: Recorder,
    test: bool,
    callbacks: Sequence[Any] = (),
) -> tuple[dict[str, Any], ExampleScores | None, FloatingPointError | None]:
    """The metrics, the right answers, and the error of a test without any."""
    task, batch_size = run.task, run.evaluation_batch_size
    splits = _evaluated(recorder, test)
    metrics = _describe(run, model, recorder) | _last_evaluation(recorder)
    if "train" in splits:
        train = first_batches(
            task.data.train(
                batch_size, run.seed, first_batch=0, is_augmented=False
            ),
            train_subset_size(task),
            batch_size,
        )
        metrics |= with_prefix("train", evaluate_model(model, train, callbacks))
    if "validation" in splits:
        validation = task.held_out("validation", batch_size)
        found = evaluate_model(model, validation, callbacks)
        metrics |= with_prefix("validation", found)
    examples = error = None
    if test:
        try:
            tested, examples = test_metrics(run, model, callbacks)
            metrics |= tested
        except FloatingPointError as not_finite:
            error = not_finite
    if task.is_regression:
        for name in task.held_out_splits:
            metrics |= with_prefix(name, task.target_floors(name))
    else:
        metrics |= {
            f"{name}_majority_accuracy": task.majority_accuracy(name)
            for name in task.held_out_splits
        }
        metrics["steps_to_accuracy"] = steps_to_accuracy(recorder.rows)
    return metrics, examples, error


def _describe(
    run: ResolvedRun, model: FPTClassifier, recorder: Recorder
) -> dict[str, Any]:
    """What is known of a trained run without an evaluation."""
    floors = run.task.floors("validation")
    return {
        **run.settings(),
        "backend": keras.backend.backend(),
        "trainable_parameters": freezing.count_parameters(
            model.trainable_variables
        ),
        "total_parameters": freezing.count_parameters(model.weights),
        "validation_floors": mean_floors(floors, measures.of_task(run.task)),
        "wall_seconds": recorder.rows[-1]["seconds"],
        **recorder.share.described(recorder.evaluated_share),
        **_stopping(run, recorder),
        "distribution": getattr(distribution.current(), "description", None),
        "versions": _versions(),
    }


def _last_evaluation(recorder: Recorder) -> dict[str, float]:
    """The metrics of the evaluation whose weights a paused run keeps."""
    row = recorder.kept_row
    names = ("loss", recorder.metric)
    return {
        f"{split}_{name}": row[f"{split}_{name}"]
        for split in ("train", "validation")
        for name in names
    }


def _stopping(run: ResolvedRun, recorder: Recorder) -> dict[str, Any]:
    """Where a run stopped or paused, and the step whose weights it keeps."""
    if (
        recorder.is_over
        and not run.config.patience
        and run.config.keep != "best"
    ):
        return {}
    return {
        "trained_steps": recorder.step,
        "kept_step": recorder.kept_row["step"],
        **({} if recorder.is_over else {"paused": True}),
    }


def _write(
    run: ResolvedRun,
    model: FPTClassifier,
    recorder: Recorder,
    metrics: dict[str, Any],
    examples: ExampleScores | None,
) -> None:
    run_folder = recorder.folder
    recorder.check_lock()
    names = ("task", "arm", "preset", "seed", "depth", "quantize")
    header = {name: metrics[name] for name in names}
    # Those of a pause do not describe the adapter that is written now.
    (run_folder / folder.METRICS).unlink(missing_ok=True)
    made_of = manifest.read(run_folder)
    if made_of is not None:
        header["run"] = made_of.digest
    model.save_adapter(run_folder / folder.ADAPTER, header)
    if examples is not None:
        examples.write(run_folder)
    # The run is finished now. What follows may fail.
    write_metrics(run_folder, metrics)
    if not recorder.is_over:
        # A run that goes on computes them again.
        (run_folder / folder.FEATURES).unlink(missing_ok=True)
        return
    _draw(run_folder, metrics, recorder.rows)
    if folder.is_tested(metrics):
        _complete_board(run, model, recorder, metrics)
    clean_up(run_folder)
    LOGGER.info(
        f"Written to {run_folder}: {folder.METRICS}, {folder.HISTORY}, "
        f"{folder.CURVES}, {folder.ADAPTER}, {folder.TENSORBOARD}/"
    )


def _complete_board(
    run: ResolvedRun,
    model: FPTClassifier,
    recorder: Recorder,
    metrics: Mapping[str, Any],
) -> None:
    """Writes the test result and pictures for TensorBoard."""
    step = int(recorder.rows[-1]["step"])
    names = ("test_loss", f"test_{recorder.metric}")
    with errors.warn_instead("write the files of TensorBoard"):
        recorder.board.write(step, {name: metrics[name] for name in names})
        board_pictures.write(recorder.board, run, model, metrics, step)


def draw_missing_curves(run_folder: pathlib.Path) -> None:
    """Draws the curves of a finished run that has none yet."""
    if not (run_folder / folder.CURVES).exists():
        with errors.warn_instead(f"draw {folder.CURVES}"):
            rows = read_history(run_folder)
            _draw(run_folder, folder.read_metrics(run_folder), rows)


def _draw(
    run_folder: pathlib.Path,
    metrics: Mapping[str, Any],
    rows: Sequence[dict[str, Any]],
) -> None:
    split = "test" if folder.is_tested(metrics) else "validation"
    measure = measures.of_metrics(metrics)
    result = measure.show(metrics[f"{split}_{measure.name}"], 1)
    with errors.warn_instead(f"draw {folder.CURVES}"):
        draw_curves(
            rows,
            f"{metrics['task']}, arm {metrics['arm']}, {metrics['preset']}, "
            f"seed {metrics['seed']}: {split} {measure.title} {result}",
            run_folder / folder.CURVES,
        )


def clean_up(run_folder: pathlib.Path) -> None:
    """Removes what a finished run no longer needs."""
    with errors.warn_instead(f"remove the checkpoints in `{run_folder}`"):
        folder.remove_checkpoints(run_folder)
        (run_folder / folder.FEATURES).unlink(missing_ok=True)


def train_subset_size(task: Task) -> int:
    """How many training examples are evaluated at the end of a run."""
    size = task.data.size("train")
    return TRAIN_SUBSET_SIZE if size is None else min(size, TRAIN_SUBSET_SIZE)


def first_batches(dataset: Any, size: int, batch_size: int) -> Any:
    """The first batches of a dataset, with at least `size` examples."""
    return dataset.take(math.ceil(size / batch_size))


def steps_to_accuracy(
    rows: Sequence[dict[str, Any]],
) -> dict[str, int | None]:
    """The first evaluated step at which validation accuracy reached each level.

    Args:
        rows: list of dicts as in `history.csv`.

    Returns:
        A dict from each threshold, as text, to a step or `None`.
    """
    return {
        str(threshold): next(
            (
                row["step"]
                for row in rows
                if row["validation_accuracy"] >= threshold
            ),
            None,
        )
        for threshold in ACCURACY_THRESHOLDS
    }


def _versions() -> dict[str, str]:
    packages = ["keras", "keras-hub", "numpy", keras.backend.backend()]
    return {
        "keras-fpt": keras_fpt.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
    }
