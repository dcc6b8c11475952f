"""Compares a frozen language model with its rivals within a time budget."""

import dataclasses
import json
import logging
import os
import pathlib
import time
from collections.abc import Sequence
from typing import Any

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
    halving,
    plan_dropout,
    rival_models,
    rivals,
    study_folder,
    variant_search,
)
from keras_fpt.studies.arm_costs import measure_arms
from keras_fpt.studies.comparison import Comparison
from keras_fpt.studies.deadline import Deadline, OutOfTime, minutes
from keras_fpt.studies.folds import refuse_all_folds
from keras_fpt.studies.full_search import count_runs, search_all, variant_key
from keras_fpt.studies.plans import (
    SMALLEST_BATCH,
    BudgetTooSmall,
    choose_batch_size,
    enlarge,
    make_plan,
    prepare,
)
from keras_fpt.studies.saved_plans import HalvingPlan, Plan, write_plan
from keras_fpt.studies.stack_size import OFF

LOGGER = logging.getLogger(__name__)
CONFIG, RUNS = "compare.json", "runs"
# The plan of a comparison, and that of one which an earlier version began.
HALVING, PLAN = "halving.json", "plan.json"
REPORT = "report.html"
# The share of the time left that each of the rivals may take, and all of them.
_BASELINE_SHARE, _BASELINES_SHARE = 0.08, 0.3
# Time for the report's plots and tables.
_REPORT_SECONDS = 15
# The share of the runs' time that is planned, since the time of a step varies.
_PLANNED_SHARE = 0.75
# How much larger than before a budget must be to count as larger.
_MORE = 1.05
AnyPlan = HalvingPlan | Plan


