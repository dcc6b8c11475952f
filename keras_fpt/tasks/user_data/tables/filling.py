"""Fills missing cells from the previous row, or from the training rows."""

from collections.abc import Iterable, Iterator, Sequence
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


def fill_forward_in_parts(
    parts: Iterable[np.ndarray], breaks: np.ndarray
) -> Iterator[np.ndarray]:
    """Fills missing cells as `fill_forward`, some rows at a time.

    Args:
        parts: iterable of arrays `(rows, columns)`, which are changed.
        breaks: int array, sorted, the rows that nothing is filled from before.

    Yields:
        Arrays of the same shapes.
    """
    first, last = 0, None
    for values in parts:
        end = first + len(values)
        low, high = np.searchsorted(breaks, [first, end])
        own = breaks[low:high] - first
        if last is not None and not (len(own) and own[0] == 0):
            values[0] = np.where(np.isnan(values[0]), last, values[0])
        is_break = np.zeros(len(values), bool)
        is_break[own] = True
        values = fill_forward(values, np.cumsum(is_break))
        first, last = end, values[-1]
        yield values
