"""Baselines: what models without gradient steps have reached, as records."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

from keras_fpt.results import records

FILE = "baselines.json"
MAJORITY = "majority"
LOGISTIC_REGRESSION = "logistic_regression"
GRADIENT_BOOSTING = "gradient_boosting"
DESCRIPTIONS = {
    MAJORITY: "the most common class of train",
    LOGISTIC_REGRESSION: "scikit-learn's, on the flattened tokens",
    GRADIENT_BOOSTING: "scikit-learn's, on the flattened tokens",
}


@dataclasses.dataclass(frozen=True)
class Baseline:
    """What a model that was fitted without gradient steps has reached.

    Args:
        task: string.
        name: string, a key of `DESCRIPTIONS`.
        settings: string, those that were chosen on validation data.
        train_accuracy: float.
        validation_accuracy: float.
        test_accuracy: float.
        seconds: float, for fitting and for choosing the settings.
        train_examples: int, how many it was fitted to.
        test_examples: int.
    """

    task: str
    name: str
    settings: str
    train_accuracy: float
    validation_accuracy: float
    test_accuracy: float
    seconds: float
    train_examples: int
    test_examples: int


def write(
    baselines: Sequence[Baseline], folder: str | os.PathLike[str]
) -> None:
    """Saves baselines beside a folder's runs."""
    records.write(baselines, pathlib.Path(folder, FILE))


def read(*folders: str | os.PathLike[str]) -> list[Baseline]:
    """The baselines in some folders, and in folders within them."""
    return records.read(Baseline, FILE, folders)
