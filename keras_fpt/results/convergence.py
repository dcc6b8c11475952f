"""How many gradient steps runs take to converge."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_fpt.runs import measures

Rows = Sequence[Mapping[str, Any]]

# The number of evaluations whose mean is the smoothed value.
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


def smoothed(rows: Rows) -> np.ndarray:
    """The validation value at each evaluation, as a mean of the last `WINDOW`.

    Args:
        rows: list of dicts as in `history.csv`.

    Returns:
        Float array, as long as `rows`: accuracies, or negative errors.
    """
    import pandas as pd

    values = pd.Series(_values(rows))
    mean = values.rolling(WINDOW, min_periods=1).mean().to_numpy()
    return measures.of_metrics(rows[0]).oriented(mean)


def _values(rows: Rows) -> list[float]:
    name = measures.of_metrics(rows[0]).name
    return [row[f"validation_{name}"] for row in rows]


def steps_to_converge(rows: Rows, threshold: float) -> StepsToConverge:
    """The first evaluated step at which the smoothed value is good enough.

    Args:
        rows: list of dicts as in `history.csv`, at least one.
        threshold: float, of validation accuracy, or of negative error.

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
    (reached,) = np.nonzero(smoothed(rows) >= threshold)
    row = rows[reached[0] if len(reached) else -1]
    return StepsToConverge(int(row["step"]), not len(reached))


def common_threshold(
    histories: Sequence[Rows], floor: float, share: float = 0.9
) -> float:
    """The validation value at which arms that are compared have converged.

    It is the same for all of them, and better than every simple rule, so that
    an arm that learns nothing is not the first to get there.

    Args:
        histories: list of the rows of all arms' runs, as in `history.csv`.
        floor: float, what the best simple rule reaches on validation, as
            `smoothed` shows values.
        share: float in (0, 1], how far it lies on the way from the floor to
            the best smoothed value of any arm.

    Returns:
        Float; infinity if no arm is better than the floor.
    """
    best = max((smoothed(rows).max() for rows in histories), default=-math.inf)
    if not best > floor > -math.inf:
        return math.inf
    return floor + share * (best - floor)


def area_under_curve(rows: Rows) -> float:
    """The mean validation accuracy, or error, over a run's steps.

    Args:
        rows: list of dicts as in `history.csv`, at least one.

    Returns:
        Float, the area under the curve by the trapezoidal rule, relative to
        that of a run whose value is 1 from the first evaluation to the last.
    """
    steps = np.array([row["step"] for row in rows], float)
    values = np.array(_values(rows), float)
    if len(rows) < 2:
        return float(values[0])
    return float(np.trapezoid(values, steps) / (steps[-1] - steps[0]))


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
