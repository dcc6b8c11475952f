"""Tables of series, whose next rows are forecast."""

import json

import numpy as np
import pandas as pd
import pytest

from keras_fpt import tasks
from keras_fpt.tasks import forecast_errors
from keras_fpt.tasks.user_data.tables import times as times_

pytestmark = pytest.mark.backend_free

CONTEXT, HORIZON = 12, 4


def write(path, rows=150, stations=("a", "b"), seed=0):
    """Two columns of days at some stations, in a random order of rows."""
    generator = np.random.default_rng(seed)
    parts = []
    for number, station in enumerate(stations):
        steps = np.arange(rows)
        parts.append(
            pd.DataFrame(
                {
                    "station": station,
                    "day": pd.date_range("2020-01-01", periods=rows),
                    "heat": 20 * number + np.sin(steps / 6 * 2 * np.pi),
                    "rain": generator.normal(100, 30, rows),
                }
            )
        )
    frame = pd.concat(parts).sample(frac=1, random_state=seed)
    frame.to_csv(path, index=False)
    return frame


def expected(frame, columns, stride=1):
    """Every example of each split, by a walk over all rows with pandas."""
    found = {"train": [], "validation": [], "test": []}
    train_rows = []
    # Groups in the order in which they appear in the file.
    for station in frame["station"].unique():
        own = frame[frame["station"] == station].sort_values("day")
        own = own.reset_index(drop=True)
        test = len(own) - max(len(own) // 5, HORIZON)
        validation = test - max(test // 10, HORIZON)
        train_rows.append(own[columns][:validation])
        stretch = (own["day"].diff() > pd.Timedelta(days=5)).cumsum()
        parts = {
            "train": (0, validation),
            "validation": (validation, test),
            "test": (test, len(own)),
        }
        for split, (low, high) in parts.items():
            last = None
            for origin in range(max(low, CONTEXT), high - HORIZON + 1):
                rows = own[origin - CONTEXT : origin + HORIZON]
                if stretch[rows.index].nunique() > 1:
                    last = None
                    continue
                is_train = split == "train" and last is not None
                if is_train and origin - last < stride:
                    continue
                last = origin
                if rows[columns][CONTEXT:].isna().any().any():
                    continue
                found[split].append(rows[columns].ffill().to_numpy())
    return found, pd.concat(train_rows)


def in_units(task, split):
    x, y, *_ = task.data.splits[split]
    return task.reader.in_units(np.concatenate([x, y], axis=1))


@pytest.mark.parametrize("stride", [1, 3])
def test_examples_are_those_of_pandas(tmp_path, stride):
    path = tmp_path / "days.csv"
    frame = write(path)
    task = tasks.from_series(
        path,
        ["heat", "rain"],
        HORIZON,
        CONTEXT,
        group_column="station",
        time_column="day",
        stride=stride,
        verbose=False,
    )
    found, train = expected(frame, ["heat", "rain"], stride)
    for split, windows in found.items():
        np.testing.assert_allclose(
            in_units(task, split), np.array(windows), atol=1e-4
        )
    np.testing.assert_allclose(task.reader.mean, train.mean())
    np.testing.assert_allclose(task.reader.scale, train.std(ddof=0))
    assert (task.head, task.main_metric) == ("forecaster", "mse")
    assert task.model_arguments() == {
        "horizon": HORIZON,
        "input_dim": 2,
        "dropout": 0.1,
    }


def test_no_example_holds_a_gap_or_forecasts_a_filled_cell(tmp_path, caplog):
    path = tmp_path / "days.csv"
    frame = write(path)
    own = frame[frame["station"] == "a"].sort_values("day")
    frame = frame.drop(index=own.index[60:70], errors="ignore")
    frame = frame.reset_index(drop=True)
    frame.loc[frame.sample(8, random_state=1).index, "rain"] = np.nan
    frame.to_csv(path, index=False)
    options = dict(group_column="station", time_column="day")
    with pytest.raises(ValueError, match="row .*, column 'rain'.*--fill"):
        tasks.from_series(path, ["heat", "rain"], HORIZON, **options)
    caplog.set_level("INFO", "keras_fpt")
    task = tasks.from_series(
        path, ["heat", "rain"], HORIZON, CONTEXT, fill="forward", **options
    )
    assert "gaps in day" in caplog.text
    assert "missing cells in the horizon" in caplog.text
    found, train = expected(frame, ["heat", "rain"])
    for split, windows in found.items():
        actual, windows = in_units(task, split), np.array(windows)
        # A context whose first cell is missing is filled from before it.
        windows[:, :CONTEXT] = np.where(
            np.isnan(windows[:, :CONTEXT]),
            actual[:, :CONTEXT],
            windows[:, :CONTEXT],
        )
        np.testing.assert_allclose(actual, windows, atol=1e-4)
    np.testing.assert_allclose(task.reader.mean, train.mean())
    complete = tasks.from_series(
        path, "rain", HORIZON, CONTEXT, drop_missing=True, **options
    )
    for split in found:
        assert np.isfinite(complete.data.splits[split].x).all()
        assert np.isfinite(complete.data.splits[split].y).all()


def test_the_scores_of_simple_rules(tmp_path):
    path = tmp_path / "days.csv"
    write(path, stations=("a",))
    task = tasks.from_series(
        path, "rain", HORIZON, CONTEXT, time_column="day", verbose=False
    )
    x, y, *_ = task.data.splits["test"]
    naive = forecast_errors(np.repeat(x[:, -1:], HORIZON, axis=1), y)
    assert list(task.floors("test"))[0] == tasks.NAIVE
    floors = task.target_floors("test")
    assert floors["floor_mse"] == pytest.approx(naive["mse"])
    assert floors["floor_mae"] == pytest.approx(naive["mae"])
    scores = task.floors("test")[tasks.NAIVE]
    np.testing.assert_allclose(
        scores, -((x[:, -1:] - y) ** 2).mean(axis=(1, 2)), rtol=1e-6
    )
    seasonal = tasks.from_series(
        path, "heat", HORIZON, CONTEXT, time_column="day", verbose=False
    )
    assert seasonal.reader.season == 6
    error = seasonal.floors("test")[tasks.SEASONAL_NAIVE]
    np.testing.assert_allclose(error, 0, atol=1e-9)
    short = tasks.from_series(
        path, "heat", HORIZON, 5, time_column="day", verbose=False
    )
    assert list(short.floors("test")) == [tasks.NAIVE]


def test_a_reader_reads_the_last_context_and_continues_times(tmp_path):
    path = tmp_path / "days.csv"
    frame = write(path)
    task = tasks.from_series(
        path,
        "rain",
        HORIZON,
        CONTEXT,
        group_column="station",
        time_column="day",
        verbose=False,
    )
    saved = json.loads(json.dumps(tasks.reader_to_json(task.reader)))
    reader = tasks.reader_from_json(saved)
    assert reader == task.reader
    x, names = reader.read(path)
    stations = frame["station"].unique()
    assert names == [f"station {name}" for name in stations]
    for name, context in zip(stations, reader.in_units(x), strict=True):
        own = frame[frame["station"] == name].sort_values("day")
        np.testing.assert_allclose(
            context[:, 0], own["rain"][-CONTEXT:], rtol=1e-4
        )
    after = reader.following(path)
    days = pd.date_range("2020-05-30", periods=HORIZON).strftime("%Y-%m-%d")
    assert list(after["day"]) == [*days, *days]
    assert list(after["station"]) == [*np.repeat(stations, HORIZON)]
    windows = reader.read_windows(path)
    assert len(windows.x) == 2 * (150 - CONTEXT - HORIZON + 1)
    own = frame[frame["station"] == "a"].sort_values("day")
    own.drop(columns="rain").to_csv(path, index=False)
    with pytest.raises(ValueError, match="days.csv` has no column 'rain'"):
        reader.read(path)
    own[:9].to_csv(path, index=False)
    with pytest.raises(ValueError, match="from 12 rows .* but there are 9"):
        reader.read(path)
    with pytest.raises(ValueError, match="is scored on 16 rows"):
        reader.read_windows(path)


@pytest.mark.parametrize(
    ("times", "after"),
    [
        (["2020-01-31", "2020-02-29", "2020-03-31"], ["2020-04-30"]),
        (
            ["2020-01-01 10:00", "2020-01-01 10:15", "2020-01-01 10:30"],
            ["2020-01-01 10:45:00"],
        ),
        (["2020-01-01", "2020-01-02", "2020-01-05"], ["2020-01-07"]),
        (["1990", "1991", "1993"], [1994.5]),
        (["1990", "1992", "1994"], [1996]),
    ],
)
def test_times_go_on(times, after):
    assert times_.following(pd.Series(times), "t", 1, str) == after


def test_what_a_forecast_refuses(tmp_path):
    path = tmp_path / "days.csv"
    frame = write(path, stations=("a",)).sort_values("day")
    frame["word"] = ["dry", "wet"] * 75
    frame["same"] = 1
    frame.to_csv(path, index=False)
    for options, message in (
        (dict(horizon=100), "train split has no example.*--horizon.*--context"),
        (dict(horizon=0), "horizon .--horizon. to be at least 1"),
        (dict(), "Say how many rows to forecast with horizon"),
        (dict(target_column="word", horizon=4), "'word' holds no numbers"),
        (dict(target_column="same", horizon=4), "all .* rows hold 1"),
        (
            dict(target_column="snow", horizon=4),
            "no column 'snow'. Its columns",
        ),
        (dict(target_column=["rain", "rain"], horizon=4), "named twice"),
        (dict(window=3, horizon=4), "--window does not apply.*--context"),
        (dict(label_column="rain", horizon=4), "--label-column does not"),
        (dict(horizon=4, quick=1), "--quick does not apply"),
    ):
        options = {"target_column": "rain"} | options
        with pytest.raises(ValueError, match=message):
            tasks.get(str(path), task_type="forecast", **options)
    with pytest.raises(ValueError, match="choose the column with --target-col"):
        tasks.get(str(path), task_type="forecast", horizon=4)
    with pytest.raises(ValueError, match="add --task-type forecast"):
        tasks.get(str(path), label_column="word", horizon=4)
    with pytest.raises(ValueError, match="use keras_fpt.tasks.from_series"):
        tasks.from_arrays(
            np.zeros((9, 4, 1)), np.arange(9), task_type="forecast"
        )


def test_the_least_rows_that_an_error_names_are_enough(tmp_path):
    path = tmp_path / "days.csv"
    frame = write(path, rows=50, stations=("a",))
    frame.sort_values("day").to_csv(path, index=False)
    with pytest.raises(ValueError, match="At least") as error:
        tasks.from_series(path, "rain", horizon=12, context=40)
    least = int(str(error.value).split("At least ")[1].split()[0])
    for rows in (least - 1, least):
        write(path, rows=rows, stations=("a",))
        if rows < least:
            with pytest.raises(ValueError, match=f"At least {least}"):
                tasks.from_series(path, "rain", horizon=12, context=40)
        else:
            tasks.from_series(path, "rain", horizon=12, context=40)


def test_uneven_steps_of_time_are_said(tmp_path):
    path = tmp_path / "days.csv"
    frame = write(path, stations=("a",)).sort_values("day")
    months = pd.date_range("2000-01-01", periods=150, freq="MS")
    for days, kinds in (
        (months, []),
        (frame["day"], []),
        ([*frame["day"][:149], "2020-06-01"], ["irregular"]),
    ):
        frame.assign(day=list(pd.to_datetime(days))).to_csv(path, index=False)
        task = tasks.from_series(
            path, "rain", HORIZON, time_column="day", verbose=False
        )
        assert [f.kind[:9] for f in task.findings] == kinds
    assert "1 of 149 steps of day are not like" in str(task.findings[0])
