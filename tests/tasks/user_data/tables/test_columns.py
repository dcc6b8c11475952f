import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from keras_fpt import tasks

pytestmark = pytest.mark.backend_free
SPLITS = ("train", "validation", "test")


@pytest.fixture
def frame():
    """90 rows of a number, a boolean, a category and a label."""
    generator = np.random.default_rng(0)
    a = generator.normal(size=90).round(3)
    return pd.DataFrame(
        {
            "a": a,
            "on": np.where(generator.random(90) < 0.5, "yes", "No"),
            "color": generator.choice(["red", "green", "blue"], 90),
            "y": np.where(a > 0, "high", "low"),
        }
    )


def write(frame, path):
    frame.to_csv(path, index=False)
    return path


def rows_of(task, split):
    """The rows of a split, from 0, and their values."""
    examples = task.data.splits[split]
    rows = [int(name.split()[1]) - 1 for name in examples.names]
    return rows, np.asarray(examples.x)[:, :, 0]


def as_loaded(reader):
    """A reader as it comes from a run's folder."""
    entry = json.loads(json.dumps(tasks.reader_to_json(reader)))
    loaded = tasks.reader_from_json(entry)
    assert loaded == reader
    return loaded


def test_booleans_and_categories_become_channels(frame, tmp_path, messages):
    task = tasks.from_csv(write(frame, tmp_path / "t.csv"), "y")
    assert task.sequence_length == 6
    rows, _ = rows_of(task, "train")
    train = frame.iloc[rows]
    on = (frame["on"] == "yes").astype(float)
    expected = np.column_stack(
        [
            (frame["a"] - train["a"].mean()) / train["a"].std(ddof=0),
            (on - on[rows].mean()) / on[rows].std(ddof=0),
            *(frame["color"] == c for c in ("blue", "green", "red")),
            np.zeros(90),
        ]
    )
    for split in SPLITS:
        rows, x = rows_of(task, split)
        np.testing.assert_allclose(x, expected[rows], atol=1e-5)
    assert any(
        "categories of color: blue, green, red, and all others" in m
        and "booleans of on" in m
        for m in messages
    )
    new = pd.DataFrame(
        {"color": ["mauve", "red"], "on": ["no", "YES"], "a": [0.5, 1.5]}
    )
    x, _ = as_loaded(task.reader).read(write(new, tmp_path / "new.csv"))
    assert x[:, 2:, 0].tolist() == [[0, 0, 0, 1], [0, 0, 1, 0]]
    assert x[0, 1, 0] < 0 < x[1, 1, 0]
    assert any("not in training: mauve" in m for m in messages)


def test_a_category_that_no_training_row_has(frame, tmp_path):
    task = tasks.from_csv(write(frame, tmp_path / "t.csv"), "y", verbose=False)
    rows, _ = rows_of(task, "test")
    frame.loc[rows[:2], "color"] = "mauve"
    task = tasks.from_csv(write(frame, tmp_path / "t.csv"), "y", verbose=False)
    assert task.reader.kinds[2].categories == ("blue", "green", "red")
    _, x = rows_of(task, "test")
    np.testing.assert_array_equal(x[:2, 2:], [[0, 0, 0, 1]] * 2)


def test_dates_become_days(frame, tmp_path):
    start = pd.Timestamp("2024-01-30 12:00")
    days = start + pd.to_timedelta(np.arange(90), unit="D")
    expected = None
    for date_format in ("%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M", "%m/%d/%y"):
        frame["day"] = days.strftime(date_format)
        path = write(frame[["a", "day", "y"]], tmp_path / "t.csv")
        task = tasks.from_csv(path, "y", verbose=False)
        rows, x = rows_of(task, "train")
        numbers = np.arange(90)[rows]
        expected = (numbers - numbers.mean()) / numbers.std()
        np.testing.assert_allclose(x[:, 1], expected, atol=1e-4)
        read, _ = as_loaded(task.reader).read(path)
        np.testing.assert_array_equal(read[rows, :, 0], x)
        typed = frame[["a"]].assign(day=days.floor("D"))
        typed.to_parquet(tmp_path / "new.parquet")
        read, _ = task.reader.read(tmp_path / "new.parquet")
        np.testing.assert_allclose(read[rows, 1, 0], x[:, 1], atol=0.03)
    frame["day"] = "01/02/2024"
    path = write(frame[["a", "day", "y"]], tmp_path / "t.csv")
    with pytest.raises(ValueError, match="column 'day': '01/02/2024' may mean"):
        tasks.from_csv(path, "y", verbose=False)


