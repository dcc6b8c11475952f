"""Trains variants of a run, each at its own best learning rate.

For `reproduce`, and comparisons of earlier versions; those of this one are in
`halving.py`, and a sweep's search is in `sweep_worker.py`.
"""

import contextlib
import dataclasses
import logging
import os
import statistics
import time
import traceback
from collections.abc import Sequence
from typing import Any

import keras

from keras_fpt import logs
from keras_fpt.results import NotRun, describe, rates
from keras_fpt.runs import (
    RunConfig,
    folder_of,
    get_or_train,
    is_tested,
    measures,
    resolve,
    train_in_one_step,
)
from keras_fpt.runs import folder as run_folder
from keras_fpt.studies import arm_costs
from keras_fpt.studies.deadline import Deadline, OutOfTime

LOGGER = logging.getLogger(__name__)
# How many rates are tried beyond those that are asked for, at most.
MAX_EXTENSIONS = 3
# Why a variant was not run.
TOO_SHORT = (
    "There was not enough time to train and test it. Give a larger budget, and "
    "repeat the command."
)
# The logger of the runs' own messages, which are many.
RUN_MESSAGES = "keras_fpt.runs"


def run_variants(
    variants: Sequence[RunConfig],
    learning_rates: Sequence[float],
    seeds: int,
    folder: str | os.PathLike[str],
    deadline: Deadline,
    test_reserve: float,
    shares_seed: bool = False,
    stack: int = 1,
    measures_stack: bool = False,
) -> list[NotRun]:
    """Searches each variant's learning rate, then trains it with more seeds.

    Rates are chosen by accuracy, or RMSE, on validation at the variants' seed.
    Variants take turns at each rate, and at each seed, so if time runs out,
    all have had the same trials. While the best rate of one is the lowest or
    the highest, all try one beyond it, if there is time. The test split is
    read only for the runs at the best rates, which have other seeds. Runs in
    the folder are not trained again.

    Args:
        variants: list of `RunConfig`, of any tasks. Their learning rates are
            replaced; their seeds are those of the search.
        learning_rates: sequence of floats to try, the most promising first.
        seeds: int, number of runs of each at its best rate.
        folder: path of a folder of runs.
        deadline: a `Deadline`.
        test_reserve: float, seconds to leave for the first run of each variant
            at its best rate, and for what comes after.
        shares_seed: bool, whether that run is the one that was chosen.
        stack: int, how many runs of a variant train in one step, at most. From
            2, a variant's learning rates train in its first turn, so there
            must not be a deadline.
        measures_stack: bool, whether they do so only if it is faster, which is
            measured for each variant.

    Returns:
        List of `NotRun`: variants whose weights or data could not be loaded,
        and those for which there was not enough time.
    """
    turns = Turns(folder, deadline, measures_stack)
    search = _Search(
        variants, turns, seeds, learning_rates, test_reserve, shares_seed, stack
    )
    try:
        search.try_rate(learning_rates[0], is_first=True)
        for rate in learning_rates[1:]:
            if not search.has_time():
                raise OutOfTime
            search.try_rate(rate)
        for _ in range(MAX_EXTENSIONS):
            further = search.rate_beyond()
            if further is None or not search.has_time(all_seeds=True):
                break
            search.try_rate(further)
    except OutOfTime:
        LOGGER.info(
            "There was not enough time for all learning rates. Each variant's "
            "is chosen among those that were tried with it, or is the first "
            "one."
        )
    search.train_seeds()
    return list(turns.failed.values())


