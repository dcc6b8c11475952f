"""The wall time that the runs of each arm of a comparison take."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from keras_fpt.runs import ResolvedRun, RunConfig, resolve
from keras_fpt.studies import cost
from keras_fpt.studies.plans import MOST_RUNS
from keras_fpt.studies.stack_size import AUTO, largest


def measure_arms(variants: Sequence[RunConfig], stack: str) -> list[cost.Cost]:
    """The `Cost` of each variant, measured once for all that train the same.

    Args:
        variants: list of `RunConfig`.
        stack: string, the `stack` of the comparison.
    """
    size = min(largest(stack), MOST_RUNS)
    found: dict[Any, cost.Cost] = {}
    runs = [resolve(variant) for variant in variants]
    for run in runs:
        key = _training_of(run, size)
        if key not in found:
            found[key] = cost.measure(run)
            keras.utils.clear_session()
            if size > 1:
                stacked = cost.measure_stack(run, found[key], size)
                keras.utils.clear_session()
                if stack != AUTO or stacked.is_faster_stacked:
                    found[key] = stacked
    # What is measured first also pays for what a process does once.
    start = min(each.start for each in found.values())
    return [
        dataclasses.replace(found[_training_of(run, size)], start=start)
        for run in runs
    ]


def _training_of(run: ResolvedRun, stack: int) -> tuple[Any, ...]:
    """What the time per step depends on.

    Args:
        run: a `ResolvedRun`.
        stack: int, how many runs are stacked, which depends on the arm.
    """
    arm = run.arm.name if stack > 1 else None
    return run.model.policy, run.model.depth, run.batch_size, arm