@pytest.mark.parametrize("options", [{}, {"missing": ["-200", "?"]}])
def test_missing_cells_are_errors_that_say_what_to_do(frame, tmp_path, options):
    frame["a"] = frame["a"].astype(object)
    frame.loc[7, "a"] = "-200.0" if options else "NA"
    path = write(frame[["a", "y"]], tmp_path / "t.csv")
    message = "row 8, column 'a': .*'(-200.0|NA)', a missing value.*--fill.*--d"
    with pytest.raises(ValueError, match=message):
        tasks.from_csv(path, "y", verbose=False, **options)


def test_missing_cells_are_filled_with_the_median_of_train(
    frame, tmp_path, messages
):
    missing = np.arange(90) % 4 == 0
    frame["b"] = np.where(missing, "-200", (frame["a"] * 2).astype(str))
    frame.loc[::5, "color"] = ""
    path = write(frame[["a", "b", "color", "y"]], tmp_path / "t.csv")
    task = tasks.from_csv(path, "y", missing="-200", fill="median")
    rows, x = rows_of(task, "train")
    values = frame["a"].to_numpy() * 2
    median = np.median(values[rows][~missing[rows]])
    filled = np.where(missing, median, values)
    expected = (filled - filled[rows].mean()) / filled[rows].std()
    for split in SPLITS:
        rows, x = rows_of(task, split)
        np.testing.assert_allclose(x[:, 1], expected[rows], atol=1e-5)
        np.testing.assert_array_equal(x[:, 2], missing[rows])
        is_empty = np.array(rows) % 5 == 0
        np.testing.assert_array_equal(x[:, 7], is_empty)
        np.testing.assert_array_equal(x[:, 3:7].sum(axis=1), ~is_empty)
    assert any("filled: b, color, each with a channel" in m for m in messages)
    # A new file may have gaps where training had none.
    frame.loc[3, "a"] = np.nan
    path = write(frame[["a", "b", "color"]], tmp_path / "new.csv")
    x, _ = as_loaded(task.reader).read(path)
    filler = (task.reader.kinds[0].filler - task.reader.mean[0]) / (
        task.reader.scale[0]
    )
    np.testing.assert_allclose(x[3, 0, 0], filler, atol=1e-6)


def test_missing_cells_are_filled_from_the_row_before_in_the_group(tmp_path):
    v = [1, "", 3, "", "", 6] + ["", 2, 3, "", 5, 6] + [1, 2, 3, 4, 5, 6] * 18
    group = np.repeat(np.arange(20), 6)
    order = np.random.default_rng(0).permutation(120)
    frame = pd.DataFrame(
        {
            "v": v, "g": group, "t": np.tile(np.arange(6), 20), "y": group % 2
        }
    ).iloc[order]  # fmt: skip
    path = write(frame, tmp_path / "t.csv")
    options = {"group_column": "g", "time_column": "t", "verbose": False}
    task = tasks.from_csv(path, "y", fill="forward", **options)
    reader = task.reader
    x, names = as_loaded(reader).read(path)
    values = x[:, :, 0] * reader.scale[0] + reader.mean[0]
    (median,) = {reader.kinds[0].filler}
    first, second = names.index("g 0"), names.index("g 1")
    np.testing.assert_allclose(values[first], [1, 1, 3, 3, 3, 6], atol=1e-5)
    np.testing.assert_allclose(
        values[second], [median, 2, 3, 3, 5, 6], atol=1e-5
    )
    if reader.kinds[0].says_missing:
        assert x[first, :, 1].tolist() == [0, 1, 0, 1, 1, 0]
    with pytest.raises(ValueError, match="needs rows that follow one another"):
        tasks.from_csv(path, "y", fill="forward", verbose=False)


