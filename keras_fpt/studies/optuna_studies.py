"""A sweep's Optuna studies: two per arm, of its settings and of its seeds."""

import contextlib
import dataclasses
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from keras_fpt.files import folder_lock
from keras_fpt.results import rates
from keras_fpt.studies import database_address
from keras_fpt.studies.database_retries import DatabaseRetries
from keras_fpt.studies.sweep_config import Range, SweepConfig

# The number of the trial whose worker is known to have started; a trial that is
# retried keeps the number of the first.
_STARTED = "begun"
# The process of that worker, as lock files name it.
_PROCESS = "process"
# The settings of a trial that was queued.
_POINT = "point"
_RATE = "learning_rate"
# Whether a running trial is queued again already.
_GIVEN_BACK = "given_back"
# How often a run is taken over after its worker died.
MAX_RETRIES = 3


def open_storage(
    url: str, takeover_seconds: int, is_known: bool = False
) -> Any:
    """The storage that workers share, which waits for its database.

    Args:
        url: string, of a database as SQLAlchemy takes it.
        takeover_seconds: int, how long a trial's worker may send no heartbeat
            before the trial is given to another.
        is_known: bool, whether the database has answered before, so that it is
            worth waiting for.

    Raises:
        ValueError: the address is none of a database, or the database cannot
            be used.
        ImportError: the driver of the database is not installed.
        ConnectionError: the database does not answer.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    address = database_address.parse(url)

    def connect() -> Any:
        with warnings.catch_warnings():
            # Heartbeats have been experimental since 2021.
            warnings.simplefilter(
                "ignore", optuna.exceptions.ExperimentalWarning
            )
            return optuna.storages.RDBStorage(
                url,
                engine_kwargs=address.engine_arguments(),
                heartbeat_interval=max(1, takeover_seconds // 4),
                grace_period=takeover_seconds,
                heartbeat_stale_trial_callback=(
                    optuna.storages.RetryHeartbeatStaleTrialCallback(
                        MAX_RETRIES
                    )
                ),
            )

    retries = DatabaseRetries(address.shown)
    with address.clear_errors():
        storage = retries.call(connect) if is_known else connect()
        return retries.wrap(optuna.storages.get_storage(storage))


def is_running(trial: Any) -> bool:
    """Whether a trial is still its worker's, and not given to another."""
    return any(other.number == trial.number for other in _running(trial.study))


def is_silent(process: str, study: Any) -> bool:
    """Whether all trials of a worker have ended or been abandoned.

    Args:
        process: string, the worker's process, as a lock file names it.
        study: the study of the trials.
    """
    import optuna

    states = [
        trial.state
        for trial in study.get_trials(deepcopy=False)
        if trial.user_attrs.get(_PROCESS) == process
    ]
    return bool(states) and optuna.trial.TrialState.RUNNING not in states


def _running(study: Any) -> list[Any]:
    import optuna

    states = (optuna.trial.TrialState.RUNNING,)
    return study.get_trials(deepcopy=False, states=states)


def search_studies(
    name: str, sweep: SweepConfig, storage: Any
) -> dict[str, Any]:
    """Dict from each arm to the study of its settings."""
    points = [] if sweep.is_sampled else sweep.points
    return {
        arm: _study(f"{name}/{arm}/search", storage, points)
        for arm in sweep.arms
    }


def seed_studies(name: str, sweep: SweepConfig, storage: Any) -> dict[str, Any]:
    """Dict from each arm to the study of its seeds."""
    points = [{"seed": sweep.first_seed + i} for i in range(sweep.seeds)]
    return {
        arm: _study(f"{name}/{arm}/seeds", storage, points)
        for arm in sweep.arms
    }


def _study(name: str, storage: Any, points: Sequence[dict[str, Any]]) -> Any:
    """A study in which a trial of each point is queued, running or done."""
    import optuna

    study = optuna.create_study(
        storage=storage,
        study_name=name,
        sampler=optuna.samplers.TPESampler(constant_liar=True),
        direction="maximize",
        load_if_exists=True,
    )
    _enqueue(study, points)
    return study


def _enqueue(study: Any, points: Sequence[dict[str, Any]]) -> None:
    """Queues a trial of each point that is not queued, running or done."""
    import optuna

    state = optuna.trial.TrialState
    trials = study.get_trials(
        deepcopy=False, states=(state.WAITING, state.RUNNING, state.COMPLETE)
    )
    queued = [trial.user_attrs.get(_POINT) for trial in trials]
    for point in points:
        if point not in queued:
            # Two workers may both do this; one trial of them is surplus.
            study.enqueue_trial(point, user_attrs={_POINT: point})


def mark_started(trial: Any) -> None:
    """Records that this process works on a trial and has sent a heartbeat."""
    trial.set_user_attr(_PROCESS, folder_lock.process_name())
    trial.set_user_attr(_STARTED, trial.number)


def send_missing_heartbeats(study: Any, storage: Any) -> None:
    """Sends heartbeats for running trials that may never have had one.

    Optuna considers a trial stale some time after its last heartbeat, so a
    trial whose worker died before the first would stay running forever.
    """
    import optuna

    study_id = storage.get_study_id_from_name(study.study_name)
    for trial in _running(study):
        if trial.user_attrs.get(_STARTED) == trial.number:
            continue
        trial_id = storage.get_trial_id_from_study_id_trial_number(
            study_id, trial.number
        )
        # It may have ended in the meantime.
        with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
            storage.record_heartbeat(trial_id)
            storage.set_trial_user_attr(trial_id, _STARTED, trial.number)


