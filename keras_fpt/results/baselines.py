"""Baselines: the results of models without gradient steps, as records."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from keras_fpt.files import npz
from keras_fpt.results import records
from keras_fpt.runs import measures

FILE = "baselines.json"
EXAMPLES = "baselines_test_examples.npz"
MAJORITY, MEAN = "majority", "mean"
NAIVE, SEASONAL_NAIVE = "naive", "seasonal_naive"
# Simple rules, which tables show as such.
RULES = (MAJORITY, MEAN, NAIVE, SEASONAL_NAIVE)
LOGISTIC_REGRESSION = "logistic_regression"
RIDGE = "ridge"
DLINEAR = "dlinear"
AUTO_ETS, AUTO_ARIMA = "auto_ets", "auto_arima"
GRADIENT_BOOSTING = "gradient_boosting"
MINIROCKET = "minirocket"
NEAREST_NEIGHBOR = "nearest_neighbor"
MULTIROCKET_HYDRA = "multirocket_hydra"
N_GRAMS = "n_grams"
LINEAR_PROBE = "linear_probe"
STEPS_PROBE = "linear_probe_of_steps"
RANDOM_PROBE = "linear_probe_of_random"
RANDOM_STEPS_PROBE = "linear_probe_of_random_steps"
SMALL_CNN = "small_cnn"
DESCRIPTIONS = {
    MAJORITY: "the most common class of train",
    MEAN: "the mean of train",
    NAIVE: "the last value",
    SEASONAL_NAIVE: "the value one season before",
    LOGISTIC_REGRESSION: (
        "scikit-learn's, on the flattened tokens, or on a labeled token and "
        "its neighbors"
    ),
    RIDGE: "scikit-learn's ridge regression on the flattened tokens",
    DLINEAR: "a linear map of the moving average and of the rest",
    AUTO_ETS: "statsforecast's exponential smoothing, of the whole series",
    AUTO_ARIMA: "statsforecast's ARIMA, of the whole series",
    GRADIENT_BOOSTING: (
        "scikit-learn's, on the flattened tokens, or on a labeled token and "
        "its neighbors"
    ),
    MINIROCKET: "ridge regression on MiniROCKET's features",
    NEAREST_NEIGHBOR: "the nearest series by dynamic time warping",
    MULTIROCKET_HYDRA: "ridge regression on aeon's MultiROCKET and Hydra",
    N_GRAMS: "a linear model of the counts of short pieces",
    LINEAR_PROBE: (
        "scikit-learn's logistic regression, or ridge regression for numbers, "
        "on the frozen model's standardized features"
    ),
    STEPS_PROBE: "the linear probe with a token for each step, not patches",
    RANDOM_PROBE: "the linear probe of a model with random frozen weights",
    RANDOM_STEPS_PROBE: (
        "the linear probe of a model with random frozen weights, with a token "
        "for each step, not patches"
    ),
    SMALL_CNN: "a small convolutional network, trained from scratch",
}
# Baselines that use the frozen language model.
FROZEN_MODEL = (LINEAR_PROBE, STEPS_PROBE)


@dataclasses.dataclass(frozen=True)
class Baseline:
    """The results of a model that was fitted without gradient steps.

    Args:
        task: string.
        name: string, a key of `DESCRIPTIONS`.
        settings: string, those that were chosen on validation data.
        train_accuracy: float, or `None` for a regression.
        validation_accuracy: float, likewise.
        test_accuracy: float, likewise.
        seconds: float, for fitting and for choosing the settings.
        train_examples: int, how many it was fitted to.
        test_examples: int.
        right: float array `(test_examples,)`, the scores of the test
            examples as of `keras_fpt.runs.test_examples.ExampleScores`; `None`
            if they were not kept.
        size: int, how many training examples all models were limited to;
            `None` if they had all.
        errors: dict of a regression's `<split>_rmse`, `<split>_mae` and
            `<split>_r2`, or a forecast's `<split>_mse` and `<split>_mae`;
            `None` for a classification.
        test_auroc: float, of several labels per example, the mean over the
            labels; `None` of other labels, and if the model gives no scores.
            It is not compared by.
    """

    task: str
    name: str
    settings: str
    train_accuracy: float | None
    validation_accuracy: float | None
    test_accuracy: float | None
    seconds: float
    train_examples: int
    test_examples: int
    right: Any = dataclasses.field(default=None, compare=False, repr=False)
    size: int | None = None
    errors: dict[str, float] | None = None
    test_auroc: float | None = None

    @property
    def measure(self) -> measures.Measure:
        """The measure that it is compared by."""
        return measures.of_metrics(self.errors or {})

    @property
    def values(self) -> dict[str, Any]:
        """Its results, by the names of a run's `metrics.json`."""
        if self.errors is not None:
            return self.errors
        return {
            "train_accuracy": self.train_accuracy,
            "validation_accuracy": self.validation_accuracy,
            "test_accuracy": self.test_accuracy,
        }

    def score(self, split: str) -> float:
        """Its score on `train`, `validation` or `test`."""
        value = self.values[f"{split}_{self.measure.name}"]
        return float(self.measure.score(value))

    @property
    def validation_score(self) -> float:
        """Its score on validation, by which it is chosen."""
        return self.score("validation")


def write(
    baselines: Sequence[Baseline], folder: str | os.PathLike[str]
) -> None:
    """Saves baselines in a folder of runs."""
    right = {b.name: b.right for b in baselines if b.right is not None}
    npz.write(pathlib.Path(folder, EXAMPLES), right)
    described = [dataclasses.replace(b, right=None) for b in baselines]
    records.write(described, pathlib.Path(folder, FILE))


def read(*folders: str | os.PathLike[str]) -> list[Baseline]:
    """The baselines in some folders, and in folders within them.

    Raises:
        ValueError: a file is damaged.
    """
    found: list[Baseline] = []
    for path in records.paths(FILE, folders):
        # Earlier versions did not write this file.
        right = npz.read(path.with_name(EXAMPLES)) or {}
        found += [
            dataclasses.replace(baseline, right=right.get(baseline.name))
            for baseline in records.read(Baseline, path)
        ]
    return found