def test_rows_without_a_label_or_a_cell_are_left_out(frame, tmp_path, messages):
    frame.loc[[3, 8], "y"] = ["", "?"]
    frame.loc[5, "a"] = np.nan
    path = write(frame[["a", "y"]], tmp_path / "t.csv")
    with pytest.raises(ValueError, match="row 6, column 'a'"):
        tasks.from_csv(path, "y", missing="?", verbose=False)
    task = tasks.from_csv(path, "y", missing="?", drop_missing=True)
    kept = frame.drop([3, 5, 8])
    seen = {}
    for split in SPLITS:
        rows, x = rows_of(task, split)
        seen |= dict(zip(rows, x[:, 0], strict=True))
    assert sorted(seen) == kept.index.tolist()
    values = task.reader.mean[0] + task.reader.scale[0] * np.array(
        [seen[row] for row in kept.index]
    )
    np.testing.assert_allclose(values, kept["a"], atol=1e-5)
    assert any("left out: 3 rows with missing cells or" in m for m in messages)
    with pytest.raises(ValueError, match="row 6, .*none was filled in train"):
        task.reader.read(path)


def test_windows_and_groups_with_missing_cells_are_left_out(tmp_path, messages):
    frame = pd.DataFrame(
        {"v": np.arange(200.0), "g": np.arange(200) // 10, "y": [0, 1] * 100}
    )
    frame.loc[57, "v"] = np.nan
    path = write(frame[["v", "y"]], tmp_path / "t.csv")
    task = tasks.from_csv(path, "y", window=5, drop_missing=True)
    names = [n for s in SPLITS for n in task.data.splits[s].names]
    assert len(names) == 38 and "series, rows 56-60" not in names
    assert any("left out: 1 windows with missing" in m for m in messages)
    assert all(
        np.isfinite(np.asarray(task.data.splits[split].x)).all()
        for split in SPLITS
    )
    frame["y"] = frame["g"] % 2
    path = write(frame, tmp_path / "t.csv")
    task = tasks.from_csv(path, "y", group_column="g", drop_missing=True)
    names = [n for s in SPLITS for n in task.data.splits[s].names]
    assert len(names) == 19 and "g 5" not in names
    assert any("left out: 1 groups with missing" in m for m in messages)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([f"id{i}" for i in range(90)], "holds 90 different texts in 90 rows"),
        (["1"] * 88 + ["two", "3"], "row 89, .*'two'. If 'two' marks a miss"),
    ],
)
def test_text_that_is_no_category(frame, tmp_path, cells, message):
    frame["c"] = cells
    with pytest.raises(ValueError, match=message):
        tasks.from_csv(write(frame, tmp_path / "t.csv"), "y", verbose=False)


def test_new_cells_of_another_kind_are_named(frame, tmp_path):
    task = tasks.from_csv(write(frame, tmp_path / "t.csv"), "y", verbose=False)
    frame.loc[2, "on"] = "perhaps"
    with pytest.raises(ValueError, match="row 3, column 'on': expected a bool"):
        task.reader.read(write(frame, tmp_path / "new.csv"))


def test_a_table_of_numbers_has_the_reader_of_old_runs(frame, tmp_path):
    path = write(frame[["a", "y"]], tmp_path / "t.csv")
    reader = tasks.from_csv(path, "y", verbose=False).reader
    plain = dataclasses.replace(reader)
    assert plain.kinds == () and plain.missing == () and plain.fill is None
    entry = tasks.reader_to_json(reader)
    old = {k: entry[k] for k in ("kind", "columns", "mean", "scale")}
    assert tasks.reader_from_json(old) == reader