def run_comparison(
    comparison: Comparison,
    output: str | os.PathLike[str] | None,
    seconds: float,
    began: float | None = None,
    plan: AnyPlan | None = None,
    budget: float | None = None,
) -> tuple[pathlib.Path, Any, str | None]:
    """Compares a frozen language model with common alternatives.

    Its rivals are the majority class, the mean or the last value, the models of
    `rival_models` for the kind of data, a linear probe of the frozen model,
    the frozen model with random weights and, if asked for, arms that train
    every weight; where numbers are predicted for sequences, also an LSTM. Each
    has its own best settings, by accuracy, or RMSE, on validation. Learning
    rates are searched by successive halving, see `halving.py`, and all arms
    have the same rates, batches, seeds and steps, chosen so that all finish in
    time. Runs of an arm may train in one step, as `comparison.stack` says.

    If there is not enough time, the results so far are kept and shown, and
    `not_run.json` says what was not run and how long it would take. Repeat the
    call to continue, with the same time again. A comparison that is complete
    continues with more time than it had: its runs are trained further from
    where they are, and rates are chosen anew.

    Args:
        comparison: a `Comparison`.
        output: path of its folder, or `None` for a new one,
            `runs/<task>-compare-<n>`.
        seconds: float, wall time that it may take.
        began: float, `time.monotonic()` when the time begins; `None` is now.
        plan: a `HalvingPlan` to follow, or the `Plan` of an earlier version.
            `None` makes the largest that fits into the time.
        budget: float, seconds that were asked for, if that is not `seconds`,
            which may depend on what was done before. A comparison that is
            complete goes on if it is more than before.

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
    if output is None:
        output = folder.new_folder(run.task.name, "compare")
    output = pathlib.Path(output)
    if not (output / CONFIG).is_file():
        comparison = dataclasses.replace(
            comparison, run=comparison.run.with_absolute_paths()
        )
    comparison = comparison.as_begun(output / CONFIG)
    text = json.dumps(comparison.described(), indent=2) + "\n"
    study_folder.initialize(output, CONFIG, text, "comparison", run)
    as_given, comparison = comparison, comparison.settled(run.task)
    run = resolve(comparison.run, run.task)
    is_patched = run.model.patch_size != as_given.run.model.patch_size

    fitted, missing = _fit_baselines(
        run, output, deadline, comparison.probes(is_patched)
    )
    asked = seconds if budget is None else budget
    missing += _train(comparison, run, output, deadline, plan, asked)
    not_run.write(missing, output)
    runs = load_runs(output) if run_folders(output) else None
    if runs is None or not runs["final"].any():
        # A report needs runs that were tested.
        table = arms_table.of_baselines(fitted)
        return output, table, conclude(None, fitted, run.preset.text)
    table = write_report([output], output / REPORT, output / "tables")
    return output, table, conclude(runs, fitted)


def _fit_baselines(
    run: ResolvedRun,
    output: pathlib.Path,
    deadline: Deadline,
    probes: Sequence[str],
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
    count = len(rival_models.of_task(run.task, run, probes))
    share = min(_BASELINE_SHARE, _BASELINES_SHARE / count) * deadline.left
    known = {baseline.name for baseline in fitted}
    _, missing = rivals.fit_all(
        run.task, deadline, share, run, known, keep, probes
    )
    not_run.write(missing, output)
    return fitted, missing


def _train(
    comparison: Comparison,
    run: ResolvedRun,
    output: pathlib.Path,
    deadline: Deadline,
    plan: AnyPlan | None,
    budget: float,
) -> list[NotRun]:
    """Trains the planned runs; returns what could not be run."""
    variants = comparison.variants(run.task)
    saved = saved_plan(output)
    is_complete = saved is not None and _is_complete(variants, saved, output)
    if is_complete and not _goes_on(saved, plan, budget):
        LOGGER.info(
            "The comparison is complete. With a larger --budget than it had, "
            "its runs are trained further."
        )
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
            known = saved or plan
            size = _batch_size(variants, run, known, _left(deadline))
            costs = measure_arms(
                [_sized(each, size, run) for each in variants],
                # The runs of a plan of an earlier version train one by one.
                OFF if isinstance(known, Plan) else comparison.stack,
                deadline.left,
            )
    except OutOfTime:
        return none_run(
            "The budget is too small to measure the time per step: the "
            f"{time.monotonic() - began:.0f} s that were left are not enough. "
            "Give a larger --budget, a smaller --preset, or a smaller "
            "--batch-size, and repeat the command with its --output to "
            "continue."
        )
    measuring = time.monotonic() - began
    if saved is not None:
        if not is_complete:
            plan = saved
        elif plan is None:
            assert isinstance(saved, HalvingPlan)
            plan = enlarge(saved, costs, run.task, _left(deadline))
    else:
        steps = run.config.steps
        try:
            plan = plan or make_plan(
                costs,
                run.task,
                size,
                _left(deadline),
                steps,
                run.batch_size,
            )
        except BudgetTooSmall as error:
            needed = error.seconds / _PLANNED_SHARE + _REPORT_SECONDS
            return none_run(
                f"{error} About {minutes(needed + measuring)} more are needed "
                "for them. Repeat the command with its --output to continue."
            )
    if isinstance(plan, HalvingPlan):
        plan = dataclasses.replace(
            plan,
            budget=max(plan.budget, budget),
            # Comparisons of earlier versions keep the recipe's.
            dropout=plan.dropout if comparison.kind_defaults else None,
        )
        missing = _halve(variants, plan, run, output, deadline, costs)
    else:
        write_plan(plan, output / PLAN)
        missing = search_all(
            variants,
            plan,
            run,
            output / RUNS,
            deadline.earlier(_REPORT_SECONDS),
            costs,
        )
    is_short = [entry.reason == variant_search.TOO_SHORT for entry in missing]
    if len(missing) == len(variants) and not any(is_short):
        raise ValueError(f"Nothing could be trained: {missing[0].reason}")
    return missing


def _left(deadline: Deadline) -> float:
    """The time that a plan is made for."""
    return _PLANNED_SHARE * (deadline.left - _REPORT_SECONDS)


def saved_plan(output: pathlib.Path) -> AnyPlan | None:
    """The plan that an earlier call has made."""
    if (output / HALVING).is_file():
        return json_files.read_dataclass(HalvingPlan, output / HALVING)
    if (output / PLAN).is_file():
        return json_files.read_dataclass(Plan, output / PLAN)
    return None


def _batch_size(
    variants: Sequence[RunConfig],
    run: ResolvedRun,
    plan: AnyPlan | None,
    seconds: float,
) -> int:
    """The batch size of all runs: as given, as planned, or as time allows."""
    if isinstance(plan, HalvingPlan):
        return plan.batch_size
    size = run.batch_size
    if run.config.batch_size is not None or plan or size <= SMALLEST_BATCH:
        return size
    sizes = (SMALLEST_BATCH, size)
    first = measure_arms([_sized(variants[0], each, run) for each in sizes])
    found = zip(sizes, first, strict=True)
    return choose_batch_size(
        found, len(variants), run.task, seconds, run.config.steps
    )


def _sized(variant: RunConfig, batch_size: int, run: ResolvedRun) -> RunConfig:
    """A variant with a batch size, evaluated with the one of the recipe."""
    return dataclasses.replace(
        variant, batch_size=batch_size, evaluation_batch_size=run.batch_size
    )


def _goes_on(
    saved: AnyPlan | None, plan: AnyPlan | None, budget: float
) -> bool:
    """Whether what is complete is to be trained further.

    Args:
        saved: the plan that was carried out.
        plan: the plan to follow, or `None`.
        budget: float, seconds that were asked for.
    """
    if not isinstance(saved, HalvingPlan):
        return False
    if isinstance(plan, HalvingPlan):
        return plan.steps > saved.steps
    return plan is None and budget > _MORE * saved.budget


def _halve(
    variants: Sequence[RunConfig],
    plan: HalvingPlan,
    run: ResolvedRun,
    output: pathlib.Path,
    deadline: Deadline,
    costs: Sequence[cost.Cost],
) -> list[NotRun]:
    """Trains the runs of a plan."""

    def save(changed: HalvingPlan) -> None:
        write_plan(changed, output / HALVING)

    save(plan)
    note = plan_dropout.note(plan, run.task)
    if note and variants[0].model.dropout is None:
        LOGGER.info(note)
    rates = ", ".join(f"{rate:g}" for rate in sorted(plan.learning_rates))
    compared = " and ".join(f"{rung:,}" for rung in plan.rungs)
    LOGGER.info(
        f"{len(variants)} arms, with batches of {plan.batch_size}: each at "
        f"learning rates {rates}, of which the best go on after {compared} "
        f"steps, then with {plan.seeds} seeds at its best for about "
        f"{plan.steps:,} steps."
    )
    return halving.run_plan(
        [prepare(each, plan) for each in variants],
        plan,
        output / RUNS,
        deadline.earlier(_REPORT_SECONDS),
        costs,
        run.task,
        save,
    )


def _is_complete(
    variants: Sequence[RunConfig], plan: AnyPlan, output: pathlib.Path
) -> bool:
    """Whether an earlier call has done all that was planned."""
    if not run_folders(output / RUNS):
        return False
    runs = load_runs(output / RUNS)
    final = runs[runs["final"]]
    if isinstance(plan, HalvingPlan) and "paused" in final:
        is_short = (final["paused"] == True) & (  # noqa: E712
            final["trained_steps"] < plan.steps
        )
        final = final[~is_short]
    tested = count_runs(final)
    return all(
        tested[variant_key(variant)] >= plan.seeds for variant in variants
    )
