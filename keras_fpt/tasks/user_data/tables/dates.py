"""Dates and times in the cells of a table."""

import datetime
import itertools
import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

ISO = "ISO8601"
# The day comes first where points separate, and the year where it has four
# digits.
_DATES = (
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d.%m.%y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%B %d, %Y",
)
_TIMES = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
FORMATS = (
    *_DATES,
    *(f"{date} {time}" for date, time in itertools.product(_DATES, _TIMES)),
    *_TIMES,
)
# Of numbers of eight digits.
COMPACT = "%Y%m%d"
_COMPACT_RANGE = (19000101, 21001231)
SAMPLE = 100
SECONDS_PER_DAY = 86_400


def find_format(texts: "pd.Series") -> str | None:
    """Finds how dates or times are written.

    Args:
        texts: series of strings, none of them missing.

    Returns:
        `"ISO8601"` or a format of `datetime.strptime`; `None` if some texts
        are not dates.

    Raises:
        ValueError: it is ambiguous which number is the day and which the month.
    """
    first = texts.iloc[0]
    if not re.search(r"\d[-/.: ,]", first):
        return None
    sample = texts.iloc[:SAMPLE]
    candidates = [
        date_format
        for date_format in (ISO, *filter(lambda f: _fits(first, f), FORMATS))
        if not np.isnan(to_days(sample, date_format)).any()
    ]
    if not candidates:
        _check_not_mixed(sample)
        return None
    fitting = {}
    for date_format in candidates:
        days = to_days(texts, date_format)
        if not np.isnan(days).any():
            fitting[date_format] = days
            if date_format == ISO:
                return ISO
    if not fitting:
        return None
    chosen, *others = fitting
    for other in others:
        differing = np.flatnonzero(fitting[chosen] != fitting[other])
        if len(differing):
            raise ValueError(
                f"'{texts.iloc[differing[0]]}' may mean {_name(chosen)} or "
                f"{_name(other)}. Write dates as 2024-12-31."
            )
    return chosen


def are_compact(values: np.ndarray, least: int = 2) -> bool:
    """Whether numbers are dates such as 20241231, of `least` different days."""
    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    low, high = _COMPACT_RANGE
    if not len(values) or not ((values >= low) & (values <= high)).all():
        return False
    distinct = np.unique(values)
    if len(distinct) < least or (distinct != np.floor(distinct)).any():
        return False
    return not np.isnan(to_days(compact_texts(distinct), COMPACT)).any()


def compact_texts(values: np.ndarray) -> "pd.Series":
    """Numbers of eight digits as texts, in which none is missing."""
    import pandas as pd

    return pd.Series(np.asarray(values, np.int64)).astype(str)


def describe(date_format: str) -> str:
    """Which parts of a date come in which order, in words."""
    if "%d" not in date_format and date_format != ISO:
        return "times, as parts of a day"
    return date_format if date_format == ISO else _name(date_format)


def _check_not_mixed(sample: "pd.Series") -> None:
    """Raises `ValueError` if all texts are dates, but in several formats."""
    seen: dict[str, str] = {}
    for text in sample.unique().tolist():
        date_format = next(
            (f for f in (ISO, *_DATES) if _is_date(text, f)), None
        )
        if date_format is None:
            return
        seen.setdefault(date_format, text)
    if len(seen) > 1:
        first, second, *_ = seen.values()
        raise ValueError(
            f"dates are written in several ways, such as '{first}' and "
            f"'{second}'. Write dates as 2024-12-31."
        )


def _is_date(text: str, date_format: str) -> bool:
    if date_format != ISO:
        return _fits(text, date_format)
    return re.match(r"\d{4}-\d{2}-\d{2}", text) is not None


def to_days(texts: Any, date_format: str) -> np.ndarray:
    """Converts dates to days since 1970, and times of a day to its parts.

    Args:
        texts: series of strings.
        date_format: string, as `find_format` returns.

    Returns:
        float64 array, NaN where a text is not a date in the format.
    """
    import pandas as pd

    parsed = pd.to_datetime(
        texts, format=date_format, errors="coerce", utc=True
    )
    start = (
        "1970-01-01"
        if "%d" in date_format or date_format == ISO
        else ("1900-01-01")
    )
    seconds = (parsed - pd.Timestamp(start, tz="UTC")).dt.total_seconds()
    return seconds.to_numpy(float) / SECONDS_PER_DAY


def _fits(text: str, date_format: str) -> bool:
    try:
        datetime.datetime.strptime(text, date_format)
    except ValueError:
        return False
    return True


def _name(date_format: str) -> str:
    words = {"%d": "day", "%m": "month", "%y": "year", "%Y": "year"}
    parts = [part for part in words if part in date_format]
    parts.sort(key=date_format.index)
    return ", ".join(words[part] for part in parts)