def test_marks_of_missing_cells_in_any_spelling(tmp_path, messages):
    rows = [
        f"{i % 7},5;{'-999,0' if i % 5 == 0 else f'{i},5'};{i % 2}"
        for i in range(40)
    ]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["a;b;y", *rows]) + "\n")
    expected = tasks.from_csv(path, "y", missing="-999", fill="median")
    for missing in ("-999,0", -999, -999.0, ["-999"]):
        task = tasks.from_csv(path, "y", missing=missing, fill="median")
        np.testing.assert_array_equal(
            task.data.read()["test"].x, expected.data.read()["test"].x
        )
    assert not any("no cell is missing" in m for m in messages)
    tasks.from_csv(path, "y", missing=["-999", "-99"], fill="median")
    assert any("no cell is missing as -99" in m for m in messages)


def test_a_number_that_marks_missing_cells_may_be_a_label(tmp_path, messages):
    rows = [f"{i % 7 + 1},{i % 2}" for i in range(40)]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["a,y", "0,0", *rows]) + "\n")
    task = tasks.from_csv(path, "y", missing=0, drop_missing=True)
    assert task.class_names == ("0", "1")
    assert sum(len(part.y) for part in task.data.splits.values()) == 40
    assert any("labels: 0 is a label" in m for m in messages)
    # Far from all labels, it marks what is missing.
    path.write_text("\n".join(["a,y", "1,-999", "-999,1", *rows]) + "\n")
    task = tasks.from_csv(path, "y", missing=-999, drop_missing=True)
    assert task.class_names == ("0", "1")
    assert sum(len(part.y) for part in task.data.splits.values()) == 40


def test_nothing_is_filled_from_before_a_gap_in_time(tmp_path):
    times = np.concatenate([np.arange(50), np.arange(1000, 1050)])
    cells = [str(i) for i in range(100)]
    cells[50] = cells[20] = ""
    rows = [f"{t},{c},{t // 5 % 2}" for t, c in zip(times, cells, strict=True)]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["t,a,y", *rows]) + "\n")
    options = {"time_column": "t", "fill": "forward", "verbose": False}
    task = tasks.from_csv(path, "y", window=5, **options)
    new, _ = task.reader.read(path)
    (mean,), (scale,) = task.reader.mean, task.reader.scale
    column = new[..., 0].ravel() * scale + mean
    assert column[20] == pytest.approx(19, abs=1e-3)
    median = task.reader.kinds[0].filler
    assert column[50] == pytest.approx(median, abs=1e-3) != 49
    stored = np.concatenate(
        [part.x[..., 0].ravel() for part in task.data.splits.values()]
    )
    assert np.isclose(stored * scale + mean, median, atol=1e-3).any()


@pytest.mark.parametrize(
    "cell", ["{}%", "${}.50", "1 {:03}", "1'{:03}", "−{}", "0x{:x}", "{}/7"]
)
def test_numbers_in_other_spellings_are_noted(tmp_path, cell):
    path = tmp_path / "mine.csv"
    rows = [f"{cell.format(i % 5)},{'uv'[i % 2]}" for i in range(60)]
    path.write_text("\n".join(["a,y", *rows]) + "\n")
    kinds = [f.kind for f in tasks.from_csv(path, "y").findings]
    assert "numbers-as-text" in kinds


def test_dates_in_several_formats_are_refused(tmp_path):
    path = tmp_path / "mine.csv"
    dates = ["2024-03-05", "17/03/2024"]
    rows = [f"{dates[i % 2]},{'uv'[i // 2 % 2]}" for i in range(60)]
    path.write_text("\n".join(["a,y", *rows]) + "\n")
    with pytest.raises(ValueError, match="column 'a': .*'17/03/2024'. Write"):
        tasks.from_csv(path, "y")
