"""Trains one run, or resumes it."""

import contextlib
import dataclasses
import functools
import logging
import os
import pathlib
from typing import Any

import numpy as np

from keras_fpt import distribution
from keras_fpt.models import FPTClassifier
from keras_fpt.progress import StepProgress
from keras_fpt.runs import (
    agreement,
    audit_file,
    data_description,
    errors,
    feature_data,
    folder,
    manifest,
    starting,
)
from keras_fpt.runs.checkpoint_interval import CheckpointInterval
from keras_fpt.runs.config import RunConfig
from keras_fpt.runs.evaluation import (
    evaluate_model,
    load_model,
    test_metrics,
    write_metrics,
)
from keras_fpt.runs.finishing import (
    clean_up,
    draw_missing_curves,
    finish,
    first_batches,
)
from keras_fpt.runs.model import build_model
from keras_fpt.runs.recorder import CHECKPOINT_SECONDS, Recorder
from keras_fpt.runs.resolved import ResolvedRun, resolve
from keras_fpt.runs.signals import AGREEMENT_SECONDS, Preempted, StopSignals
from keras_fpt.runs.start_log import log_start

LOGGER = logging.getLogger(__name__)
# While a run trains, it is evaluated on at most this many examples of the
# validation split, rounded up to whole batches.
VALIDATION_SUBSET_SIZE = 1000


