"""A worker process, which trains a sweep's runs alongside others.

`keras_fpt.studies.sweep` starts it. It ends when all runs have ended, or when
the process that started it has.
"""

import dataclasses
import functools
import logging
import math
import os
import pathlib
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from keras_fpt.files import folder_lock
from keras_fpt.runs import (
    Preempted,
    RunConfig,
    get_or_train,
    measures,
    resolve,
    train_in_one_step,
)
from keras_fpt.studies import (
    arm_costs,
    optuna_studies,
    stack_size,
    study_folder,
)
from keras_fpt.studies.sweep_config import SweepConfig, study_name

LOGGER = logging.getLogger(__name__)
STORAGE = "KERAS_FPT_STORAGE"
TAKEOVER = "KERAS_FPT_TAKEOVER_SECONDS"
# Set for the only worker of a sweep.
ALONE = "KERAS_FPT_ONLY_WORKER"
CONFIG = "sweep.json"
RUNS = "runs"
FAILED = 1
STOPPED = 75  # As the exit status of `keras-fpt train`.
_POLL_SECONDS = 1.0
# How long it may take to save a checkpoint once its parent has ended.
_STOP_SECONDS = 60.0
# What Python runs, with the folder to import this package from and the folder
# of the sweep as arguments. The former comes last in the path, and is needed
# only if the package is not installed.
PROGRAM = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from keras_fpt.studies import sweep_worker; "
    "sweep_worker.stop_with_parent(sys.stdin.fileno()); sweep_worker.main()"
)


def work(
    sweep: SweepConfig,
    folder: str | os.PathLike[str],
    storage: Any,
    is_alone: bool = False,
) -> None:
    """Works until every run of a sweep has ended, here or elsewhere.

    Args:
        sweep: a `SweepConfig`.
        folder: path of the sweep's folder.
        storage: `optuna.storages.RDBStorage`.
        is_alone: bool, whether this is the sweep's only worker. It may then
            train other runs in one step with that of its trial, whose own
            trials find them finished.
    """
    runs = pathlib.Path(folder, RUNS)
    name = study_name(pathlib.Path(folder, CONFIG))
    measure = measures.of_task(resolve(sweep.run).task)

    def try_settings(arm: str, trial: Any) -> float:
        optuna_studies.reseed_sampler(trial, sweep.run.seed)
        chosen = optuna_studies.suggest_settings(trial, sweep.search)
        train_ahead(arm, trial, {}, test=False)
        return train(trial, sweep.configs(chosen)[arm], test=False)

    def try_seed(best: Mapping[str, Any], arm: str, trial: Any) -> float:
        chosen = optuna_studies.chosen_settings(best[arm])
        train_ahead(arm, trial, chosen, test=True)
        chosen |= optuna_studies.suggest_settings(trial, {})
        return train(trial, sweep.configs(chosen)[arm], test=True)

    one_by_one: set[str] = set() if is_alone else set(sweep.arms)
    # Arms that need not be measured, or have been.
    stacked = set(sweep.arms) if sweep.stack != stack_size.AUTO else set()

    def train_ahead(
        arm: str, trial: Any, chosen: dict[str, Any], test: bool
    ) -> None:
        """Trains the trial's run with others of its study in one step."""
        queued = optuna_studies.queued_settings(trial.study)
        if arm in one_by_one or len(queued) < 2:
            return
        own = optuna_studies.suggest_settings(trial, {})
        config, *others = (
            sweep.configs(chosen | settings)[arm] for settings in (own, *queued)
        )
        size = stack_size.largest(sweep.stack)
        if size > 1 and arm not in stacked:
            if arm_costs.is_faster_stacked([config, *others], runs, size):
                stacked.add(arm)
            else:
                size = 1
        if size < 2 or not train_in_one_step(config, others, runs, test, size):
            one_by_one.add(arm)

    def train(trial: Any, config: RunConfig, test: bool) -> float:
        def may_take_over(holder: str) -> bool:
            if not optuna_studies.is_running(trial):
                raise folder_lock.TakenOver(
                    f"Another worker has taken over trial {trial.number}."
                )
            _fail_silent(trial.study, storage)
            return optuna_studies.is_silent(holder, trial.study)

        path, metrics = get_or_train(config, runs, test, may_take_over)
        trial.set_user_attr("run", path.name)
        if metrics is None:
            trial.set_user_attr("diverged", True)
            trial.set_user_attr("loss", math.inf)
            return measure.worst_score
        trial.set_user_attr("loss", metrics["validation_loss"])
        return measure.score(metrics[f"validation_{measure.name}"])

    searches = optuna_studies.search_studies(name, sweep, storage)
    _work_through(searches, try_settings, storage, sweep.trials)
    while optuna_studies.queue_next_points(sweep, searches, measure.best_score):
        _work_through(searches, try_settings, storage)
    best = {arm: optuna_studies.best_trial(s) for arm, s in searches.items()}
    seeds = optuna_studies.seed_studies(name, sweep, storage)
    _work_through(seeds, functools.partial(try_seed, best), storage)


