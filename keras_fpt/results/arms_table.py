"""Adds the paper's figures, simple rules and baselines to the table of arms."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.results import published_figures, summary
from keras_fpt.results.arm_results import floors
from keras_fpt.results.baselines import RULES, Baseline
from keras_fpt.runs import measures

SIMPLE_RULE = "simple rule"


def with_paper(table: Any) -> Any:
    """The table of arms with columns for published test accuracies.

    Args:
        table: `pandas.DataFrame` of `summarize`.

    Returns:
        The table with `paper_test_accuracy` and `paper_source`, of Lu et al.,
        and `rothermel_test_accuracy`. Variants of a task that reproduce the
        reference code have the figures of the task. A table without
        accuracies is returned as it is.
    """
    if "test_accuracy" not in table and len(table):
        return table
    paper, rothermel = [], []
    for task, arm, settings in table.index:
        name = task.removesuffix(":reference")
        paper.append(published_figures.PAPER.get((name, arm, settings)))
        rothermel.append(
            None if settings else published_figures.ROTHERMEL.get((task, arm))
        )
    return table.assign(
        paper_test_accuracy=[f and f.accuracy for f in paper],
        paper_source=[f.source if f else "" for f in paper],
        rothermel_test_accuracy=[f and f.accuracy for f in rothermel],
    )


def with_floors(table: Any, runs: Any) -> Any:
    """The table of arms with one more row for each simple rule of a task.

    Args:
        table: `pandas.DataFrame` of `summarize`.
        runs: `pandas.DataFrame` of `load_runs`.
    """
    # Scores that are the same for all examples.
    auroc = {"test_auroc": 0.5} if "test_auroc" in table else {}
    rows = [
        {
            "task": task,
            "arm": floor.name,
            "settings": SIMPLE_RULE,
            "n": 1,
            "diverged": 0,
            f"validation_{floor.scores.measure.name}": floor.validation_value,
            f"test_{floor.scores.measure.name}": floor.scores.value,
            **(auroc if summary.has_several_labels(group) else {}),
        }
        for task, group in runs[runs["final"]].groupby("task", sort=False)
        for floor in floors(group)
    ]
    return _with_rows(table, rows)


def with_baselines(table: Any, baselines: Sequence[Baseline]) -> Any:
    """The table of arms with one more row per baseline.

    Args:
        table: `pandas.DataFrame` of `summarize`.
        baselines: list of `Baseline`.
    """
    # The rules have separate rows.
    return _with_rows(
        table, _baseline_rows([b for b in baselines if b.name not in RULES])
    )


def measure_of(rows: Any) -> measures.Measure:
    """The measure of one task's rows in the table of arms.

    Args:
        rows: `pandas.DataFrame`, or a dict of one row.
    """
    for measure in measures.BY_NAME.values():
        found = rows.get(f"validation_{measure.name}")
        if measure.is_error and found is not None and np.any(found == found):
            return measure
    return measures.ACCURACY


def of_baselines(baselines: Sequence[Baseline]) -> Any:
    """The table of arms of a comparison in which none was trained.

    Args:
        baselines: list of `Baseline`, at least one.
    """
    import pandas as pd

    table = pd.DataFrame(_baseline_rows(baselines)).set_index(summary.INDEX)
    return table.assign(
        learning_rate=np.nan,
        edge="",
        steps_to_converge=np.nan,
        **{
            f"{split}_{baselines[0].measure.name}_interval": np.nan
            for split in ("train", "validation", "test")
        },
    )


def _baseline_rows(baselines: Sequence[Baseline]) -> list[dict[str, Any]]:
    return [
        {
            "task": baseline.task,
            "arm": baseline.name,
            "settings": _settings(baseline),
            "n": 1,
            "diverged": 0,
            **baseline.values,
            **(
                {}
                if baseline.test_auroc is None
                else {"test_auroc": baseline.test_auroc}
            ),
            "wall_seconds": baseline.seconds,
        }
        for baseline in baselines
    ]


def _settings(baseline: Baseline) -> str:
    words = [baseline.settings] if baseline.settings else []
    if baseline.size is not None:
        words.append(f"train examples {baseline.size}")
    return ", ".join(words)


def _with_rows(table: Any, rows: Sequence[dict[str, Any]]) -> Any:
    import pandas as pd

    if not rows:
        return table
    added = pd.DataFrame(rows).set_index(summary.INDEX)
    return pd.concat([table, added.reindex(columns=table.columns)])
