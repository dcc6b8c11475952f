"""How many gradient steps runs take to converge."""

import dataclasses
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


def steps_to_share_of_best(
    histories: Sequence[Rows], share: float = 0.95
) -> list[StepsToConverge]:
    """For each run of an arm, when it came close to the best accuracy.

    Args:
        histories: list of runs' rows, as in `history.csv`.
        share: float in (0, 1], of the arm's highest smoothed accuracy.

    Returns:
        List of `StepsToConverge`. A run that stays below is censored, not
        left out.
    """
    best = max(smoothed_accuracy(rows).max() for rows in histories)
    return [steps_to_converge(rows, share * best) for rows in histories]


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
