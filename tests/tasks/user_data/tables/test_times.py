"""Columns of times in the spellings of people's files."""

import datetime

import numpy as np
import pandas as pd
import pytest

from keras_fpt import tasks
from keras_fpt.tasks.user_data.tables import times

pytestmark = pytest.mark.backend_free

HOURS = [
    datetime.datetime(2024, 2, 28, 22) + datetime.timedelta(hours=n)
    for n in range(60)
]
DAYS = [
    datetime.datetime(2011, 11, 25) + datetime.timedelta(days=n)
    for n in range(60)
]


def parse(texts):
    return times.parse(
        pd.Series(texts, dtype=str), "t", lambda row: f"row {row + 1}"
    )


@pytest.mark.parametrize(
    ("date_format", "step"), [("%Y%m%d%H%M", 60), ("%Y%m%d%H%M%S", 3600)]
)
def test_numbers_with_a_time_of_the_day_are_even(date_format, step):
    """Else the step from 23 to 0 o'clock would be a gap."""
    texts = [hour.strftime(date_format) for hour in HOURS]
    assert np.unique(np.diff(parse(texts))).tolist() == [step]
    assert times.kind_of(pd.Series(texts)) == date_format


def test_numbers_of_months_are_even():
    texts = [f"{1999 + n // 12}{n % 12 + 1:02}" for n in range(40)]
    assert np.unique(np.diff(parse(texts))).tolist() == [1]
    # There is no 13th month, so these are numbers.
    texts.append("200213")
    assert np.diff(parse(texts)).max() == 89


def test_forecasts_of_numbers_that_are_dates_are_dates():
    def following(texts):
        cells = pd.Series(texts, dtype=str)
        return times.following(cells, "t", 2, str)

    assert following(["20241229", "20241230"]) == [20241231, 20250101]
    assert following(["202410", "202411", "202412"]) == [202501, 202502]
    assert following(["1000", "1001"]) == [1002, 1003]


@pytest.mark.parametrize("hour", ["", " 13:00", " 13:00:00,5"])
@pytest.mark.parametrize("year", ["2024", "24"])
def test_the_day_comes_first_where_points_separate(hour, year):
    texts = [f"0{day}.02.{year}{hour}" for day in range(1, 6)]
    assert np.diff(parse(texts)).tolist() == [86_400] * 4
    with pytest.raises(ValueError, match="day or with the month"):
        parse([text.replace(".", "/") for text in texts])
    # Unless that cannot be.
    months = [f"01.{day}.{year}{hour}" for day in ("02", 30, 31)]
    if year == "2024":
        assert np.diff(parse(months)).tolist() == [28 * 86_400, 86_400]
    else:
        with pytest.raises(ValueError, match="day or with the month"):
            parse(months)


@pytest.mark.parametrize(
    "date_format", ["%b-%y", "%d/%m", "%b-%d", "%d-%b", "%b %d %H:%M"]
)
def test_dates_without_a_year_are_refused(date_format):
    """pandas would take Jan-05 of 2005 for the fifth of January."""
    texts = [day.strftime(date_format) for day in DAYS]
    with pytest.raises(ValueError, match="row 1, column 't': does .* the year"):
        parse(texts)


@pytest.mark.parametrize(
    "date_format", ["%B %Y", "%m/%Y", "%d %b %y", "%d.%m.%Y", "%b %d, %Y %H:%M"]
)
def test_dates_with_a_year_are_read(date_format):
    texts = [day.strftime(date_format) for day in DAYS]
    assert (np.diff(parse(texts)) >= 0).all()


def test_numbers_that_begin_with_the_day_are_refused():
    """25112011 would come after 01122011."""
    texts = [day.strftime("%d%m%Y") for day in DAYS]
    with pytest.raises(ValueError, match="row 1, .*'25112011' seem to be"):
        parse(texts)
    assert times.kind_of(pd.Series(texts)) is None


def test_times_of_which_some_have_a_zone_are_refused():
    texts = [hour.isoformat() for hour in HOURS]
    texts[7] += "+05:00"
    with pytest.raises(ValueError, match="has no time zone, but '.*05:00'"):
        parse(texts)
    zoned = [hour.isoformat() + "+01:00" for hour in HOURS]
    assert np.unique(np.diff(parse(zoned))).tolist() == [3600]


def test_parts_of_seconds_may_follow_a_comma():
    texts = [f"2024-02-03 10:00:00,{n}00" for n in range(4)]
    assert np.diff(parse(texts)) == pytest.approx([0.1, 0.1, 0.1])


def write(path, cells):
    rows = [f"{cell},{n},{'ab'[n // 20 % 2]}" for n, cell in enumerate(cells)]
    path.write_text("\n".join(["clock,v,y", *rows]))
    return str(path)


def test_times_without_a_date_that_pass_midnight_are_noted(tmp_path):
    """Sorted, the rows of the second day come first."""
    start = datetime.datetime(2024, 2, 3, 23)
    minutes = [start + datetime.timedelta(minutes=n) for n in range(120)]
    options = {"label_column": "y", "time_column": "clock", "window": 4}

    def kinds(moments):
        path = write(
            tmp_path / "night.csv", [m.strftime("%H:%M:%S") for m in moments]
        )
        task = tasks.get(path, **options)
        return {each.kind: each.message for each in task.findings}

    found = kinds(minutes)["times-without-date"]
    assert "row 61: '00:00:00' follows '23:59:00'" in found
    assert "times-without-date" not in kinds(minutes[:60])


