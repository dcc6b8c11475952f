"""Columns of times: numbers or dates, their order and their gaps."""

import re
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
NUMBERS = ("number", dates.COMPACT, dates.MONTHS, *dates.CLOCKS)
DATES = "dates in ISO 8601"
_CLOCK = re.compile(
    r"\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d+)?\s*(?:[ap]\.?m\.?)?", re.IGNORECASE
)
_HOUR = re.compile(r"(?:^|[\sT])(\d{1,2}):\d{2}")
_HALF = re.compile(r"\d\s*[ap]\.?m\b", re.IGNORECASE)
_MONTH = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
# What a date has in digits, or as the name of a month.
_PART = re.compile(rf"\d+|\b(?:{_MONTH})[a-z]*", re.IGNORECASE)
# Where points separate, the day comes before the month.
_DAY_FIRST = re.compile(r"\s*\d{1,2}\.(?:0?[1-9]|1[0-2])\.\d{2}")
# A number above is no day, so it is a year.
_LAST_DAY = 31
# So many texts show how dates are written.
_SAMPLE = 1000


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
        date; of numbers such as 20241231 the days, see `dates.from_compact`.

    Raises:
        ValueError: a cell is not a time, or dates can be read in two ways.
    """
    import pandas as pd

    numbers = pd.to_numeric(cells, errors="coerce")
    if numbers.notna().any():
        times = numbers.to_numpy(float)
        wrong = np.flatnonzero(~np.isfinite(times))
        if not len(wrong):
            _check_order(times, cells, column, where)
            compact = dates.compact_format(times)
            if compact is not None:
                # In days, since that is what a step of the numbers mostly is.
                times = dates.from_compact(times, compact)
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
        values = numbers.to_numpy(float)
        if dates.reversed_day(values) is not None:
            return None
        return dates.compact_format(values) or NUMBERS[0]
    found = read_dates(cells, dates.ISO)
    return DATES if found.notna().all() else None


def are_of_day(cells: "pd.Series") -> bool:
    """Whether times have no date, such as 23:59:59."""
    texts = cells.astype(str).iloc[:_SAMPLE].drop_duplicates()
    return all(_CLOCK.fullmatch(text) for text in texts)


def are_of_half_days(cells: "pd.Series") -> bool:
    """Whether all hours are from 1 to 12, without AM and PM.

    Args:
        cells: as for `parse`.
    """
    texts = cells.astype(str).drop_duplicates()
    if texts.str.contains(_HALF).any():
        return False
    hours = [_HOUR.search(text) for text in texts]
    return all(hour and 1 <= int(hour[1]) <= 12 for hour in hours)


def _check_order(
    times: np.ndarray,
    cells: "pd.Series",
    column: str,
    where: Callable[[int], str],
) -> None:
    """Raises `ValueError` for numbers such as 31122024, which do not sort."""
    number = dates.reversed_day(times)
    if number is not None:
        row = int(np.argmax(times == number))
        raise ValueError(
            f"{where(row)}, column '{column}': numbers such as "
            f"'{cells.iloc[row]}' seem to be dates that end with the year, and "
            "are not in the order of time. Write dates such as 2024-01-31."
        )


def _check_years(
    cells: "pd.Series", column: str, where: Callable[[int], str]
) -> None:
    """Raises `ValueError` if a date lacks the year or the day.

    pandas would fill in those of today: Jan-05 may be of 2005.
    """
    for row, text in enumerate(cells.iloc[:_SAMPLE]):
        parts = _PART.findall(_CLOCK.sub(" ", str(text)))
        has_year = any(p.isdigit() and int(p) > _LAST_DAY for p in parts)
        if parts and len(parts) < 3 and not has_year:
            raise ValueError(
                f"{where(row)}, column '{column}': does '{text}' lack the year "
                "or the day? Write dates such as 2024-01-31, and months such "
                "as 2024-01."
            )


def has_zone(cells: "pd.Series") -> bool | None:
    """Whether all times have a time zone; `None` if only some have one.

    Args:
        cells: `pandas.Series` of dates.
    """
    import pandas as pd

    if not pd.api.types.is_string_dtype(cells):
        return True
    found = dates.have_zones(cells)
    return bool(found.any()) if found.all() == found.any() else None


def formats_of_first(cells: "pd.Series") -> list[str]:
    """The formats of the first date that pandas would read all dates in.

    Args:
        cells: `pandas.Series` of text.

    Returns:
        One format, or two if the month or the day may come first. None if each
        date would have to be read by itself, or may lack the year or the day.
    """
    import pandas as pd
    from pandas.tseries import api

    if not pd.api.types.is_string_dtype(cells) or cells.isna().any():
        return []
    first = _with_points(cells.iloc[:1]).iloc[0]
    try:
        _check_years(cells, "", str)
    except ValueError:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        months, days = (
            api.guess_datetime_format(first, is_day_first)
            for is_day_first in (False, True)
        )
    if months is None or days is None:
        return []
    if months == days or _DAY_FIRST.match(first):
        return [days]
    return [months, days]


def read_dates(cells: "pd.Series", date_format: str) -> "pd.Series":
    """Dates in a format, or missing where one has another.

    Args:
        cells: `pandas.Series` of text or dates.
        date_format: string, one of `formats_of_first`, or `"ISO8601"`.
    """
    import pandas as pd

    return pd.to_datetime(
        _with_points(cells), format=date_format, utc=True, errors="coerce"
    )


def whole_numbers(found: "pd.Series") -> tuple[np.ndarray, float]:
    """Dates as whole numbers, and how many of them a second has.

    Args:
        found: `pandas.Series` of dates.
    """
    per_second = {"s": 1e0, "ms": 1e3, "us": 1e6, "ns": 1e9}
    return found.astype("int64").to_numpy(), per_second[found.dt.unit]


def _with_points(cells: "pd.Series") -> "pd.Series":
    """A comma before parts of a second is one in ISO 8601, too."""
    import pandas as pd

    if not pd.api.types.is_string_dtype(cells):
        return cells
    return cells.str.replace(r"(:\d{2}),(\d+)", r"\1.\2", regex=True)


def _dates(
    cells: "pd.Series", column: str, where: Callable[[int], str]
) -> "pd.Series":
    """The dates in ISO 8601, or in the one format that all of them have."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(cells):
        return pd.to_datetime(cells, utc=True)
    cells = _with_points(cells)
    found = pd.to_datetime(cells, format="ISO8601", utc=True, errors="coerce")
    if found.notna().any():
        try:
            dates.check_zones(cells)
        except ValueError as error:
            raise ValueError(
                f"{where(0)}, column '{column}': {error}"
            ) from None
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
    if (months.notna() | days.notna()).all():
        try:
            dates.check_year_first(cells)
        except ValueError as error:
            raise ValueError(
                f"{where(0)}, column '{column}': {error}"
            ) from None
    if (months.notna() | days.notna()).all():
        _check_years(cells, column, where)
    if months.notna().all() and days.notna().all():
        if cells.str.match(_DAY_FIRST).all():
            return days
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
    compact = None
    if numbers.notna().all():
        compact = dates.compact_format(numbers.to_numpy(float))
    if numbers.notna().any() and compact is None:
        known = numbers.to_numpy(float)
        step = float(np.median(np.diff(known))) if len(known) > 1 else 1.0
        found = known[-1] + step * ahead
        is_whole = (known % 1 == 0).all() and step % 1 == 0
        return (found.astype(int) if is_whole else found).tolist()
    if compact is not None:
        texts = dates.compact_texts(numbers.to_numpy(float))
        known_dates = pd.DatetimeIndex(pd.to_datetime(texts, format=compact))
    else:
        known_dates = pd.DatetimeIndex(_dates(cells, column, where))
    last = known_dates[-1]
    frequency = pd.infer_freq(known_dates) if len(known_dates) > 2 else None
    if frequency is not None:
        later = pd.date_range(last, periods=count + 1, freq=frequency)[1:]
    else:
        steps = pd.Series(known_dates).diff().dropna()
        step = steps.median() if len(steps) else pd.Timedelta(days=1)
        later = pd.DatetimeIndex([last + step * int(n) for n in ahead])
    if compact is not None:
        return later.strftime(compact).astype(int).tolist()
    is_whole = (known_dates == known_dates.normalize()).all()
    return later.strftime(
        "%Y-%m-%d" if is_whole else "%Y-%m-%d %H:%M:%S"
    ).tolist()
