"""The table of arms: means over seeds, intervals, steps to converge."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.results.arm_results import ArmResult, arm_results, floors
from keras_fpt.results.convergence import (
    StepsToConverge,
    area_under_curve,
    common_threshold,
    median_steps,
    steps_to_converge,
)
from keras_fpt.results.run_table import read_history
from keras_fpt.results.statistics import mean_and_interval
from keras_fpt.runs import arms, measures

INDEX = ["task", "arm", "settings"]


def summarize(runs: Any, is_required: bool = True) -> Any:
    """One row per arm of each task and its settings, over final runs.

    Final runs are those that read the test split: at the arm's best settings,
    one per seed.

    Args:
        runs: `pandas.DataFrame` of `load_runs`.
        is_required: bool, whether it is an error if no run is final;
            otherwise the table is empty.

    Returns:
        `pandas.DataFrame` indexed by task, arm and settings, see `load_runs`:
        `n`, finished runs; `diverged`, runs that did not finish since their
        loss became infinite or NaN; `learning_rate`; `train_accuracy`,
        `validation_accuracy` and `test_accuracy`, means over finished runs;
        `..._interval` for each, half the width of its 95% interval by
        Student's t over seeds (NaN for one run);
        `learned`, whether the arm is shown to be better than every simple rule;
        `edge`, `"lowest"` or `"highest"` if its learning rate is that of those
        tried, so that a better one may lie beyond;
        `steps_to_converge`, text, the median steps to a validation accuracy
        that is the same for all arms of a task, see
        `convergence.common_threshold`, which a diverged run never reaches;
        `area_under_curve`, the mean validation accuracy over the steps;
        `wall_seconds`, the mean; `trainable_parameters`. Runs of one arm with
        different settings, apart from the seed, have one row each. A diverged
        run has the validation and test accuracy of the majority class. Of a
        regression, `train_rmse` and so on stand for the accuracies, with
        `train_mae` and `train_r2`, means over finished runs, next to them.

    Raises:
        ValueError: no run is final.
    """
    import pandas as pd

    final = runs[runs["final"]]
    if final.empty and is_required:
        raise ValueError("None of the runs has read the test split.")
    tables = [
        table_of(arm_results(runs[runs["task"] == task]), task)
        for task in final["task"].unique()
    ]
    if not tables:
        index = pd.MultiIndex.from_arrays([[]] * len(INDEX), names=INDEX)
        return pd.DataFrame(index=index)
    return pd.concat(tables)


def table_of(results: Sequence[ArmResult], task: str) -> Any:
    """The table of `summarize`, from what each arm has reached.

    Args:
        results: list of `ArmResult`, of one task.
        task: string, its name.
    """
    import pandas as pd

    threshold = _threshold(results)
    order = list(arms.ARMS)
    found = sorted(
        results, key=lambda result: (order.index(result.arm), result.settings)
    )
    index = [(task, result.arm, result.settings) for result in found]
    return pd.DataFrame(
        [_row(result, threshold) for result in found],
        pd.MultiIndex.from_tuples(index, names=INDEX),
    )


def _threshold(results: Sequence[ArmResult]) -> float:
    """The validation value at which a task's runs have converged."""
    import pandas as pd

    final = pd.concat([result.rows for result in results])
    finished = final[final["status"] == "finished"]
    histories = [read_history(folder) for folder in finished["folder"]]
    measure = measures.of_runs(final)
    floor = max(
        [
            measure.oriented(each.validation_value)
            for each in floors(final)
            if each.validation_value == each.validation_value
        ],
        default=measure.worst_score,
    )
    return common_threshold(histories, floor)


def has_several_labels(runs: Any) -> bool:
    """Whether examples of runs have any number of labels.

    Args:
        runs: `pandas.DataFrame` of `load_runs`, of one task.
    """
    name = "test_exact_match"
    return name in runs and bool(runs[name].notna().any())


