"""The plans of comparisons, as they are saved in their folders."""

import dataclasses
import json
import math
import pathlib

from keras_fpt import files

# One in so many learning rates goes on after a rung, and those that do are
# trained for so many times the steps.
REDUCTION = 3


@dataclasses.dataclass(frozen=True)
class Plan:
    """The plan of a comparison of earlier versions, which goes on with it.

    Every variant tries every learning rate for all steps.

    Args:
        learning_rates: tuple of floats that each variant tries, the most
            promising first.
        seeds: int, number of runs of each at its best rate.
        steps: int, gradient steps of a run.
        shares_seed: bool, whether the run that was chosen is also the first of
            those at the best rate.
    """

    learning_rates: tuple[float, ...]
    seeds: int
    steps: int
    shares_seed: bool = True


@dataclasses.dataclass(frozen=True)
class HalvingPlan:
    """What a comparison trains, with a search by successive halving.

    Args:
        learning_rates: tuple of floats that each variant tries, the most
            promising first.
        rungs: tuple of ints, ascending steps at which the learning rates of a
            variant are compared; the best third goes on to the next rung, and
            the best after the last one is chosen.
        steps: int, gradient steps of the runs at the chosen rates.
        seeds: int, number of those runs of each variant.
        batch_size: int.
        evaluation_batch_size: int.
        evaluation_steps: int, gradient steps between evaluations, of which
            rungs and steps are multiples.
        limit: int, the most steps that a run may have with any budget.
        budget: float, seconds for which this was planned.
        dropout: float, dropout rate of the backbone; `None` is that of the
            task's recipe, as in plans of earlier versions. It is chosen when
            the plan is made, and kept when it is enlarged: its runs go on.
    """

    learning_rates: tuple[float, ...]
    rungs: tuple[int, ...]
    steps: int
    seeds: int
    batch_size: int
    evaluation_batch_size: int
    evaluation_steps: int
    limit: int
    budget: float = 0.0
    dropout: float | None = None

    def survivors(self, rung: int, candidates: int) -> int:
        """How many learning rates of a variant go on after a rung.

        Args:
            rung: int, its number, from 0.
            candidates: int, how many there are before.

        >>> plan = HalvingPlan((1e-3,), (10, 30), 90, 2, 8, 64, 10, 90)
        >>> plan.survivors(0, 6), plan.survivors(0, 3), plan.survivors(1, 2)
        (2, 2, 1)
        """
        if rung == len(self.rungs) - 1:
            return 1
        return min(candidates, max(2, math.ceil(candidates / REDUCTION)))


def write_plan(plan: Plan | HalvingPlan, path: pathlib.Path) -> None:
    """Writes a plan for later calls."""
    text = json.dumps(dataclasses.asdict(plan), indent=2)
    files.write_text(path, text + "\n")