class _Search:
    """The search of variants' learning rates, and the runs at the best ones."""

    def __init__(
        self,
        variants: Sequence[RunConfig],
        turns: "Turns",
        seeds: int,
        learning_rates: Sequence[float],
        test_reserve: float,
        shares_seed: bool,
        stack: int,
    ) -> None:
        self.variants, self.turns, self.seeds = variants, turns, seeds
        self.learning_rates, self.stack = learning_rates, stack
        self.test_reserve, self.shares_seed = test_reserve, shares_seed
        self.trained: dict[int, dict[float, Any]] = {
            number: {} for number in range(len(variants))
        }

    def try_rate(self, rate: float, is_first: bool = False) -> None:
        """Trains every variant at one learning rate.

        Raises:
            OutOfTime: the time is over, or, at the first rate, the rest of the
                search would take the time of the runs that are tested.
        """
        for number, variant in enumerate(self.variants):
            if is_first and number and not self._has_time_for_first(number):
                raise OutOfTime
            config, *others = (
                dataclasses.replace(variant, learning_rate=each)
                for each in (rate, *self.learning_rates)
            )
            score = self.turns.train(
                *(number, config, False, self.test_reserve),
                others=others,
                size=self.stack,
            )
            if score is not None:
                is_chosen = self.turns.is_tested(self._final(config, 0))
                self.trained[number][rate] = is_chosen, *score

    def _has_time_for_first(self, number: int) -> bool:
        """Whether variants from this one on leave time for a test of each."""
        mean = statistics.fmean(self.turns.seconds.values() or [0.0])
        runs = 2 * len(self.variants) - number
        return self.turns.deadline.left > runs * mean

    def has_time(self, all_seeds: bool = False) -> bool:
        """Whether another rate leaves time for runs at the best ones."""
        runs = 1 + (self.seeds if all_seeds else 1)
        needed = runs * sum(self.turns.seconds.values())
        return self.turns.deadline.left > needed

    def rate_beyond(self) -> float | None:
        """The next rate outward, if a variant's best is the outermost."""
        edges = {
            rates.edge(
                {rate: score[1] for rate, score in tried.items()},
                self._best(number),
                self.turns.measure(self.variants[number]).best_score,
            )
            for number, tried in self.trained.items()
            # One that was chosen by an earlier call stays.
            if tried and not any(score[0] for score in tried.values())
        }
        known = {rate for tried in self.trained.values() for rate in tried}
        for side, outermost in ((rates.HIGHEST, max), (rates.LOWEST, min)):
            if side in edges:
                return rates.beyond(outermost(known), side)
        return None

    def train_seeds(self) -> None:
        """Trains each variant at its best rate, and reads the test split."""
        turns = self.turns
        tested: set[int] = set()
        is_short = False
        for offset in range(self.seeds):
            for number, variant in enumerate(self.variants):
                if number in turns.failed:
                    continue
                if offset and turns.deadline.left < turns.seconds.get(
                    number, 0.0
                ):
                    is_short = True
                    continue
                best = dataclasses.replace(
                    variant, learning_rate=self._best(number)
                )
                finals = [self._final(best, each) for each in range(self.seeds)]
                try:
                    turns.train(
                        *(number, finals[offset], True, 0.0),
                        others=finals,
                        size=self.stack,
                    )
                    tested.add(number)
                except OutOfTime:
                    is_short = True
            if is_short:
                LOGGER.info(
                    f"There was not enough time for {self.seeds} seeds each."
                )
                break
        for number, variant in enumerate(self.variants):
            if number not in tested and number not in turns.failed:
                turns.failed[number] = NotRun(
                    variant.task, describe(variant), TOO_SHORT
                )

    def _best(self, number: int) -> float:
        """The best rate of a variant, the first of those that are as good.

        One that was not searched has the first rate, as others have that were
        searched only at that rate.
        """
        tried = self.trained[number]
        if not tried:
            return self.learning_rates[0]
        return max(tried, key=lambda rate: tried[rate])

    def _final(self, config: RunConfig, offset: int) -> RunConfig:
        """A run at a rate that may be the best, with one of the seeds."""
        seed = config.seed + offset + (not self.shares_seed)
        return dataclasses.replace(config, seed=seed)