def _row(result: ArmResult, threshold: float) -> dict[str, Any]:
    group = result.rows
    finished = group[group["status"] == "finished"]
    diverged = len(group) - len(finished)
    row: dict[str, Any] = {
        "n": len(finished),
        "diverged": diverged,
        "learning_rate": result.learning_rate,
        "edge": result.edge or "",
        "learned": result.has_learned,
    }
    measure = result.measure
    rule = f"validation_{measure.floor_metric}"
    reached: Any = group[rule].dropna() if rule in group else []
    of_rule = reached.iloc[0] if len(reached) else np.nan
    values = {
        "train": list(finished[f"train_{measure.name}"]),
        "validation": [
            *finished[f"validation_{measure.name}"],
            *([of_rule] * diverged),
        ],
        "test": list(measure.value(result.scores.seeds)),
    }
    for split, found in values.items():
        name = f"{split}_{measure.name}"
        row[name], row[f"{name}_interval"] = mean_and_interval(found)
    for split in values:
        for other in measure.others:
            name = f"{split}_{other}"
            row[name] = finished[name].mean() if name in finished else np.nan
    if has_several_labels(group):
        row["test_auroc"] = finished["test_auroc"].astype(float).mean()
    for name in (
        "steps_to_converge",
        "area_under_curve",
        "wall_seconds",
        "trainable_parameters",
    ):
        row[name] = np.nan
    if finished.empty:
        return row
    histories = [read_history(folder) for folder in finished["folder"]]
    never = StepsToConverge(result.trained_steps, True)
    row["steps_to_converge"] = str(
        median_steps(
            [steps_to_converge(rows, threshold) for rows in histories]
            + diverged * [never]
        )
    )
    row["area_under_curve"] = np.mean(
        [area_under_curve(rows) for rows in histories]
    )
    row["wall_seconds"] = finished["wall_seconds"].mean()
    row["trainable_parameters"] = int(finished["trainable_parameters"].iloc[0])
    return row


def at_common_steps(runs: Any) -> Any:
    """The runs of a search by halving, as they were when all of them trained.

    Learning rates that were given up early can be compared with others only at
    steps that all have had.

    Args:
        runs: `pandas.DataFrame` of `load_runs`, of one task.

    Returns:
        The runs, if none has paused. Otherwise those of the lowest seed, which
        is that of the search, with the validation accuracy, or RMSE, of the
        lowest validation loss up to the fewest steps of any that paused.
    """
    if "paused" not in runs:
        return runs
    first = runs[runs["seed"] == runs["seed"].min()].copy()
    metric = f"validation_{measures.of_runs(runs).name}"
    steps = first["trained_steps"][first["paused"] == 1].min()
    for index in first.index[first["status"] == "finished"]:
        rows = read_history(first.loc[index, "folder"])
        reached = [row for row in rows if not row["step"] > steps]
        best = min(reached, key=lambda row: row["validation_loss"])
        first.loc[index, metric] = best[metric]
    return first


def by_learning_rate(runs: Any) -> Any:
    """The results of each arm at each learning rate that was tried for it.

    All runs have the same seed: the lowest, which is that of a sweep's search,
    and the steps of `at_common_steps`. A row shows what a comparison at one
    learning rate would have found.

    Args:
        runs: `pandas.DataFrame` of `load_runs`, of one task.

    Returns:
        `pandas.DataFrame` of validation accuracies, or of a regression of
        RMSEs, indexed by learning rate,
        with a column for each arm and its settings, e.g. `fpt, depth 2`. NaN
        where a run did not finish, or was not run.
    """
    position = list(arms.ARMS).index
    runs = at_common_steps(runs)
    first = runs[runs["seed"] == runs["seed"].min()].sort_values(
        ["arm", "settings"],
        key=lambda column: (
            column.map(position) if column.name == "arm" else column
        ),
    )
    names = first["arm"].where(
        first["settings"] == "", first["arm"] + ", " + first["settings"]
    )
    return (
        first.assign(name=names)
        .pivot_table(
            values=f"validation_{measures.of_runs(runs).name}",
            index="learning_rate",
            columns="name",
            dropna=False,
            sort=False,
        )
        .sort_index()
    )
