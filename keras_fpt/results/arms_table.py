"""Adds the paper's figures and the baselines to the table of arms."""

from collections.abc import Sequence
from typing import Any

from keras_fpt.results import published_figures, summary
from keras_fpt.results.baselines import Baseline


def with_paper(table: Any) -> Any:
    """The table of arms with a column for the paper's test accuracy.

    Args:
        table: `pandas.DataFrame` of `summarize`.
    """
    figures = [
        None if settings else published_figures.TEST_ACCURACY.get((task, arm))
        for task, arm, settings in table.index
    ]
    return table.assign(paper_test_accuracy=figures)


def with_baselines(table: Any, baselines: Sequence[Baseline]) -> Any:
    """The table of arms with one more row per baseline.

    Args:
        table: `pandas.DataFrame` of `summarize`.
        baselines: list of `Baseline`.
    """
    import pandas as pd

    if not baselines:
        return table
    rows = [
        {
            "task": baseline.task,
            "arm": baseline.name,
            "settings": baseline.settings,
            "n": 1,
            "diverged": 0,
            "train_accuracy": baseline.train_accuracy,
            "validation_accuracy": baseline.validation_accuracy,
            "test_accuracy": baseline.test_accuracy,
            "wall_seconds": baseline.seconds,
        }
        for baseline in baselines
    ]
    added = pd.DataFrame(rows).set_index(summary.INDEX)
    return pd.concat([table, added.reindex(columns=table.columns)])
