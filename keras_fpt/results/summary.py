"""Runs of an arm together: means, intervals, and what can be said of them."""

import dataclasses
import json

import numpy as np

from keras_fpt.results.convergence import (
    StepsToConverge,
    median_steps,
    steps_to_share_of_best,
)
from keras_fpt.results.run_table import read_history
from keras_fpt.runs import arms
from keras_fpt.runs.config import RunConfig

CONFIDENCE = 0.95
INDEX = ["task", "arm", "settings"]
_SETTINGS = [f.name for f in dataclasses.fields(RunConfig) if f.name != "seed"]


def summarize(runs):
    """A row for each arm of each task, and its settings, over final runs.

    Those are the runs that read the test split: those at the arm's best
    settings, one for each seed.

    Args:
        runs: `pandas.DataFrame` of `load_runs`.

    Returns:
        `pandas.DataFrame` indexed by task, arm and settings, see `load_runs`:
        `n`, finished runs; `diverged`, runs that did not finish since their
        loss became infinite or NaN; `learning_rate`; `train_accuracy`,
        `validation_accuracy` and `test_accuracy`, means over the finished,
        each with half its 95% interval's width, `..._interval`, of Student's
        t over seeds (NaN for one run);
        `steps_to_converge`, text, the median steps to 95% of the arm's best
        validation accuracy, which a diverged run never reaches;
        `wall_seconds`, the mean; `trainable_parameters`. Runs of one arm with
        different settings, apart from the seed, have a row each.

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

    def place(group):
        task, arm, words = group[INDEX].iloc[0]
        return tasks.index(task), order.index(arm), words

    groups.sort(key=place)
    index = [tuple(group[INDEX].iloc[0]) for group in groups]
    return pd.DataFrame(
        map(_row, groups), pd.MultiIndex.from_tuples(index, names=INDEX)
    )


def _row(group):
    finished = group[group["status"] == "finished"]
    row = {
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


def by_learning_rate(runs):
    """What each arm reached at each learning rate that was tried for it.

    All at the same seed, the lowest, which is that of a sweep's search: so a
    row says what a comparison at one rate would have found.

    Args:
        runs: `pandas.DataFrame` of `load_runs`: one task's.

    Returns:
        `pandas.DataFrame` of validation accuracies, indexed by learning rate,
        with a column for each arm and its settings, e.g. `fpt, depth 2`. NaN
        where a run did not finish, or was not run.
    """
    place = list(arms.ARMS).index
    first = runs[runs["seed"] == runs["seed"].min()].sort_values(
        ["arm", "settings"],
        key=lambda column: (
            column.map(place) if column.name == "arm" else column
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


def mean_and_interval(values):
    """A mean, and half of its 95% interval's width by Student's t.

    Args:
        values: sequence of floats, one a seed.

    >>> mean, half = mean_and_interval([0.8, 0.9, 1.0])
    >>> f"{mean:.2f} ± {half:.2f}"
    '0.90 ± 0.25'
    """
    from scipy import stats

    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return values.sum() if len(values) else np.nan, np.nan
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)
    return values.mean(), quantile * stats.sem(values)


def difference(ours, theirs):
    """How much higher one mean is than another, with its 95% interval.

    Args:
        ours: sequence of floats, one a seed.
        theirs: likewise; the variances may differ (Welch).

    Returns:
        Tuple of the difference and the interval's ends, which are NaN where
        one of them has a single value.
    """
    from scipy import stats

    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    found = ours.mean() - theirs.mean()
    if min(len(ours), len(theirs)) < 2:
        return found, np.nan, np.nan
    if not (ours.var() or theirs.var()):
        # Student's t has no say on values that do not vary.
        return found, np.nan, np.nan
    low, high = stats.ttest_ind(
        ours, theirs, equal_var=False
    ).confidence_interval(CONFIDENCE)
    return found, low, high


def status(ours, theirs):
    """Whether one arm is above another.

    Args:
        ours: sequence of its accuracies, one a seed.
        theirs: sequence of the other's.

    Returns:
        String: `holds`, `does not hold` or `cannot be told`.
    """
    _, low, high = difference(ours, theirs)
    if low > 0:
        return "holds"
    return "does not hold" if high < 0 else "cannot be told"


def verdict(name, ours, other, theirs):
    """A sentence on two arms' accuracies that the numbers support.

    Args:
        name: string, an arm.
        ours: sequence of its accuracies, one a seed.
        other: string, another arm.
        theirs: sequence of that one's.

    >>> verdict("fpt", [0.90, 0.91, 0.92], "random", [0.80, 0.81, 0.82])
    'fpt is above random by 10.0 points (95% interval 7.7 to 12.3).'
    """
    found, low, high = (100 * x for x in difference(ours, theirs))
    if np.isnan(low):
        return (
            f"Whether {name} is above {other} cannot be told from "
            f"{len(ours)} and {len(theirs)} runs: the difference is "
            f"{found:.1f} points, and no interval can be given."
        )
    interval = f"(95% interval {low:.1f} to {high:.1f})"
    if low > 0:
        return f"{name} is above {other} by {found:.1f} points {interval}."
    if high < 0:
        return f"{name} is below {other} by {-found:.1f} points {interval}."
    return (
        f"Whether {name} is above {other} cannot be told at this budget: the "
        f"difference is {found:.1f} points {interval}."
    )