def _work_through(
    studies: Mapping[str, Any],
    objective: Callable[[str, Any], float],
    storage: Any,
    trials: int | None = None,
) -> None:
    """Runs studies' trials until none is left, here or elsewhere.

    Args:
        studies: dict from arms to studies.
        objective: function of an arm and a trial.
        storage: `optuna.storages.RDBStorage` of the studies.
        trials: int, how many to choose. `None` means only those in the queue.
    """
    while True:
        for arm, study in studies.items():
            one = functools.partial(_objective, objective, arm, trials)
            while _is_open(study, trials):
                _run_trial(study, one)
        if not any(_count(study, "RUNNING") for study in studies.values()):
            return
        time.sleep(_POLL_SECONDS)
        for study in studies.values():
            _fail_silent(study, storage)


def _fail_silent(study: Any, storage: Any) -> None:
    """Abandons trials whose workers do not respond; they are queued again."""
    import optuna

    optuna_studies.send_missing_heartbeats(study, storage)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)


def _run_trial(study: Any, objective: Callable[[Any], float]) -> None:
    """Runs one trial, unless it is taken over by another worker meanwhile.

    That happens to a worker that was suspended; the trial is no longer its to
    report.
    """
    taken_over: list[BaseException | None] = []

    def checked(trial: Any) -> float:
        try:
            value = objective(trial)
        except (Exception, KeyboardInterrupt) as error:
            if not optuna_studies.is_running(trial):
                taken_over.append(error)
            raise
        if not optuna_studies.is_running(trial):
            taken_over.append(None)
        return value

    try:
        study.optimize(checked, n_trials=1)
    except Exception:
        # Optuna's own, since the trial has ended.
        if not taken_over:
            raise
        own = taken_over[0]
        if isinstance(own, KeyboardInterrupt):
            raise own from None
        LOGGER.info(
            "This worker did not respond for a while, so another one has taken "
            "over its run. It continues with the remaining runs."
        )
        # That the other worker holds the run's folder is no news.
        if own is not None and not isinstance(own, folder_lock.TakenOver):
            LOGGER.warning(
                "The run failed in this worker, and may fail in the other one, "
                f"too: {type(own).__name__}: {own}"
            )


def _objective(
    objective: Callable[[str, Any], float],
    arm: str,
    trials: int | None,
    trial: Any,
) -> float:
    import keras
    import optuna

    optuna_studies.mark_started(trial)
    if trials is None and "point" not in trial.user_attrs:
        # Another worker has taken the last one of the queue.
        raise optuna.TrialPruned
    if optuna_studies.is_surplus(trial, trials):
        raise optuna.TrialPruned
    try:
        return objective(arm, trial)
    except Preempted as error:
        if optuna_studies.is_running(trial):
            optuna_studies.requeue(trial)
        # Optuna, which does not know Preempted, would leave it running.
        raise KeyboardInterrupt from error
    finally:
        # Frees the model of one run before the next one trains.
        keras.utils.clear_session()


def is_unfinished(study: Any) -> bool:
    """Whether a study has trials that are queued or running."""
    return _count(study, "WAITING", "RUNNING") > 0


def num_trials(study: Any) -> int:
    """How many trials are queued, running or completed."""
    return _count(study, "WAITING", "RUNNING", "COMPLETE")


def _is_open(study: Any, trials: int | None) -> bool:
    if trials is None:
        return _count(study, "WAITING") > 0
    return _count(study, "WAITING") > 0 or num_trials(study) < trials


def _count(study: Any, *states: str) -> int:
    import optuna

    wanted = [getattr(optuna.trial.TrialState, name) for name in states]
    return len(study.get_trials(deepcopy=False, states=wanted))


def stop_with_parent(
    pipe: int, stop: Callable[[], None] | None = None
) -> threading.Thread:
    """Stops this process, as SIGTERM does, when its parent has ended.

    Args:
        pipe: int, the file descriptor of a pipe whose other end only the
            parent has, and never writes to.
        stop: function without arguments that stops this process; for tests.

    Returns:
        The thread that waits for it.
    """

    def wait() -> None:
        # It returns once the other end is closed. Not through a stream of
        # Python, whose lock would be held when the interpreter ends.
        os.read(pipe, 1)
        (stop or _stop)()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_STOP_SECONDS)
    os._exit(STOPPED)


def main() -> None:
    """Works on the sweep of the folder given, and exits with a status."""
    (folder,) = sys.argv[1:]
    sweep = SweepConfig.read(pathlib.Path(folder, CONFIG))
    run = study_folder.locate(sweep.run, folder)
    sweep = dataclasses.replace(sweep, run=run)
    takeover_seconds = int(os.environ[TAKEOVER])
    try:
        storage = optuna_studies.open_storage(
            os.environ[STORAGE], takeover_seconds, is_known=True
        )
        work(sweep, folder, storage, is_alone=ALONE in os.environ)
    except KeyboardInterrupt:
        sys.exit(STOPPED)
    except Exception as error:
        # The process that started this one shows the last line.
        import traceback

        traceback.print_exc()
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