def is_surplus(trial: Any, trials: int | None) -> bool:
    """Whether a trial is not needed, since an earlier one does the same.

    Workers may queue or choose a trial at the same time. All of them agree on
    which ones are too many, since trials are numbered.

    Args:
        trial: `optuna.Trial`.
        trials: int, how many trials to choose from a range; `None` for a grid.
    """
    import optuna

    state = optuna.trial.TrialState
    earlier = [
        other
        for other in trial.study.get_trials(
            deepcopy=False,
            states=(state.WAITING, state.RUNNING, state.COMPLETE),
        )
        if other.number < trial.number and not other.user_attrs.get(_GIVEN_BACK)
    ]
    if trials is not None:
        return len(earlier) >= trials
    return any(
        chosen_settings(other) == chosen_settings(trial) for other in earlier
    )


def requeue(trial: Any) -> None:
    """Queues a running trial again before its worker leaves it."""
    attributes = dict(trial.user_attrs)
    trial.set_user_attr(_GIVEN_BACK, True)
    trial.study.enqueue_trial(chosen_settings(trial), attributes)


def next_points(
    sweep: SweepConfig, studies: Mapping[str, Any], best_score: float = 1.0
) -> list[dict[str, Any]]:
    """Points beyond a grid that all arms are to try next.

    Args:
        sweep: `SweepConfig`.
        studies: dict from arms to the studies of their settings, whose trials
            have ended.
        best_score: float, which no trial could be better than.

    Returns:
        List of dicts of settings with a learning rate that is lower or higher
        than all others, if that of an arm's best is; otherwise, or if there
        were `sweep.extensions` of them, an empty list.
    """
    if sweep.is_sampled or _RATE not in sweep.search:
        return []
    grid, tried = sweep.points, {}
    for arm, study in studies.items():
        by_rate: dict[float, float] = {}
        for trial in completed_trials(study):
            rate = chosen_settings(trial)[_RATE]
            by_rate[rate] = max(trial.value, by_rate.get(rate, -math.inf))
        if not by_rate:
            return []
        tried[arm] = by_rate
    known = {rate for by_rate in tried.values() for rate in by_rate}
    known |= {point[_RATE] for point in grid}
    if len(known) - len(set(sweep.search[_RATE])) >= sweep.extensions:
        return []
    edges = {
        rates.edge(
            by_rate,
            chosen_settings(best_trial(studies[arm]))[_RATE],
            best_score,
        )
        for arm, by_rate in tried.items()
    }
    for side, outermost in ((rates.HIGHEST, max), (rates.LOWEST, min)):
        if side in edges:
            rate = rates.beyond(outermost(known), side)
            others = {**sweep.search, _RATE: (rate,)}
            return dataclasses.replace(sweep, search=others).points
    return []


def queue_next_points(
    sweep: SweepConfig, studies: Mapping[str, Any], best_score: float = 1.0
) -> bool:
    """Queues the `next_points` of each arm; returns whether there are any."""
    points = next_points(sweep, studies, best_score)
    for study in studies.values():
        _enqueue(study, points)
    return bool(points)


def reseed_sampler(trial: Any, seed: int) -> None:
    """Makes what Optuna chooses for a trial depend on its number and a seed."""
    import optuna

    trial.study.sampler = optuna.samplers.TPESampler(
        constant_liar=True, seed=seed + trial.number
    )


def suggest_settings(trial: Any, search: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a trial tries.

    Args:
        trial: `optuna.Trial`.
        search: dict from names to tuples of values, or to `Range`s.
    """
    if _POINT in trial.user_attrs:
        return dict(trial.user_attrs[_POINT])
    return {
        name: _suggest(trial, name, values) for name, values in search.items()
    }


def queued_settings(study: Any) -> list[dict[str, Any]]:
    """The settings of all trials that were queued, whatever became of them.

    What Optuna chooses from a range is not queued.
    """
    found = []
    for trial in study.get_trials(deepcopy=False):
        point = trial.user_attrs.get(_POINT)
        if point is not None and point not in found:
            found.append(dict(point))
    return found


def chosen_settings(trial: Any) -> dict[str, Any]:
    """The settings of a trial that was started."""
    return dict(trial.user_attrs.get(_POINT, trial.params))


def _suggest(trial: Any, name: str, values: Any) -> Any:
    if not isinstance(values, Range):
        return trial.suggest_categorical(name, values)
    is_whole = isinstance(values.low, int) and isinstance(values.high, int)
    suggest = trial.suggest_int if is_whole else trial.suggest_float
    return suggest(name, values.low, values.high, log=values.low > 0)


def completed_trials(study: Any) -> list[Any]:
    """A study's trials that are completed."""
    import optuna

    states = (optuna.trial.TrialState.COMPLETE,)
    return study.get_trials(deepcopy=False, states=states)


def best_trial(study: Any) -> Any:
    """The completed trial of the best score; ties go to the lowest loss.

    Raises:
        ValueError: no trial is completed.
    """
    trials = completed_trials(study)
    if not trials:
        raise ValueError(
            f"No run of the study '{study.study_name}' has ended: each was "
            f"lost {MAX_RETRIES + 1} times."
        )
    return max(
        trials, key=lambda trial: (trial.value, -trial.user_attrs["loss"])
    )
