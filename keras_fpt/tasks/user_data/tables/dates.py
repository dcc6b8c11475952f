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
# Of numbers of 6, 12 and 14 digits, in columns of times, and the parts of a
# day that their last digits count.
MONTHS = "%Y%m"
CLOCKS = {"%Y%m%d%H%M": 24 * 60, "%Y%m%d%H%M%S": 24 * 60 * 60}
_YEARS = (1900, 2100)
# Fewer numbers of six digits are dates by chance.
MIN_SHORT = 8
# A date of three numbers of two digits, before which a time may stand.
_SHORT_DATE = r"^(?:\d+:\S+ )?(\d{2})[-/.](\d{2})[-/.](\d{2})(?![\d/.-])"
# A time with its zone.
_ZONE = r":\d{2}(?:[.,]\d+)?\s*(?:Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)$"
SAMPLE = 100
# The share of texts that are dates, of which the others are mistakes.
MOST = 0.9
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
                check_zones(texts)
                return ISO
    if not fitting:
        return None
    check_year_first(texts)
    chosen, *others = fitting
    for other in others:
        differing = np.flatnonzero(fitting[chosen] != fitting[other])
        if len(differing):
            raise ValueError(
                f"'{texts.iloc[differing[0]]}' may mean {_name(chosen)} or "
                f"{_name(other)}. Write dates as 2024-12-31."
            )
    return chosen


def check_year_first(texts: "pd.Series") -> None:
    """Raises `ValueError` for dates such as 24-12-31 that begin with the year.

    They are read as others are, with the day first, if each of their parts is
    at most that large. The part that differs most is the day.
    """
    if texts.empty or not texts.str.match(_SHORT_DATE, na=False).all():
        return
    joined = texts.str.replace(f"{_SHORT_DATE}.*", r"\1-\2-\3", regex=True)
    parts = joined.str.split("-", expand=True)
    if parts[0].nunique() >= parts[2].nunique():
        return
    if not np.isnan(to_days(joined, "%y-%m-%d")).any():
        raise ValueError(
            f"'{texts.iloc[0]}' may begin with the year or with the day. Write "
            "dates such as 2024-12-31."
        )


def check_zones(texts: "pd.Series") -> None:
    """Raises `ValueError` if some times have a time zone, and others none."""
    has_zone = have_zones(texts)
    if has_zone.any() and not has_zone.all():
        raise ValueError(
            f"'{texts.iloc[int(np.argmin(has_zone))]}' has no time zone, but "
            f"'{texts.iloc[int(np.argmax(has_zone))]}' has one. Write all "
            "times in one zone."
        )


def have_zones(texts: "pd.Series") -> np.ndarray:
    """Bool array `(n,)`, which of some times have a time zone."""
    return texts.str.contains(_ZONE, case=False).to_numpy(bool)


def first_odd(texts: "pd.Series") -> int | None:
    """The place of the first text that is no date, if most are of one kind.

    Args:
        texts: series of strings, none of them missing.
    """
    for text in texts.iloc[:2]:
        for date_format in (ISO, *(f for f in FORMATS if _fits(text, f))):
            is_date = np.isfinite(to_days(texts, date_format))
            if MOST <= is_date.mean() < 1:
                return int(np.argmin(is_date))
    return None


def compact_format(values: np.ndarray) -> str | None:
    """The format of numbers that are dates or times, such as 202412.

    Args:
        values: float array `(n,)`.

    Returns:
        `COMPACT`, `MONTHS`, one of `CLOCKS`, or `None`.
    """
    if are_compact(values):
        return COMPACT
    distinct = np.unique(np.asarray(values, float))
    if len(distinct) < 2 or (distinct % 1 != 0).any() or distinct[0] < 1:
        return None
    digits = {len(str(int(each))) for each in (distinct[0], distinct[-1])}
    first, last = _YEARS
    for date_format, size in ((MONTHS, 6), *zip(CLOCKS, (12, 14), strict=True)):
        years = distinct // 10 ** (size - 4)
        if digits != {size} or years[0] < first or years[-1] > last:
            continue
        if not np.isnan(to_days(compact_texts(distinct), date_format)).any():
            return date_format
    return None


def from_compact(values: np.ndarray, date_format: str) -> np.ndarray:
    """Times of numbers, in the unit of their last digits.

    Args:
        values: float array `(n,)` of numbers in the format.
        date_format: string, what `compact_format` returned.

    Returns:
        float64 array `(n,)` of days, months, minutes or seconds.
    """
    if date_format == MONTHS:
        years, months = np.divmod(np.asarray(values, float), 100)
        return 12 * years + months
    days = to_days(compact_texts(values), date_format)
    return np.round(days * CLOCKS.get(date_format, 1))


def reversed_day(values: np.ndarray) -> float | None:
    """The first number such as 31122024, if all are dates but not sortable.

    So are numbers such as 311224, if their days differ more than their years.
    """
    distinct, first = np.unique(np.asarray(values, float), return_index=True)
    if (
        len(distinct) >= MIN_SHORT
        and (distinct % 1 == 0).all()
        and 10_100 <= distinct[0] <= distinct[-1] <= 311_299
        and not np.isnan(
            to_days(compact_texts(distinct).str.zfill(6), "%d%m%y")
        ).any()
        and len(np.unique(distinct % 100)) < len(np.unique(distinct // 10_000))
    ):
        return float(distinct[np.argmin(first)])
    years = distinct % 10_000
    if (
        len(distinct) < 2
        or (distinct % 1 != 0).any()
        or not ((years >= _YEARS[0]) & (years <= _YEARS[1])).all()
        or distinct[-1] >= 1e8
    ):
        return None
    texts = compact_texts(distinct).str.zfill(8)
    for date_format in ("%d%m%Y", "%m%d%Y"):
        if not np.isnan(to_days(texts, date_format)).any():
            return float(distinct[np.argmin(first)])
    return None


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
        if "%Y" in date_format or "%d" in date_format or date_format == ISO
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
