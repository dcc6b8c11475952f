"""Whether a learning curve was still improving at its last step."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_fpt.runs import measures

# The evaluations that a curve needs, of which the last quarter is compared
# with the quarter before.
MIN_EVALUATIONS = 8
# How much higher the accuracy must be, or by which share lower the error.
MIN_GAIN = 0.01


def gain(
    histories: Sequence[Sequence[Mapping[str, Any]]],
    measure: measures.Measure = measures.ACCURACY,
) -> float:
    """How much validation still improved at the end, over several seeds.

    Args:
        histories: list of lists of dicts as in `history.csv`.
        measure: a `Measure`.

    Returns:
        Float, the gain from the mean over the last quarter but one of the
        evaluations to that over the last quarter; 0 if that is less than
        `MIN_GAIN`, if the validation loss did not fall as well, or if a curve
        is too short to tell.
    """
    if not histories or min(map(len, histories)) < MIN_EVALUATIONS:
        return 0.0
    name = f"validation_{measure.name}"
    rise = np.mean([measure.gain(*_quarters(rows, name)) for rows in histories])
    losses = [_quarters(rows, "validation_loss") for rows in histories]
    loss = np.mean([after - before for before, after in losses])
    return float(rise) if rise >= MIN_GAIN and loss < 0 else 0.0


def _quarters(
    rows: Sequence[Mapping[str, Any]], name: str
) -> tuple[float, float]:
    """The means over the last quarter but one of a curve, and the last."""
    values = np.array([row[name] for row in rows], float)
    quarter = len(values) // 4
    before, after = values[-2 * quarter : -quarter], values[-quarter:]
    return before.mean(), after.mean()
