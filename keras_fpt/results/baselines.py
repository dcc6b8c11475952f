"""Baselines: what models without gradient steps have reached, as records."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from keras_fpt.files import npz
from keras_fpt.results import records

FILE = "baselines.json"
EXAMPLES = "baselines_test_examples.npz"
MAJORITY = "majority"
LOGISTIC_REGRESSION = "logistic_regression"
GRADIENT_BOOSTING = "gradient_boosting"
MINIROCKET = "minirocket"
NEAREST_NEIGHBOR = "nearest_neighbor"
MULTIROCKET_HYDRA = "multirocket_hydra"
N_GRAMS = "n_grams"
LINEAR_PROBE = "linear_probe"
DESCRIPTIONS = {
    MAJORITY: "the most common class of train",
    LOGISTIC_REGRESSION: "scikit-learn's, on the flattened tokens",
    GRADIENT_BOOSTING: "scikit-learn's, on the flattened tokens",
    MINIROCKET: "ridge regression on MiniROCKET's features",
    NEAREST_NEIGHBOR: "the nearest series by dynamic time warping",
    MULTIROCKET_HYDRA: "ridge regression on aeon's MultiROCKET and Hydra",
    N_GRAMS: "logistic regression on the counts of short pieces",
    LINEAR_PROBE: (
        "scikit-learn's logistic regression on the frozen model's standardized "
        "features"
    ),
}
# What uses the frozen language model.
FROZEN_MODEL = (LINEAR_PROBE,)


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
        right: float array `(test_examples,)`, the share of each test
            example's answers that is right, in the order of the test split;
            `None` if it was not kept.
        size: int, how many training examples all models were limited to;
            `None` if they had all.
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
    right: Any = dataclasses.field(default=None, compare=False, repr=False)
    size: int | None = None


def write(
    baselines: Sequence[Baseline], folder: str | os.PathLike[str]
) -> None:
    """Saves baselines beside a folder's runs."""
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
