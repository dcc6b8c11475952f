"""The rows that are to be forecast, of which other columns are known."""

import numpy as np

from keras_fpt.tasks.user_data.tables import table_order, windows


def count(
    ordered: table_order.Ordered, values: np.ndarray, columns: int
) -> np.ndarray:
    """How many rows at the end of each series lack all that is forecast.

    Args:
        ordered: the `Ordered` of the table's rows.
        values: float array `(rows, columns)`, in the order of the file, NaN
            where a cell is missing.
        columns: int, how many of the columns, the first ones, are forecast.

    Returns:
        int array `(series,)`, in the order of `ordered`.
    """
    is_known = ~np.isnan(values[ordered.order, :columns]).all(axis=1)
    # The place after the last known row so far.
    after_known = np.maximum.accumulate(
        np.where(is_known, np.arange(1, len(is_known) + 1), 0)
    )
    starts, lengths = windows.stretches(ordered.is_first)
    ends = starts + lengths
    return ends - np.maximum(after_known[ends - 1], starts)


def without(
    values: np.ndarray,
    ordered: table_order.Ordered,
    unknown: np.ndarray,
    columns: int,
) -> np.ndarray:
    """Values whose cells that are to be forecast do not count as missing.

    Args:
        values: float array `(rows, columns)`, in the order of the file.
        ordered: the `Ordered` of the table's rows.
        unknown: int array `(series,)`, what `count` returned.
        columns: int, how many of the columns, the first ones, are forecast.
    """
    if not unknown.any():
        return values
    starts, lengths = windows.stretches(ordered.is_first)
    ends = np.repeat(starts + lengths, lengths)
    is_unknown = np.arange(len(ends)) >= ends - np.repeat(unknown, lengths)
    found = values.copy()
    found[ordered.order[is_unknown], :columns] = 0
    return found
