"""Cross-validation: one run for each fold of a task."""

import dataclasses
import json
import logging
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_fpt import distribution, files, runs
from keras_fpt.runs import RunConfig, measures

LOGGER = logging.getLogger(__name__)
SUMMARY = "folds.json"


@dataclasses.dataclass(frozen=True)
class CrossValidation:
    """The runs of a cross-validation, each tested on a different fold.

    Args:
        folder: string, which contains the runs in `fold-1`, `fold-2`, ...
        metrics: list of the dict in each run's `metrics.json`.
    """

    folder: str
    metrics: list[dict[str, Any]]

    def values(self, name: str) -> np.ndarray:
        """One metric of every fold, NaN where a run lacks it."""
        return np.array(
            [metrics.get(name, np.nan) for metrics in self.metrics], float
        )

    def mean_and_deviation(self, name: str) -> tuple[float, float]:
        """The mean of a metric over folds, and its standard deviation."""
        values = self.values(name)
        return float(values.mean()), float(values.std(ddof=1))

    @property
    def measure(self) -> measures.Measure:
        """The measure that the runs are compared by."""
        return measures.of_metrics(self.metrics[0])

    @property
    def pooled(self) -> float:
        """The accuracy, or RMSE, on all test examples, each tested once."""
        counts = self.values("test_examples")
        scores = self.measure.score(self.values(f"test_{self.measure.name}"))
        return float(self.measure.value(np.average(scores, weights=counts)))

    @property
    def pooled_accuracy(self) -> float:
        """The accuracy on all test examples, each tested once."""
        return self.pooled

    def to_json(self) -> str:
        """The accuracies, or RMSEs, of the folds as JSON text."""
        name = f"test_{self.measure.name}"
        mean, deviation = self.mean_and_deviation(name)
        summary = {
            "folds": len(self.metrics),
            "test_examples": self.values("test_examples").astype(int).tolist(),
            name: self.values(name).tolist(),
            f"mean_{name}": mean,
            "standard_deviation": deviation,
            f"pooled_{name}": self.pooled,
        }
        return json.dumps(summary, indent=2) + "\n"


def needs_folds(options: Mapping[str, Any]) -> bool:
    """Whether a task's options ask for all folds, and not for one of them."""
    return options.get("folds") is not None and options.get("fold") is None


def refuse_all_folds(options: Mapping[str, Any], function: str) -> None:
    """Raises an error for options that ask for all folds, where one is needed.

    Args:
        options: dict, a task's options.
        function: string, the function that takes all of them.

    Raises:
        ValueError: they ask for all folds.
    """
    if needs_folds(options):
        raise ValueError(
            "Expected one fold: give fold as well as folds. All of them are "
            f"for `keras_fpt.studies.{function}`."
        )


def each_fold(config: RunConfig) -> list[RunConfig]:
    """A run's configuration for each fold of its task.

    Args:
        config: a `RunConfig` whose task has the option `folds`.

    Raises:
        ValueError: the folds cannot be made.
    """
    configs = [
        dataclasses.replace(config, options={**config.options, "fold": fold})
        for fold in range(1, config.options["folds"] + 1)
    ]
    # Bad options are errors before there is a folder.
    runs.resolve(configs[0] if configs else config)
    return configs


def train_folds(
    config: RunConfig,
    output: str | os.PathLike[str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    **options: Any,
) -> CrossValidation:
    """Trains one run for each fold, in `fold-1`, `fold-2`, ... of a folder.

    Args:
        config: a `RunConfig` whose task has the option `folds`.
        output: path of the folder. `None` makes a new one,
            `runs/<task>-<arm>-<n>`.
        resume: bool, whether to continue after a call that was interrupted;
            finished runs are kept.
        overwrite: bool, whether to replace existing runs.
        **options: further arguments of `keras_fpt.runs.train`.

    Returns:
        A `CrossValidation`, whose accuracies, or RMSEs, `folds.json` holds as
        well.

    Raises:
        ValueError: the folds cannot be made.
        Exception: see `keras_fpt.runs.train`.
    """
    configs = each_fold(config)
    first = runs.resolve(configs[0])
    if output is None:
        output = runs.folder.new_folder(first.task.name, first.arm.name)
    folder = pathlib.Path(output)
    metrics = []
    for number, each in enumerate(configs, start=1):
        path = folder / f"fold-{number}"
        if not (resume and runs.folder.is_finished(path)):
            LOGGER.info(f"Fold {number} of {len(configs)}: `{path}`")
        is_begun = resume and path.exists()
        metrics.append(runs.train(each, path, is_begun, overwrite, **options))
    validation = CrossValidation(str(folder), metrics)
    if distribution.is_first_process():
        files.write_text(folder / SUMMARY, validation.to_json())
    return validation
