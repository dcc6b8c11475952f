"""Sweeps and comparisons over all folds of a cross-validation.

Each fold is a separate study, in `fold-1`, `fold-2`, ...: it chooses learning
rates by its own validation data, so that no example is tested by a run whose
settings were chosen with it. The arms are then compared on the test examples
of all folds.
"""

import dataclasses
import json
import logging
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from keras_fpt import files, results
from keras_fpt.files import spreadsheets
from keras_fpt.results import ArmResult, baselines
from keras_fpt.runs import ResolvedRun, folder, resolve
from keras_fpt.studies import compare, study_folder, sweep, sweep_worker
from keras_fpt.studies.deadline import Deadline
from keras_fpt.studies.folds import each_fold
from keras_fpt.studies.sweep_config import SweepConfig

LOGGER = logging.getLogger(__name__)
CONFIG = "folds.json"
TABLE = "arms.csv"


def compare_folds(
    comparison: compare.Comparison,
    output: str | os.PathLike[str] | None,
    seconds: float,
    began: float | None = None,
) -> tuple[pathlib.Path, Any, str | None]:
    """`run_comparison` on each fold, and its conclusion on all of them.

    The folds have equal shares of the time, and the plan of the first. Repeat
    the call to continue.

    Args:
        comparison: a `Comparison` whose task has the option `folds`.
        output: path of its folder, or `None` for a new one,
            `runs/<task>-compare-<n>`.
        seconds: float, wall time that it may take.
        began: float, `time.monotonic()` when the time begins; `None` is now.

    Returns:
        Tuple of the folder, the `pandas.DataFrame` of arms and baselines on
        the test examples of all folds, and the sentence of
        `keras_fpt.results.conclude`.

    Raises:
        Exception: see `run_comparison`.
    """
    deadline = Deadline(seconds, began)
    configs = each_fold(comparison.run)
    first = resolve(configs[0])
    if output is None:
        output = folder.new_folder(first.task.name, "compare")
    output = pathlib.Path(output)
    comparison = comparison.as_begun(output / CONFIG, "comparison")
    _initialize(output, comparison.described(), "comparison", first)
    plan, found, fitted = None, [], []
    for number, config in enumerate(configs, start=1):
        path = output / f"fold-{number}"
        LOGGER.info(f"Fold {number} of {len(configs)}: `{path}`")
        share = deadline.left / (len(configs) - number + 1)
        compare.run_comparison(
            dataclasses.replace(comparison, run=config),
            path,
            share,
            plan=plan,
            budget=seconds / len(configs),
        )
        plan = compare.saved_plan(path)
        if plan is None:
            reason = results.not_run.read(path)[-1].reason
            raise ValueError(f"Fold {number} could not be trained: {reason}")
        found.append(_arms(path))
        fitted.append(baselines.read(path))
    joined = results.join_arms(found)
    others = results.join_baselines(fitted)
    table = _write_table(joined, first.task.name, output)
    table = results.arms_table.with_baselines(table, others)
    return output, table, results.conclude_results(joined, others)


def sweep_folds(
    config: SweepConfig, output: str | os.PathLike[str], **options: Any
) -> tuple[Any, list[str]]:
    """`run_sweep` on each fold, and its verdicts on all of them.

    Repeat the call to continue.

    Args:
        config: a `SweepConfig` whose task has the option `folds`.
        output: path of its folder.
        **options: further arguments of `run_sweep`.

    Returns:
        Tuple of the `pandas.DataFrame` of arms on the test examples of all
        folds, and the sentences on the first arm and each of the others.

    Raises:
        Exception: see `run_sweep`.
    """
    output = pathlib.Path(output)
    config = config.as_started(output / CONFIG, "sweep")
    configs = each_fold(config.run)
    first = resolve(configs[0])
    described = json.loads(config.to_json())
    _initialize(output, described, "sweep", first)
    found = []
    for number, each in enumerate(configs, start=1):
        path = output / f"fold-{number}"
        LOGGER.info(f"Fold {number} of {len(configs)}: `{path}`")
        sweep.run_sweep(dataclasses.replace(config, run=each), path, **options)
        found.append(_arms(path / sweep_worker.RUNS))
    joined = results.join_arms(found)
    table = _write_table(joined, first.task.name, output)
    return table, results.compare_arms(joined, config.arms)


def _initialize(
    output: pathlib.Path, described: Any, what: str, run: ResolvedRun
) -> None:
    text = json.dumps({what: described}, indent=2) + "\n"
    study_folder.initialize(output, CONFIG, text, f"{what} of folds", run)


def _arms(path: pathlib.Path) -> list[ArmResult]:
    return results.at_best_rates(results.arm_results(results.load_runs(path)))


def _write_table(
    joined: Sequence[ArmResult], task: str, output: pathlib.Path
) -> Any:
    table = results.table_of(joined, task)
    cells = table.reset_index()
    for name in ("task", "arm", "settings"):
        cells[name] = cells[name].map(spreadsheets.escape_formula)
    files.write_text(output / TABLE, cells.to_csv(index=False))
    return table
