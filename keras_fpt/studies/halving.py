"""Searches learning rates by successive halving, and trains on at the best.

All variants have the same learning rates, rungs, seeds and steps, so none has
more search than another. A variant's runs are compared only when all of them
have reached a rung; the others pause there, with a checkpoint, and go on if a
later call has more time. That is why Optuna's `SuccessiveHalvingPruner` is not
used: its trials cannot be suspended and resumed, and the first ones that reach
a rung go on whatever they have reached.

Source: Jamieson and Talwalkar, 2016, "Non-stochastic Best Arm Identification
and Hyperparameter Optimization", algorithm 1.

This file is longer than others, since the search and the runs at the best rates
decide by the same state and time.
"""

import collections
import dataclasses
import logging
import os
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from keras_fpt.results import NotRun, describe, rates
from keras_fpt.runs import (
    RunConfig,
    folder,
    folder_of,
    forget_test,
    is_tested,
)
from keras_fpt.studies import cost, reached, variant_search
from keras_fpt.studies.deadline import Deadline, OutOfTime
from keras_fpt.studies.pace import Pace
from keras_fpt.studies.saved_plans import HalvingPlan
from keras_fpt.tasks import Task

LOGGER = logging.getLogger(__name__)
# The share of the time left that the runs at the best rates are planned for,
# since the time of a step varies.
_SHARE = 0.85
# Why a variant has its results of an earlier call.
_FEWER_STEPS = (
    "Time was too short to train it for {:,} steps, as others were, so its "
    "results are of fewer. Repeat the command to go on."
)
# Why a variant has fewer runs than others.
_FEWER_SEEDS = (
    "Time was too short for all of its seeds: it has {} of the {} that others "
    "have. Repeat the command to go on."
)


def run_plan(
    variants: Sequence[RunConfig],
    plan: HalvingPlan,
    runs_folder: str | os.PathLike[str],
    deadline: Deadline,
    costs: Sequence[cost.Cost],
    task: Task,
    save: Callable[[HalvingPlan], None] = lambda plan: None,
) -> list[NotRun]:
    """Searches each variant's learning rate, then trains it with more seeds.

    Rates are chosen by accuracy, or RMSE, on validation at the variants' seed.
    Variants take turns, so if time runs out, all have had the same trials. If
    the best rate of one is the lowest or the highest, all try one beyond it,
    if there is time. The test split is read only for the runs at the best
    rates, which have other seeds and as many steps as the time that is left
    allows, the same for all. What an earlier call has trained is trained
    further, and not again.

    Args:
        variants: list of `RunConfig` of `plans.prepare`.
        plan: a `HalvingPlan`.
        runs_folder: path of a folder of runs.
        deadline: a `Deadline`.
        costs: list of `Cost`, one for each variant.
        task: their `Task`.
        save: function that is called with a plan that has changed.

    Returns:
        List of `NotRun`: variants whose weights or data could not be loaded,
        and those for which time was too short.
    """
    search = _Halving(variants, plan, runs_folder, deadline, costs, task, save)
    try:
        search.climb()
        search.extend()
    except OutOfTime:
        LOGGER.info(
            "Time was too short for the whole search. Learning rates are "
            "chosen by what all arms have been trained for."
        )
    search.choose()
    return search.train_seeds()


