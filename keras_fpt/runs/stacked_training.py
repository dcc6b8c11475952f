"""Trains runs that differ in learning rate and seed in one step."""

import contextlib
import dataclasses
import json
import logging
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_fpt import distribution, freezing, tasks
from keras_fpt.models import StackedClassifiers
from keras_fpt.progress import StepProgress
from keras_fpt.runs import (
    checkpoint_folder,
    data_description,
    errors,
    folder,
    manifest,
    starting,
)
from keras_fpt.runs.finishing import finish, first_batches
from keras_fpt.runs.recorder import CHECKPOINT_SECONDS, Recorder
from keras_fpt.runs.resolved import ResolvedRun
from keras_fpt.runs.signals import Preempted, StopSignals
from keras_fpt.runs.stack_recorder import StackRecorder
from keras_fpt.runs.start_log import log_start
from keras_fpt.runs.starting import BuiltRun
from keras_fpt.runs.training import VALIDATION_SUBSET_SIZE

LOGGER = logging.getLogger(__name__)


class CannotStackError(ValueError):
    """The runs cannot be trained in one step, and are to train one by one."""


def stack_key(run: ResolvedRun) -> str | None:
    """What runs must have in common to be trained in one step.

    Args:
        run: a `ResolvedRun`.

    Returns:
        A text that is equal for them, or `None` for a run that can only be
        trained alone. `StackedClassifiers` may refuse further ones.
    """
    config = run.config
    needs_own_steps = (
        config.cache_features
        or config.gradient_accumulation_steps
        or config.class_weight
    )
    if (
        run.task.head != "classifier"
        or run.arm.is_lstm
        or needs_own_steps
        or distribution.current() is not None
    ):
        return None
    identity = run.identity()
    del identity["learning_rate"]
    # Frozen weights that are drawn differ by seed, and batches of sequences
    # have the lengths that the seed's order gives them.
    if not run.arm.draws_weights and tasks.has_known_shapes(_batches(run, 0)):
        del identity["seed"]
    return json.dumps(manifest.without_folders(identity), sort_keys=True)


