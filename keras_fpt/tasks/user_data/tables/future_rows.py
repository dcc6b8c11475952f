"""The rows that are to be forecast, of which other columns are known."""

import numpy as np

from keras_fpt.tasks.user_data.tables import table_order, windows


def count(has_number: np.ndarray, series: np.ndarray) -> np.ndarray:
    """How many rows at the end of each series lack all that is forecast.

    Args:
        has_number: bool array `(rows,)`, in the order of the series, which
            rows have a number of what is forecast.
        series: int array, the place of the first row of each series.

    Returns:
        int array `(series,)`.
    """
    ends = np.append(series[1:], len(has_number))
    found = np.zeros(len(series), int)
    for index, (start, end) in enumerate(zip(series, ends, strict=True)):
        backwards = has_number[start:end][::-1]
        last = int(np.argmax(backwards))
        found[index] = last if backwards[last] else end - start
    return found


def are_unknown(
    size: int, series: np.ndarray, unknown: np.ndarray
) -> np.ndarray:
    """Which rows `count` has counted, bool array `(size,)`, in its order."""
    found = np.zeros(size, bool)
    ends = np.append(series[1:], size)
    for end, ahead in zip(ends.tolist(), unknown.tolist(), strict=True):
        found[end - ahead : end] = True
    return found


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
    series, _ = windows.stretches(ordered.is_first)
    is_unknown = are_unknown(len(values), series, unknown)
    found = values.copy()
    found[ordered.order[is_unknown], :columns] = 0
    return found
