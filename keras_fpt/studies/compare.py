"""Compares a frozen language model with its rivals within a time budget."""

import dataclasses
import functools
import json
import logging
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_fpt import files
from keras_fpt.files import json_files
from keras_fpt.reports import write_report
from keras_fpt.results import (
    Baseline,
    NotRun,
    baselines,
    conclude,
    load_runs,
    not_run,
)
from keras_fpt.runs import ResolvedRun, RunConfig, folder, recorder, resolve
from keras_fpt.studies import cost, rivals, study_folder
from keras_fpt.studies.deadline import Deadline, OutOfTime
from keras_fpt.studies.folds import refuse_all_folds
from keras_fpt.studies.variant_search import run_variants
from keras_fpt.tasks import Stored, Task

LOGGER = logging.getLogger(__name__)
CONFIG = "compare.json"
PLAN = "plan.json"
RUNS = "runs"
REPORT = "report.html"
ARMS = ("fpt", "random")
TRAINED_ARMS = ("finetune", "full")
# The share of the time left that each of scikit-learn's models may take.
_BASELINE_SHARE = 0.08
# Time for the report's plots and tables.
_REPORT_SECONDS = 15
# The share of the runs' time that is planned, since the time of a step varies.
_PLANNED_SHARE = 0.7


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What a comparison compares.

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
        entry = json_files.read_object(path)
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
        trained = [dataclasses.replace(self.run, arm=arm) for arm in names]
        # Only the output layer trains, on frozen features.
        never_changes = isinstance(task.data, Stored) and not task.data.augment
        probe = self.run.with_settings(
            arm="fpt",
            policy="output_only",
            dropout=0.0,
            cache_features=never_changes,
        )
        return [*trained, probe]


@dataclasses.dataclass(frozen=True)
class Plan:
    """The learning rates, seeds and steps of a comparison.

    Args:
        learning_rates: tuple of floats that each variant tries, the most
            promising first.
        seeds: int, number of runs of each at its best rate.
        steps: int, gradient steps of a run.
        shares_seed: bool, whether the run that was chosen is also the first of
            those at the best rate, as in plans of earlier versions.
    """

    learning_rates: tuple[float, ...]
    seeds: int
    steps: int
    shares_seed: bool = True

    @classmethod
    def read(cls, path: pathlib.Path) -> "Plan":
        """Reads the plan that an earlier call has written.

        Raises:
            ValueError: the file is damaged.
        """
        entry = json_files.read_object(path)
        return json_files.from_dict(cls, entry, f"`{path}`")


# The learning rates and seeds to plan, each with the minimum share of the
# recipe's steps that every run must then have.
_PLANS = (
    (1.0, (3e-3, 1e-3, 1e-2, 3e-4, 1e-4), 5),
    (0.25, (3e-3, 1e-3, 1e-2, 3e-4), 3),
    # Of two rates the best would always be at the edge.
    (0.0, (3e-3, 1e-3, 1e-2), 3),
    # Intervals from two seeds are three times as wide.
    (0.0, (3e-3, 1e-3, 1e-2), 2),
)


def run_comparison(
    comparison: Comparison,
    output: str | os.PathLike[str] | None,
    seconds: float,
    began: float | None = None,
    plan: Plan | None = None,
) -> tuple[pathlib.Path, Any, str | None]:
    """Compares a frozen language model with what one would try otherwise.

    Its rivals are the majority class, scikit-learn's logistic regression and
    histogram gradient boosting on the flattened tokens, a linear probe of the
    frozen model, the frozen model with random weights and, if asked for, arms
    that train every weight. Each has its own best settings, by validation
    accuracy. All runs have the same number of gradient steps, chosen so that
    all finish in time.

    Repeat the call to continue, with the same time again. Existing runs are
    not trained again.

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
        sentence of `keras_fpt.results.conclude`.

    Raises:
        ValueError, FileNotFoundError: something in `comparison` is invalid,
            or the time is too short.
        FileExistsError: the folder holds something else.
        Preempted, KeyboardInterrupt: the process was asked to stop.
    """
    refuse_all_folds(comparison.run.options, "compare_folds")
    deadline = Deadline(seconds, began)
    run = resolve(comparison.run)
    if output is None:
        output = folder.new_folder(run.task.name, "compare")
    output = pathlib.Path(output)
    if not (output / CONFIG).is_file():
        comparison = dataclasses.replace(
            comparison, run=comparison.run.with_absolute_paths()
        )
    described = {**vars(comparison), "run": comparison.run.identity()}
    text = json.dumps(described, indent=2) + "\n"
    study_folder.initialize(output, CONFIG, text, "comparison", run.named_data)

    fitted, missing = _fit_baselines(run.task, output, deadline)
    missing += _train(comparison, run, output, deadline, plan)
    not_run.write(missing, output)
    table = write_report([output], output / REPORT, output / "tables")
    return output, table, conclude(load_runs(output), fitted)


