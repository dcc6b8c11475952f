"""Searches learning rates by successive halving, and trains on at the best.

All variants have the same learning rates, rungs, seeds and steps, so none has
more search than another. A variant's runs are compared only when all of them
have reached a rung; the others pause there, with a checkpoint, and go on if a
later call has more time. That is why Optuna's `SuccessiveHalvingPruner` is not
used: its trials cannot be suspended and resumed, and the first ones that reach
a rung go on whatever they have reached.

Source: Jamieson and Talwalkar, 2016, "Non-stochastic Best Arm Identification
and Hyperparameter Optimization", algorithm 1.
"""

import dataclasses
import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from keras_fpt.results import NotRun, describe, rates
from keras_fpt.runs import (
    RunConfig,
    folder,
    folder_of,
    forget_test,
    is_tested,
    recorder,
)
from keras_fpt.studies import cost, variant_search
from keras_fpt.studies.deadline import Deadline, OutOfTime
from keras_fpt.studies.plans import HalvingPlan
from keras_fpt.tasks import Task

LOGGER = logging.getLogger(__name__)
# The share of the time left that the runs at the best rates are planned for,
# since the time of a step varies.
_SHARE = 0.85
# How far the time of a step may be from what was measured before.
_SLOWEST, _FASTEST = 3.0, 0.5
# Why a variant has its results of an earlier call.
_FEWER_STEPS = (
    "Time was too short to train it for {:,} steps, as others were, so its "
    "results are of fewer. Repeat the command to go on."
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
        self.folder, self.costs, self.task = runs_folder, costs, task
        self.turns = variant_search.Turns(runs_folder, deadline)
        self.measure = self.turns.measure(variants[0])
        # Those that all variants have tried.
        self.rates: list[float] = []
        self.candidates = {
            number: list(plan.learning_rates) for number in range(len(variants))
        }
        # Seconds that were planned for what was trained, and that it took.
        self.planned = self.spent = 0.0
        # For a test of each, whatever the search takes.
        self.reserve = sum(
            self._seconds(number, plan.rungs[-1], is_final=True)
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
                        self._train(number, rates_left[turn], rung)
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
                self._seconds(number, rung)
                + self.plan.seeds
                * self._seconds(number, self.plan.steps, is_final=True)
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
        for offset in range(1, self.plan.seeds + 1):
            for number, (rate, *_) in self.candidates.items():
                config = _at(self.variants[number], rate, offset)
                needed = 0.0
                if offset > 1 and not self._is_done(config, steps):
                    needed = self._seconds(number, steps, is_final=True)
                if turns.deadline.left < needed:
                    is_short = True
                    continue
                try:
                    if turns.train(number, config, True, 0.0, steps):
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

    def _drop_shorter(self, number: int, steps: int) -> None:
        """Leaves out seeds of an earlier call that have fewer steps.

        They are trained further, and tested again, by the next call.
        """
        for offset in range(1, self.plan.seeds + 1):
            config = _at(
                self.variants[number], self.candidates[number][0], offset
            )
            is_shorter = folder.trains_on(folder_of(config, self.folder), steps)
            if is_shorter and is_tested(config, self.folder):
                forget_test(config, self.folder)

    def _train(self, number: int, rate: float, rung: int) -> None:
        """Trains a variant at a rate up to a rung."""
        config = _at(self.variants[number], rate)
        trained = self._trained(number, rate)
        if self._is_done(config, rung):
            return
        began = time.monotonic()
        self.turns.train(number, config, False, self.reserve, rung)
        self.spent += time.monotonic() - began
        self.planned += self._planned_seconds(number, rung - trained)

    def _is_done(self, config: RunConfig, steps: int) -> bool:
        """Whether a run has ended or paused after so many steps, or more."""
        path = folder_of(config, self.folder)
        if folder.has_diverged(path):
            return True
        return folder.is_finished(path) and not folder.trains_on(path, steps)

    def _trained(self, number: int, rate: float) -> int:
        """How many steps a run of the search has been trained and evaluated."""
        rows = self._history(number, rate)
        return int(rows[-1]["step"]) if rows else 0

    def _history(self, number: int, rate: float) -> list[dict]:
        path = folder_of(_at(self.variants[number], rate), self.folder)
        if not (path / folder.HISTORY).is_file():
            return []
        return recorder.read_history(path)

    def _score(
        self, number: int, rate: float, rung: int
    ) -> tuple[float, float]:
        """What a run had reached at a rung, to compare it with others.

        That is what its weights of the lowest validation loss reach, which it
        keeps. One that diverged has the worst score, however far it came.
        """
        path = folder_of(_at(self.variants[number], rate), self.folder)
        rows = [
            row for row in self._history(number, rate) if row["step"] <= rung
        ]
        if not rows or folder.has_diverged(path):
            return self.measure.worst_score, -math.inf
        kept = min(rows, key=lambda row: row["validation_loss"])
        value = kept[f"validation_{self.measure.name}"]
        return self.measure.score(value), -kept["validation_loss"]

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
            needed = sum(
                self._seconds(number, further - done, is_final=True)
                for number, done in trained
            )
            if needed > left:
                break
            steps = further
        return steps

    def _final_steps(self) -> list[tuple[int, int]]:
        """The variant and steps of each run at a best rate that has not ended.

        One that was not started has 0 steps.
        """
        found = []
        for number, (rate, *_) in self.candidates.items():
            for offset in range(1, self.plan.seeds + 1):
                run = _at(self.variants[number], rate, offset)
                path = folder_of(run, self.folder)
                if folder.is_paused(path):
                    steps = folder.read_metrics(path)["trained_steps"]
                    found.append((number, steps))
                elif not self._is_done(run, self.plan.limit):
                    found.append((number, 0))
        return found

    def _planned_seconds(self, number: int, steps: int) -> float:
        """Seconds that a part of a run takes, by what was measured."""
        each, plan = self.costs[number], self.plan
        return each.features + each.part_seconds(
            self.task,
            plan.evaluation_batch_size,
            max(0, steps),
            plan.evaluation_steps,
        )

    def _seconds(
        self, number: int, steps: int, is_final: bool = False
    ) -> float:
        """Seconds that a part of a run takes, as others have taken.

        Args:
            number: int, the variant's.
            steps: int, gradient steps of the part.
            is_final: bool, whether it is a run that reads the test split.
        """
        each, seconds = self.costs[number], self._planned_seconds(number, steps)
        if is_final:
            seconds += each.pause_seconds(
                self.task, self.plan.evaluation_batch_size
            )
        if not self.planned:
            return seconds
        slowness = self.spent / self.planned
        return seconds * min(_SLOWEST, max(_FASTEST, slowness))

    def _set(self, **changes: Any) -> None:
        """Changes the plan, for later calls, too."""
        self.plan = dataclasses.replace(self.plan, **changes)
        self.save(self.plan)


def _at(variant: RunConfig, rate: float, offset: int = 0) -> RunConfig:
    """A run of a variant at a rate; the search has the offset 0."""
    return dataclasses.replace(
        variant, learning_rate=rate, seed=variant.seed + offset
    )
