import sys

import numpy as np
import pandas as pd
import pytest

from keras_fpt import cli, tasks

pytestmark = pytest.mark.backend_free


@pytest.fixture
def table(tmp_path):
    frame = pd.DataFrame({"v": np.arange(60.0), "who": np.arange(60) // 5})
    frame["y"] = np.where(frame["who"] % 2, "=1+1", "b")
    frame.to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv", frame


def test_each_example_has_its_split_label_and_group(table):
    path, frame = table
    task = tasks.from_csv(path, "y", split_group="who", verbose=False)
    found = task.split_table()
    assert list(found.columns) == ["example", "split", "label", "group"]
    rows = found["example"].str.removeprefix("row ").astype(int) - 1
    assert sorted(rows) == list(range(60))
    assert (found["label"].to_numpy() == frame["y"].to_numpy()[rows]).all()
    assert (found["group"].to_numpy() == frame["who"].to_numpy()[rows]).all()
    sizes = found["split"].value_counts()
    for split in ("train", "validation", "test"):
        assert sizes[split] == task.data.size(split)


def test_it_is_written_and_replaces_no_other_file(
    table, tmp_path, monkeypatch, capsys
):
    path, _ = table

    def call(output):
        arguments = ["tasks", "show", path, "--label-column", "y", "--output",
                     tmp_path / "p.png", "--write-splits", output]  # fmt: skip
        monkeypatch.setattr(sys, "argv", ["keras-fpt", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code

    output = tmp_path / "splits.csv"
    assert call(output) == 0 and call(output) == 0
    written = pd.read_csv(output)
    assert len(written) == 60 and set(written["label"]) == {"'=1+1", "b"}
    before = path.read_bytes()
    assert call(path) == 1
    assert path.read_bytes() == before
    assert "would replace the input" in capsys.readouterr().err


def test_tasks_that_generate_their_examples_have_none():
    with pytest.raises(ValueError, match="generates its examples"):
        tasks.get("bit-xor").split_table()
    assert len(tasks.get("digits").split_table()) == 1797
