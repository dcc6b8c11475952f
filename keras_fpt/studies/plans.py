"""What a comparison trains within its time: rates, seeds, steps, batches."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence

from keras_fpt.runs import RunConfig, recorder
from keras_fpt.studies import cost, plan_dropout
from keras_fpt.studies.saved_plans import REDUCTION, HalvingPlan
from keras_fpt.tasks import Task


def prepare(variant: RunConfig, plan: HalvingPlan) -> RunConfig:
    """A variant's run as a plan trains it, without its rate and seed."""
    if plan.dropout is not None and variant.model.dropout is None:
        variant = variant.with_settings(dropout=plan.dropout)
    return dataclasses.replace(
        variant,
        steps=plan.limit,
        batch_size=plan.batch_size,
        evaluation_batch_size=plan.evaluation_batch_size,
        evaluation_steps=plan.evaluation_steps,
        patience=PATIENCE,
        keep="best",
    )


# Evaluations in a row without a lower validation loss after which a run ends.
PATIENCE = 8
# The learning rates and seeds to plan, each with the minimum share of the
# recipe's training examples that the runs at the best rates must then see.
_PLANS = (
    (1.0, (3e-3, 1e-3, 1e-2, 3e-4, 3e-2, 1e-4), 5),
    (0.25, (3e-3, 1e-3, 1e-2, 3e-4, 3e-2, 1e-4), 3),
    (0.05, (3e-3, 1e-3, 1e-2, 3e-4, 3e-2), 2),
    # The best of two rates would always be at the edge. Intervals from two
    # seeds are three times as wide as from three, and from one there is none.
    (0.0, (3e-3, 1e-3, 1e-2), 2),
)
# How many evaluations a run at the best rate has, the more the better if they
# take little of its time.
_EVALUATIONS = (18, 9)
_EVALUATIONS_SHARE = 0.2
# Runs of an arm that a plan trains to one step: its rates, or its seeds.
MOST_RUNS = max(max(len(rates), seeds) for _, rates, seeds in _PLANS)
# A batch is made smaller, down to the smallest, until there are so many steps.
SMALLEST_BATCH, _ENOUGH_STEPS = 8, 500
# With more time than was planned, runs go on to at most so many times the
# examples of the recipe, unless steps were given.
_LIMIT = 10


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
    evaluation_batch_size: int | None = None,
) -> HalvingPlan:
    """The largest plan that fits into a given time.

    Args:
        costs: list of `Cost`, one per variant, measured with the batch size.
        task: the `Task`.
        batch_size: int.
        seconds: float.
        max_steps: int, the most steps of a run; `None` is a multiple of those
            of the task's recipe.
        evaluation_batch_size: int; `None` is the batch size.

    Returns:
        A `HalvingPlan`.

    Raises:
        BudgetTooSmall: there is not enough time for any plan.
    """
    recipe = task.recipe
    examples = (max_steps or recipe.steps) * (
        batch_size if max_steps else recipe.batch_size
    )
    limit = max_steps or max(1, _LIMIT * examples // batch_size)
    sizes = batch_size, evaluation_batch_size or batch_size
    least = min(recorder.MIN_STEPS_BETWEEN_EVALUATIONS, limit)
    for share, rates, seeds in _PLANS:
        for evaluations in _EVALUATIONS:
            make = functools.partial(
                _plan, rates, seeds, evaluations, sizes, limit
            )

            def seconds_of(steps: int, make: Callable = make) -> float:
                return planned_seconds(make(steps), costs, task)

            steps = _largest(seconds_of, seconds, limit)
            plan = make(max(steps, least))
            is_last = evaluations == _EVALUATIONS[-1]
            if is_last or _evaluates_little(plan, costs, task):
                break
        has_enough = plan.steps * batch_size >= share * examples
        if steps >= least and has_enough:
            return plan_dropout.chosen(plan, task)
    needed = planned_seconds(make(least), costs, task)
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


def enlarge(
    plan: HalvingPlan, costs: Sequence[cost.Cost], task: Task, seconds: float
) -> HalvingPlan:
    """A plan with the steps that more time allows, for the same runs.

    Args:
        plan: the `HalvingPlan` that was carried out.
        costs: list of `Cost`, one for each variant.
        task: their `Task`.
        seconds: float, the time.
    """
    every, size = plan.evaluation_steps, plan.evaluation_batch_size
    # Every run starts again. The search goes on for about as many steps as
    # one run at the best rate.
    starts = len(plan.learning_rates) + REDUCTION + plan.seeds
    segment = 0.0
    for each in costs:
        parts = functools.partial(each.parts_seconds, task, size)
        start = parts(0, every, plan.seeds, by_seed=True)
        for count in (len(plan.learning_rates), REDUCTION):
            seconds -= parts(0, every, count)
        seconds -= start + starts * each.features
        seconds -= plan.seeds * each.pause_seconds(task, size)
        segment += parts(every, every, plan.seeds, by_seed=True) - start
        segment += parts(every, every, 1) - each.start
    more = int(max(0.0, seconds) / segment)
    limit = max(1, plan.limit // every) * every
    steps = min(limit, plan.steps + more * every)
    found = rungs(steps, every, len(plan.learning_rates))
    return dataclasses.replace(plan, steps=steps, rungs=found)


def choose_batch_size(
    costs: Iterable[tuple[int, cost.Cost]],
    variants: int,
    task: Task,
    seconds: float,
    max_steps: int | None = None,
) -> int:
    """The largest batch size with which a run has enough steps in its time.

    Args:
        costs: pairs of a batch size and the `Cost` of one variant with it, of
            the smallest and of the largest batch.
        variants: int, how many there are.
        task: the `Task`.
        seconds: float.
        max_steps: see `make_plan`.
    """
    (small, of_small), (large, of_large) = sorted(costs, key=lambda x: x[0])
    size = large
    while size > small:
        share = (size - small) / (large - small)
        each = of_small.between(of_large, share)
        try:
            plan = make_plan(
                [each] * variants, task, size, seconds, max_steps, large
            )
        except BudgetTooSmall:
            pass
        else:
            if plan.steps >= min(_ENOUGH_STEPS, plan.limit):
                return size
        size //= 2
    return small


def _plan(
    rates: tuple[float, ...],
    seeds: int,
    evaluations: int,
    batch_sizes: tuple[int, int],
    limit: int,
    steps: int,
) -> HalvingPlan:
    """A plan whose runs at the best rates have about so many steps."""
    every = max(1, steps // evaluations)
    steps = max(1, steps // every) * every
    return HalvingPlan(
        rates,
        rungs(steps, every, len(rates)),
        steps,
        seeds,
        *batch_sizes,
        every,
        limit,
    )


def rungs(
    steps: int, evaluation_steps: int, candidates: int
) -> tuple[int, ...]:
    """The steps at which learning rates are compared.

    Args:
        steps: int, of the runs at the best rates.
        evaluation_steps: int, of which each rung is a multiple.
        candidates: int, how many learning rates there are. Of a few, all are
            trained up to the last rung, since to go on with a run costs time.

    >>> rungs(90, 5, 6), rungs(90, 5, 3), rungs(5, 5, 6)
    ((10, 30), (30,), (5,))
    """
    few = candidates <= REDUCTION
    found = {
        max(1, round(steps / part / evaluation_steps)) * evaluation_steps
        for part in (REDUCTION if few else REDUCTION**2, REDUCTION)
    }
    return tuple(sorted(found))


def planned_seconds(
    plan: HalvingPlan, costs: Sequence[cost.Cost], task: Task
) -> float:
    """Seconds that a plan takes from the beginning."""
    return sum(_seconds(plan, each, task) for each in costs)


def _seconds(plan: HalvingPlan, each: cost.Cost, task: Task) -> float:
    size, every = plan.evaluation_batch_size, plan.evaluation_steps
    count, before, seconds = len(plan.learning_rates), 0, 0.0
    for number, rung in enumerate(plan.rungs):
        seconds += count * each.features
        seconds += each.parts_seconds(task, size, rung - before, every, count)
        count, before = plan.survivors(number, count), rung
    seconds += each.parts_seconds(
        task, size, plan.steps, every, plan.seeds, by_seed=True
    )
    rest = each.features + each.pause_seconds(task, size)
    return seconds + plan.seeds * rest


def _evaluates_little(
    plan: HalvingPlan, costs: Sequence[cost.Cost], task: Task
) -> bool:
    """Whether evaluations take little of the time of a plan's steps."""
    steps = sum(plan.evaluation_steps * each.step for each in costs)
    evaluation = sum(
        each.evaluation_seconds(task, plan.evaluation_batch_size)
        for each in costs
    )
    return evaluation <= _EVALUATIONS_SHARE * steps


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