def train(
    config: RunConfig | ResolvedRun,
    output: str | os.PathLike[str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    test: bool = True,
    take_over: str | None = None,
    in_study: bool = False,
    until: int | None = None,
) -> dict[str, Any]:
    """Trains a run and records it in a folder.

    A run that is killed at any moment and resumed, on the same backend, ends
    with the same metrics and adapter, bit for bit, as an uninterrupted run.

    Within `keras_fpt.distribution.scope` it is distributed over devices and
    processes. Only the first process writes; several processes checkpoint only
    before each evaluation.

    Args:
        config: a `RunConfig`, or the `ResolvedRun` that `resolve` returns.
        output: path of the run's folder. `None` makes a new one,
            `runs/<task>-<arm>-<n>`. Several processes must share one.
        resume: bool, whether to resume an existing run.
        overwrite: bool, whether to replace an existing run.
        checkpoint_seconds: float, the minimum time between two checkpoints.
            It is longer if writing one takes over a twentieth of it.
        test: bool, whether the test split, and further held-out ones, are
            read at the end. `add_test` reads them later.
        take_over: string, a process that is writing the run and is known to be
            unresponsive, such as a suspended one, from which to take the
                folder: the `holder` of the `BlockingIOError`. When it resumes,
                    it stops with `TakenOver`.
        in_study: bool, whether the run is compared with other runs in the same
            folder, which must have the same data and weights.
        until: int, a step after which the run pauses, at an evaluation. It
            then has the files of a finished run, except for drawings; its
            metrics are those of its last evaluation, apart from those of the
            test split. Resumed with a later step, or `None`, it continues as
            if it had not paused.

    Returns:
        The dict in `metrics.json`.

    Raises:
        ValueError, FileNotFoundError: something in `config` is invalid; or the
            data, the preset's weights or the configuration have changed since
            the run started.
        FileExistsError: the folder already contains a run.
        ConnectionError: another process of a distributed run was lost.
        BlockingIOError: another process is writing a run to the folder.
        OSError: the folder cannot be written to, or the disk is full.
        FloatingPointError: the loss or a weight became NaN or infinite. If it
            is only the loss on the test split, the run's files are written,
            without metrics of it.
        MemoryError: there is not enough memory.
        Preempted: SIGTERM asked the process to stop. Like `KeyboardInterrupt`,
            it leaves a run that can be resumed.
    """
    if output is None and (resume or overwrite):
        raise ValueError(
            "Name the output folder of the run to resume or overwrite."
        )
    if output is None and distribution.num_processes() > 1:
        raise ValueError(
            "With several processes, give an output folder that they all share."
        )
    CheckpointInterval(checkpoint_seconds)  # Checks it.
    if output is not None:
        folder.check_output(output, resume, overwrite, take_over)
    is_alone = distribution.num_processes() == 1
    stop_signals = StopSignals(None if is_alone else AGREEMENT_SECONDS)
    with stop_signals.watched(), errors.translate_out_of_memory():
        if isinstance(config, RunConfig):
            if resume and output is not None:
                config = folder.as_started(output, config)
            config = resolve(config)
        run = config
        if resume and output is not None:
            task = data_description.as_started(run.task, output)
            run = dataclasses.replace(run, task=task)
            run = folder.at_started_precision(output, run)
        if (
            resume
            and output is not None
            and folder.is_finished(output)
            and not folder.trains_on(output, until)
        ):
            return _read_finished(run, output, test)

        # Everything that can fail on bad input comes before the folder is
        # created.
        _check_batch_size(run.batch_size)
        _check_batch_size(run.evaluation_batch_size)
        # Before anything is on several processes' devices, where JAX would fail
        # with an error of its own. By then, all have checked the folder.
        agreement.require(manifest.parts(run))
        built = starting.build(run)
        run, model = built.run, built.model
        if in_study and output is not None:
            manifest.check_study(run, output, built.made_of.weights)
        if run.config.cache_features:
            feature_data.check_cacheable(run.task, model)
        run_folder = pathlib.Path(
            folder.new_folder(run.task.name, run.arm.name)
            if output is None
            else output
        )
        make_recorder = functools.partial(
            Recorder,
            run_folder,
            run,
            stop_signals,
            checkpoint_seconds,
            until=until,
        )
        with contextlib.ExitStack() as stack:
            if distribution.is_first_process():
                held = stack.enter_context(
                    folder.lock(run_folder, take_over=take_over)
                )
                starting.describe(built, run_folder, resume, overwrite)
                recorder = make_recorder(lock=held)
            distribution.barrier()  # The first has prepared it.
            if not distribution.is_first_process():
                recorder = make_recorder()
            _check_same_step(recorder)
            metrics = _train(run, model, recorder, test)
            if not in_study and distribution.is_first_process():
                audit_file.log_count(run.task, run_folder)
            return metrics


def _check_batch_size(batch_size: int) -> None:
    engine = distribution.current()
    if engine is not None and batch_size % engine.num_replicas:
        raise ValueError(
            f"A batch size of {batch_size} cannot be divided between "
            f"{engine.num_replicas} devices. Use a multiple of it."
        )


def _check_same_step(recorder: Recorder) -> None:
    """Checks that all processes start at the same step."""
    steps = distribution.total(recorder.step)
    if steps != recorder.step * distribution.num_processes():
        raise ValueError(
            f"The processes see different states of the run in "
            f"`{recorder.folder}`. The output folder must be on a file system "
            "that all of them share."
        )


def _read_finished(
    run: ResolvedRun, run_folder: str | os.PathLike[str], test: bool
) -> dict[str, Any]:
    saved, chosen = folder.read_config(run_folder).model, run.config.model
    if (chosen.dropout is None and saved.dropout == 0) or (
        chosen.patch_size is None and saved.patch_size is not None
    ):
        # Settings that were not given depend on the backbone.
        run = run.as_built(build_model(run))
    folder.check_same_config(run_folder, run)
    manifest.check_files(run, run_folder)
    draw_missing_curves(pathlib.Path(run_folder))
    if not folder.is_paused(run_folder):
        clean_up(pathlib.Path(run_folder))
    LOGGER.info(
        f"The run in `{run_folder}` is finished; there is nothing to resume."
    )
    metrics = folder.read_metrics(run_folder)
    if test and not folder.is_tested(metrics):
        LOGGER.info("Evaluating on test.")
        tested, examples = test_metrics(run, load_model(run, run_folder))
        metrics |= tested
        if distribution.is_first_process():
            with folder.lock(run_folder):
                if examples is not None:
                    examples.write(run_folder)
                write_metrics(run_folder, metrics)
    return metrics


def _train(
    run: ResolvedRun, model: FPTClassifier, recorder: Recorder, test: bool
) -> dict[str, Any]:
    """Trains from the recorder's step, and finishes; logs an interruption."""
    engine = distribution.current()
    if engine is not None:
        LOGGER.info(f"Distribution: {engine.description}.")
    if recorder.step:
        LOGGER.info(f"Resuming after step {recorder.step:,}.")
    log_start(run, model, recorder.folder)
    try:
        with errors.translate_disk_errors(
            recorder.folder, recorder.describe_saved_state
        ):
            _fit(run, model, recorder)
            recorder.restore_kept()
            return finish(run, model, recorder, test)
    except (KeyboardInterrupt, Preempted):
        LOGGER.info(
            f"Interrupted after step {recorder.step:,}. Repeat the command "
            f"with --output {recorder.folder} --resume to continue from "
            f"{recorder.describe_saved_state()}."
        )
        raise
    except Exception:
        # A signal was deferred to the end of a step that never came, because
        # another process had ended.
        if recorder.stop_signals.pending is not None:
            raise recorder.stop_signals.pending from None
        raise


def _fit(run: ResolvedRun, model: FPTClassifier, recorder: Recorder) -> None:
    """Trains from the recorder's step to the last one."""
    task, batch_size, seed = run.task, run.batch_size, run.seed
    validation = first_batches(
        task.held_out("validation", run.evaluation_batch_size),
        VALIDATION_SUBSET_SIZE,
        run.evaluation_batch_size,
    )

    def make_train(first_batch: int) -> Any:
        return task.data.train(batch_size, seed, first_batch)

    class_weight = _class_weight(run)
    if run.config.cache_features:
        model, make_train, validation = _cache_features(
            run, model, validation, recorder.folder
        )
    recorder.set_model(model)
    if recorder.train_logs is not None:
        recorder.restore()
        recorder.add_row(evaluate_model(model, validation))
    elif recorder.is_within_segment:
        # On TensorFlow, Keras makes the metrics' variables, which the
        # recorder is about to fill, only when it uses them.
        model.evaluate(validation.take(1), verbose=0)
    last = min(run.steps, recorder.until or run.steps)
    progress = StepProgress(
        task.name, last, recorder.step, batch_size, "examples"
    )
    is_shown = distribution.is_first_process()
    with progress if is_shown else contextlib.nullcontext():
        while not recorder.is_done:
            # First the rest of a segment that was interrupted.
            done, steps = len(recorder.rows), recorder.steps_to_evaluation
            is_rest = steps < recorder.steps_per_segment
            model.fit(
                make_train(recorder.step),
                validation_data=validation,
                initial_epoch=done,
                epochs=done + 1 if is_rest else recorder.segments,
                steps_per_epoch=steps,
                shuffle=False,
                class_weight=class_weight,
                callbacks=[progress, recorder],
                verbose=0,
            )


def _class_weight(run: ResolvedRun) -> dict[int, float] | None:
    """The weights of the classes that have examples."""
    if run.config.class_weight is None:
        return None
    counts = run.task.class_counts("train")
    if counts is None:
        raise ValueError(
            f"The task '{run.task.name}' generates its examples, so the shares "
            "of its classes are not known. Leave out class_weight "
            "(--class-weight)."
        )
    present = np.flatnonzero(counts)
    weights = counts.sum() / (len(present) * counts[present])
    return dict(zip(present.tolist(), weights.tolist(), strict=True))


def _cache_features(
    run: ResolvedRun,
    model: FPTClassifier,
    validation: Any,
    run_folder: pathlib.Path,
) -> tuple[Any, Any, Any]:
    """The model and data to train on features that are computed once."""
    size, evaluated = run.batch_size, run.evaluation_batch_size
    features = feature_data.train_features(
        run.task, model, evaluated, run_folder / folder.FEATURES
    )
    validation = feature_data.held_out_batches(validation, model, evaluated)

    def make_train(first_batch: int) -> Any:
        return feature_data.train_batches(
            run.task, features, size, run.seed, first_batch
        )

    return model.feature_head(), make_train, validation
