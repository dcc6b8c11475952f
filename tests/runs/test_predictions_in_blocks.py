"""New tables that do not fit into memory are predicted as small ones are."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import typer.testing

from keras_fpt.cli.app import app
from keras_fpt.runs import (
    RunConfig,
    evaluate_file,
    predict,
    predict_in_blocks,
    train,
)
from keras_fpt.tasks.user_data import read_new, read_new_blocks, sequences
from keras_fpt.tasks.user_data.tables import table_files, tables

pytestmark = pytest.mark.backend_free


def write(path, seed=0, size=400):
    """A table of 20 people, with times, missing cells and categories."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(size, 2)), columns=["a", "b"])
    frame["kind"] = rng.choice(["old", "new"], size)
    frame["who"] = np.sort(rng.integers(0, 20, size))
    frame["time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(
        np.arange(size) + 100 * (np.arange(size) // 90), "s"
    )
    frame["level"] = np.where(frame["who"] % 2, "odd", "even")
    frame.loc[rng.random(size) < 0.05, "a"] = np.nan
    frame.loc[rng.random(size) < 0.05, "level"] = "odd"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def in_blocks(monkeypatch):
    def begin(rows=53):
        monkeypatch.setattr(sequences, "MAX_BYTES_IN_MEMORY", 1000)
        monkeypatch.setattr(table_files, "ROWS_PER_CHUNK", rows)

    return begin


@pytest.mark.parametrize(
    "options",
    [
        {"fill": "median"},
        {"window": 10, "fill": "forward"},
        {"window": 10, "stride": 4, "fill": "forward", "time_column": "time"},
        {"window": 3, "stride": 5, "fill": "median"},
        {"group_column": "who", "window": 4, "stride": 2, "fill": "forward"},
        {"group_column": "who", "window": 4, "fill": "median"},
        {
            "group_column": ["who", "kind"],
            "time_column": "time",
            "window": 2,
            "fill": "median",
        },
    ],
)
def test_blocks_hold_the_examples_of_the_whole(tmp_path, in_blocks, options):
    path = write(tmp_path / "old.csv")
    frame = pd.read_csv(path)
    if "kind" in options.get("group_column", ()):
        frame = frame.sort_values(["who", "kind"], kind="stable")
        frame.to_csv(path, index=False)
    named = {"time", "who", "kind"} & {
        *np.ravel([options.get("group_column", [])]),
        options.get("time_column"),
    }
    task = tables.from_csv(
        path,
        "level",
        ignore_column=[n for n in ("time", "who") if n not in named],
        verbose=False,
        **options,
    )
    x, names = read_new(task.reader, path, {})
    in_blocks(7 if options.get("stride") else 53)
    blocks = [*read_new_blocks(task.reader, path, {})]
    assert len(blocks) > 2
    assert [name for block in blocks for name in block.names] == names
    found = np.concatenate([block.x for block in blocks])
    np.testing.assert_array_equal(found, x)
    for block in blocks:
        first = block.cut.order[block.cut.starts[0]]
        if task.reader.is_by_row:
            assert block.names[0] == f"row {block.frame.index[first] + 1}"


def test_groups_of_blocks_are_whole(tmp_path, in_blocks):
    path = write(tmp_path / "old.csv")
    frame = pd.read_csv(path)
    frame["level"] = np.where(frame["who"] % 2, "odd", "even")
    frame.to_csv(path, index=False)
    task = tables.from_csv(
        path,
        "level",
        group_column="who",
        ignore_column="time",
        fill="forward",
        verbose=False,
    )
    x, names = read_new(task.reader, path, {})
    in_blocks()
    blocks = [*read_new_blocks(task.reader, path, {})]
    assert len(blocks) > 2
    assert [name for block in blocks for name in block.names] == names
    found = [each for block in blocks for each in sequences.each(block.x)]
    for one, two in zip(found, sequences.each(x), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("options", [{}, {"window": 10}])
def test_files_without_rows_are_no_blocks(tmp_path, in_blocks, options):
    frame = pd.read_csv(write(tmp_path / "old.csv")).drop(
        columns=["time", "who"]
    )
    folder = tmp_path / "parts"
    folder.mkdir()
    for number, part in enumerate(
        [frame[:0], frame[:200], frame[:0], frame[200:]]
    ):
        part.to_parquet(folder / f"part-{number}.parquet")
    task = tables.from_csv(
        folder, "level", fill="median", verbose=False, **options
    )
    x, _ = read_new(task.reader, folder, {})
    in_blocks()
    blocks = [block.x for block in read_new_blocks(task.reader, folder, {})]
    assert all(map(len, blocks))
    np.testing.assert_array_equal(np.concatenate(blocks), x)


@pytest.mark.parametrize("column", ["who", "time"])
def test_rows_in_another_order_are_read_as_a_whole(
    tmp_path, in_blocks, messages, column
):
    path = write(tmp_path / "old.csv")
    task = tables.from_csv(
        path,
        "level",
        group_column="who",
        time_column="time",
        window=4,
        fill="median",
        verbose=False,
    )
    frame = pd.read_csv(path)
    if column == "who":
        frame = frame[::-1]
        frame["time"] = frame["time"].to_numpy()[::-1]
        frame["who"] %= 7
    else:
        frame.loc[[150, 151], "time"] = frame.loc[[151, 150], "time"].tolist()
    frame.to_csv(path, index=False)
    in_blocks()
    assert read_new_blocks(task.reader, path, {}) is None
    assert "Sort the file by who and time to read it in parts" in "\n".join(
        messages
    )


def test_errors_name_the_row_of_the_table(tmp_path, in_blocks):
    path = write(tmp_path / "old.csv")
    task = tables.from_csv(
        path,
        "level",
        ignore_column=["time", "who"],
        fill="median",
        verbose=False,
    )
    frame = pd.read_csv(path).astype({"b": str})
    frame.loc[300, "b"] = "a lot"
    frame.to_csv(path, index=False)
    in_blocks()
    with pytest.raises(ValueError, match="row 301, column 'b'.* 'a lot'"):
        [*read_new_blocks(task.reader, path, {})]
    frame.loc[300, "b"] = "1e300"
    frame.to_csv(path, index=False)
    with pytest.raises(ValueError, match="row 301, column 'b': 1e"):
        [*read_new_blocks(task.reader, path, {})]


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_a_large_table_is_predicted_and_scored(
    preset, tmp_path, in_blocks, kind
):
    path = write(tmp_path / "old.csv")
    options = {
        "label_column": "level" if kind == "classes" else "b",
        "ignore_column": ["time", "who"] + ["level"] * (kind == "numbers"),
        "fill": "median",
        "window": 10,
    }
    if kind == "numbers":
        options["task_type"] = "regression"
    config = RunConfig(str(path), preset, steps=2, options=options)
    train(config, tmp_path / "run")
    new = write(tmp_path / "new.csv", 1)
    expected = predict(tmp_path / "run", new, tmp_path / "small.csv")
    scores = evaluate_file(tmp_path / "run", new)
    in_blocks()
    assert len([*predict_in_blocks(tmp_path / "run", new)]) > 2
    found = predict(tmp_path / "run", new)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-4)
    received = evaluate_file(tmp_path / "run", new)
    assert received.keys() == scores.keys()
    assert received["examples"] == scores["examples"]
    for name in ("accuracy", "loss", "mae", "r2"):
        if name in scores:
            assert received[name] == pytest.approx(scores[name], rel=1e-4)
    for output in (tmp_path / "large.csv", "-"):
        result = typer.testing.CliRunner().invoke(
            app,
            ["predict", str(tmp_path / "run"), str(new), "-o", str(output)],
            catch_exceptions=False,
        )
        assert not result.exit_code
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "large.csv"),
        pd.read_csv(tmp_path / "small.csv"),
        rtol=1e-4,
        atol=2e-6,
    )
    lines = result.stdout.splitlines()
    assert lines[0].startswith("example,") and len(lines) == len(expected) + 1


