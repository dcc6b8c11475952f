"""The wall time that the runs of each arm of a comparison take."""

import dataclasses
import logging
import math
from collections.abc import Sequence
from typing import Any

import keras

from keras_fpt.runs import ResolvedRun, RunConfig, resolve
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


def _training_of(run: ResolvedRun) -> tuple[Any, ...]:
    """What the time per step depends on."""
    return run.model.policy, run.model.depth, run.batch_size
