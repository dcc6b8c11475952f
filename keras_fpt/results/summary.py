"""The table of arms: means over seeds, intervals, steps to converge."""

import json
from typing import Any

import numpy as np

from keras_fpt.results.convergence import (
    StepsToConverge,
    median_steps,
    steps_to_share_of_best,
)
from keras_fpt.results.run_table import read_history
from keras_fpt.results.statistics import mean_and_interval
from keras_fpt.runs import RunConfig, arms

INDEX = ["task", "arm", "settings"]
_SETTINGS = [name for name in RunConfig("").settings() if name != "seed"]


def summarize(runs: Any) -> Any:
    """One row per arm of each task and its settings, over final runs.

    Final runs are those that read the test split: at the arm's best settings,
    one per seed.

    Args:
        runs: `pandas.DataFrame` of `load_runs`.

    Returns:
        `pandas.DataFrame` indexed by task, arm and settings, see `load_runs`:
        `n`, finished runs; `diverged`, runs that did not finish since their
        loss became infinite or NaN; `learning_rate`; `train_accuracy`,
        `validation_accuracy` and `test_accuracy`, means over finished runs;
        `..._interval` for each, half the width of its 95% interval by
        Student's t over seeds (NaN for one run);
        `steps_to_converge`, text, the median steps to 95% of the arm's best
        validation accuracy, which a diverged run never reaches;
        `wall_seconds`, the mean; `trainable_parameters`. Runs of one arm with
        different settings, apart from the seed, have one row each.

    Raises:
        ValueError: no run is final.
    """
    import pandas as pd

    final = runs[runs["final"]]
    if final.empty:
        raise ValueError("None of the runs has read the test split.")
    settings = [
        json.dumps({name: row[name] for name in _SETTINGS})
        for row in final.to_dict("records")
    ]
    groups = [group for _, group in final.groupby(settings, sort=False)]
    tasks, order = list(final["task"].unique()), list(arms.ARMS)

    def position(group: Any) -> tuple[int, int, str]:
        task, arm, words = group[INDEX].iloc[0]
        return tasks.index(task), order.index(arm), words

    groups.sort(key=position)
    index = [tuple(group[INDEX].iloc[0]) for group in groups]
    return pd.DataFrame(
        map(_row, groups), pd.MultiIndex.from_tuples(index, names=INDEX)
    )


def _row(group: Any) -> dict[str, Any]:
    finished = group[group["status"] == "finished"]
    row: dict[str, Any] = {
        "n": len(finished),
        "diverged": len(group) - len(finished),
        "learning_rate": group["learning_rate"].iloc[0],
    }
    for split in ("train", "validation", "test"):
        name = f"{split}_accuracy"
        row[name], row[f"{name}_interval"] = mean_and_interval(
            finished[name] if len(finished) else []
        )
    for name in ("steps_to_converge", "wall_seconds", "trainable_parameters"):
        row[name] = np.nan
    if finished.empty:
        return row
    histories = [read_history(folder) for folder in finished["folder"]]
    diverged = StepsToConverge(int(group["steps"].iloc[0]), True)
    row["steps_to_converge"] = str(
        median_steps(
            steps_to_share_of_best(histories) + row["diverged"] * [diverged]
        )
    )
    row["wall_seconds"] = finished["wall_seconds"].mean()
    row["trainable_parameters"] = int(finished["trainable_parameters"].iloc[0])
    return row


def by_learning_rate(runs: Any) -> Any:
    """What each arm reached at each learning rate that was tried for it.

    All runs have the same seed: the lowest, which is that of a sweep's search.
    A row shows what a comparison at one learning rate would have found.

    Args:
        runs: `pandas.DataFrame` of `load_runs`, of one task.

    Returns:
        `pandas.DataFrame` of validation accuracies, indexed by learning rate,
        with a column for each arm and its settings, e.g. `fpt, depth 2`. NaN
        where a run did not finish, or was not run.
    """
    position = list(arms.ARMS).index
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
            values="validation_accuracy",
            index="learning_rate",
            columns="name",
            dropna=False,
            sort=False,
        )
        .sort_index()
    )
