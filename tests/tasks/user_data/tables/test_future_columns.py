"""Forecasts of tables with columns that are known in advance."""

import json

import numpy as np
import pandas as pd
import pytest

from keras_fpt import tasks
from keras_fpt.tasks.user_data import paths

pytestmark = pytest.mark.backend_free

CONTEXT, HORIZON = 6, 3


def write(path, rows=80, ahead=HORIZON, shops=("a", "b")):
    """Days of some shops, whose last ones have no sales yet."""
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame(
            {
                "shop": shop,
                "day": pd.date_range("2020-01-01", periods=rows + ahead),
                "sales": rng.normal(100, 20, rows + ahead),
                "holiday": rng.integers(0, 2, rows + ahead),
                "price": rng.normal(3, 1, rows + ahead),
            }
        )
        for shop in shops
    ]
    for part in parts:
        part.loc[rows:, "sales"] = np.nan
    frame = pd.concat(parts).sample(frac=1, random_state=1)
    frame.to_csv(path, index=False)
    return frame.sort_values(["shop", "day"]).reset_index(drop=True)


def make(path, **settings):
    return tasks.from_series(
        path,
        "sales",
        HORIZON,
        CONTEXT,
        group_column="shop",
        time_column="day",
        future_column=["holiday", "price"],
        verbose=False,
        **settings,
    )


@pytest.fixture
def table(tmp_path):
    frame = write(tmp_path / "sales.csv")
    return tmp_path / "sales.csv", frame


def test_inputs_hold_what_is_known_over_the_horizon(table):
    path, frame = table
    task = make(path)
    assert (task.input_dim, task.future_dim) == (3, 2)
    assert task.sequence_length == CONTEXT + HORIZON
    assert task.model_arguments()["future_dim"] == 2
    reader = task.reader
    first = frame[frame["shop"] == frame["shop"][0]]
    x, y, names, _ = task.data.splits["train"]
    assert x.shape[1:] == (9, 3) and y.shape[1:] == (3, 1)
    # By pandas, of the first days of each shop.
    scaled = frame[["holiday", "price"]].to_numpy()
    scaled = (scaled - reader.future_mean) / reader.future_scale
    row = x[np.abs(x[..., 2] - scaled[:9, 1]).max(axis=1).argmin()]
    np.testing.assert_allclose(row[:, 1:], scaled[:9], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        reader.in_units(row[:CONTEXT, :1])[:, 0],
        first["sales"][:CONTEXT],
        rtol=1e-4,
    )
    # What is forecast is not there.
    for split in ("train", "validation", "test"):
        x, y, *_ = task.data.splits[split]
        assert (x[:, CONTEXT:, 0] == 0).all() and (y != 0).any()
    # Rows that are to come are in no part.
    frame = frame[frame["sales"].notna()]
    frame.to_csv(path.with_name("past.csv"), index=False)
    past = make(path.with_name("past.csv"))
    for split in ("train", "validation", "test"):
        assert past.data.size(split) == task.data.size(split)
    assert past.reader.future_mean == pytest.approx(reader.future_mean)
    # Statistics are of the training rows.
    assert 0.3 < reader.future_scale[0] < 0.6
    # Simple rules are of the last known value.
    naive = task.simple_rules["naive"](x)
    np.testing.assert_array_equal(naive[:, 0], x[:, CONTEXT - 1, :1])
    assert task.history.values.shape[1] == 1


def test_a_new_file_holds_the_rows_that_are_forecast(table, tmp_path):
    path, frame = table
    reader = make(path).reader
    x, names = reader.read(path)
    assert x.shape == (2, 9, 3) and len(names) == 2
    own = frame[frame["shop"] == names[0].split()[-1]]
    np.testing.assert_allclose(
        x[0, :, 2] * reader.future_scale[1] + reader.future_mean[1],
        own["price"][-9:],
        rtol=1e-4,
    )
    assert (x[:, CONTEXT:, 0] == 0).all()
    ahead = reader.following(path)
    assert list(ahead["day"][:HORIZON]) == [
        str(day.date()) for day in own["day"][-HORIZON:]
    ]
    # Every row of it that has come is scored.
    windows = reader.read_windows(path)
    assert len(windows.x) == 2 * (80 - 8) and windows.y.shape[1:] == (3, 1)
    # Without the rows, nothing can be said about them.
    short = write(tmp_path / "short.csv", ahead=1)
    assert len(short) == 2 * 81
    with pytest.raises(ValueError, match="ends with 1 rows.*Add these rows"):
        reader.read(tmp_path / "short.csv")
    frame.loc[frame.index[-1], "price"] = np.nan
    frame.to_csv(tmp_path / "open.csv", index=False)
    with pytest.raises(ValueError, match="column 'price'.*finite number"):
        reader.read(tmp_path / "open.csv")


def test_missing_cells_are_those_of_rows_that_have_come(table, tmp_path):
    path, frame = table
    frame.loc[20, "sales"] = np.nan
    frame.loc[len(frame) - 1, "price"] = np.nan
    frame.to_csv(path, index=False)
    with pytest.raises(ValueError, match="column 'sales'"):
        make(path)
    task = make(path, fill="forward")
    x, _ = task.reader.read(path)
    assert np.isfinite(x).all() and (x[:, CONTEXT:, 0] == 0).all()
    # The last price is that of the day before.
    assert x[-1, -1, 2] == x[-1, -2, 2]


def test_other_readers_are_saved_as_before(table):
    path, _ = table
    task = make(path)
    entry = json.loads(json.dumps(paths.reader_to_json(task.reader)))
    assert paths.reader_from_json(entry) == task.reader
    plain = tasks.from_series(
        path, "price", HORIZON, CONTEXT, "shop", "day", verbose=False
    )
    entry = paths.reader_to_json(plain.reader)
    assert not any(name.startswith("future") for name in entry)
    assert paths.reader_from_json(json.loads(json.dumps(entry))) == plain.reader


def test_wrong_columns_are_refused(table, tmp_path):
    path, frame = table
    with pytest.raises(ValueError, match="'sales' is named twice"):
        tasks.from_series(path, "sales", 2, future_column="sales")
    with pytest.raises(ValueError, match="'shop' holds no numbers that are"):
        tasks.from_series(path, "sales", 2, future_column="shop")
    with pytest.raises(ValueError, match="--future-column.*for forecasts"):
        tasks.get(str(path), label_column="shop", future_column="price")