def train_stack(
    runs: Sequence[ResolvedRun],
    folders: Sequence[pathlib.Path],
    test: bool,
    until: int | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> None:
    """Trains runs of a study in one step, and records each in its own folder.

    Each run has the initial values, the batches and the files that it would
    have alone, and, without dropout, the same results but for rounding; with
    dropout, other entries are dropped. Its `manifest.json` names the runs that
    it was trained with, and its wall time is that of all. One that diverges, or
    whose loss no longer falls, ends, and leaves the others as they are.

    An interrupted stack is resumed by the same call, bit for bit. A run of one
    may also be resumed alone with `train`, and runs that have paused at one
    step may go on in another stack.

    Args:
        runs: list of `ResolvedRun`s with the same `stack_key`.
        folders: list of the paths of their folders. Runs that have ended there
            are not trained, but keep their places in the stack.
        test: bool, whether the test split is read at the end.
        until: int, the step at which the runs pause; see `train`.
        checkpoint_seconds: float, as of `train`.

    Raises:
        CannotStackError: the runs cannot be trained in one step, or their
            checkpoints are of different steps.
        Exception: see `train`.
    """
    if len({stack_key(run) for run in runs}) != 1 or stack_key(runs[0]) is None:
        raise CannotStackError("Their settings differ, or need other steps.")
    for path in folders:
        folder.check_output(path, resume=True, overwrite=False)
    stop_signals = StopSignals()
    with (
        stop_signals.watched(),
        errors.translate_out_of_memory(),
        contextlib.ExitStack() as locks,
    ):
        built = [
            _build(run, path) for run, path in zip(runs, folders, strict=True)
        ]
        names = tuple(path.name for path in folders)
        live = [
            n for n, path in enumerate(folders) if folder.is_open(path, until)
        ]
        stack = make_stack([each.model for each in built], runs[0].seed)
        held = {n: locks.enter_context(folder.lock(folders[n])) for n in live}
        step = _common_step([folders[n] for n in live])
        recorders = {}
        for number in live:
            each, path = built[number], folders[number]
            manifest.check_study(each.run, path, each.made_of.weights)
            starting.describe(_in_stack(each, names), path, resume=True)
            recorder = Recorder(
                path,
                each.run,
                stop_signals,
                checkpoint_seconds,
                lock=held[number],
                until=until,
                latest=step,
            )
            if recorder.step != step:
                raise CannotStackError(
                    f"The run in `{path}` has no checkpoint of step {step:,}."
                )
            recorders[number] = recorder
        _train(stack, built, recorders, stop_signals, test, checkpoint_seconds)


def _build(run: ResolvedRun, path: pathlib.Path) -> BuiltRun:
    task = data_description.as_started(run.task, path)
    run = dataclasses.replace(run, task=task)
    return starting.build(folder.at_started_precision(path, run))


def _in_stack(built: BuiltRun, names: tuple[str, ...]) -> BuiltRun:
    made_of = dataclasses.replace(built.made_of, stack=names)
    return dataclasses.replace(built, made_of=made_of)


def make_stack(models: Sequence[Any], seed: int) -> StackedClassifiers:
    """The stack of the models of runs.

    Args:
        models: list of their models, compiled.
        seed: int, decides what is dropped.

    Raises:
        CannotStackError: they cannot be trained in one step.
    """
    keras.utils.set_random_seed(seed)
    try:
        return StackedClassifiers(models)
    except ValueError as error:
        raise CannotStackError(str(error)) from error


def _common_step(folders: Sequence[pathlib.Path]) -> int:
    """The last step of which all runs have a checkpoint; 0 is the beginning.

    A process that was killed while it wrote them may have left those of some
    runs at a later step, which are repeated.

    Raises:
        CannotStackError: they have no step in common.
    """
    steps = [
        checkpoint_folder.steps(path / folder.CHECKPOINTS) for path in folders
    ]
    common = set(steps[0]).intersection(*steps[1:])
    if not common and max(map(len, steps)) > 1:
        raise CannotStackError("Their checkpoints are of different steps.")
    return max(common, default=0)


def _train(
    stack: StackedClassifiers,
    built: Sequence[BuiltRun],
    recorders: dict[int, Recorder],
    stop_signals: StopSignals,
    test: bool,
    checkpoint_seconds: float,
) -> None:
    """Trains from the recorders' step, and finishes each run as it ends."""
    run, first = built[0].run, next(iter(recorders.values()))
    last = min(run.steps, first.until or run.steps)
    size = len(built) * run.batch_size
    progress = StepProgress(
        f"{run.task.name}, {len(built)} runs",
        last,
        first.step,
        size,
        "examples",
    )

    def end(number: int, error: FloatingPointError) -> None:
        LOGGER.info(str(error))
        folder.write_diverged(recorders[number].folder, str(error), test)

    recorder = StackRecorder(
        stack,
        [each.model for each in built],
        recorders,
        run.seed,
        stop_signals,
        checkpoint_seconds,
        progress,
        end,
    )
    log_start(first.run, built[0].model, first.folder)
    LOGGER.info(f"{len(built)} runs train in one step, this and:")
    for each in list(recorders.values())[1:]:
        LOGGER.info(
            f"Learning rate {each.run.learning_rate:g}, seed {each.run.seed}. "
            f"Output: {each.folder}"
        )
    if first.step:
        LOGGER.info(f"Resuming after step {first.step:,}.")
    try:
        with errors.translate_disk_errors(
            first.folder.parent, first.describe_saved_state
        ):
            while recorder.live:
                with progress:
                    _fit([each.run for each in built], stack, recorder)
                _finish(built, recorder, test, end)
    except (KeyboardInterrupt, Preempted):
        LOGGER.info(
            f"Interrupted after step {first.step:,}. Repeat the command to "
            f"continue from {first.describe_saved_state()}."
        )
        raise


def _fit(
    runs: Sequence[ResolvedRun],
    stack: StackedClassifiers,
    recorder: StackRecorder,
) -> None:
    """Trains, as `training` does, until one of the runs is done."""
    run, first = runs[0], recorder.first
    size = run.evaluation_batch_size
    validation = first_batches(
        run.task.held_out("validation", size), VALIDATION_SUBSET_SIZE, size
    )
    if first.train_logs is not None:
        recorder.restore()
        recorder.add_rows(stack.evaluate(validation, verbose=0))
    while not recorder.is_done:
        first = recorder.first
        # First the rest of a segment that was interrupted.
        done, steps = len(first.rows), first.steps_to_evaluation
        is_rest = steps < first.steps_per_segment
        stack.fit(
            batches_of_all(runs, first.step),
            validation_data=validation,
            initial_epoch=done,
            epochs=done + 1 if is_rest else first.segments,
            steps_per_epoch=steps,
            shuffle=False,
            callbacks=[recorder],
            verbose=0,
        )


def _batches(run: ResolvedRun, first_batch: int) -> Any:
    return run.task.data.train(run.batch_size, run.seed, first_batch)


def batches_of_all(runs: Sequence[ResolvedRun], first_batch: int) -> Any:
    """Each run's batches, or those that all have where their seeds agree.

    Args:
        runs: list of `ResolvedRun`s with the same `stack_key`.
        first_batch: int, the number of the batch to start with.
    """
    by_seed = {run.seed: run for run in runs}
    datasets = [_batches(run, first_batch) for run in by_seed.values()]
    if len(datasets) == 1:
        return datasets[0]
    seeds = list(by_seed)
    return tasks.side_by_side(datasets, [seeds.index(r.seed) for r in runs])


def _finish(
    built: Sequence[BuiltRun],
    recorder: StackRecorder,
    test: bool,
    end: Callable[[int, FloatingPointError], None],
) -> None:
    """Evaluates each run that is done, and writes its files.

    All are evaluated by the model of the first one, so that its steps are
    compiled once.
    """
    for number, own in recorder.take_done().items():
        model = built[recorder.evaluator(number)].model
        _copy_weights(built[number].model, model)
        own.set_model(model)
        own.restore_kept()
        try:
            finish(built[number].run, model, own, test)
        except FloatingPointError as error:
            end(number, error)


def _copy_weights(source: Any, target: Any) -> None:
    """Copies all weights that may differ between runs of a stack."""
    if source is target:
        return
    named = freezing.named_weights(target)
    for name, variable in freezing.named_weights(source).items():
        if variable.trainable or not name.startswith("backbone/"):
            named[name].assign(variable)
