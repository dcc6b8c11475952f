"""The learning rates, seeds and steps of a comparison, within its time."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Sequence

from keras_fpt.files import json_files
from keras_fpt.runs import recorder
from keras_fpt.studies import cost
from keras_fpt.tasks import Task


@dataclasses.dataclass(frozen=True)
class Plan:
    """The learning rates, seeds and steps of a comparison.

    Args:
        learning_rates: tuple of floats that each variant tries, the most
            promising first.
        seeds: int, number of runs of each at its best rate.
        steps: int, gradient steps of a run.
        shares_seed: bool, whether the run that was chosen is also the first of
            those at the best rate, as in plans of earlier versions.
    """

    learning_rates: tuple[float, ...]
    seeds: int
    steps: int
    shares_seed: bool = True

    @classmethod
    def read(cls, path: pathlib.Path) -> "Plan":
        """Reads the plan that an earlier call has written.

        Raises:
            ValueError: the file is damaged.
        """
        entry = json_files.read_object(path)
        return json_files.from_dict(cls, entry, f"`{path}`")


# The learning rates and seeds to plan, each with the minimum share of the
# recipe's steps that every run must then have.
_PLANS = (
    (1.0, (3e-3, 1e-3, 1e-2, 3e-4, 1e-4), 5),
    (0.25, (3e-3, 1e-3, 1e-2, 3e-4), 3),
    # The best of two rates would always be at the edge.
    (0.0, (3e-3, 1e-3, 1e-2), 3),
    # Intervals from two seeds are three times as wide.
    (0.0, (3e-3, 1e-3, 1e-2), 2),
)


class BudgetTooSmall(ValueError):
    """There is not enough time for any plan.

    Args:
        message: string.
        seconds: float, what the shortest runs would take.
    """

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


def make_plan(
    costs: Sequence[cost.Cost],
    task: Task,
    batch_size: int,
    seconds: float,
    max_steps: int | None = None,
) -> Plan:
    """The largest plan that fits into a given time.

    Args:
        costs: list of `Cost`, one per variant.
        task: the `Task`.
        batch_size: int.
        seconds: float.
        max_steps: int, the most steps of a run; `None` means the task's
            recipe.

    Returns:
        A `Plan`.

    Raises:
        BudgetTooSmall: there is not enough time for any plan.
    """
    max_steps = max_steps or task.recipe.steps

    def total(rates: tuple[float, ...], seeds: int, steps: int) -> float:
        return sum(
            len(rates) * each.seconds(task, batch_size, steps, test=False)
            + seeds * each.seconds(task, batch_size, steps, test=True)
            for each in costs
        )

    for share, rates, seeds in _PLANS:
        seconds_of = functools.partial(total, rates, seeds)
        steps = _largest(seconds_of, seconds, max_steps)
        least = min(recorder.MIN_STEPS_BETWEEN_EVALUATIONS, max_steps)
        if steps >= max(share * max_steps, least):
            return Plan(rates, seeds, steps, shares_seed=False)
    needed = seconds_of(least)
    shown = (
        f"{needed / seconds:.1f} times the time that is left"
        if seconds > 0
        else f"{needed:.0f} s, and no time is left"
    )
    raise BudgetTooSmall(
        f"The budget is too small to compare anything: runs of {least} steps "
        f"would take {shown}. Give a larger --budget, a smaller --preset, or "
        "a smaller --batch-size.",
        needed,
    )


def _largest(
    seconds_of: Callable[[int], float], seconds: float, limit: int
) -> int:
    """The largest number up to `limit` that fits into a time, or 0.

    All numbers below one that fits must fit, too.
    """
    low, high = 0, limit + 1
    while high - low > 1:
        middle = (low + high) // 2
        if seconds_of(middle) <= seconds:
            low = middle
        else:
            high = middle
    return low
