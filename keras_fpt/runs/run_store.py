"""Runs in a folder of runs, where an existing run is not trained again."""

import hashlib
import json
import logging
import os
import pathlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras

from keras_fpt.files import json_files
from keras_fpt.runs import (
    checkpoint_folder,
    folder,
    manifest,
    stacked_training,
)
from keras_fpt.runs.config import RunConfig
from keras_fpt.runs.evaluation import add_test, write_metrics
from keras_fpt.runs.resolved import ResolvedRun, resolve
from keras_fpt.runs.training import train

LOGGER = logging.getLogger(__name__)
# Seconds between attempts while another process works on a run.
BUSY_SECONDS = 1.0


def run_name(run: ResolvedRun) -> str:
    """The name of a run's folder, the same for the same run.

    It does not depend on the folders that the data and the preset are in.
    """
    return _name(run, manifest.without_folders(run.identity()))


def _folder_of(
    run: ResolvedRun, runs_folder: str | os.PathLike[str]
) -> pathlib.Path:
    # Names of runs that a development version began depend on those folders.
    former = pathlib.Path(runs_folder, _name(run, run.identity()))
    return former if former.is_dir() else former.with_name(run_name(run))


def _name(run: ResolvedRun, settings: dict[str, Any]) -> str:
    settings = {**settings, "backend": keras.backend.backend()}
    text = json.dumps(settings, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    return f"{run.arm.name}-{run.learning_rate:g}-seed{run.seed}-{digest}"


def get_or_train(
    config: RunConfig,
    runs_folder: str | os.PathLike[str],
    test: bool,
    may_take_over: Callable[[str], bool] = lambda holder: False,
    until: int | None = None,
) -> tuple[pathlib.Path, dict[str, Any] | None]:
    """Trains a run in a folder of runs, unless it is finished there.

    An interrupted run is resumed; while another process works on it, this
    one waits. A run whose loss became infinite or NaN is not trained again.

    Args:
        config: a `RunConfig`.
        runs_folder: path of the folder of runs.
        test: bool, whether the test split is read, too; for runs after which no
            more choices are made.
        may_take_over: function of the name of another process, called while
            that one holds the run: whether it is known to be unresponsive, so
            that the run can be taken over. It may raise to give up.
        until: int, the step at which the run pauses, see `train`. A run that
            has paused before it is trained further.

    Returns:
        Tuple of the run's folder and the dict in its `metrics.json`, which is
        `None` if the run diverged.

    Raises:
        ValueError, FileNotFoundError: something in `config` is invalid; or the
            data or weights differ from those of a run in the folder.
    """
    run = _resolve(config)
    run_folder = _folder_of(run, runs_folder)
    take_over = None
    while True:
        try:
            metrics = _get_or_train(run, run_folder, test, take_over, until)
            return run_folder, metrics
        except BlockingIOError as error:
            holder = getattr(error, "holder", "")
            time.sleep(BUSY_SECONDS)
            take_over = holder if may_take_over(holder) else None


def folder_of(
    config: RunConfig, runs_folder: str | os.PathLike[str]
) -> pathlib.Path:
    """The folder that a run has, or would have, in a folder of runs."""
    return _folder_of(_resolve(config), runs_folder)


def forget_test(config: RunConfig, runs_folder: str | os.PathLike[str]) -> None:
    """Makes a run in a folder of runs one that has not read its test split.

    For one whose settings are no longer the best on validation, since more was
    trained.
    """
    run_folder = folder_of(config, runs_folder)
    if folder.has_diverged(run_folder):
        diverged = json_files.read_object(run_folder / folder.DIVERGED)
        folder.write_diverged(run_folder, diverged["error"], final=False)
        return
    metrics = folder.read_metrics(run_folder)
    kept = {k: v for k, v in metrics.items() if not k.startswith("test_")}
    write_metrics(run_folder, kept)
    (run_folder / folder.TEST_EXAMPLES).unlink(missing_ok=True)


def is_tested(config: RunConfig, runs_folder: str | os.PathLike[str]) -> bool:
    """Whether a run in a folder of runs has read its test split."""
    run_folder = folder_of(config, runs_folder)
    if folder.has_diverged(run_folder):
        path = run_folder / folder.DIVERGED
        return bool(json_files.read_object(path)["final"])
    return folder.is_finished(run_folder) and folder.is_tested(
        folder.read_metrics(run_folder)
    )


def _resolve(config: RunConfig) -> ResolvedRun:
    """A run of a study, in which no run stops early."""
    return resolve(config.with_former_defaults())


def _get_or_train(
    run: ResolvedRun,
    run_folder: pathlib.Path,
    test: bool,
    take_over: str | None,
    until: int | None,
) -> dict[str, Any] | None:
    is_diverged = folder.has_diverged(run_folder)
    if is_diverged or folder.is_finished(run_folder):
        manifest.check_files(run, run_folder)
    if is_diverged:
        diverged = json_files.read_object(run_folder / folder.DIVERGED)
        final = test or diverged["final"]
        folder.write_diverged(run_folder, diverged["error"], final)
        return None
    try:
        is_finished = folder.is_finished(run_folder)
        if not is_finished or folder.trains_on(run_folder, until):
            train(
                run,
                run_folder,
                resume=True,
                test=test,
                take_over=take_over,
                in_study=True,
                until=until,
            )
        metrics = folder.read_metrics(run_folder)
        if test and not folder.is_tested(metrics):
            metrics = add_test(run_folder, take_over)
        return metrics
    except FloatingPointError as error:
        LOGGER.info(str(error))
        folder.write_diverged(run_folder, str(error), test)
        return None


def train_in_one_step(
    config: RunConfig,
    others: Sequence[RunConfig],
    runs_folder: str | os.PathLike[str],
    test: bool,
    size: int,
    until: int | None = None,
) -> bool:
    """Trains a run together with others that it can be stacked with.

    Those are others that differ from it in learning rate and seed, and are at
    the same step: they have not begun, or have paused there. The stack of an
    earlier call, which was interrupted, is resumed. `get_or_train` then finds
    the runs finished; those that cannot be stacked are left to it.

    Args:
        config: a `RunConfig`.
        others: list of `RunConfig`s, of the same study, which may have it too.
        runs_folder: path of the folder of runs.
        test: bool, whether the test split is read, too.
        size: int, the number of runs in a stack, at most.
        until: int, the step at which the runs pause, see `train`.

    Returns:
        bool, `False` if such runs cannot be trained in one step here.
    """
    run = _resolve(config)
    key = stacked_training.stack_key(run)
    if key is None:
        return False
    own = _folder_of(run, runs_folder)
    if not folder.is_open(own, until):
        return True
    alike = {own: run}
    for other in map(_resolve, others):
        if stacked_training.stack_key(other) == key:
            alike[_folder_of(other, runs_folder)] = other
    chosen = _begun_stack(own, alike, until)
    if not chosen:
        step = _resting_step(own)
        if step is None:
            return True  # It began alone, or with runs that are not asked for.
        ordered = sorted(
            alike, key=lambda p: (alike[p].learning_rate, alike[p].seed, p)
        )
        # The same ones, wherever the study continues.
        first = ordered.index(own) // size * size
        chosen = [
            path
            for path in ordered[first : first + size]
            if folder.is_open(path, until) and _resting_step(path) == step
        ]
        if len(chosen) == 1:
            return True
    try:
        runs = [alike[path] for path in chosen]
        stacked_training.train_stack(runs, chosen, test, until)
    except BlockingIOError:
        return True  # Another process trains one of them.
    except (stacked_training.CannotStackError, MemoryError) as error:
        LOGGER.info(f"The runs train one by one. {error}")
        if not any(map(_has_begun, chosen)):
            for path in chosen:
                manifest.forget_stack(path)
        return False
    return True


def _has_begun(run_folder: pathlib.Path) -> bool:
    """Whether a run has saved a step, or has ended."""
    return not folder.is_open(run_folder, None) or bool(
        checkpoint_folder.steps(run_folder / folder.CHECKPOINTS)
    )


def _begun_stack(
    own: pathlib.Path, alike: Iterable[pathlib.Path], until: int | None
) -> list[pathlib.Path]:
    """The stack that a run was trained with and goes on with, in its order.

    A process that was killed early may have named it only in the manifests of
    others. It is empty for runs that began alone or not at all, and where a
    run of the stack is not asked for any longer, or is at another step.
    """
    by_name = {path.name: path for path in alike}
    for path in (own, *alike):
        begun = manifest.read(path)
        if (
            begun
            and own.name in begun.stack
            and by_name.keys() >= set(begun.stack)
        ):
            chosen = [by_name[name] for name in begun.stack]
            steps = {
                _resting_step(each)
                for each in chosen
                if folder.is_open(each, until)
            }
            return chosen if None in steps or len(steps) == 1 else []
    return []


def _resting_step(run_folder: pathlib.Path) -> int | None:
    """The step at which a run waits to be trained, by itself or with others.

    That is 0 for one that has not begun. It is `None` for one that is within
    its training, which was interrupted, or that has ended.
    """
    if not folder.is_open(run_folder, None):
        return None
    saved = checkpoint_folder.steps(run_folder / folder.CHECKPOINTS)
    if folder.is_paused(run_folder):
        step = int(folder.read_metrics(run_folder)["trained_steps"])
        return step if max(saved, default=None) == step else None
    is_new = manifest.read(run_folder) is None and not saved
    return 0 if is_new else None
