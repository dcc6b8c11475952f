# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811
"""New tables of series that do not fit into memory are read as small ones."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from on_disk import both, home

from keras_fpt import tasks
from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data import sequences
from keras_fpt.tasks.user_data.tables import table_files

pytestmark = pytest.mark.backend_free


@pytest.fixture(autouse=True)
def small_chunks(both, monkeypatch):
    """Parts of a few rows, so that series begin and end anywhere in them."""
    monkeypatch.setattr(sequences, "MAX_BYTES_IN_MEMORY", 10**9)

    def begin(rows=29):
        monkeypatch.setattr(sequences, "MAX_BYTES_IN_MEMORY", 1000)
        monkeypatch.setattr(sequence_store, "CHUNK_BYTES", 500)
        monkeypatch.setattr(table_files, "ROWS_PER_CHUNK", rows)

    return begin


def write(path, seed=0, ahead=0, lengths=(90, 60, 130)):
    """Series of some shops, with a gap in time and missing sales."""
    rng = np.random.default_rng(seed)
    parts = []
    for number, length in enumerate(lengths):
        part = pd.DataFrame(rng.normal(10, 2, (length, 3)), columns=[*"abc"])
        days = np.arange(length) + 50 * (np.arange(length) >= 30)
        part["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(days, "D")
        part["shop"] = f"s{number}"
        part["town"] = number % 2
        part.loc[[20, 44], "a"] = np.nan
        part.loc[len(part) - ahead :, ["a", "b"]] = np.nan
        parts.append(part)
    frame = pd.concat(parts, ignore_index=True)
    frame["hour"] = np.arange(len(frame))
    frame.to_csv(path, index=False)
    return frame


def reader_of(path, **options):
    options = {"target_column": ["a", "b"], "fill": "forward"} | options
    return tasks.from_series(
        path, horizon=3, context=12, verbose=False, **options
    ).reader


GROUPED = {"group_column": ["shop", "town"], "time_column": "day"}


@pytest.mark.parametrize(
    ("options", "ahead"),
    [
        ({}, 0),
        ({"fill": "median"}, 0),
        ({"group_column": "shop"}, 0),
        ({"time_column": "hour"}, 0),
        (GROUPED, 0),
        (GROUPED | {"future_column": "c"}, 3),
        (GROUPED | {"future_column": "c", "fill": "median"}, 5),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_series_of_a_large_table(
    tmp_path, small_chunks, messages, options, ahead, suffix
):
    write(tmp_path / "old.csv", ahead=ahead)
    reader = reader_of(tmp_path / "old.csv", **options)
    path = tmp_path / f"new.{suffix}"
    frame = write(tmp_path / "new.csv", 1, ahead)
    # Other units, and every other day.
    frame["b"] *= 100
    frame["day"] += frame["day"] - frame["day"].min()
    frame["day"] = frame["day"].dt.strftime("%Y-%m-%d")
    getattr(frame, f"to_{suffix}")(path, index=False)
    if options.get("time_column") == "day":
        reader = dataclasses.replace(reader, time_gap=11 * 86400.0)

    x, names = reader.read(path)
    after = reader.following(path)
    notes = [*messages]
    windows = reader.read_windows(path)
    assert tasks.read_new_blocks(reader, path, {}) is None

    small_chunks()
    messages.clear()
    blocks = [*tasks.read_new_blocks(reader, path, {})]
    assert messages == notes
    if "group_column" in options:
        assert len(blocks) > 1
    assert [name for block in blocks for name in block.names] == names
    found = np.concatenate([block.x for block in blocks])
    np.testing.assert_array_equal(found, x)
    beside = pd.concat([block.beside for block in blocks], ignore_index=True)
    pd.testing.assert_frame_equal(beside, after)

    large = tasks.read_new_windows(reader, path)
    assert sequence_store.is_on_disk(large.x)
    assert [*large.names] == windows.names
    np.testing.assert_array_equal(large.x, windows.x)
    np.testing.assert_array_equal(large.y, windows.y)


@pytest.mark.parametrize("column", ["shop", "day"])
def test_series_in_another_order_are_read_as_a_whole(
    tmp_path, small_chunks, messages, column
):
    path = tmp_path / "table.csv"
    frame = write(path)
    reader = reader_of(path, **GROUPED)
    if column == "shop":
        frame = frame.iloc[np.argsort(np.arange(len(frame)) % 7)]
    else:
        frame.loc[[50, 51], "day"] = frame.loc[[51, 50], "day"].tolist()
    frame.to_csv(path, index=False)
    small_chunks()
    assert tasks.read_new_blocks(reader, path, {}) is None
    windows = tasks.read_new_windows(reader, path)
    assert isinstance(windows.x, np.ndarray) and len(windows.x)
    assert "Sort the file by shop and town and day" in messages[0]


@pytest.mark.parametrize(
    ("change", "options"),
    [
        ({"b": "a lot"}, {}),
        ({"b": "1e300"}, {}),
        ({"b": ""}, {"fill": None}),
        ({"c": ""}, {"fill": None, "future_column": "c"}),
        ({"day": ""}, {}),
        ({"shop": ""}, {}),
    ],
)
def test_errors_are_those_of_a_small_table(
    tmp_path, small_chunks, change, options
):
    path = tmp_path / "table.csv"
    ahead = 3 if "future_column" in options else 0
    frame = write(path, ahead=ahead)
    frame.loc[[20, 44, 110, 134, 170, 194], "a"] = 1.0
    frame.to_csv(path, index=False)
    reader = reader_of(path, **GROUPED, **options)
    frame = frame.astype(str).replace("nan", "")
    frame.loc[200, [*change]] = [*change.values()]
    frame.to_csv(path, index=False)
    check_same_errors(reader, path, small_chunks)


@pytest.mark.parametrize(
    ("lengths", "ahead", "options"),
    [
        ((90, 60, 9), 0, {}),
        ((90, 38, 90), 0, {}),  # A gap before the last 8 rows.
        ((90, 60, 90), 1, {"future_column": "c"}),
        ((9, 9, 9), 0, {}),
    ],
)
def test_series_that_are_too_short(
    tmp_path, small_chunks, lengths, ahead, options
):
    write(tmp_path / "old.csv", ahead=3 * bool(ahead))
    reader = reader_of(tmp_path / "old.csv", **GROUPED, **options)
    path = tmp_path / "table.csv"
    write(path, ahead=ahead, lengths=(45, 45, 45))
    frame = write(path, ahead=ahead, lengths=[max(n, 45) for n in lengths])
    number = frame.groupby("shop").cumcount()
    length = frame["shop"].str[1:].astype(int).map(dict(enumerate(lengths)))
    frame[number < length].to_csv(path, index=False)
    check_same_errors(reader, path, small_chunks)


def check_same_errors(reader, path, small_chunks):
    def outcome(call):
        try:
            call()
        except ValueError as error:
            return str(error)
        return None

    expected = (
        outcome(lambda: reader.read(path)),
        outcome(lambda: reader.read_windows(path)),
    )
    assert expected[0] is not None
    small_chunks()

    def read():
        blocks = tasks.read_new_blocks(reader, path, {})
        return reader.read(path) if blocks is None else [*blocks]

    found = (
        outcome(read),
        outcome(lambda: tasks.read_new_windows(reader, path)),
    )
    assert found == expected
