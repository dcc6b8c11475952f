"""How many gradient steps runs take to converge."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Rows = Sequence[Mapping[str, Any]]

# The number of evaluations whose mean is the smoothed accuracy.
WINDOW = 3


@dataclasses.dataclass(frozen=True)
class StepsToConverge:
    """When a run, or half of several, had converged.

    Args:
        step: int, gradient steps.
        censored: bool, whether it had not converged by then, so that it takes
            more steps than that (right-censored).
    """

    step: int
    censored: bool

    def __str__(self) -> str:
        return f"{'> ' * self.censored}{self.step:,}"


def smoothed_accuracy(rows: Rows) -> np.ndarray:
    """Validation accuracy at each evaluation, as a mean of the last `WINDOW`.

    Args:
        rows: list of dicts as in `history.csv`.

    Returns:
        Float array, as long as `rows`.
    """
    import pandas as pd

    accuracy = pd.Series([row["validation_accuracy"] for row in rows])
    return accuracy.rolling(WINDOW, min_periods=1).mean().to_numpy()


def steps_to_converge(rows: Rows, threshold: float) -> StepsToConverge:
    """The first evaluated step at which smoothed accuracy is high enough.

    Args:
        rows: list of dicts as in `history.csv`, at least one.
        threshold: float, of validation accuracy.

    Returns:
        A `StepsToConverge`; censored at the run's last step.

    Source: Lu et al. (2021), on compute efficiency, compare steps until
    convergence; smoothing and threshold are choices made here.

    >>> rows = [
    ...     {"step": step, "validation_accuracy": accuracy}
    ...     for step, accuracy in ((10, 0.5), (20, 0.7), (30, 0.9))
    ... ]
    >>> str(steps_to_converge(rows, 0.6)), str(steps_to_converge(rows, 0.8))
    ('20', '> 30')
    """
    (reached,) = np.nonzero(smoothed_accuracy(rows) >= threshold)
    row = rows[reached[0] if len(reached) else -1]
    return StepsToConverge(int(row["step"]), not len(reached))


def common_threshold(
    histories: Sequence[Rows], floor: float, share: float = 0.9
) -> float:
    """The validation accuracy at which arms that are compared have converged.

    It is the same for all of them, and above every simple rule, so that an arm
    that learns nothing is not the first to get there.

    Args:
        histories: list of the rows of all arms' runs, as in `history.csv`.
        floor: float, the validation accuracy of the best simple rule.
        share: float in (0, 1], how far it lies on the way from the floor to
            the highest smoothed accuracy of any arm.

    Returns:
        Float; infinity if no arm is above the floor.
    """
    best = max(
        (smoothed_accuracy(rows).max() for rows in histories), default=0.0
    )
    return floor + share * (best - floor) if best > floor else math.inf


def area_under_curve(rows: Rows) -> float:
    """The mean validation accuracy over a run's steps.

    Args:
        rows: list of dicts as in `history.csv`, at least one.

    Returns:
        Float, the area under the curve of accuracy, by the trapezoidal rule,
        relative to that of a run whose accuracy is 1 from the first evaluation
        to the last.
    """
    steps = np.array([row["step"] for row in rows], float)
    accuracy = np.array([row["validation_accuracy"] for row in rows], float)
    if len(rows) < 2:
        return float(accuracy[0])
    return float(np.trapezoid(accuracy, steps) / (steps[-1] - steps[0]))


def median_steps(runs: Sequence[StepsToConverge]) -> StepsToConverge:
    """The steps after which half of the runs have converged.

    Args:
        runs: list of `StepsToConverge`, at least one.

    Returns:
        A `StepsToConverge`, of the Kaplan-Meier estimate, which counts
        censored runs for as long as they were observed. It is censored at the
        last step of all runs if fewer than half had converged.
    """
    from scipy import stats

    converged = [run.step for run in runs if not run.censored]
    unconverged = [run.step for run in runs if run.censored]
    last = max(converged + unconverged)
    if not converged:
        return StepsToConverge(last, True)
    data = stats.CensoredData(uncensored=converged, right=unconverged)
    survival = stats.ecdf(data).sf
    (half,) = np.nonzero(survival.probabilities <= 0.5)
    if not len(half):
        return StepsToConverge(last, True)
    return StepsToConverge(int(survival.quantiles[half[0]]), False)
