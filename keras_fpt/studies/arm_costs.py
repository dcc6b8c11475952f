"""The wall time that the runs of each arm of a comparison take."""

import dataclasses
import logging
import math
import os
from collections.abc import Sequence
from typing import Any

import keras

from keras_fpt.runs import (
    ResolvedRun,
    RunConfig,
    folder_of,
    manifest,
    resolve,
)
from keras_fpt.studies import cost, stack_size
from keras_fpt.studies.plans import MOST_RUNS
from keras_fpt.studies.stack_size import AUTO, OFF

LOGGER = logging.getLogger(__name__)
# The share of the time left that it may take to measure stacks.
_MEASURING_SHARE = 0.15


def measure_arms(
    variants: Sequence[RunConfig], stack: str = OFF, seconds: float = math.inf
) -> list[cost.Cost]:
    """The `Cost` of each variant, measured once for all that train the same.

    Args:
        variants: list of `RunConfig`.
        stack: string, the `stack` of the comparison.
        seconds: float, the time that is left. Where stacks would take much of
            it to be measured, runs train one by one.
    """
    size = min(stack_size.largest(stack), MOST_RUNS)
    runs = [resolve(variant) for variant in variants]
    found: dict[Any, cost.Cost] = {}
    for run in runs:
        if _training_of(run) not in found:
            found[_training_of(run)] = cost.measure(run)
            keras.utils.clear_session()
    # What is measured first also pays for what a process does once.
    start = min(each.start for each in found.values())
    costs = [
        dataclasses.replace(found[_training_of(run)], start=start)
        for run in runs
    ]
    if size < 2:
        return costs
    needed = size * sum(each.measuring_seconds for each in costs)
    if needed > _MEASURING_SHARE * seconds:
        LOGGER.info("Runs train one by one: time is too short for stacks.")
        return costs
    for number, run in enumerate(runs):
        measured = cost.measure_stack(run, costs[number], size)
        keras.utils.clear_session()
        if stack != AUTO or measured.is_faster_stacked:
            costs[number] = measured
    return costs


def is_faster_stacked(
    configs: Sequence[RunConfig],
    runs_folder: str | os.PathLike[str],
    size: int,
) -> bool:
    """Whether runs of an arm take less time in one step than one by one.

    It is measured once: where an earlier call has begun with some of them, they
    go on as they are.

    Args:
        configs: list of their `RunConfig`s.
        runs_folder: path of the folder of runs.
        size: int, the number of runs in a stack, at most.
    """
    folders = {folder_of(each, runs_folder) for each in configs}
    saved = [made for path in folders if (made := manifest.read(path))]
    if saved:
        return any(each.stack for each in saved)
    size = min(size, len(folders))
    if size < 2:
        return False
    run = resolve(configs[0].with_former_defaults())
    single = cost.measure(run)
    keras.utils.clear_session()
    measured = cost.measure_stack(run, single, size)
    keras.utils.clear_session()
    if measured.stack is not None:
        LOGGER.info(
            f"A step of {size} runs of {run.arm.name} takes "
            f"{measured.stack.cost.step:.3g} s, and one of a single run "
            f"{single.step:.3g} s: they train "
            f"{'in one step' if measured.is_faster_stacked else 'one by one'}."
        )
    return measured.is_faster_stacked


def _training_of(run: ResolvedRun) -> tuple[Any, ...]:
    """What the time per step depends on."""
    return run.model.policy, run.model.depth, run.batch_size