def _fit_baselines(
    task: Task, output: pathlib.Path, deadline: Deadline
) -> tuple[list[Baseline], list[NotRun]]:
    """Baselines that this or an earlier call fitted, and what failed."""
    if (output / baselines.FILE).is_file():
        missing = not_run.read(output)
        return baselines.read(output), [
            entry for entry in missing if entry.what in baselines.DESCRIPTIONS
        ]
    share = _BASELINE_SHARE * deadline.left
    fitted, missing = rivals.fit_all(task, deadline, share)
    fitted = [rivals.majority(task), *fitted]
    not_run.write(missing, output)
    baselines.write(fitted, output)
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
    LOGGER.info("Measuring the time per step of each arm.")
    try:
        with deadline.enforced(_REPORT_SECONDS):
            costs = _costs(variants)
    except OutOfTime as error:
        raise ValueError(
            "The budget is too small to measure the time per step. Give a "
            "larger --budget, a smaller --preset, or a smaller --batch-size."
        ) from error
    if (output / PLAN).is_file():
        plan = Plan.read(output / PLAN)
    else:
        if plan is None:
            left = _PLANNED_SHARE * (deadline.left - _REPORT_SECONDS)
            plan = make_plan(costs, task, batch_size, left)
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
    if len(missing) == len(variants):
        raise ValueError(f"Nothing could be trained: {missing[0].reason}")
    return missing


def _costs(variants: Sequence[RunConfig]) -> list[cost.Cost]:
    """The `Cost` of each variant, measured once for all that train the same."""
    by_policy: dict[str | None, cost.Cost] = {}
    runs = [resolve(variant) for variant in variants]
    for run in runs:
        if run.model.policy not in by_policy:
            by_policy[run.model.policy] = cost.measure(run)
            keras.utils.clear_session()
    return [by_policy[run.model.policy] for run in runs]


def make_plan(
    costs: Sequence[cost.Cost], task: Task, batch_size: int, seconds: float
) -> Plan:
    """The largest plan that fits into a given time.

    Args:
        costs: list of `Cost`, one per variant.
        task: the `Task`.
        batch_size: int.
        seconds: float.

    Returns:
        A `Plan`, with no more steps than the task's recipe has.

    Raises:
        ValueError: the time is too short for any plan.
    """
    max_steps = task.recipe.steps

    def total(rates: tuple[float, ...], seeds: int, steps: int) -> float:
        return sum(
            len(rates) * each.seconds(task, batch_size, steps, test=False)
            + seeds * each.seconds(task, batch_size, steps, test=True)
            for each in costs
        )

    for share, rates, seeds in _PLANS:
        seconds_of = functools.partial(total, rates, seeds)
        steps = _largest(seconds_of, seconds, max_steps)
        if steps >= max(
            share * max_steps, recorder.MIN_STEPS_BETWEEN_EVALUATIONS
        ):
            return Plan(rates, seeds, steps, shares_seed=False)
    ratio = seconds_of(recorder.MIN_STEPS_BETWEEN_EVALUATIONS) / seconds
    raise ValueError(
        "The budget is too small to compare anything: runs of "
        f"{recorder.MIN_STEPS_BETWEEN_EVALUATIONS} steps would take "
        f"{ratio:.1f} times the time that is left. Give a larger --budget, "
        "a smaller --preset, or a smaller --batch-size."
    )


def _largest(
    seconds_of: Callable[[int], float], seconds: float, limit: int
) -> int:
    """The largest number up to `limit` that fits into a time, or 0.

    All numbers below one that fits must fit, too.
    """
    low, high = 0, limit + 1
    while high - low > 1:
        middle = (low + high) // 2
        if seconds_of(middle) <= seconds:
            low = middle
        else:
            high = middle
    return low
