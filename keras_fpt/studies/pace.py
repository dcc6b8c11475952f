"""How long the parts of a plan's runs take, as others have taken."""

import dataclasses
from collections.abc import Sequence

from keras_fpt.studies import cost
from keras_fpt.studies.saved_plans import HalvingPlan
from keras_fpt.tasks import Task

# How far the time of a step may be from what was measured before.
_SLOWEST, _FASTEST = 3.0, 0.5


class Pace:
    """Estimates of wall time, corrected by what has been trained.

    Args:
        costs: list of `Cost`, one for each variant.
        plan: the `HalvingPlan` of their evaluations.
        task: their `Task`.
    """

    def __init__(
        self, costs: Sequence[cost.Cost], plan: HalvingPlan, task: Task
    ) -> None:
        self.costs = list(costs)
        self.task, self.batch_size = task, plan.evaluation_batch_size
        self.evaluation_steps = plan.evaluation_steps
        # Seconds that were planned for what was trained, and that it took.
        self.planned = self.spent = 0.0

    def train_one_by_one(self, number: int) -> None:
        """Takes a variant's runs for ones that are not stacked after all."""
        self.costs[number] = dataclasses.replace(self.costs[number], stack=None)

    def largest_stack(self, number: int, by_seed: bool = False) -> int:
        """How many runs of a variant train in one step, at most.

        Args:
            number: int, the variant's.
            by_seed: bool, whether they differ in their seeds.
        """
        return self.costs[number].largest_stack(by_seed)

    def took(self, seconds: float, number: int, steps: int, runs: int) -> None:
        """Counts the time that a part of a variant's runs has taken.

        Args:
            seconds: float.
            number: int, the variant's.
            steps: int, gradient steps of the part.
            runs: int, how many runs had it.
        """
        self.spent += seconds
        self.planned += self._planned(number, steps, runs)

    def seconds(
        self, number: int, steps: int, runs: int = 1, is_final: bool = False
    ) -> float:
        """Seconds that a part of runs takes, as others have taken.

        Args:
            number: int, the variant's.
            steps: int, gradient steps of the part.
            runs: int, how many runs of the variant have it.
            is_final: bool, whether they have different seeds and read the test
                split.
        """
        seconds = self._planned(number, steps, runs, is_final)
        if is_final:
            each = self.costs[number]
            seconds += runs * each.pause_seconds(self.task, self.batch_size)
        if not self.planned:
            return seconds
        slowness = self.spent / self.planned
        return seconds * min(_SLOWEST, max(_FASTEST, slowness))

    def _planned(
        self, number: int, steps: int, runs: int, by_seed: bool = False
    ) -> float:
        """Seconds that a part of runs takes, by what was measured."""
        each = self.costs[number]
        return runs * each.features + each.parts_seconds(
            self.task,
            self.batch_size,
            max(0, steps),
            self.evaluation_steps,
            runs,
            by_seed,
        )
