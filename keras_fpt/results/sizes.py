"""Accuracy, or error, against the number of training examples, as a table."""

from collections.abc import Mapping
from typing import Any

from keras_fpt.results import arms_table, baselines
from keras_fpt.tasks import MAJORITY, MEAN, NAIVE, SEASONAL_NAIVE

# The names as simple rules of the baselines that are simple rules.
_RULES = {
    baselines.MAJORITY: MAJORITY,
    baselines.MEAN: MEAN,
    baselines.NAIVE: NAIVE,
    baselines.SEASONAL_NAIVE: SEASONAL_NAIVE,
}


def by_size(tables: Mapping[int, Any]) -> Any:
    """Tables of arms at several numbers of training examples as one.

    Args:
        tables: dict from numbers of training examples to `pandas.DataFrame`
            as of `write_report`, of one task.

    Returns:
        `pandas.DataFrame` with the columns `candidate` (an arm and its
        settings, a rival, or a simple rule), `is_simple_rule`,
        `train_examples`, `runs`, `validation_accuracy`, `test_accuracy` and
        `test_accuracy_interval`, half of its 95% interval over seeds; the last
        three are RMSEs, and named so, if the task is a regression, and MSEs
        if it is a forecast.
    """
    import pandas as pd

    parts = []
    for count, table in tables.items():
        rows = table.reset_index()
        metric = arms_table.measure_of(table).name
        columns = (
            f"validation_{metric}",
            f"test_{metric}",
            f"test_{metric}_interval",
        )
        parts.append(
            pd.DataFrame(
                {
                    "candidate": [
                        _name(arm, settings)
                        for arm, settings in zip(
                            rows["arm"], rows["settings"], strict=True
                        )
                    ],
                    "is_simple_rule": (
                        (rows["settings"] == arms_table.SIMPLE_RULE)
                        | rows["arm"].isin(baselines.RULES)
                    ),
                    "train_examples": count,
                    "runs": rows["n"],
                    **{name: rows[name] for name in columns},
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _name(arm: str, settings: str) -> str:
    """A candidate's name, without what was chosen on validation."""
    if arm in _RULES:
        return _RULES[arm]
    is_chosen = arm in baselines.DESCRIPTIONS
    if is_chosen or settings in ("", arms_table.SIMPLE_RULE):
        return arm
    return f"{arm} ({settings})"