class Turns:
    """Runs that are trained one after another, and their outcomes.

    `failed` and `seconds` are by the variants' numbers: what could not be
    run, and the time that the longest run has taken. `one_by_one` has the
    numbers of those whose runs do not train in one step after all.

    Args:
        folder: path of the folder of runs.
        deadline: a `Deadline`.
        measures_stack: bool, whether runs train in one step only if that is
            measured to be faster.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        deadline: Deadline,
        measures_stack: bool = False,
    ) -> None:
        self.folder, self.deadline = folder, deadline
        self.measures_stack = measures_stack
        self._faster_stacked: dict[int, bool] = {}
        self.failed: dict[int, NotRun] = {}
        self.seconds: dict[int, float] = {}
        self.one_by_one: set[int] = set()

    def train(
        self,
        number: int,
        config: RunConfig,
        test: bool,
        reserve: float,
        until: int | None = None,
        others: Sequence[RunConfig] = (),
        size: int = 1,
    ) -> tuple[float, float] | None:
        """Trains a variant's run, unless it has failed before.

        One that is trained already needs no time.

        Args:
            number: int, the variant's.
            config: the run's `RunConfig`.
            test: bool, whether its test split is read.
            reserve: float, seconds to leave before the deadline.
            until: int, the step at which the run pauses; `None` trains it to
                its end.
            others: list of `RunConfig`s of the variant, which train to the same
                step, ahead of their turns, where that takes one step for all.
            size: int, the number of runs in a stack, at most.

        Returns:
            Tuple to compare runs by, the score on validation first, or `None`
            if it could not be run.
        """
        if number in self.failed:
            return None
        began = time.monotonic()
        try:
            with (
                self._enforced(reserve, config, test, until),
                logs.only_warnings(RUN_MESSAGES),
            ):
                if size > 1 and number not in self.one_by_one:
                    is_stacked = self._is_stacked(
                        number, [config, *others], size
                    ) and train_in_one_step(
                        config, others, self.folder, test, size, until
                    )
                    if not is_stacked:
                        self.one_by_one.add(number)
                _, metrics = get_or_train(
                    config, self.folder, test, until=until
                )
        except (ValueError, OSError, ImportError, MemoryError) as error:
            if isinstance(error, ValueError) and not _is_explained(error):
                raise
            what = describe(config)
            LOGGER.info(f"Not run: {config.task}, {what}: {error}")
            self.failed[number] = NotRun(config.task, what, str(error))
            return None
        finally:
            # The model of one run is freed before the next one trains.
            keras.utils.clear_session()
        seconds = time.monotonic() - began
        self.seconds[number] = max(seconds, self.seconds.get(number, 0.0))
        shown = (
            f"{config.task}, {describe(config)}, learning rate "
            f"{config.learning_rate:g}, seed {config.seed}"
        )
        if until is not None and metrics is not None:
            shown += f", {metrics.get('trained_steps', until):,} steps"
        measure = self.measure(config)
        if metrics is None:
            LOGGER.info(f"{shown}: diverged")
            return measure.worst_score, -float("inf")
        value = metrics[f"validation_{measure.name}"]
        text = f"{shown}: validation {measure.title} {measure.show(value)}"
        if test:
            tested = metrics[f"test_{measure.name}"]
            text += f", test {measure.title} {measure.show(tested)}"
        LOGGER.info(text)
        return measure.score(value), -metrics["validation_loss"]

    def _is_stacked(
        self, number: int, configs: Sequence[RunConfig], size: int
    ) -> bool:
        if not self.measures_stack:
            return True
        if number not in self._faster_stacked:
            self._faster_stacked[number] = arm_costs.is_faster_stacked(
                configs, self.folder, size
            )
        return self._faster_stacked[number]

    def _enforced(
        self, reserve: float, config: RunConfig, test: bool, until: int | None
    ) -> contextlib.AbstractContextManager[None]:
        """The deadline of a run that is to be trained or tested."""
        is_open = run_folder.is_open(folder_of(config, self.folder), until)
        if is_open or (test and not self.is_tested(config)):
            return self.deadline.enforced(reserve)
        return contextlib.nullcontext()

    def measure(self, config: RunConfig) -> measures.Measure:
        """The measure that a variant's runs are compared by."""
        return measures.of_task(resolve(config).task)

    def is_tested(self, config: RunConfig) -> bool:
        """Whether a run was chosen before, by a call that ran out of time."""
        return is_tested(config, self.folder)


def _is_explained(error: BaseException) -> bool:
    """Whether an error was raised by this package, which says what to do.

    An error of Keras or a backend within a run is a defect, and must not be
    hidden by leaving the run out.
    """
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__")).startswith("keras_fpt.")