@pytest.mark.parametrize("kind", ["y", "score"])
def test_a_large_fasta_file_is_predicted_and_scored(
    preset, tmp_path, in_blocks, kind
):
    rng = np.random.default_rng(0)
    texts = {
        f"p{i}": "".join(rng.choice([*"ACDEFGH"], rng.integers(5, 20)))
        for i in range(150)
    }
    path, labels = tmp_path / "mine.fasta", tmp_path / "labels.csv"
    path.write_text("".join(f">{k}\n{v}\n" for k, v in texts.items()))
    frame = pd.DataFrame(
        {
            "id": [*texts],
            "y": rng.choice(["u", "v"], len(texts)),
            "score": rng.normal(size=len(texts)),
        }
    )
    frame[::-1].to_csv(labels, index=False)
    options = {"labels": str(labels), "label_column": kind}
    config = RunConfig(str(path), preset, steps=2, options=options)
    train(config, tmp_path / "run")
    expected = predict(tmp_path / "run", path)
    scores = evaluate_file(tmp_path / "run", path, labels)
    in_blocks()
    assert len([*predict_in_blocks(tmp_path / "run", path)]) == 3
    found = predict(tmp_path / "run", path)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-4)
    received = evaluate_file(tmp_path / "run", path, labels)
    assert received["examples"] == 150
    for name in {"accuracy", "loss", "mae", "r2"} & {*scores}:
        assert received[name] == pytest.approx(scores[name], rel=1e-4)


