"""The measure that runs of a task are compared by: accuracy, or RMSE.

Whether higher is better, and how values and differences are formatted, is
decided only here.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_fpt.tasks import Task


@dataclasses.dataclass(frozen=True)
class Measure:
    """A metric that runs are chosen and compared by.

    Values are as in the files of runs. Scores are what is computed with: a
    higher score is better, and the score of a run is the mean of the scores of
    its examples. The score of an accuracy is the accuracy itself; that of a
    mean squared error, or of its root, is the mean squared error, negative.

    Args:
        name: string, the metric's name in the files of runs.
        title: string, its name in sentences and tables.
        is_error: bool, whether it is a mean squared error or the root of
            one, of which lower is better.
        floor_metric: string, the name of what `floor_rule` reaches.
        others: tuple of strings, further metrics that tables show.
        is_root: bool, whether it is the root of a mean squared error.
    """

    name: str
    title: str
    is_error: bool
    floor_metric: str
    others: tuple[str, ...] = ()
    is_root: bool = False

    @property
    def floor_rule(self) -> str:
        """The simple rule whose results stand for a run that diverged.

        It is a key of `keras_fpt.tasks.Task.floors`.
        """
        # Imported here, since listing runs needs neither TensorFlow nor NumPy.
        from keras_fpt import tasks

        if self.is_root:
            return tasks.MEAN
        return tasks.NAIVE if self.is_error else tasks.MAJORITY

    @property
    def worst_score(self) -> float:
        """The score of a run that diverged, before its test."""
        return -math.inf if self.is_error else 0.0

    @property
    def best_score(self) -> float:
        """The best possible score."""
        return 0.0 if self.is_error else 1.0

    def score(self, value: Any) -> Any:
        """The score of a value, or of an array or column of them."""
        if self.is_root:
            return -(value**2)
        return self.oriented(value)

    def value(self, score: Any) -> Any:
        """The value of a score, or of an array of them."""
        if not self.is_root:
            return self.oriented(score)
        import numpy as np

        return np.sqrt(-score)

    def oriented(self, value: Any) -> Any:
        """A value with the sign with which higher is better."""
        return -value if self.is_error else value

    def unit(self, score: float, other: float) -> float:
        """The factor that converts a difference of scores to one of values.

        The difference of two roots is that of their squares, divided by the
        sum of the roots.
        """
        if not self.is_root:
            return 1.0
        total = float(self.value(score) + self.value(other))
        return 1.0 / total if total else 1.0

    def gain(self, before: float, after: float) -> float:
        """By how much a later value is better; for errors, as a share of it."""
        return 1 - after / before if self.is_error else after - before

    def trend(self, gain: float) -> str:
        """The improvement that `gain` returns, in words."""
        if self.is_error:
            return f"falling by {gain:.1%}"
        return f"rising by {self.amount(gain)}"

    def show(self, value: float, digits: int = 2) -> str:
        """A value in words.

        Args:
            value: float.
            digits: int, the decimals of a percentage.
        """
        return f"{value:.4g}" if self.is_error else f"{value:.{digits}%}"

    def number(self, value: float, digits: int = 1) -> str:
        """A value or difference without a unit, as in tables."""
        if self.is_error:
            return f"{value:.{digits + 2}g}"
        return f"{100 * value:.{digits}f}"

    def amount(self, difference: float) -> str:
        """A difference of values, with its unit."""
        shown = self.number(difference)
        return shown if self.is_error else f"{shown} points"

    def side(self, gain: float) -> str:
        """Whether a value that is better by `gain` is above or below."""
        return "below" if (gain < 0) != self.is_error else "above"

    def relation(self, is_better: bool) -> str:
        """How an arm compares with one that it is better or worse than."""
        if self.is_error:
            word = "lower" if is_better else "higher"
            return f"has a {word} {self.title} than"
        return "is above" if is_better else "is below"

    def difference(self, gain: float) -> str:
        """A difference as the end of a sentence."""
        if self.is_error:
            word = "lower" if gain >= 0 else "higher"
            return f"the {self.title} is {self.number(abs(gain))} {word}"
        return f"the difference is {self.amount(gain)}"

    @property
    def interval(self) -> str:
        """The quantity that an interval is of, in words."""
        return "interval of the reduction" if self.is_error else "interval"


ACCURACY = Measure("accuracy", "accuracy", False, "majority_accuracy")
RMSE = Measure("rmse", "RMSE", True, "floor_rmse", ("mae", "r2"), True)
# Of forecasts, in standard deviations of train, as papers report them.
MSE = Measure("mse", "MSE", True, "floor_mse", ("mae",))
BY_NAME = {measure.name: measure for measure in (ACCURACY, RMSE, MSE)}
_ERRORS = (RMSE, MSE)


def of_task(task: "Task") -> Measure:
    """The measure of a task's runs."""
    return BY_NAME[task.main_metric]


def of_metrics(metrics: Mapping[str, Any]) -> Measure:
    """The measure of a run, by its `metrics.json` or a row of its history."""
    for measure in _ERRORS:
        if metrics.get(f"validation_{measure.name}") is not None:
            return measure
    return ACCURACY


def in_words(metrics: Mapping[str, Any], split: str) -> str:
    """What a run has reached on a split, in words; empty if it has not.

    Args:
        metrics: dict, `metrics.json` or a row of a table of runs.
        split: string.
    """
    for measure in BY_NAME.values():
        value = metrics.get(f"{split}_{measure.name}")
        if value is not None and value == value:  # NaN is none in a table.
            shown = measure.show(value)
            return f"{measure.title} {shown}" if measure.is_error else shown
    return ""


def of_runs(runs: Any) -> Measure:
    """The measure of the runs, or of the arms, of one task.

    Args:
        runs: `pandas.DataFrame` with the columns of `metrics.json`.
    """
    for measure in _ERRORS:
        name = f"validation_{measure.name}"
        if name in runs and runs[name].notna().any():
            return measure
    return ACCURACY
