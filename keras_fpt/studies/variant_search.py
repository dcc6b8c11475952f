"""Trains variants of a run in turns, each at its own best learning rate.

For `compare` and `reproduce`; a sweep's search is in `sweep_worker.py`.
"""

import dataclasses
import logging
import os
import time
from collections.abc import Sequence
from typing import Any

import keras

from keras_fpt import logs
from keras_fpt.results import NotRun, describe
from keras_fpt.runs import RunConfig, get_or_train
from keras_fpt.studies.deadline import Deadline, OutOfTime

LOGGER = logging.getLogger(__name__)
# The logger of the runs' own messages, which are many.
RUN_MESSAGES = "keras_fpt.runs"


def run_variants(
    variants: Sequence[RunConfig],
    learning_rates: Sequence[float],
    seeds: int,
    folder: str | os.PathLike[str],
    deadline: Deadline,
    test_reserve: float,
) -> list[NotRun]:
    """Searches each variant's learning rate, then trains it with more seeds.

    Rates are chosen by validation accuracy at the first seed. The test split
    is read only for the runs at the best rates. Variants take turns at each
    rate, and at each seed, so if time runs out, all have had the same trials.
    Runs in the folder are not trained again.

    Args:
        variants: list of `RunConfig`, of any tasks. Their learning rates are
            replaced; their seeds are the first ones.
        learning_rates: sequence of floats to try, the most promising first.
        seeds: int, number of runs of each at its best rate.
        folder: path of a folder of runs.
        deadline: a `Deadline`.
        test_reserve: float, seconds to leave for the test split and for what
            comes after.

    Returns:
        List of `NotRun`: variants whose weights or data could not be loaded,
        and those for which time was too short.
    """
    turns = _Turns(folder, deadline)
    trained: dict[int, list[tuple[Any, RunConfig]]] = {
        number: [] for number in range(len(variants))
    }
    try:
        for rate in learning_rates:
            for number, variant in enumerate(variants):
                config = dataclasses.replace(variant, learning_rate=rate)
                score = turns.train(number, config, False, test_reserve)
                if score is not None:
                    trained[number].append((score, config))
    except OutOfTime:
        LOGGER.info(
            "Time was too short for all learning rates. Each variant's is "
            "chosen among those that were tried."
        )
    best = {}
    for number, variant in enumerate(variants):
        if trained[number]:
            # The first of those that are equally good.
            best[number] = max(trained[number], key=lambda pair: pair[0])[1]
        elif number not in turns.failed:
            turns.failed[number] = NotRun(
                variant.task,
                describe(variant),
                "Time was too short to train it. Give a larger budget.",
            )
    _train_seeds(turns, best, seeds)
    return list(turns.failed.values())


def _train_seeds(
    turns: "_Turns", best: dict[int, RunConfig], seeds: int
) -> None:
    for offset in range(seeds):
        is_short = False
        for number, config in best.items():
            if offset and turns.deadline.left < turns.seconds[number]:
                is_short = True
                continue
            seed = config.seed + offset
            try:
                turns.train(
                    number, dataclasses.replace(config, seed=seed), True, 0.0
                )
            except OutOfTime:
                is_short = True
        if is_short:
            LOGGER.info(f"Time was too short for {seeds} seeds of each.")
            return


class _Turns:
    """Runs that are trained one after another, and their outcomes.

    `failed` and `seconds` are by the variants' numbers: what could not be
    run, and the time that the longest run has taken.
    """

    def __init__(
        self, folder: str | os.PathLike[str], deadline: Deadline
    ) -> None:
        self.folder, self.deadline = folder, deadline
        self.failed: dict[int, NotRun] = {}
        self.seconds: dict[int, float] = {}

    def train(
        self, number: int, config: RunConfig, test: bool, reserve: float
    ) -> tuple[bool, float, float] | None:
        """Trains a variant's run, unless it has failed before.

        Returns:
            Tuple to compare runs by, or `None` if it could not be run. A run
            whose test split was read by an earlier call, which ran out of
            time, ranks above all others, since it was chosen then.
        """
        if number in self.failed:
            return None
        began = time.monotonic()
        try:
            with (
                self.deadline.enforced(reserve),
                logs.only_warnings(RUN_MESSAGES),
            ):
                _, metrics = get_or_train(config, self.folder, test)
        except (ValueError, OSError, ImportError, MemoryError) as error:
            what = describe(config)
            LOGGER.info(f"Not run: {config.task}, {what}: {error}")
            self.failed[number] = NotRun(config.task, what, str(error))
            return None
        finally:
            # The model of one run is not kept while the next one trains.
            keras.utils.clear_session()
        seconds = time.monotonic() - began
        self.seconds[number] = max(seconds, self.seconds.get(number, 0.0))
        shown = (
            f"{config.task}, {describe(config)}, learning rate "
            f"{config.learning_rate:g}, seed {config.seed}"
        )
        if metrics is None:
            LOGGER.info(f"{shown}: diverged")
            return False, 0.0, -float("inf")
        accuracy = metrics["validation_accuracy"]
        tested = (
            f", test accuracy {metrics['test_accuracy']:.2%}" if test else ""
        )
        LOGGER.info(f"{shown}: validation accuracy {accuracy:.2%}{tested}")
        is_chosen = "test_accuracy" in metrics
        return is_chosen, accuracy, -metrics["validation_loss"]