def test_a_large_table_of_strings_is_predicted_and_scored(
    preset, tmp_path, in_blocks, messages
):
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice([*"ACGT"], 9)) for _ in range(150)]
    frame = pd.DataFrame({"dna": texts, "y": rng.choice(["u", "v"], 150)})
    path, new = tmp_path / "old.csv", tmp_path / "new.csv"
    frame.to_csv(path, index=False)
    options = {"text_column": "dna", "label_column": "y"}
    config = RunConfig(str(path), preset, steps=2, options=options)
    train(config, tmp_path / "run")
    frame.loc[[3, 100, 140], "dna"] = ["ACX", "AX", "AZX"]
    frame.to_csv(new, index=False)
    expected = predict(tmp_path / "run", new)
    scores = evaluate_file(tmp_path / "run", new)
    messages.clear()
    in_blocks()
    assert len([*predict_in_blocks(tmp_path / "run", new)]) == 3
    logged = [text for text in messages if "the characters" in text]
    assert len(logged) == 2
    assert "the characters X are" in logged[0]
    assert "the characters Z are" in logged[1]
    found = predict(tmp_path / "run", new)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-4)
    received = evaluate_file(tmp_path / "run", new)
    assert received["accuracy"] == pytest.approx(scores["accuracy"])
    assert received["loss"] == pytest.approx(scores["loss"], rel=1e-4)
    frame.loc[120, "dna"] = "A" * 2000
    frame.to_csv(new, index=False)
    with pytest.raises(ValueError, match="row 121: expected 1 to 1,024"):
        predict(tmp_path / "run", new)


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_a_large_saved_data_set_is_predicted_and_scored(
    preset, tmp_path, in_blocks, kind
):
    rng = np.random.default_rng(0)
    numbers = kind == "numbers"
    frame = {
        "x": rng.normal(size=(90, 6, 2)).tolist(),
        "y": rng.normal(size=90) if numbers else rng.choice([*"ab"], 90),
    }
    path = tmp_path / "mine"
    path.mkdir()
    (path / "state.json").write_text(
        json.dumps({"_data_files": [{"filename": "data.arrow"}]})
    )
    (path / "dataset_info.json").write_text("{}")
    table = pa.table(frame)
    with (
        pa.OSFile(str(path / "data.arrow"), "wb") as file,
        pa.ipc.new_stream(file, table.schema) as writer,
    ):
        writer.write_table(table)
    options = {"label_column": "y"}
    config = RunConfig(str(path), preset, steps=2, options=options)
    train(config, tmp_path / "run")
    expected = predict(tmp_path / "run", path)
    scores = evaluate_file(tmp_path / "run", path)
    assert "label" in expected
    in_blocks()
    found = predict(tmp_path / "run", path)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-4, atol=2e-6)
    received = evaluate_file(tmp_path / "run", path)
    assert received["examples"] == 90
    for name in {"accuracy", "loss", "mae", "r2"} & {*scores}:
        assert received[name] == pytest.approx(scores[name], rel=1e-4)


def test_no_output_is_left_by_a_table_that_cannot_be_read(
    preset, tmp_path, in_blocks
):
    path = write(tmp_path / "old.csv")
    options = {"label_column": "level", "ignore_column": ["time", "who"]}
    options["fill"] = "median"
    train(
        RunConfig(str(path), preset, steps=1, options=options), tmp_path / "r"
    )
    frame = pd.read_csv(path).astype({"b": str})
    frame.loc[300, "b"] = "a lot"
    frame.to_csv(path, index=False)
    in_blocks()
    with pytest.raises(ValueError, match="row 301"):
        predict(tmp_path / "r", path, tmp_path / "out.csv")
    assert not [*tmp_path.glob("out.csv*")]
