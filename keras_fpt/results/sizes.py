"""Accuracy against the number of training examples, as a table."""

from collections.abc import Mapping
from typing import Any

from keras_fpt.results import arms_table, baselines


def by_size(tables: Mapping[int, Any]) -> Any:
    """Tables of arms at several numbers of training examples as one.

    Args:
        tables: dict from numbers of training examples to `pandas.DataFrame`
            as of `write_report`, of one task.

    Returns:
        `pandas.DataFrame` with the columns `candidate` (an arm and its
        settings, a rival, or a simple rule), `is_simple_rule`,
        `train_examples`, `runs`, `validation_accuracy`, `test_accuracy` and
        `test_accuracy_interval`, half of its 95% interval over seeds.
    """
    import pandas as pd

    parts = []
    for count, table in tables.items():
        rows = table.reset_index()
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
                        | (rows["arm"] == baselines.MAJORITY)
                    ),
                    "train_examples": count,
                    "runs": rows["n"],
                    "validation_accuracy": rows["validation_accuracy"],
                    "test_accuracy": rows["test_accuracy"],
                    "test_accuracy_interval": rows["test_accuracy_interval"],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _name(arm: str, settings: str) -> str:
    """A candidate's name, without what was chosen on validation."""
    if arm == baselines.MAJORITY:
        return "majority class"
    is_chosen = arm in baselines.DESCRIPTIONS
    if is_chosen or settings in ("", arms_table.SIMPLE_RULE):
        return arm
    return f"{arm} ({settings})"
