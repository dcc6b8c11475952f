"""Whether a learning curve was still rising when its steps were over."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# The evaluations that a curve needs, of which the last quarter is compared
# with the quarter before.
MIN_EVALUATIONS = 8
# How much higher the accuracy must be.
MIN_GAIN = 0.01


def gain(histories: Sequence[Sequence[Mapping[str, Any]]]) -> float:
    """How much validation accuracy still rose at the end, over several seeds.

    Args:
        histories: list of lists of dicts as in `history.csv`.

    Returns:
        Float, the mean over the last quarter of the evaluations minus that over
        the quarter before; 0 if that is less than `MIN_GAIN`, if the
        validation loss did not fall as well, or if a curve is too short to
        tell.
    """
    if not histories or min(map(len, histories)) < MIN_EVALUATIONS:
        return 0.0
    rise = np.mean([_change(rows, "validation_accuracy") for rows in histories])
    loss = np.mean([_change(rows, "validation_loss") for rows in histories])
    return float(rise) if rise >= MIN_GAIN and loss < 0 else 0.0


def _change(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    values = np.array([row[name] for row in rows], float)
    quarter = len(values) // 4
    return values[-quarter:].mean() - values[-2 * quarter : -quarter].mean()
