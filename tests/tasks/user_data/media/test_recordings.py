import numpy as np
import pandas as pd
import pytest

from keras_fpt import tasks

pytestmark = pytest.mark.backend_free


@pytest.fixture
def folder(tmp_path):
    """12 recordings of 40 to 51 rows: walks and runs."""
    generator = np.random.default_rng(0)
    for number in range(12):
        kind = ("walk", "run")[number % 2]
        table = pd.DataFrame(
            generator.normal(size=(40 + number, 2)) * (3, 50),
            columns=["speed", "pulse"],
        )
        path = tmp_path / "trials" / kind / f"{number}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(path, index=False)
    return tmp_path / "trials"


def standardized(folder, task):
    """Each recording as pandas reads it, standardized by those of train."""
    tables = {
        str(path.relative_to(folder)): pd.read_csv(path).to_numpy()
        for path in folder.rglob("*.csv")
    }
    names = {n.split(",")[0] for n in task.data.splits["train"].names}
    train = np.concatenate([tables[name] for name in names])
    return {
        name: (values - train.mean(0)) / train.std(0)
        for name, values in tables.items()
    }


def test_a_table_is_a_sequence(folder):
    task = tasks.get(folder, verbose=False)
    assert task.class_names == ("run", "walk")
    assert (task.sequence_length, task.input_dim) == (51, 2)
    expected = standardized(folder, task)
    for examples in task.data.splits.values():
        for place, name in enumerate(examples.names):
            np.testing.assert_allclose(
                examples.x[place], expected[name], atol=1e-5
            )
            assert name.startswith(task.class_names[examples.y[place]])
    new, names = task.reader.read(folder / "run" / "3.csv")
    np.testing.assert_allclose(new[0], expected["run/3.csv"], atol=1e-5)
    assert names == ["3.csv"]
    assert tasks.reader_from_json(tasks.reader_to_json(task.reader)) == (
        task.reader
    )


def test_windows_of_a_recording_are_in_one_split(folder):
    task = tasks.get(folder, window=20, stride=10, verbose=False)
    expected = standardized(folder, task)
    files = []
    for examples in task.data.splits.values():
        files.append({name.split(",")[0] for name in examples.names})
        for place, name in enumerate(examples.names):
            file, rows = name.split(", rows ")
            start, end = map(int, rows.split("-"))
            np.testing.assert_allclose(
                examples.x[place], expected[file][start - 1 : end], atol=1e-5
            )
    assert sum(map(len, files)) == 12 == len(set.union(*files))
    new, names = task.reader.read(folder / "run" / "3.csv")
    assert new.shape == (3, 20, 2) and names[0] == "3.csv, rows 1-20"


def test_recordings_that_differ_are_named(folder):
    path = folder / "walk" / "4.csv"
    table = pd.read_csv(path)
    table.assign(time=range(len(table))).to_csv(path, index=False)
    with pytest.raises(
        ValueError, match="walk/4.csv` has .*'time' is in only one"
    ):
        tasks.get(folder, verbose=False)
    table.astype(object).replace(table.iloc[2, 1], "high").to_csv(
        path, index=False
    )
    with pytest.raises(
        ValueError, match="walk/4.csv`, row 3, column 'pulse': .* 'high'"
    ):
        tasks.get(folder, verbose=False)
    task = tasks.get(folder, ignore_column=["pulse"], verbose=False)
    assert task.input_dim == 1
    path.rename(folder / "walk" / "notes.md")
    with pytest.raises(
        ValueError, match="notes.md` is not a table .* tables: CSV, TSV"
    ):
        tasks.get(folder, verbose=False)


@pytest.fixture
def gappy(folder):
    """The same recordings, some of whose cells are missing."""
    for number, mark in ((0, ""), (1, "-9"), (2, "NA"), (5, "-9")):
        kind = ("walk", "run")[number % 2]
        path = folder / kind / f"{number}.csv"
        frame = pd.read_csv(path).astype(str)
        frame.loc[[0, 7], "pulse"] = mark
        frame.to_csv(path, index=False)
    return folder


def test_missing_cells_of_recordings_are_filled(gappy):
    with pytest.raises(ValueError, match="row 1, column 'pulse': .*'(NA)?', a"):
        tasks.get(gappy, verbose=False)
    task = tasks.get(gappy, missing=["-9"], fill="forward", verbose=False)
    reader = task.reader
    assert (task.input_dim, reader.flagged) == (3, (1,))
    tables = {
        str(path.relative_to(gappy)): pd.read_csv(
            path, na_values=["-9"]
        ).to_numpy()
        for path in gappy.rglob("*.csv")
    }
    train = [tables[n] for n in task.data.splits["train"].names]
    median = np.nanmedian(np.concatenate(train), axis=0)
    np.testing.assert_allclose(reader.median, median)

    def filled(values):
        return pd.DataFrame(values).ffill().fillna(dict(enumerate(median)))

    known = np.concatenate([filled(values) for values in train])
    for part in task.data.splits.values():
        for x, name in zip(part.x, part.names, strict=True):
            expected = filled(tables[name]) - known.mean(axis=0)
            x = x.numpy() if hasattr(x, "numpy") else x
            np.testing.assert_allclose(
                x[:, :2], expected / known.std(axis=0), atol=1e-5
            )
            np.testing.assert_array_equal(x[:, 2], np.isnan(tables[name][:, 1]))
    new, _ = reader.read(gappy / "run" / "1.csv")
    assert new[0][0, 2] == 1 and new.shape[-1] == 3
    assert tasks.reader_from_json(tasks.reader_to_json(reader)) == reader


def test_windows_of_recordings_with_missing_cells_are_left_out(gappy, capsys):
    task = tasks.get(gappy, missing=["-9"], drop_missing=True, window=20)
    assert "left out: 4 windows with missing cells" in capsys.readouterr().out
    for part in task.data.splits.values():
        assert np.isfinite(part.x).all()
    names = [n for part in task.data.splits.values() for n in part.names]
    assert "walk/0.csv, rows 1-20" not in names
    assert "walk/0.csv, rows 21-40" in names


def test_what_is_said_of_times_and_texts_applies_to_recordings(folder):
    for path in folder.rglob("*.csv"):
        table = pd.read_csv(path)
        table.insert(0, "clock", range(0, 20 * len(table), 20))
        table.to_csv(path, index=False)
    (finding,) = tasks.get(folder, verbose=False).findings
    assert finding.kind == "time-as-feature"
    assert finding.advice == "Leave it out: --ignore-column clock."
    table["note"] = "ok"
    table.to_csv(path, index=False)
    path.rename(folder / "run" / "0.csv")
    for other in folder.rglob("*.csv"):
        table[: len(pd.read_csv(other))].to_csv(other, index=False)
    with pytest.raises(ValueError, match="'note': .* 'ok'.*--ignore-column"):
        tasks.get(folder, verbose=False)
