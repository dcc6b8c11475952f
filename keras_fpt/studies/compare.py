"""Compares a frozen language model with its rivals within a time budget."""

import collections
import dataclasses
import json
import logging
import math
import os
import pathlib
import time
from collections.abc import Sequence
from typing import Any

import keras

from keras_fpt import files
from keras_fpt.files import json_files
from keras_fpt.reports import write_report
from keras_fpt.results import (
    Baseline,
    NotRun,
    arms_table,
    baselines,
    conclude,
    describe,
    load_runs,
    not_run,
    run_folders,
)
from keras_fpt.runs import ResolvedRun, RunConfig, folder, resolve
from keras_fpt.studies import (
    cost,
    rival_data,
    rival_models,
    rivals,
    study_folder,
    variant_search,
)
from keras_fpt.studies.deadline import Deadline, OutOfTime
from keras_fpt.studies.folds import refuse_all_folds
from keras_fpt.studies.plans import BudgetTooSmall, Plan, make_plan
from keras_fpt.studies.variant_search import run_variants
from keras_fpt.tasks import Stored, Task

LOGGER = logging.getLogger(__name__)
CONFIG = "compare.json"
PLAN = "plan.json"
RUNS = "runs"
REPORT = "report.html"
ARMS = ("fpt", "random")
TRAINED_ARMS = ("finetune", "full")
# The kinds of data for whose regressions an LSTM is trained as well.
_SEQUENCES = (rival_data.SERIES, rival_data.STRINGS)
# The share of the time left that each of the rivals may take, and all of them.
_BASELINE_SHARE, _BASELINES_SHARE = 0.08, 0.3
# Time for the report's plots and tables.
_REPORT_SECONDS = 15
# The share of the runs' time that is planned, since the time of a step varies.
_PLANNED_SHARE = 0.7


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The configuration of a comparison.

    Args:
        run: `RunConfig`, what all runs have in common. The comparison chooses
            the arm, policy, learning rate and steps.
        finetune: bool, whether arms that train every weight take part.
    """

    run: RunConfig
    finetune: bool = False

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "Comparison":
        """Reads the comparison that an earlier call has written.

        Raises:
            FileNotFoundError: the file does not exist.
            ValueError: it does not describe a comparison.
        """
        where = f"This is not a comparison's configuration: `{path}`"
        return cls.from_entry(json_files.read_object(path), where)

    @classmethod
    def from_entry(cls, entry: dict[str, Any], where: str) -> "Comparison":
        """The comparison that a JSON object describes.

        Args:
            entry: dict, parsed JSON.
            where: string, with which errors begin.

        Raises:
            ValueError: it does not describe a comparison.
        """
        if not isinstance(entry.get("run"), dict):
            raise ValueError(f"{where}: expected an object 'run'.")
        run = RunConfig.from_settings(entry["run"], where)
        return json_files.from_dict(cls, entry | {"run": run}, where)

    def variants(self, task: Task) -> list[RunConfig]:
        """The compared runs, without learning rates, seeds and steps.

        Args:
            task: the `Task` that `run` names.
        """
        names = ARMS + TRAINED_ARMS * self.finetune
        if task.is_regression and rival_data.data_kind(task) in _SEQUENCES:
            names += ("lstm",)
        trained = [dataclasses.replace(self.run, arm=arm) for arm in names]
        # Only the output layer trains, on frozen features.
        can_cache = (
            isinstance(task.data, Stored)
            and not task.data.augment
            and not task.is_regression
        )
        probe = self.run.with_settings(
            arm="fpt",
            policy="output_only",
            dropout=0.0,
            cache_features=can_cache,
        )
        return [*trained, probe]


def run_comparison(
    comparison: Comparison,
    output: str | os.PathLike[str] | None,
    seconds: float,
    began: float | None = None,
    plan: Plan | None = None,
) -> tuple[pathlib.Path, Any, str | None]:
    """Compares a frozen language model with common alternatives.

    Its rivals are the majority class, the mean or the last value, the models of
    `rival_models` for the kind of data, a linear probe of the frozen model,
    the frozen model with random weights and, if asked for, arms that train
    every weight; where numbers are predicted for sequences, also an LSTM. Each
    has its own best settings, by accuracy, or RMSE, on validation. All runs
    have the same number of gradient steps, chosen so that all finish in time.

    If there is not enough time, the results so far are kept and shown, and
    `not_run.json` says what was not run and how long it would take. Repeat the
    call to continue, with the same time again. Existing runs are not trained
    again.

    Args:
        comparison: a `Comparison`.
        output: path of its folder, or `None` for a new one,
            `runs/<task>-compare-<n>`.
        seconds: float, wall time that it may take.
        began: float, `time.monotonic()` when the time begins; `None` is now.
        plan: a `Plan` to follow. `None` makes the largest that fits into the
            time.

    Returns:
        Tuple of the folder, the `pandas.DataFrame` of `write_report`, and the
        sentence of `keras_fpt.results.conclude`. If no run could be tested,
        the table has only the rivals, and there is no report.

    Raises:
        ValueError, FileNotFoundError: something in `comparison` is invalid.
        FileExistsError: the folder contains something else.
        Preempted, KeyboardInterrupt: the process was asked to stop.
    """
    refuse_all_folds(comparison.run.options, "compare_folds")
    deadline = Deadline(seconds, began)
    run = resolve(comparison.run)
    rivals.check_has_rivals(run.task)
    if output is None:
        output = folder.new_folder(run.task.name, "compare")
    output = pathlib.Path(output)
    if not (output / CONFIG).is_file():
        comparison = dataclasses.replace(
            comparison, run=comparison.run.with_absolute_paths()
        )
    described = {**vars(comparison), "run": comparison.run.identity()}
    text = json.dumps(described, indent=2) + "\n"
    study_folder.initialize(output, CONFIG, text, "comparison", run)

    fitted, missing = _fit_baselines(run, output, deadline)
    missing += _train(comparison, run, output, deadline, plan)
    not_run.write(missing, output)
    runs = load_runs(output) if run_folders(output) else None
    if runs is None or not runs["final"].any():
        # A report needs runs that were tested.
        table = arms_table.of_baselines(fitted)
        return output, table, conclude(None, fitted, run.preset.text)
    table = write_report([output], output / REPORT, output / "tables")
    return output, table, conclude(runs, fitted)


def _fit_baselines(
    run: ResolvedRun, output: pathlib.Path, deadline: Deadline
) -> tuple[list[Baseline], list[NotRun]]:
    """Baselines that this or an earlier call fitted, and those that failed."""
    fitted: list[Baseline] = []
    size = run.config.train_examples

    def keep(baseline: Baseline) -> None:
        fitted.append(dataclasses.replace(baseline, size=size))
        baselines.write(fitted, output)

    if (output / baselines.FILE).is_file():
        fitted += baselines.read(output)
    else:
        for rule in rivals.simple_rules(run.task):
            keep(rule)
    count = len(rival_models.of_task(run.task, run))
    share = min(_BASELINE_SHARE, _BASELINES_SHARE / count) * deadline.left
    known = {baseline.name for baseline in fitted}
    _, missing = rivals.fit_all(run.task, deadline, share, run, known, keep)
    not_run.write(missing, output)
    return fitted, missing


def _train(
    comparison: Comparison,
    run: ResolvedRun,
    output: pathlib.Path,
    deadline: Deadline,
    plan: Plan | None,
) -> list[NotRun]:
    """Trains the planned runs; returns what could not be run."""
    task, batch_size = run.task, run.batch_size
    variants = comparison.variants(task)
    if _is_complete(variants, output):
        return []

    def none_run(reason: str) -> list[NotRun]:
        LOGGER.info(reason)
        return [
            NotRun(variant.task, describe(variant), reason)
            for variant in variants
        ]

    LOGGER.info("Measuring the time per step of each arm.")
    began = time.monotonic()
    try:
        with deadline.enforced(_REPORT_SECONDS):
            costs = _costs(variants)
    except OutOfTime:
        return none_run(
            "The budget is too small to measure the time per step: the "
            f"{time.monotonic() - began:.0f} s that were left are not enough. "
            "Give a larger --budget, a smaller --preset, or a smaller "
            "--batch-size, and repeat the command with its --output to "
            "continue."
        )
    measuring = time.monotonic() - began
    if (output / PLAN).is_file():
        plan = Plan.read(output / PLAN)
    else:
        left = _PLANNED_SHARE * (deadline.left - _REPORT_SECONDS)
        steps = run.config.steps
        try:
            plan = plan or make_plan(costs, task, batch_size, left, steps)
        except BudgetTooSmall as error:
            needed = error.seconds / _PLANNED_SHARE + _REPORT_SECONDS
            return none_run(
                f"{error} About {_minutes(needed + measuring)} more are needed "
                "for them. Repeat the command with its --output to continue."
            )
        files.write_text(
            output / PLAN, json.dumps(dataclasses.asdict(plan), indent=2) + "\n"
        )
    rates = ", ".join(f"{rate:g}" for rate in sorted(plan.learning_rates))
    LOGGER.info(
        f"{len(variants)} arms, each at learning rates {rates}, then with "
        f"{plan.seeds} seeds at its best; {plan.steps:,} steps per run."
    )
    reserve = sum(
        each.test_seconds(task, batch_size)
        if plan.shares_seed
        else each.seconds(task, batch_size, plan.steps, test=True)
        for each in costs
    )
    missing = run_variants(
        [dataclasses.replace(each, steps=plan.steps) for each in variants],
        plan.learning_rates,
        plan.seeds,
        output / RUNS,
        deadline.earlier(_REPORT_SECONDS),
        reserve,
        plan.shares_seed,
    )
    is_short = [entry.reason == variant_search.TOO_SHORT for entry in missing]
    if len(missing) == len(variants) and not any(is_short):
        raise ValueError(f"Nothing could be trained: {missing[0].reason}")
    left = _seconds_left(variants, costs, run, plan, output)
    if any(is_short):
        LOGGER.info(
            f"About {_minutes(left)} are needed for the planned runs that were "
            f"not done. Repeat the command with --output {output} to continue."
        )
    return missing


def _is_complete(variants: Sequence[RunConfig], output: pathlib.Path) -> bool:
    """Whether an earlier call has trained all planned runs."""
    if not (output / PLAN).is_file() or not run_folders(output / RUNS):
        return False
    runs, plan = load_runs(output / RUNS), Plan.read(output / PLAN)
    tested = _count(runs[runs["final"]])
    return all(tested[_key(variant)] >= plan.seeds for variant in variants)


def _count(runs: Any) -> collections.Counter[tuple[str, str]]:
    """How many runs there are of each arm and policy."""
    return collections.Counter(zip(runs["arm"], runs["policy"], strict=True))


def _key(variant: RunConfig) -> tuple[str, str]:
    run = resolve(variant)
    return run.arm.name, str(run.model.policy)


def _seconds_left(
    variants: Sequence[RunConfig],
    costs: Sequence[cost.Cost],
    run: ResolvedRun,
    plan: Plan,
    output: pathlib.Path,
) -> float:
    """The time that the remaining planned runs take."""
    done: collections.Counter[tuple[str, str]] = collections.Counter()
    if run_folders(output / RUNS):
        runs = load_runs(output / RUNS)
        done = _count(runs[runs["status"] != "unfinished"])
    planned = len(plan.learning_rates) + plan.seeds - plan.shares_seed
    seconds = 0.0
    for variant, each in zip(variants, costs, strict=True):
        seconds += max(0, planned - done[_key(variant)]) * each.seconds(
            run.task, run.batch_size, plan.steps, test=True
        )
    return seconds


def _minutes(seconds: float) -> str:
    """A time in words, rounded up."""
    count = math.ceil(seconds / 60)
    return f"{count} minute{'s' * (count != 1)}"


def _costs(variants: Sequence[RunConfig]) -> list[cost.Cost]:
    """The `Cost` of each variant, measured once for all that train the same."""
    by_policy: dict[str | None, cost.Cost] = {}
    runs = [resolve(variant) for variant in variants]
    for run in runs:
        if run.model.policy not in by_policy:
            by_policy[run.model.policy] = cost.measure(run)
            keras.utils.clear_session()
    return [by_policy[run.model.policy] for run in runs]
