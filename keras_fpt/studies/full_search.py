"""The runs of a comparison that an earlier version began.

Every learning rate is tried for all steps, as the plan in its folder says.
"""

import collections
import dataclasses
import logging
import pathlib
from collections.abc import Sequence
from typing import Any

from keras_fpt.results import NotRun, load_runs, run_folders
from keras_fpt.runs import ResolvedRun, RunConfig, resolve
from keras_fpt.studies import cost, variant_search
from keras_fpt.studies.deadline import Deadline, minutes
from keras_fpt.studies.saved_plans import Plan
from keras_fpt.studies.variant_search import run_variants

LOGGER = logging.getLogger(__name__)


def search_all(
    variants: Sequence[RunConfig],
    plan: Plan,
    run: ResolvedRun,
    runs_folder: pathlib.Path,
    deadline: Deadline,
    costs: Sequence[cost.Cost],
) -> list[NotRun]:
    """Trains the runs of a plan of an earlier version.

    Args:
        variants: list of `RunConfig`, without rates and seeds.
        plan: a `Plan`.
        run: the `ResolvedRun` of what all have in common.
        runs_folder: path of the folder of runs.
        deadline: a `Deadline`.
        costs: list of `Cost`, one for each variant.

    Returns:
        List of `NotRun`, see `run_variants`.
    """
    task, batch_size = run.task, run.batch_size
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
        runs_folder,
        deadline,
        reserve,
        plan.shares_seed,
    )
    left = _seconds_left(variants, costs, run, plan, runs_folder)
    if any(entry.reason == variant_search.TOO_SHORT for entry in missing):
        LOGGER.info(
            f"About {minutes(left)} are needed for the planned runs that were "
            f"not done. Repeat the command with its --output to go on."
        )
    return missing


def count_runs(runs: Any) -> collections.Counter[tuple[str, str]]:
    """How many runs there are of each arm and policy."""
    return collections.Counter(zip(runs["arm"], runs["policy"], strict=True))


def variant_key(variant: RunConfig) -> tuple[str, str]:
    """The arm and policy by which `count_runs` counts a variant."""
    run = resolve(variant)
    return run.arm.name, str(run.model.policy)


def _seconds_left(
    variants: Sequence[RunConfig],
    costs: Sequence[cost.Cost],
    run: ResolvedRun,
    plan: Plan,
    runs_folder: pathlib.Path,
) -> float:
    """What the planned runs take that are not done yet."""
    done: collections.Counter[tuple[str, str]] = collections.Counter()
    if run_folders(runs_folder):
        runs = load_runs(runs_folder)
        done = count_runs(runs[runs["status"] != "unfinished"])
    planned = len(plan.learning_rates) + plan.seeds - plan.shares_seed
    seconds = 0.0
    for variant, each in zip(variants, costs, strict=True):
        seconds += max(0, planned - done[variant_key(variant)]) * each.seconds(
            run.task, run.batch_size, plan.steps, test=True
        )
    return seconds
