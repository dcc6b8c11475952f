"""New data in other units, or with other steps of time, than in training."""

import numpy as np
import pandas as pd
import pytest

from keras_fpt import tasks
from keras_fpt.runs import RunConfig, evaluate_file, predict, train
from keras_fpt.tasks import read_new_targets
from keras_fpt.tasks.user_data import sequences
from keras_fpt.tasks.user_data.tables import table_files

pytestmark = pytest.mark.backend_free

GENERATOR = np.random.default_rng(0)


def rows(size=60, factor=1.0):
    y = np.arange(size) % 2
    x = GENERATOR.normal(size=(size, 2)) + 3 * y[:, None]
    return pd.DataFrame(
        {"x": x[:, 0], "z": x[:, 1] * factor, "y": np.array(["a", "b"])[y]}
    )


def save(frame, path):
    frame.to_csv(path, index=False)
    return str(path)


def walk(hertz, size=60, people=4):
    """Recordings at a sampling rate."""
    parts = []
    for person in range(people):
        part = rows(size).drop(columns="y")
        part["y"] = "ab"[person % 2]
        part["person"] = f"p{person}"
        part["t"] = np.arange(size) / hertz
        parts.append(part)
    return pd.concat(parts)


WALK = {
    "label_column": "y",
    "group_column": "person",
    "time_column": "t",
    "window": 10,
}


def test_other_units_are_noted(tmp_path, messages):
    task = tasks.get(save(rows(), tmp_path / "old.csv"), label_column="y")
    del messages[:]
    task.reader.read(save(rows(), tmp_path / "alike.csv"))
    assert messages == []
    # A few outliers are none.
    frame = rows()
    frame.loc[:20, "x"] = 1e6
    task.reader.read(save(frame, tmp_path / "outliers.csv"))
    assert messages == []
    task.reader.read(save(rows(factor=1000), tmp_path / "new.csv"))
    (message,) = messages
    assert "new.csv`, column 'z': " in message
    assert "of 60 numbers are more than 10 standard deviations" in message


def test_blocks_of_a_large_table_are_noted_once(
    tmp_path, messages, monkeypatch
):
    monkeypatch.setattr(sequences, "MAX_BYTES_IN_MEMORY", 100)
    task = tasks.get(save(rows(), tmp_path / "old.csv"), label_column="y")
    path = save(rows(factor=1000), tmp_path / "new.csv")
    del messages[:]
    blocks = tasks.read_new_blocks(task.reader, path, {})
    assert sum(len(block.names) for block in blocks) == 60
    assert len(messages) == 1


@pytest.mark.parametrize(
    "options",
    [{"ignore_column": ["person", "t"]}, WALK, {**WALK, "window": None}],
)
def test_blocks_are_noted_as_the_whole_table(
    tmp_path, messages, monkeypatch, options
):
    task = tasks.get(
        save(walk(50, people=12), tmp_path / "old.csv"),
        **{"label_column": "y", **options},
    )
    # Of a part of the first rows, nothing would be noted.
    frame = walk(100).reset_index(drop=True)
    frame.loc[60:, "x"] += 1000.0
    frame.loc[:59, "t"] *= 2
    path = save(frame, tmp_path / "new.csv")
    del messages[:]
    task.reader.read(path)
    expected = [*messages]
    assert len(expected) == 2 - (task.reader.time_column is None)
    monkeypatch.setattr(sequences, "MAX_BYTES_IN_MEMORY", 100)
    monkeypatch.setattr(table_files, "ROWS_PER_CHUNK", 37)
    del messages[:]
    assert len([*tasks.read_new_blocks(task.reader, path, {})]) > 2
    assert sorted(messages) == sorted(expected)


def test_other_units_of_recordings_are_noted(tmp_path, messages):
    for number in range(20):
        folder = tmp_path / "old" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        save(rows(20).drop(columns="y"), folder / f"{number}.csv")
    task = tasks.get(str(tmp_path / "old"))
    new = tmp_path / "new"
    new.mkdir()
    for number in range(3):
        save(rows(20, 1000).drop(columns="y"), new / f"{number}.csv")
    del messages[:]
    task.reader.read(str(new))
    assert len(messages) == 1
    assert "column 'z'" in messages[0]
    assert "of 60 numbers" in messages[0]


def test_other_steps_of_time_are_noted(tmp_path, messages):
    task = tasks.get(save(walk(50), tmp_path / "old.csv"), **WALK)
    del messages[:]
    task.reader.read(save(walk(50), tmp_path / "alike.csv"))
    assert messages == []
    task.reader.read(save(walk(100), tmp_path / "new.csv"))
    (message,) = messages
    assert "the median step of t is 0.01, but 0.02 in training" in message


@pytest.mark.parametrize("task_type", ["classification", "tokens"])
def test_other_steps_are_noted_once_where_labels_are_read(
    tmp_path, preset, messages, task_type
):
    path = save(walk(50), tmp_path / "old.csv")
    options = {**WALK, "task_type": task_type}
    config = RunConfig(path, preset, steps=1, options=options)
    train(config.with_settings(depth=1), tmp_path / "run")
    new = save(walk(100), tmp_path / "new.csv")
    for call in (predict, evaluate_file):
        del messages[:]
        call(tmp_path / "run", new)
        assert sum("the median step of t" in text for text in messages) == 1


def test_times_in_another_unit_are_named(tmp_path):
    """In milliseconds, each step would be a gap."""
    task = tasks.get(save(walk(50), tmp_path / "old.csv"), **WALK)
    path = save(walk(0.05), tmp_path / "new.csv")
    with pytest.raises(ValueError, match="new.csv`: gaps in t leave no window"):
        task.reader.read(path)


def test_forecasts_note_other_steps(tmp_path, messages):
    def series(step):
        return pd.DataFrame(
            {
                "day": pd.date_range("2024-01-01", periods=90, freq=step),
                "v": np.sin(np.arange(90.0)),
            }
        )

    task = tasks.from_series(
        save(series("D"), tmp_path / "old.csv"), "v", 3, time_column="day"
    )
    del messages[:]
    task.reader.read(save(series("D"), tmp_path / "alike.csv"))
    assert messages == []
    task.reader.read(save(series("h"), tmp_path / "new.csv"))
    assert "the median step of day is 3600, but 86400" in messages[0]


def test_numbers_to_predict_are_checked_as_in_training(tmp_path):
    """A point may separate thousands where semicolons separate columns."""
    frame = rows().assign(y=np.linspace(0, 1, 60))
    path = save(frame, tmp_path / "old.csv")
    options = {"label_column": "y", "task_type": "regression"}
    task = tasks.get(path, **options)
    text = "\n".join(
        f"{n}.5;{n}.25;{'999' if n % 2 else '1.002'}" for n in range(20)
    )
    new = tmp_path / "new.csv"
    new.write_text("x;z;y\n" + text)
    names = [f"row {n + 1}" for n in range(20)]
    with pytest.raises(ValueError, match="row 1, column 'y': is '1.002' 1002"):
        read_new_targets(task.reader, str(new), names, options)
