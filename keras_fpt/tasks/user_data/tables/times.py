"""Columns of times: numbers or dates, their order and their gaps."""

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data.tables import dates

if TYPE_CHECKING:
    import pandas as pd

# A step of more than this many median steps is a gap.
GAP = 5
# Kinds of times: numbers, of which some are dates such as 20241231; and text.
NUMBERS = ("number", dates.COMPACT)
DATES = "dates in ISO 8601"


def parse(
    cells: "pd.Series", column: str, where: Callable[[int], str]
) -> np.ndarray:
    """Parses times.

    Args:
        cells: `pandas.Series` of numbers, of dates, or of text that is either.
        column: string, for errors.
        where: function from a row to words that say where it is, for errors.

    Returns:
        float64 array `(rows,)`: the numbers, or the seconds since the first
        date; of numbers such as 20241231 the days.

    Raises:
        ValueError: a cell is not a time, or dates can be read in two ways.
    """
    import pandas as pd

    numbers = pd.to_numeric(cells, errors="coerce")
    if numbers.notna().any():
        times = numbers.to_numpy(float)
        wrong = np.flatnonzero(~np.isfinite(times))
        if not len(wrong) and dates.are_compact(times):
            # In days, since that is what a step of the numbers mostly is.
            times = dates.to_days(dates.compact_texts(times), dates.COMPACT)
    else:
        found = _dates(cells, column, where)
        wrong = np.flatnonzero(found.isna())
        times = (found - found.min()).dt.total_seconds().to_numpy()
    if len(wrong):
        row = int(wrong[0])
        raise ValueError(
            f"{where(row)}, column '{column}': expected a number or a date "
            f"such as 2024-01-31 12:00:00 but received '{cells.iloc[row]}'."
        )
    return times


def kind_of(cells: "pd.Series") -> str | None:
    """The kind of times, if a part of a table is enough to tell.

    Args:
        cells: as for `parse`.

    Returns:
        One of `NUMBERS`, or `DATES`; `None` if all
        cells of the table are needed, as for dates that may begin with the day
        or with the month, or to say which cell is wrong.
    """
    import pandas as pd

    numbers = pd.to_numeric(cells, errors="coerce")
    if np.isfinite(numbers.to_numpy(float)).all():
        is_compact = dates.are_compact(numbers.to_numpy(float))
        return NUMBERS[int(is_compact)]
    found = pd.to_datetime(cells, format="ISO8601", utc=True, errors="coerce")
    return DATES if found.notna().all() else None


def iso_dates(cells: "pd.Series") -> tuple[np.ndarray, float]:
    """Dates in ISO 8601 as whole numbers, and how many of them a second has.

    Args:
        cells: `pandas.Series` of the kind `DATES`.
    """
    import pandas as pd

    found = pd.to_datetime(cells, format="ISO8601", utc=True)
    per_second = {"s": 1e0, "ms": 1e3, "us": 1e6, "ns": 1e9}
    return found.astype("int64").to_numpy(), per_second[found.dt.unit]


def _dates(
    cells: "pd.Series", column: str, where: Callable[[int], str]
) -> "pd.Series":
    """The dates in ISO 8601, or in the one format that all of them have."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(cells):
        return pd.to_datetime(cells, utc=True)
    found = pd.to_datetime(cells, format="ISO8601", utc=True, errors="coerce")
    if found.notna().any():
        return found
    readings = []
    for is_day_first in (False, True):
        with warnings.catch_warnings():
            # pandas warns where it has to read each cell on its own.
            warnings.simplefilter("ignore", UserWarning)
            readings.append(
                pd.to_datetime(
                    cells, dayfirst=is_day_first, utc=True, errors="coerce"
                )
            )
    months, days = readings
    if months.notna().all() and days.notna().all():
        differs = np.flatnonzero(months != days)
        if len(differs):
            row = int(differs[0])
            raise ValueError(
                f"{where(row)}, column '{column}': '{cells.iloc[row]}' may "
                "begin with the day or with the month. Write dates such as "
                "2024-01-31."
            )
    return max(readings, key=lambda reading: reading.notna().sum())


def largest_step(times: np.ndarray, is_first: np.ndarray) -> float | None:
    """The longest step from one row to the next that is no gap.

    Args:
        times: float array `(rows,)`, sorted within each group.
        is_first: bool array `(rows,)`, whether a row begins a group.

    Returns:
        `GAP` times the median of the steps within groups, without those of
        length 0; `None` if there are none.
    """
    steps = np.diff(times)[~is_first[1:]]
    steps = steps[steps > 0]
    return GAP * float(np.median(steps)) if len(steps) else None


def following(
    cells: "pd.Series", column: str, count: int, where: Callable[[int], str]
) -> list:
    """The times after the last of some that are sorted.

    Dates go on in their frequency, such as the first of each month, if they
    have one, and all others by the median of their steps.

    Args:
        cells: `pandas.Series` as for `parse`.
        column: string, for errors.
        count: int, how many times.
        where: as for `parse`.

    Returns:
        A list of numbers, or of dates as text.
    """
    import pandas as pd

    numbers = pd.to_numeric(cells, errors="coerce")
    ahead = np.arange(1, count + 1)
    if numbers.notna().any():
        known = numbers.to_numpy(float)
        step = float(np.median(np.diff(known))) if len(known) > 1 else 1.0
        found = known[-1] + step * ahead
        is_whole = (known % 1 == 0).all() and step % 1 == 0
        return (found.astype(int) if is_whole else found).tolist()
    dates = pd.DatetimeIndex(_dates(cells, column, where))
    frequency = pd.infer_freq(dates) if len(dates) > 2 else None
    if frequency is not None:
        later = pd.date_range(dates[-1], periods=count + 1, freq=frequency)[1:]
    else:
        steps = pd.Series(dates).diff().dropna()
        step = steps.median() if len(steps) else pd.Timedelta(days=1)
        later = pd.DatetimeIndex([dates[-1] + step * int(n) for n in ahead])
    is_whole = (dates == dates.normalize()).all()
    return later.strftime(
        "%Y-%m-%d" if is_whole else "%Y-%m-%d %H:%M:%S"
    ).tolist()
