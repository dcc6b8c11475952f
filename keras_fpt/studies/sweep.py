"""Compares arms, each at its own best settings, over several seeds.

`optuna_studies.best_trial` chooses the settings, such as the learning rate, by
validation accuracy, or by the RMSE of a regression.
"""

import dataclasses
import logging
import os
import pathlib
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import keras_fpt
from keras_fpt import results, tasks
from keras_fpt.runs import StopSignals, measures, resolve
from keras_fpt.studies import (
    checking,
    database_address,
    optuna_studies,
    study_folder,
    sweep_config,
    sweep_worker,
)
from keras_fpt.studies.deadline import duration
from keras_fpt.studies.folds import refuse_all_folds
from keras_fpt.studies.sweep_config import SweepConfig, study_name

LOGGER = logging.getLogger(__name__)
DATABASE = "study.db"
TAKEOVER_SECONDS = 60
# How long workers that are asked to stop may take to save a checkpoint.
STOP_SECONDS = 30.0
_POLL_SECONDS = 1.0


def run_sweep(
    config: SweepConfig,
    folder: str | os.PathLike[str],
    storage_url: str | None = None,
    workers: int = 1,
    takeover_seconds: int = TAKEOVER_SECONDS,
) -> Any:
    """Searches each arm's settings, then trains the best with several seeds.

    Settings are chosen by validation accuracy, or by the RMSE of numbers, at
    the sweep's first seed. All arms try the same ones, or as many. While an
    arm's best learning rate is the lowest or the highest of a grid, all try
    one beyond it, `extensions` times at most. The test split is read only for
    the runs at the best settings, whose seeds are others than that of the
    search.

    If there is one worker, it trains runs that differ only in learning rate
    and seed in one step, as `config.stack` says.

    Runs are saved in `runs/` of the folder. Repeat the call to continue, or
    to read the results of a finished sweep. Several machines can work on one
    sweep: each makes the same call, with a storage and a folder that they
    share.

    Args:
        config: a `SweepConfig`.
        folder: path of the sweep's folder.
        storage_url: string, Optuna's database, e.g. `postgresql://...`;
            `None` is an SQLite file in the folder.
        workers: int, number of processes that train in parallel on this
            machine.
        takeover_seconds: int, how long a worker may send no heartbeat before
            its run is given to another, which resumes it from the last
            checkpoint.

    Returns:
        `pandas.DataFrame`, see `keras_fpt.results.summarize`.

    Raises:
        ValueError, FileNotFoundError: something in `config` is invalid.
        FileExistsError: the folder contains another sweep.
        ChildProcessError: a worker failed, or all were lost.
        Preempted, KeyboardInterrupt: the process was asked to stop. Its
            workers have saved checkpoints.
    """
    if workers < 1 or takeover_seconds < 2:
        raise ValueError(
            "Expected at least 1 worker and 2 takeover seconds but received "
            f"{workers} and {takeover_seconds}."
        )
    is_shared = workers > 1 or storage_url is not None
    if is_shared and config.stack not in (sweep_config.AUTO, sweep_config.OFF):
        raise ValueError(
            f"{config.stack} runs in one step (--stack) are for a sweep with "
            "one worker: leave out --workers and --storage, or --stack."
        )
    refuse_all_folds(config.run.options, "sweep_folds")
    folder = pathlib.Path(folder)
    config = config.as_started(folder / sweep_worker.CONFIG)
    if not (folder / sweep_worker.CONFIG).is_file():
        config = dataclasses.replace(
            config, run=config.run.with_absolute_paths()
        )
    checking.check_sweep(config)
    tasks.log_findings(resolve(config.run).task.findings)
    study_folder.initialize(
        folder,
        sweep_worker.CONFIG,
        config.to_json(),
        "sweep",
        resolve(config.run),
    )
    name = study_name(folder / sweep_worker.CONFIG)
    storage_url = storage_url or database_address.of_file(folder / DATABASE)
    storage = optuna_studies.open_storage(storage_url, takeover_seconds)
    searches = optuna_studies.search_studies(name, config, storage)
    environment = {
        **os.environ,
        sweep_worker.STORAGE: storage_url,
        sweep_worker.TAKEOVER: str(takeover_seconds),
    }
    if not is_shared:
        environment[sweep_worker.ALONE] = "1"
    if _is_finished(name, config, storage, searches):
        LOGGER.info("All runs of the sweep are finished.")
    else:
        with StopSignals().watched():
            processes = _Processes(folder, workers, environment)
            try:
                _watch(name, config, storage, searches, processes)
            finally:
                processes.stop()
    runs = results.load_runs(folder / sweep_worker.RUNS)
    return results.arms_table.with_floors(results.summarize(runs), runs)


def sweep_verdicts(folder: str | os.PathLike[str]) -> list[str]:
    """Compares a sweep's first arm with each other arm, in sentences.

    Args:
        folder: path of a sweep's folder.

    Returns:
        List of sentences about the test split.
    """
    config = SweepConfig.read(pathlib.Path(folder, sweep_worker.CONFIG))
    runs = results.load_runs(pathlib.Path(folder, sweep_worker.RUNS))
    return results.arm_verdicts(runs, config.arms)


