"""Dates of large tables that are not in ISO 8601, such as 31.12.2024."""

from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data.tables import times

if TYPE_CHECKING:
    import pandas as pd


class WrittenDates:
    """Reads parts of a column of dates as `times.parse` reads all of it.

    Only the whole column tells whether the day comes first, so each date is
    read in both ways.

    Args:
        cells: `pandas.Series`, the first part of the column.
    """

    def __init__(self, cells: "pd.Series") -> None:
        self._formats = times.formats_of_first(cells)
        self._num_missing = np.zeros(len(self._formats), int)
        self._differ = False

    @property
    def are_known(self) -> bool:
        """Whether all dates may have the format of the first."""
        return bool(self._formats)

    def read(self, cells: "pd.Series") -> tuple[np.ndarray, float]:
        """The dates as whole numbers, and how many of them a second has.

        Args:
            cells: `pandas.Series`, a part of the column.

        Returns:
            A tuple: int64 array `(rows, readings)`, and float.
        """
        readings = [times.read_dates(cells, each) for each in self._formats]
        numbers = [times.whole_numbers(reading) for reading in readings]
        found = np.stack([each for each, _ in numbers], axis=1)
        self._num_missing += [int(each.isna().sum()) for each in readings]
        self._differ |= bool((found != found[:, :1]).any())
        # Where no date has a format, pandas counts in seconds.
        return found, max(per_second for _, per_second in numbers)

    def chosen(self) -> int | None:
        """Which reading all dates have.

        Returns:
            int, or `None` if they may be read in two ways, or one of them in
            none, which is for `times.parse` to refuse.
        """
        complete = np.flatnonzero(self._num_missing == 0)
        if not len(complete) or (len(complete) > 1 and self._differ):
            return None
        return int(complete[0])