class _Halving:
    """The rungs of each variant's learning rates, and the runs at the best.

    `candidates` are by the variants' numbers: the learning rates that are
    left, the best first once a rung has been reached by all.
    """

    def __init__(
        self,
        variants: Sequence[RunConfig],
        plan: HalvingPlan,
        runs_folder: str | os.PathLike[str],
        deadline: Deadline,
        costs: Sequence[cost.Cost],
        task: Task,
        save: Callable[[HalvingPlan], None],
    ) -> None:
        self.variants, self.plan, self.save = variants, plan, save
        self.folder = runs_folder
        self.turns = variant_search.Turns(runs_folder, deadline)
        self.measure = self.turns.measure(variants[0])
        # Those that all variants have tried.
        self.rates: list[float] = []
        self.candidates = {
            number: list(plan.learning_rates) for number in range(len(variants))
        }
        # What was trained ahead of its turn: variant, rate and rung.
        self.ahead: set[tuple[int, float, int]] = set()
        self.pace = Pace(costs, plan, task)
        # For a test of each, whatever the search takes.
        self.reserve = sum(
            self.pace.seconds(number, plan.rungs[-1], is_final=True)
            for number in self.candidates
        )

    def climb(self) -> None:
        """Trains from rung to rung, with fewer learning rates on each.

        Raises:
            OutOfTime: the rest would take the time of the runs that are tested.
        """
        for position, rung in enumerate(self.plan.rungs):
            for turn in range(max(map(len, self.candidates.values()))):
                for number, rates_left in self.candidates.items():
                    if turn < len(rates_left):
                        rate = rates_left[turn]
                        self._train(number, rate, rung, rates_left)
                if position == 0:
                    self.rates = list(self.plan.learning_rates[: turn + 1])
            for number, rates_left in self.candidates.items():
                count = self.plan.survivors(position, len(rates_left))
                ordered = self._ordered(number, rates_left, rung)
                self.candidates[number] = ordered[:count]

    def extend(self) -> None:
        """Tries rates beyond the lowest or highest while the best is there.

        Raises:
            OutOfTime: as `climb` does.
        """
        for _ in range(variant_search.MAX_EXTENSIONS):
            further = self._rate_beyond()
            if further is None:
                return
            rung = self.plan.rungs[-1]
            # It must not cost the runs at the best rates their steps.
            needed = sum(
                self.pace.seconds(number, rung)
                + self.pace.seconds(
                    number, self.plan.steps, self.plan.seeds, is_final=True
                )
                for number in self.candidates
            )
            if self.turns.deadline.left < needed:
                return
            for number in self.candidates:
                self._train(number, further, rung)
            self.rates.append(further)
            self._set(learning_rates=tuple(self.rates))
            for number, (best, *_) in self.candidates.items():
                found = self._ordered(number, [best, further], rung)
                self.candidates[number] = found[:1]

    def choose(self) -> None:
        """Takes the best rate of each; others no longer count as tested."""
        planned = self.plan.learning_rates
        for number, variant in enumerate(self.variants):
            if len(self.candidates[number]) == len(planned):
                # Not all have reached the first rung at every rate.
                tried = self._ordered(number, self.rates, self.plan.rungs[0])
                self.candidates[number] = tried or [planned[0]]
            chosen = self.candidates[number][0]
            for rate in planned:
                for offset in range(1, self.plan.seeds + 1):
                    run = _at(variant, rate, offset)
                    if rate != chosen and is_tested(run, self.folder):
                        forget_test(run, self.folder)

    def train_seeds(self) -> list[NotRun]:
        """Trains each variant at its best rate, and reads the test split."""
        turns, steps = self.turns, self._affordable_steps()
        self._set(steps=steps)
        LOGGER.info(
            f"{steps:,} steps for each arm at its best learning rate, with "
            f"{self.plan.seeds} seeds."
        )
        tested: set[int] = set()
        is_short = False
        # Where time is short, all arms have a first seed before the others.
        whole = self._needed(self._final_steps(), steps)
        together = self._offsets if whole <= turns.deadline.left else ()
        for offset in range(1, self.plan.seeds + 1):
            for number, (rate, *_) in self.candidates.items():
                variant = self.variants[number]
                config = _at(variant, rate, offset)
                needed = 0.0
                if offset > 1 and not self._is_done(config, steps):
                    needed = self.pace.seconds(number, steps, is_final=True)
                if turns.deadline.left < needed:
                    is_short = True
                    continue
                size = self.pace.largest_stack(number, by_seed=True)
                others = [_at(variant, rate, one) for one in together]
                try:
                    if turns.train(
                        *(number, config, True, 0.0, steps), others, size
                    ):
                        tested.add(number)
                except OutOfTime:
                    is_short = True
            if is_short:
                LOGGER.info(
                    f"Time was too short for {self.plan.seeds} seeds each."
                )
                break
        for number in tested:
            self._drop_shorter(number, steps)
        self._report_fewer_seeds(tested)
        for number, variant in enumerate(self.variants):
            if number not in tested and number not in turns.failed:
                rate = self.candidates[number][0]
                is_earlier = is_tested(_at(variant, rate, 1), self.folder)
                reason = _FEWER_STEPS.format(steps)
                turns.failed[number] = NotRun(
                    variant.task,
                    describe(variant),
                    reason if is_earlier else variant_search.TOO_SHORT,
                )
        return list(turns.failed.values())

    def _report_fewer_seeds(self, tested: Collection[int]) -> None:
        """Names the variants that have fewer tested seeds than others.

        That happens where others have trained all of theirs in one step.
        """
        counts = {
            number: sum(
                is_tested(_at(self.variants[number], rate, one), self.folder)
                for one in self._offsets
            )
            for number, (rate, *_) in self.candidates.items()
            if number in tested
        }
        most = max(counts.values(), default=0)
        for number, count in counts.items():
            if count < most and number not in self.turns.failed:
                variant = self.variants[number]
                self.turns.failed[number] = NotRun(
                    variant.task,
                    describe(variant),
                    _FEWER_SEEDS.format(count, most),
                )

    def _drop_shorter(self, number: int, steps: int) -> None:
        """Leaves out seeds of an earlier call that have fewer steps.

        They are trained further, and tested again, by the next call.
        """
        for offset in self._offsets:
            config = _at(
                self.variants[number], self.candidates[number][0], offset
            )
            is_shorter = folder.trains_on(folder_of(config, self.folder), steps)
            if is_shorter and is_tested(config, self.folder):
                forget_test(config, self.folder)

    @property
    def _offsets(self) -> range:
        """What is added to a variant's seed for the runs at its best rate."""
        return range(1, self.plan.seeds + 1)

    def _train(
        self,
        number: int,
        rate: float,
        rung: int,
        rates_left: Sequence[float] = (),
    ) -> None:
        """Trains a variant at a rate up to a rung.

        Args:
            number: int, the variant's.
            rate: float.
            rung: int, the step.
            rates_left: the rates that the variant is to be trained at to this
                rung, which may be trained ahead of their turns in one step.
        """
        variant = self.variants[number]
        config = _at(variant, rate)
        if (number, rate, rung) in self.ahead:
            # It has been trained, and is only reported.
            self.turns.train(number, config, False, self.reserve, rung)
            return
        if self._is_done(config, rung):
            return
        trained = reached.trained_steps(folder_of(config, self.folder))
        size = self.pace.largest_stack(number)
        alike = {each: _at(variant, each) for each in rates_left if size > 1}
        others = {
            each
            for each, other in alike.items()
            if each != rate and not self._is_done(other, rung)
        }
        began = time.monotonic()
        self.turns.train(
            *(number, config, False, self.reserve, rung),
            *(list(alike.values()), size),
        )
        seconds = time.monotonic() - began
        if number in self.turns.one_by_one:
            self.pace.train_one_by_one(number)
        ahead = {r for r in others if self._is_done(alike[r], rung)}
        self.ahead |= {(number, other, rung) for other in ahead}
        self.pace.took(seconds, number, rung - trained, 1 + len(ahead))

    def _is_done(self, config: RunConfig, steps: int) -> bool:
        """Whether a run has ended or paused after so many steps, or more."""
        return not folder.is_open(folder_of(config, self.folder), steps)

    def _score(
        self, number: int, rate: float, rung: int
    ) -> tuple[float, float]:
        """What a run had reached at a rung, to compare it with others."""
        path = folder_of(_at(self.variants[number], rate), self.folder)
        return reached.score_at(path, rung, self.measure)

    def _ordered(
        self, number: int, tried: Sequence[float], rung: int
    ) -> list[float]:
        """Learning rates in the order of what they had reached at a rung."""
        return sorted(
            tried,
            key=lambda rate: self._score(number, rate, rung),
            reverse=True,
        )

    def _rate_beyond(self) -> float | None:
        """The next rate outward, if a variant's best is the outermost."""
        edges = set()
        for number, (best, *_) in self.candidates.items():
            if number in self.turns.failed:
                continue
            tried = {
                rate: self._score(number, rate, self.plan.rungs[-1])[0]
                for rate in self.rates
            }
            edges.add(rates.edge(tried, best, self.measure.best_score))
        for side, outermost in ((rates.HIGHEST, max), (rates.LOWEST, min)):
            if side in edges:
                return rates.beyond(outermost(self.rates), side)
        return None

    def _affordable_steps(self) -> int:
        """The most steps that all runs at the best rates can have.

        It is at least the last rung, and what one of them has by now.
        """
        every = self.plan.evaluation_steps
        left = _SHARE * self.turns.deadline.left
        trained = self._final_steps()
        if not trained:  # All have ended.
            return self.plan.steps
        steps = max([self.plan.rungs[-1], *(done for _, done in trained)])
        for further in range(steps + every, self.plan.limit + 1, every):
            if self._needed(trained, further) > left:
                break
            steps = further
        return steps

    def _needed(self, trained: Sequence[tuple[int, int]], steps: int) -> float:
        """Seconds until all runs at the best rates have so many steps.

        Those of a variant that have been trained for as long are stacked.

        Args:
            trained: list of tuples of `_final_steps`.
            steps: int.
        """
        return sum(
            self.pace.seconds(number, steps - done, count, is_final=True)
            for (number, done), count in collections.Counter(trained).items()
            if done < steps
        )

    def _final_steps(self) -> list[tuple[int, int]]:
        """The variant and steps of each run at a best rate that has not ended.

        One that was not started has 0 steps.
        """
        found = []
        for number, (rate, *_) in self.candidates.items():
            for offset in self._offsets:
                run = _at(self.variants[number], rate, offset)
                path = folder_of(run, self.folder)
                if folder.is_paused(path):
                    steps = folder.read_metrics(path)["trained_steps"]
                    found.append((number, steps))
                elif not self._is_done(run, self.plan.limit):
                    found.append((number, 0))
        return found

    def _set(self, **changes: Any) -> None:
        """Changes the plan, for later calls, too."""
        self.plan = dataclasses.replace(self.plan, **changes)
        self.save(self.plan)


def _at(variant: RunConfig, rate: float, offset: int = 0) -> RunConfig:
    """A run of a variant at a rate; the search has the offset 0."""
    return dataclasses.replace(
        variant, learning_rate=rate, seed=variant.seed + offset
    )