@pytest.mark.parametrize(
    ("start", "count", "minutes", "form", "is_found"),
    [
        (11, 180, 1, "%I:%M:%S", True),
        (11, 180, 1, "%Y-%m-%d %I:%M", True),
        (11, 180, 1, "%Y-%m-%dT%I:%M:%S", True),
        (9, 1500, 1, "%I:%M", True),
        (11, 200, 60, "%I:%M", True),
        # Clocks that tell the halves of the day, and one half.
        (11, 180, 1, "%H:%M:%S", False),
        (11, 180, 1, "%I:%M:%S %p", False),
        (1, 600, 1, "%I:%M:%S", False),
    ],
)
def test_clocks_of_12_hours_are_noted(
    tmp_path, start, count, minutes, form, is_found
):
    first = datetime.datetime(2024, 2, 3, start)
    step = datetime.timedelta(minutes=minutes)
    moments = [first + n * step for n in range(count)]
    path = write(tmp_path / "day.csv", [m.strftime(form) for m in moments])
    options = {"label_column": "y", "time_column": "clock", "window": 3}
    found = {each.kind: each for each in tasks.get(path, **options).findings}
    assert ("half-days" in found) == is_found
    if is_found:
        message = found["half-days"].message
        assert f"row {(13 - start) * 60 // minutes + 1}: '" in message
        assert "repeated-times" not in found


def test_recordings_that_begin_at_one_are_of_a_day_of_24_hours(tmp_path):
    first = datetime.datetime(2024, 2, 3)
    moments = [first + datetime.timedelta(minutes=n) for n in range(779)]
    cells = [m.strftime("%H:%M") for m in (*moments, *moments[60:])]
    path = write(tmp_path / "days.csv", cells)
    options = {"label_column": "y", "time_column": "clock", "window": 4}
    found = {each.kind for each in tasks.get(path, **options).findings}
    assert "half-days" not in found and "repeated-times" in found


def test_forecasts_of_a_file_whose_newest_rows_come_first(tmp_path):
    days = [str(day.date()) for day in DAYS]
    options = {"target_column": "v", "horizon": 3, "task_type": "forecast"}
    path = write(tmp_path / "new.csv", days[::-1])
    (found,) = tasks.get(path, **options).findings
    assert found.kind == "rows-in-other-order"
    assert "'clock' goes back 59 times" in found.message
    assert tasks.get(path, **options, time_column="clock").findings == ()
    path = write(tmp_path / "old.csv", days)
    assert tasks.get(path, **options).findings == ()


def test_a_column_of_dates_names_the_cell_that_is_none(tmp_path):
    path = write(
        tmp_path / "dates.csv",
        [
            "0000-00-00" if n == 4 else str(day.date())
            for n, day in enumerate(DAYS)
        ],
    )
    with pytest.raises(ValueError, match="row 5, .*--missing 0000-00-00"):
        tasks.get(path, label_column="y")
    task = tasks.get(
        path, label_column="y", missing="0000-00-00", fill="median"
    )
    assert task.reader.kinds[0].kind == "date"


@pytest.mark.parametrize("separator", "-/.")
@pytest.mark.parametrize("clock", ["", " %H:%M"])
def test_short_dates_that_begin_with_the_year_are_refused(separator, clock):
    """Read with the day first, 20-03-28 would be in March 2028."""
    form = separator.join(["%y", "%m", "%d"]) + clock
    with pytest.raises(ValueError, match="row 1, column 't': '11.11.25.* year"):
        parse([day.strftime(form) for day in DAYS])


@pytest.mark.parametrize("form", ["%d.%m.%y", "%d/%m/%y %H:%M", "%d-%m-%y"])
def test_short_dates_that_begin_with_the_day_are_read(form):
    days = [day for day in DAYS if day.day > 12]
    expected = [(day - days[0]).total_seconds() for day in days]
    assert parse([day.strftime(form) for day in days]).tolist() == expected


def test_short_dates_among_features_are_refused(tmp_path):
    frame = pd.DataFrame(
        {"day": [day.strftime("%y/%m/%d") for day in DAYS], "y": [0, 1] * 30}
    )
    frame.to_csv(tmp_path / "days.csv", index=False)
    with pytest.raises(ValueError, match="row 1, column 'day': '11/11/25' may"):
        tasks.from_csv(tmp_path / "days.csv", "y", verbose=False)


def test_numbers_of_six_digits_that_end_with_the_year_are_refused():
    """Sorted, 010212 would come before 311211."""
    texts = [day.strftime("%d%m%y") for day in DAYS]
    with pytest.raises(ValueError, match="row 1.*'251111' seem"):
        parse(texts)
    assert times.kind_of(pd.Series(texts)) is None
    numbers = [str(100_000 + 7 * n) for n in range(60)]
    assert np.unique(np.diff(parse(numbers))).tolist() == [7]
