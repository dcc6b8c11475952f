"""Runs that predict numbers, as one table."""

from typing import Any

INDEX = ("task", "arm", "settings")
# What `keras_fpt.runs.train` measures of a regression.
METRICS = ("rmse", "mae", "r2")


def of_regressions(runs: Any) -> Any:
    """Which runs are of tasks that are regressions.

    A task is one if a finished run of it has an RMSE.

    Args:
        runs: `pandas.DataFrame` of `load_runs`.

    Returns:
        Boolean `pandas.Series`, one value per run.
    """
    if "validation_rmse" not in runs:
        return runs["task"].isna()  # None.
    tasks = runs.loc[runs["validation_rmse"].notna(), "task"].unique()
    return runs["task"].isin(tasks)


def summarize_regressions(runs: Any) -> Any:
    """One row per arm of each regression and its settings and learning rate.

    Args:
        runs: `pandas.DataFrame` of `load_runs`.

    Returns:
        `pandas.DataFrame` with the columns `task`, `arm`, `settings`,
        `learning_rate`, `n` (finished runs), for validation and test
        `<split>_rmse`, `<split>_mae` and `<split>_r2`, means over the runs,
        and `<split>_floor_rmse`, the error of always predicting the mean of
        train. It has no row if no run is of a regression; NaN stands for a
        test split that was not read.
    """
    chosen = runs[of_regressions(runs) & (runs["status"] == "finished")]
    names = [
        f"{split}_{metric}"
        for split in ("validation", "test")
        for metric in (*METRICS, "floor_rmse")
    ]
    keys = [*INDEX, "learning_rate"]
    numbers = chosen.reindex(columns=[*keys, *names])
    grouped = numbers.groupby(keys, sort=False)
    table = grouped.mean()
    table.insert(0, "n", grouped.size())
    return table.reset_index()
