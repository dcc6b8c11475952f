"""A process that works on a sweep's runs, beside others.

    KERAS_FPT_STORAGE=URL python -m keras_fpt.studies.sweep_worker FOLDER

`keras_fpt.studies.sweep` starts it. It ends when all runs have ended.
"""

import functools
import math
import os
import pathlib
import sys
import time
import warnings

from keras_fpt.runs import run_store as kept_runs
from keras_fpt.runs.signals import Preempted
from keras_fpt.studies import optuna_studies as sweep_studies
from keras_fpt.studies.sweep_config import SweepConfig

STORAGE = "KERAS_FPT_STORAGE"
TAKEOVER = "KERAS_FPT_TAKEOVER_SECONDS"
CONFIG = "sweep.json"
RUNS = "runs"
FAILED = 1
STOPPED = 75  # As of `keras-fpt train`.
_POLL_SECONDS = 1.0


def work(sweep, folder, storage, log=print):
    """Works until every run of a sweep has ended, here or elsewhere.

    Args:
        sweep: a `SweepConfig`.
        folder: path of the sweep's folder.
        storage: `optuna.storages.RDBStorage`.
        log: function that takes a line of text.
    """
    runs = pathlib.Path(folder, RUNS)

    def try_settings(arm, trial):
        chosen = sweep_studies.settings(trial, sweep.search)
        return train(trial, sweep.configs(chosen)[arm], test=False)

    def try_seed(best, arm, trial):
        first = sweep.run.seed
        seeds = tuple(range(first, first + sweep.seeds))
        chosen = best[arm].params | sweep_studies.settings(
            trial, {"seed": seeds}
        )
        return train(trial, sweep.configs(chosen)[arm], test=True)

    def train(trial, config, test):
        path, metrics = kept_runs.run_once(config, runs, test, log)
        trial.set_user_attr("run", path.name)
        if metrics is None:
            metrics = {"validation_accuracy": 0.0, "validation_loss": math.inf}
            trial.set_user_attr("diverged", True)
        trial.set_user_attr("loss", metrics["validation_loss"])
        return metrics["validation_accuracy"]

    searches = sweep_studies.search_studies(sweep, storage)
    _work_through(searches, try_settings, storage, sweep.trials)
    best = {arm: sweep_studies.best(s) for arm, s in searches.items()}
    seeds = sweep_studies.seed_studies(sweep, storage)
    _work_through(seeds, functools.partial(try_seed, best), storage)


def _work_through(studies, objective, storage, trials=None):
    """Runs studies' trials until none is left, or runs elsewhere.

    Args:
        studies: dict from arms to studies.
        objective: function of an arm and a trial.
        storage: `optuna.storages.RDBStorage`, that of the studies.
        trials: int, how many to choose. `None` means those queued alone.
    """
    import optuna

    while True:
        for arm, study in studies.items():
            one = functools.partial(_objective, objective, arm, trials)
            while _is_open(study, trials):
                study.optimize(one, n_trials=1)
        if not any(_count(study, "RUNNING") for study in studies.values()):
            return
        time.sleep(_POLL_SECONDS)
        for study in studies.values():
            sweep_studies.watch_over(study, storage)
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", optuna.exceptions.ExperimentalWarning
                )
                optuna.storages.fail_stale_trials(study)


def _objective(objective, arm, trials, trial):
    import keras
    import optuna

    sweep_studies.mark_begun(trial)
    if trials is None and "point" not in trial.user_attrs:
        # Another worker took the last one of the queue.
        raise optuna.TrialPruned
    try:
        return objective(arm, trial)
    except Preempted as error:
        trial.study.enqueue_trial(trial.params, trial.user_attrs)
        # Optuna, which does not know Preempted, would leave it running.
        raise KeyboardInterrupt from error
    finally:
        # The model of one run is not kept while the next one trains.
        keras.utils.clear_session()


def is_under_way(study):
    """Whether a study has trials that wait, or that run somewhere."""
    return _count(study, "WAITING", "RUNNING") > 0


def _is_open(study, trials):
    if trials is None:
        return _count(study, "WAITING") > 0
    begun = ("WAITING", "RUNNING", "COMPLETE")
    return _count(study, "WAITING") > 0 or _count(study, *begun) < trials


def _count(study, *states):
    import optuna

    states = [getattr(optuna.trial.TrialState, name) for name in states]
    return len(study.get_trials(deepcopy=False, states=states))


def main():
    """Works on the sweep of the folder given, and exits with a status."""
    (folder,) = sys.argv[1:]
    sweep = SweepConfig.read(pathlib.Path(folder, CONFIG))
    takeover_seconds = int(os.environ[TAKEOVER])
    try:
        storage = sweep_studies.open_storage(
            os.environ[STORAGE], takeover_seconds
        )
        work(sweep, folder, storage, functools.partial(print, flush=True))
    except KeyboardInterrupt:
        sys.exit(STOPPED)
    except Exception as error:
        # Whoever started this shows the last line.
        import traceback

        traceback.print_exc()
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
