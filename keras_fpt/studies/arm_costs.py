"""The wall time that the runs of each arm of a comparison take."""

import dataclasses
import logging
import math
import os
import time
from collections.abc import Sequence
from typing import Any

import keras

from keras_fpt.layers import num_patches
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
    runs = [resolve(variant) for variant in variants]
    found: dict[Any, cost.Cost] = {}
    for run in runs:
        if _training_of(run) not in found:
            found[_training_of(run)] = cost.measure(run)
            keras.utils.clear_session()
    # What is measured first also pays for what a process does once.
    starts = list(found.values())
    if keras.backend.backend() == "jax":
        # Later runs take what it has compiled from a folder.
        starts.append(cost.measure(runs[0]))
        keras.utils.clear_session()
    start = min(each.start for each in starts)
    build = min(each.build for each in starts)
    costs = [
        dataclasses.replace(found[_training_of(run)], start=start, build=build)
        for run in runs
    ]
    spent, longest = 0.0, 0.0
    for number, run in enumerate(runs):
        most = stack_size.largest(stack, _tokens_of_batch(run))
        size = min(most, MOST_RUNS)
        # An arm that trains every weight has nothing frozen to share.
        if size < 2 or (stack == AUTO and run.model.policy == "full"):
            continue
        needed = longest or costs[number].measuring_seconds(size)
        if spent + needed > _MEASURING_SHARE * seconds:
            arms = sorted({each.arm.name for each in runs[number:]})
            LOGGER.info(
                f"Runs of {', '.join(arms)} train one by one: time is too "
                "short to measure stacks of them."
            )
            break
        began = time.monotonic()
        measured = cost.measure_stack(run, costs[number], size)
        keras.utils.clear_session()
        spent += time.monotonic() - began
        longest = max(longest, time.monotonic() - began)
        is_stacked = stack != AUTO or measured.is_faster_stacked(
            seconds / len(runs)
        )
        _describe(run, measured, is_stacked)
        if is_stacked:
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
    is_stacked = measured.is_faster_stacked()
    _describe(run, measured, is_stacked)
    return is_stacked


def _describe(run: ResolvedRun, measured: cost.Cost, is_stacked: bool) -> None:
    """Logs how long a step of a stack took, and whether there will be any."""
    if measured.stack is not None:
        LOGGER.info(
            f"A step of {measured.stack.size} runs of {run.arm.name} takes "
            f"{measured.stack.cost.step:.3g} s, and one of a single run "
            f"{measured.step:.3g} s: they train "
            f"{'in one step' if is_stacked else 'one by one'}."
        )


def _tokens_of_batch(run: ResolvedRun) -> int:
    """Tokens in a batch of a run, of which patches are one each."""
    stride = run.model.patch_stride or run.model.patch_size or 1
    return run.batch_size * num_patches(run.task.sequence_length, stride)


def _training_of(run: ResolvedRun) -> tuple[Any, ...]:
    """What the time per step depends on."""
    return run.model.policy, run.model.depth, run.batch_size
