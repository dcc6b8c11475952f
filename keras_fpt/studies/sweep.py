"""Compares arms, each at its own best settings, over several seeds."""

import os
import pathlib
import platform
import signal
import subprocess
import sys
import time

from keras_fpt.results.run_table import load_runs
from keras_fpt.results.summary import summarize, verdict
from keras_fpt.runs import folder as run_folder
from keras_fpt.runs.signals import Stopping
from keras_fpt.studies import optuna_studies as sweep_studies
from keras_fpt.studies import sweep_worker
from keras_fpt.studies.sweep_config import SweepConfig

DATABASE = "study.db"
TAKEOVER_SECONDS = 60
_POLL_SECONDS = 1.0


def sweep(
    config,
    folder,
    storage_url=None,
    workers=1,
    takeover_seconds=TAKEOVER_SECONDS,
    log=print,
):
    """Searches each arm's settings, then trains it at the best with seeds.

    Settings are chosen by validation accuracy, at the sweep's first seed. The
    test split is read for the runs at the best settings alone.

    Runs are kept in `runs/` of the folder, so the same call goes on after
    whatever ended the last one, and does nothing where all is done. Several
    machines can work on one sweep: each makes the same call, with a storage
    and a folder that they share.

    Args:
        config: a `SweepConfig`.
        folder: path of the sweep's folder.
        storage_url: string, Optuna's database, e.g. `postgresql://...`;
            `None` is an SQLite file in the folder.
        workers: int, processes that train at a time on this machine.
        takeover_seconds: int, after how much silence of a worker its run is
            given to another, which goes on from the last checkpoint.
        log: function that takes a line of text.

    Returns:
        `pandas.DataFrame`, see `summary.summarize`.

    Raises:
        ValueError, FileNotFoundError: something in `config` is not right.
        FileExistsError: the folder holds another sweep.
        ChildProcessError: a worker failed, or all were lost.
        Preempted, KeyboardInterrupt: the process was asked to stop. Workers
            have checkpointed.
    """
    if workers < 1 or takeover_seconds < 2:
        raise ValueError(
            "Expected at least 1 worker and 2 takeover seconds but received "
            f"{workers} and {takeover_seconds}."
        )
    _check(config)
    folder = pathlib.Path(folder)
    run_folder.claim_for(folder, sweep_worker.CONFIG, config.to_json(), "sweep")
    storage_url = storage_url or f"sqlite:///{folder.absolute() / DATABASE}"
    storage = sweep_studies.open_storage(storage_url, takeover_seconds)
    studies = sweep_studies.search_studies(config, storage)
    environment = {
        **os.environ,
        sweep_worker.STORAGE: storage_url,
        sweep_worker.TAKEOVER: str(takeover_seconds),
    }
    if _is_finished(config, storage, studies):
        log("All runs of the sweep are finished.")
    else:
        with Stopping().watching():
            processes = _Processes(folder, workers, environment)
            try:
                _watch(config, storage, studies, processes, log)
            finally:
                processes.stop()
    return summarize(load_runs(folder / sweep_worker.RUNS))


def verdicts(folder):
    """What can be said of a sweep's first arm beside each other one.

    Args:
        folder: path of a sweep's folder.

    Returns:
        List of sentences about test accuracy.
    """
    arms = SweepConfig.read(pathlib.Path(folder, sweep_worker.CONFIG)).arms
    runs = load_runs(pathlib.Path(folder, sweep_worker.RUNS))
    runs = runs[runs["final"] & (runs["status"] == "finished")]
    accuracies = {
        arm: rows["test_accuracy"].to_list()
        for arm, rows in runs.groupby("arm")
    }
    first, *others = arms
    return [
        verdict(first, accuracies[first], other, accuracies[other])
        for other in others
        if first in accuracies and other in accuracies
    ]


def _check(config):
    """Raises, before anything is started, what runs would raise."""
    task = config.run.load_task()
    for settings in [{}] if config.is_sampled else config.points:
        for run in config.configs(settings).values():
            run.resolve(task)


class _Processes:
    """Workers, each with a file for what it prints."""

    def __init__(self, folder, count, environment):
        # Machines may share the folder.
        name = f"worker-{platform.node()}"
        self.logs = [folder / f"{name}-{i + 1}.log" for i in range(count)]
        self.running = {}
        for path in self.logs:
            with path.open("a") as file:
                self.running[path] = subprocess.Popen(
                    [
                        *(sys.executable, "-m", sweep_worker.__name__),
                        str(folder),
                    ],
                    env=environment,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    # So that Ctrl-C is passed on to it once, by `stop`.
                    start_new_session=True,
                )

    def ended(self):
        """Takes those out that have ended; list of their logs and codes."""
        ended = [
            (path, process.poll())
            for path, process in self.running.items()
            if process.poll() is not None
        ]
        for path, _ in ended:
            del self.running[path]
        return ended

    def stop(self):
        """Lets those that run checkpoint and end."""
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            process.wait()


def _watch(config, storage, studies, processes, log):
    """Says what ends, until all workers have."""
    phases, seen, lost = [studies], set(), 0
    total = config.seeds * len(config.arms) + len(config.arms) * (
        config.trials if config.is_sampled else len(config.points)
    )
    while processes.running:
        time.sleep(_POLL_SECONDS)
        ended = processes.ended()
        if len(phases) == 1 and _has_searched(config, studies):
            phases.append(sweep_studies.seed_studies(config, storage))
        for phase in phases:
            for arm, study in phase.items():
                for trial in sweep_studies.completed(study):
                    # Two workers may have queued the same point.
                    point = trial.user_attrs.get("point", trial.number)
                    if (study.study_name, str(point)) not in seen:
                        seen.add((study.study_name, str(point)))
                        log(f"[{len(seen)}/{total}] {arm}, {_shown(trial)}")
        for path, code in ended:
            if code == sweep_worker.FAILED:
                *_, last = path.read_text().splitlines() or ["nothing"]
                raise ChildProcessError(
                    f"A worker failed: {last} All that it printed is in "
                    f"`{path}`."
                )
            if code:
                lost += 1
                log(
                    f"A worker was lost (exit code {code}); its run is taken "
                    "over by another, if there is one."
                )
    if lost == len(processes.logs):
        raise ChildProcessError(
            "All workers were lost. The same command goes on from what they "
            "have done."
        )


def _has_searched(config, studies):
    wanted = config.trials if config.is_sampled else len(config.points)
    return all(
        len(sweep_studies.completed(study)) >= wanted
        for study in studies.values()
    )


def _is_finished(config, storage, studies):
    if not _has_searched(config, studies):
        return False
    seeds = sweep_studies.seed_studies(config, storage)
    return not any(sweep_worker.is_under_way(s) for s in seeds.values())


def _shown(trial):
    settings = ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in trial.params.items()
    )
    if trial.user_attrs.get("diverged"):
        return f"{settings}: diverged"
    return f"{settings}: validation accuracy {trial.value:.2%}"