class _Processes:
    """Worker processes, each with a log file for what it prints."""

    def __init__(
        self, folder: pathlib.Path, count: int, environment: dict[str, str]
    ) -> None:
        # Machines may share the folder.
        name = f"worker-{platform.node()}"
        self.logs = [folder / f"{name}-{i + 1}.log" for i in range(count)]
        self.running: dict[pathlib.Path, subprocess.Popen] = {}
        for path in self.logs:
            with path.open("ab") as file:
                self.running[path] = subprocess.Popen(
                    [
                        # Without the current folder in its path: `-m` would run
                        # a file there that is named like a package.
                        *(sys.executable, "-P", "-c", sweep_worker.PROGRAM),
                        *(_import_path(), str(folder)),
                    ],
                    env=environment,
                    # The worker ends when this process does, which closes it.
                    stdin=subprocess.PIPE,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    # So that Ctrl-C reaches it only once, through `stop`.
                    start_new_session=True,
                )

    def pop_ended(self) -> list[tuple[pathlib.Path, int]]:
        """Removes those that have ended; returns their logs and exit codes."""
        ended = [
            (path, code)
            for path, process in self.running.items()
            if (code := process.poll()) is not None
        ]
        for path, _ in ended:
            self.running.pop(path).stdin.close()  # type: ignore[union-attr]
        return ended

    def stop(self) -> None:
        """Lets running workers save a checkpoint and end.

        One that does not end in time, such as one that waits for a disk, is
        killed; its run can be resumed from its last checkpoint.
        """
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
            if hasattr(signal, "SIGCONT"):  # It may be suspended.
                process.send_signal(signal.SIGCONT)
        deadline = time.monotonic() + STOP_SECONDS
        for path, process in self.running.items():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                LOGGER.warning(
                    f"A worker did not end within {STOP_SECONDS:g} seconds "
                    f"and is killed (pid {process.pid}, log `{path}`)."
                )
                process.kill()


def _import_path() -> str:
    """The folder that holds this package, which may not be installed."""
    return str(pathlib.Path(keras_fpt.__file__).parents[1])


def _watch(
    name: str,
    config: SweepConfig,
    storage: Any,
    searches: Mapping[str, Any],
    processes: _Processes,
) -> None:
    """Reports the trials that end, until all workers have ended."""
    phases, lost, measure = [searches], 0, _measure(config)
    seen: set[tuple[str, int]] = set()
    clock = _Clock(
        sum(
            len(optuna_studies.completed_trials(each))
            for each in searches.values()
        )
    )
    finished_at = None
    while processes.running:
        time.sleep(_POLL_SECONDS)
        ended = processes.pop_ended()
        if len(phases) == 1 and _has_searched(config, searches):
            phases.append(optuna_studies.seed_studies(name, config, storage))
        for phase in phases:
            for arm, study in phase.items():
                for trial in optuna_studies.completed_trials(study):
                    if (study.study_name, trial.number) not in seen:
                        seen.add((study.study_name, trial.number))
                        total = _num_trials(config, searches)
                        count = f"[{len(seen)}/{total}]"
                        LOGGER.info(
                            f"{count} {arm}, {_describe(trial, measure)}"
                            f"{clock.left(len(seen), total)}"
                        )
        for path, code in ended:
            if code == sweep_worker.FAILED:
                text = path.read_text(encoding="utf-8", errors="replace")
                *_, last = text.splitlines() or ["nothing"]
                raise ChildProcessError(
                    f"A worker failed: {last} Its full output is in `{path}`."
                )
            if code:
                lost += 1
                LOGGER.warning(
                    f"A worker was lost (exit code {code}). Another worker, if "
                    "there is one, takes over its run."
                )
        if len(phases) == 2 and not any(
            sweep_worker.is_unfinished(study) for study in phases[1].values()
        ):
            finished_at = finished_at or time.monotonic()
            if time.monotonic() - finished_at > STOP_SECONDS:
                LOGGER.warning(
                    "All runs are finished, but a worker does not respond. It "
                    "is stopped."
                )
                return
    if lost == len(processes.logs):
        raise ChildProcessError(
            "All workers were lost. Repeat the command to continue from their "
            "checkpoints."
        )


class _Clock:
    """Estimates the time that a sweep still needs.

    Args:
        done: int, the runs that were finished when it started.
    """

    def __init__(self, done: int) -> None:
        self.done, self.began = done, time.monotonic()

    def left(self, done: int, total: int) -> str:
        """The time left, in words; empty if there is none, or it is unknown.

        Args:
            done, total: ints, the runs that are finished, and all.
        """
        if done <= self.done or done >= total:
            return ""
        each = (time.monotonic() - self.began) / (done - self.done)
        return f"; about {duration(each * (total - done))} left"


def _has_searched(config: SweepConfig, searches: Mapping[str, Any]) -> bool:
    return all(
        len(optuna_studies.completed_trials(study)) >= config.num_search_trials
        and not sweep_worker.is_unfinished(study)
        for study in searches.values()
    ) and not optuna_studies.next_points(
        config, searches, _measure(config).best_score
    )


def _measure(config: SweepConfig) -> measures.Measure:
    return measures.of_task(resolve(config.run).task)


def _num_trials(config: SweepConfig, searches: Mapping[str, Any]) -> int:
    """The trials of a sweep, as far as they are known."""
    return sum(
        config.seeds
        + max(config.num_search_trials, sweep_worker.num_trials(study))
        for study in searches.values()
    )


def _is_finished(
    name: str, config: SweepConfig, storage: Any, searches: Mapping[str, Any]
) -> bool:
    if not _has_searched(config, searches):
        return False
    seeds = optuna_studies.seed_studies(name, config, storage)
    return not any(sweep_worker.is_unfinished(s) for s in seeds.values())


def _describe(trial: Any, measure: measures.Measure) -> str:
    settings = ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in optuna_studies.chosen_settings(trial).items()
    )
    if trial.user_attrs.get("diverged"):
        return f"{settings}: diverged"
    shown = measure.show(measure.value(trial.value))
    return f"{settings}: validation {measure.title} {shown}"
