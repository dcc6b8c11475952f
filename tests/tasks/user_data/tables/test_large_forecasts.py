# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811
"""Forecasts of tables that do not fit into memory."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from on_disk import both, home

from keras_fpt import tasks
from keras_fpt.tasks import pairwise, sequence_store
from keras_fpt.tasks.user_data.tables import large_forecasts

pytestmark = pytest.mark.backend_free

CONTEXT, HORIZON = 8, 3
# Some have few rows more than are needed, and one too few for any example.
LENGTHS = {"a": 310, "b": 75, "c": 9, "d": 120}


def table(missing=0.0, ahead=0, seed=0):
    """Hours at some places, sorted, with gaps and a time that is repeated."""
    rng = np.random.default_rng(seed)
    parts = []
    for number, (place, length) in enumerate(LENGTHS.items()):
        hours = np.arange(length + ahead)
        hours[length // 3 :] += 40 * (number % 2)
        hours[length // 2] -= number == 0  # As the row before.
        parts.append(
            pd.DataFrame(
                {
                    "place": place,
                    "hour": pd.Timestamp("2020-01-01")
                    + pd.to_timedelta(hours, "h"),
                    "seconds": hours * 3600.0,
                    "heat": 20 * number
                    + np.sin(hours / 12 * np.pi)
                    + rng.normal(0, 0.1, len(hours)),
                    "rain": rng.normal(100, 30, len(hours)).round(2),
                    "open": rng.integers(0, 2, len(hours)),
                }
            )
        )
        parts[-1].loc[length:, ["heat", "rain"]] = np.nan
    frame = pd.concat(parts, ignore_index=True)
    is_known = frame["rain"].notna()
    for name in ("heat", "rain"):
        is_missing = is_known & (rng.random(len(frame)) < missing)
        frame.loc[is_missing, name] = np.nan
    if missing:
        frame.loc[200:220, "rain"] = np.nan
        frame.loc[::90, "rain"] = -999.0
    return frame


def read(path, **options):
    settings = {
        "target_column": ["heat", "rain"],
        "horizon": HORIZON,
        "context": CONTEXT,
        "group_column": "place",
        "time_column": "hour",
    }
    return tasks.from_series(path, **(settings | options))


def without_order(findings):
    """Findings without the one that only the first part on disk is read for."""
    return [each for each in findings if each.kind != "rows-in-other-order"]


def assert_same(first, second):
    """The same task, to the last bit, of which the second is on disk."""
    assert not sequence_store.is_on_disk(first.data.splits["train"].x)
    assert first.reader == second.reader
    assert first.description == second.description
    assert without_order(first.findings) == without_order(second.findings)
    for split in ("train", "validation", "test"):
        one, two = first.data.splits[split], second.data.splits[split]
        assert sequence_store.is_on_disk(two.x)
        assert sequence_store.is_on_disk(two.y)
        for expected, received in ((one.x, two.x[:]), (one.y, two.y[:])):
            assert expected.dtype == received.dtype
            np.testing.assert_array_equal(expected, received)
        np.testing.assert_array_equal(one.y, two.y)
        assert one.y.shape == two.y.shape and one.y.ndim == two.y.ndim
        assert [*one.names] == [*two.names]
        assert one.names[-1] == two.names[len(one.y) - 1]
        np.testing.assert_array_equal(one.groups, two.groups)
        np.testing.assert_array_equal(
            first.history.origins[split], second.history.origins[split]
        )
        assert first.describe_targets(split) == second.describe_targets(split)
    assert first.data.fingerprint == second.data.fingerprint
    assert first.history.stretches == second.history.stretches
    np.testing.assert_array_equal(first.history.values, second.history.values)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 5},
        {"target_column": "heat", "time_column": "seconds"},
        {"target_column": "rain", "context": 1, "horizon": 1},
        {"time_column": None},
        {"group_column": None, "time_column": None, "stride": 2},
        {"group_column": ["place"], "horizon": 20, "context": 30},
        {"target_column": "rain", "future_column": "open"},
        {"future_column": ["open"], "stride": 3, "strict": True},
    ],
)
def test_the_task_is_that_in_memory(tmp_path, both, monkeypatch, options):
    monkeypatch.setattr(pairwise, "AT_ONCE", 128)
    table().to_csv(tmp_path / "table.csv", index=False)
    assert_same(*both(lambda: read(tmp_path / "table.csv", **options)))


def test_batches_and_floors_are_those_in_memory(tmp_path, both):
    frame = table()
    frame["heat"] = np.sin(frame.index / 3 * np.pi)  # A season of 6 rows.
    frame.to_csv(tmp_path / "table.csv", index=False)
    first, second = both(lambda: read(tmp_path / "table.csv"))
    assert first.reader.season == second.reader.season == 6
    assert set(second.simple_rules) == {tasks.NAIVE, tasks.SEASONAL_NAIVE}
    for one, two in (
        # From the sixth batch on, as in a run that is resumed.
        [task.datasets(4, 3, 5).train.take(2) for task in (first, second)],
        [task.held_out("test", 4) for task in (first, second)],
    ):
        for examples in zip(one, two, strict=True):
            for expected, received in zip(
                *map(tf.nest.flatten, examples), strict=True
            ):
                assert expected.dtype == received.dtype
                np.testing.assert_array_equal(expected, received)
    for name, scores in first.floors("test").items():
        np.testing.assert_array_equal(scores, second.floors("test")[name])
    assert first.target_floors("test") == second.target_floors("test")


@pytest.mark.parametrize("ahead", [0, HORIZON])
@pytest.mark.parametrize(
    "options",
    [
        {"fill": "forward"},
        {"fill": "median", "target_column": "rain"},
        {"drop_missing": True, "stride": 2},
        {"drop_missing": True, "missing": ["-999", "?"]},
        {"fill": "forward", "missing": -999, "target_column": "rain"},
    ],
)
def test_missing_cells(tmp_path, both, caplog, options, ahead):
    frame = table(missing=0.02, ahead=ahead)
    frame.to_csv(tmp_path / "table.csv", index=False)
    if ahead:
        options = options | {"future_column": "open"}
    caplog.set_level("INFO", "keras_fpt")
    first, second = both(lambda: read(tmp_path / "table.csv", **options))
    assert_same(first, second)
    in_memory, on_disk = (
        [line for line in record.getMessage().splitlines()]
        for record in caplog.records
        if record.getMessage().startswith("table: ")
    )
    assert on_disk[:-1] == in_memory
    assert on_disk[-1].startswith("  kept on disk")


def test_rows_to_come_need_no_truth(tmp_path, both):
    frame = table(ahead=HORIZON)
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    first, second = both(lambda: read(path, future_column="open"))
    assert_same(first, second)
    frame.loc[450, "rain"] = np.nan
    frame.to_csv(path, index=False)
    with pytest.raises(ValueError, match="row 451, column 'rain'.*--fill"):
        read(path, future_column="open")


def test_a_single_series_is_drawn_as_in_memory(tmp_path, both):
    path = tmp_path / "table.csv"
    table()[: LENGTHS["a"]].to_csv(path, index=False)
    made = both(lambda: read(path, group_column=None))
    assert_same(*made)
    pictures = []
    for number, task in enumerate(made):
        pictures.append(tmp_path / f"{number}.png")
        tasks.draw_examples(task, pictures[-1])
    first, second = (picture.read_bytes() for picture in pictures)
    assert first == second


@pytest.mark.parametrize("suffix", [".parquet", ".csv.gz", ""])
def test_formats(tmp_path, both, suffix):
    frame, path = table(), tmp_path / f"table{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path)
    elif suffix:
        frame.to_csv(path, index=False)
    else:
        path.mkdir()
        for number in range(3):
            part = frame[200 * number : 200 * (number + 1)]
            part.to_parquet(path / f"part-{number}.parquet")
    assert_same(*both(lambda: read(path)))


def test_dates_that_begin_with_the_day(tmp_path, both):
    path = tmp_path / "table.csv"
    frame = table()
    frame["hour"] = frame["hour"].dt.strftime("%d.%m.%Y %H:%M")
    frame.to_csv(path, index=False)
    assert_same(*both(lambda: read(path)))


def test_dates_without_a_known_format_are_read_as_a_whole(
    tmp_path, both, caplog
):
    path = tmp_path / "table.csv"
    frame = table()
    frame["hour"] = frame["hour"].dt.strftime("%d %b %y %H:%M")
    frame.to_csv(path, index=False)
    first, second = both(lambda: read(path))
    assert not sequence_store.is_on_disk(second.data.splits["train"].x)
    assert first.data.fingerprint == second.data.fingerprint
    (warning,) = (
        record.getMessage()
        for record in caplog.records
        if "as a whole" in record.getMessage()
    )
    assert "Write dates such as 2024-01-31" in warning


def test_newest_rows_first_are_named(tmp_path, both):
    frame = table().query("place == place.iloc[0]").drop(columns="seconds")
    frame.iloc[::-1].to_csv(tmp_path / "table.csv", index=False)
    options = {"time_column": None, "group_column": None}
    for task in both(lambda: read(tmp_path / "table.csv", **options)):
        (found,) = task.findings
        assert found.kind == "rows-in-other-order"
        assert "'hour' goes back" in found.message


def test_uneven_steps_and_marks_of_missing_cells_are_found(tmp_path, both):
    frame = table(missing=0.01)
    frame.loc[100:, "seconds"] += 2400  # A step of 5/3 of the others.
    frame.to_csv(tmp_path / "table.csv", index=False)
    options = {"time_column": "seconds", "fill": "median"}
    first, second = both(lambda: read(tmp_path / "table.csv", **options))
    assert_same(first, second)
    assert {finding.kind for finding in second.findings} == {
        "repeated-times",
        "irregular-steps",
        "sentinel",
    }


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"horizon": 150}, "train split has no example"),
        ({"heat": "warm"}, {}, "'heat' holds no numbers to forecast"),
        ({"open": "yes"}, {"future_column": "open"}, "known in advance"),
        ({"heat": 7}, {}, "column 'heat': all .* training rows hold 7"),
        ({}, {"target_column": ["rain", "rain"]}, "named twice"),
        ({}, {"target_column": "snow"}, "no column 'snow'"),
        (
            {"open": np.nan},
            {"fill": "median", "future_column": "open"},
            "every cell of the training",
        ),
        ({"heat": 1e150}, {}, "cannot be standardized"),
    ],
)
def test_what_is_refused(tmp_path, both, change, options, message):
    frame, path = table(), tmp_path / "table.csv"
    value = change.get("heat")
    if value == 1e150:
        change = {"heat": value * (1 + frame.index % 2)}
    frame.assign(**change).to_csv(path, index=False)

    def refused():
        with pytest.raises(ValueError, match=message) as error:
            read(path, **options)
        return str(error.value)

    first, second = both(refused)
    assert first == second


def test_a_column_of_dates_is_no_number(tmp_path, both):
    frame, path = table(), tmp_path / "table.csv"
    days = pd.date_range("2020-01-01", periods=len(frame)).strftime("%Y%m%d")
    # Not the first part of the table, but the whole column tells.
    days = days.astype(int).where(frame.index > 350, 20200105)
    frame.assign(heat=days).to_csv(path, index=False)

    def refused():
        with pytest.raises(ValueError, match="holds no numbers") as error:
            read(path)
        return str(error.value)

    first, second = both(refused)
    assert first == second
    frame.assign(heat=days.where(frame.index < 400, 5)).to_csv(
        path, index=False
    )
    assert read(path).data.size("test") > 0


def test_the_season_is_that_of_the_last_rows(tmp_path, both, monkeypatch):
    hours = np.arange(1200)
    heat = np.where(hours < 600, np.sin(hours), np.sin(hours / 10 * 2 * np.pi))
    frame = pd.DataFrame({"heat": heat})
    frame.to_csv(tmp_path / "table.csv", index=False)
    monkeypatch.setattr(large_forecasts, "SEASON_ROWS", 200)
    options = {"target_column": "heat", "group_column": None}
    _, second = both(
        lambda: read(tmp_path / "table.csv", time_column=None, **options)
    )
    assert second.reader.season == 10


def test_fewer_training_examples(tmp_path, both):
    table().to_csv(tmp_path / "table.csv", index=False)
    first, second = (
        tasks.with_train_examples(task, 20)
        for task in both(lambda: read(tmp_path / "table.csv"))
    )
    one, two = (task.data.splits["train"] for task in (first, second))
    np.testing.assert_array_equal(one.x, two.x[:])
    np.testing.assert_array_equal(one.y, two.y)
    assert [*one.names] == [*two.names]
