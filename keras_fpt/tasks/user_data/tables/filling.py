"""Fills missing cells from the previous row, or from the training rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks.user_data.tables.columns import Column


def fill_forward(values: np.ndarray, keys: Any) -> np.ndarray:
    """Fills missing cells from the previous row, within a group.

    Args:
        values: array `(rows, columns)`, NaN where a cell is missing.
        keys: sequence of each row's group, or `None` for a single series.

    Returns:
        An array of the same shape; NaN where no row comes before.
    """
    import pandas as pd

    frame = pd.DataFrame(values)
    groups = np.zeros(len(values), int) if keys is None else np.asarray(keys)
    return frame.groupby(groups).ffill().to_numpy(float)


def fill_rest(values: np.ndarray, columns: Sequence[Column]) -> np.ndarray:
    """Fills missing cells with the medians of the training rows."""
    filler = np.array(
        [np.nan if c.filler is None else c.filler for c in columns]
    )
    return np.where(np.isnan(values), filler, values)
