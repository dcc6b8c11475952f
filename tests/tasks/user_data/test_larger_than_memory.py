# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811
"""Data that does not fit into memory gives the task that small data gives."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow as tf
from on_disk import both, home
from PIL import Image
from scipy.io import wavfile

from keras_fpt import tasks
from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data import paths, sequences, splitting
from keras_fpt.tasks.user_data.arrays import array_on_disk
from keras_fpt.tasks.user_data.tables import (
    large_labels,
    large_medians,
    large_splits,
    table_files,
)

pytestmark = pytest.mark.backend_free


def assert_same_batches(first, second, rtol):
    for one, two in (
        [task.datasets(4, 3, 5).train.take(2) for task in (first, second)],
        [task.held_out("test", 4) for task in (first, second)],
    ):
        for examples in zip(one, two, strict=True):
            parts = map(tf.nest.flatten, examples)
            for expected, received in zip(*parts, strict=True):
                assert expected.dtype == received.dtype
                np.testing.assert_allclose(expected, received, rtol, rtol)


def test_images(tmp_path, both):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(20):
            pixels = rng.integers(0, 255, (8, 8, 3), np.uint8)
            path = tmp_path / "pets" / name / f"{i}.png"
            Image.fromarray(pixels * (i != 3)).save(path)
    first, second = both(
        lambda: tasks.from_image_folder(tmp_path / "pets", verbose=False)
    )
    assert isinstance(first.data.splits["train"].x, np.ndarray)
    assert sequence_store.is_on_disk(second.data.splits["train"].x)
    assert first.data.fingerprint == second.data.fingerprint
    assert first.findings == second.findings
    assert "constant-images" in {finding.kind for finding in first.findings}
    assert first.description == second.description
    assert_same_batches(first, second, rtol=0)
    x, names = second.reader.read(tmp_path / "pets")
    assert sequence_store.is_on_disk(x)
    assert names[0] == "cat/0.png"
    expected = second.reader.encode(
        second.reader.load_all(
            [tmp_path / "pets" / name for name in names[:2]]
        )[:]
    )
    np.testing.assert_array_equal(x[:2], expected)


@pytest.mark.parametrize("are_equal", [True, False])
def test_sounds(tmp_path, both, are_equal):
    rng = np.random.default_rng(0)
    for name in ("high", "low"):
        (tmp_path / "sounds" / name).mkdir(parents=True)
        for i in range(6):
            size = 4000 if are_equal else rng.integers(1000, 6000)
            samples = rng.normal(0, 3000, size).astype(np.int16)
            wavfile.write(
                tmp_path / "sounds" / name / f"{i}.wav", 8000, samples
            )
    first, second = both(
        lambda: tasks.from_wav_folder(tmp_path / "sounds", verbose=False)
    )
    assert sequence_store.is_on_disk(second.data.splits["train"].x)
    np.testing.assert_allclose(second.reader.mean, first.reader.mean, 1e-12)
    np.testing.assert_allclose(second.reader.scale, first.reader.scale, 1e-12)
    assert first.description == second.description
    assert_same_batches(first, second, rtol=1e-6)


def test_statistics_of_parts():
    values = np.random.default_rng(0).normal(1e6, 3, (1000, 4))
    values[:, 2] = 7.7
    parts = sequences.streamed_statistics(lambda: iter(np.split(values, 10)))
    np.testing.assert_allclose(parts, sequences.statistics(values), 1e-12)
    assert parts[1][2] == 1


@pytest.mark.parametrize("size", [13, 1500])
def test_the_split_of_many_rows(size, monkeypatch):
    monkeypatch.setattr(large_splits, "AT_ONCE", 100)
    for num_classes in (2, 3, 5):
        y = np.random.default_rng(size).integers(0, num_classes, size)
        y[:num_classes] = np.arange(num_classes)
        split = large_splits.stratified(y.astype(np.uint8), num_classes)
        for code, (name, expected) in enumerate(
            splitting.stratified(y).items()
        ):
            found = np.flatnonzero(split == code)
            np.testing.assert_array_equal(found, expected, name)


def table(size):
    rng = np.random.default_rng(0)
    values = {f"x{i}": rng.normal(i, 10.0**i, size) for i in range(3)}
    labels = rng.choice(["yes", "no", "perhaps"], size)
    return pd.DataFrame({**values, "answer": labels, "note": "-"})


@pytest.fixture
def written(tmp_path):
    """A table as a CSV file, and as a folder of Parquet files."""
    frame = table(1000)
    frame.to_csv(tmp_path / "table.csv", index=False)
    folder = tmp_path / "table"
    folder.mkdir()
    (folder / "_SUCCESS").touch()
    for i, start in enumerate(range(0, 1000, 300)):
        part = frame[start : start + 300]
        part.to_parquet(folder / f"part-{i}.parquet", index=False)
    return tmp_path / "table.csv", folder


@pytest.mark.parametrize("kind", ["a file", "a folder"])
def test_rows_of_a_table(written, both, kind):
    path = written[kind == "a folder"]
    first, second = both(
        lambda: paths.from_path(
            path, label_column="answer", ignore_column="note", verbose=False
        )
    )
    assert first.data.size("test") == 200
    assert sequence_store.is_on_disk(second.data.splits["train"].x)
    assert second.data.splits["train"].y.dtype == np.uint8
    assert first.class_names == second.class_names
    assert first.description == second.description
    # The same numbers, to the last bit.
    assert first.reader == second.reader
    assert first.data.fingerprint == second.data.fingerprint
    for split in ("train", "validation", "test"):
        np.testing.assert_array_equal(
            first.class_counts(split), second.class_counts(split)
        )
    assert_same_batches(first, second, rtol=0)


@pytest.mark.parametrize("names", [None, "train test", "Train TEST dev"])
@pytest.mark.parametrize("missing", [None, "-99"])
def test_rows_with_a_split_and_missing_cells(tmp_path, both, names, missing):
    rng = np.random.default_rng(0)
    frame = table(1000).drop(columns="note")
    options = {"missing": ["nowhere"], "fill": "median"}
    frame.loc[rng.random(1000) < 0.2, "x1"] = np.nan
    if missing is not None:
        frame.loc[rng.random(1000) < 0.1, "x0"] = float(missing)
        options["missing"].append(missing)
    if names is not None:
        frame["part"] = rng.choice(names.split(), 1000)
        options["split_column"] = "part"
    frame.to_csv(tmp_path / "table.csv", index=False)
    first, second = both(
        lambda: tasks.from_csv(
            tmp_path / "table.csv", "answer", verbose=False, **options
        )
    )
    assert sequence_store.is_on_disk(second.data.splits["train"].x)
    assert first.reader == second.reader
    kinds = first.reader.kinds
    assert [kind.says_missing for kind in kinds] == [bool(missing), True, False]
    assert first.findings == second.findings
    assert first.description == second.description
    assert first.data.fingerprint == second.data.fingerprint
    for split in ("train", "validation", "test"):
        one, two = (task.data.splits[split] for task in (first, second))
        assert [*one.names] == [*two.names]
    assert_same_batches(first, second, rtol=0)
    frame["part"] = [*["train", "test"] * 2, "what", *["test"] * 995]
    frame.to_csv(tmp_path / "table.csv", index=False)
    options["split_column"] = "part"
    with pytest.raises(ValueError, match="row 5: unknown split 'what'"):
        tasks.from_csv(tmp_path / "table.csv", "answer", **options)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_medians_of_parts(size):
    rng = np.random.default_rng(size)
    values = rng.normal(0, 10.0 ** rng.integers(-9, 9, (size, 5)))
    values[:, 1] = rng.integers(-2, 3, size)
    values[rng.random(size) < 0.3, 2] = np.nan
    values[:, 4] = np.nan
    found, num_missing = large_medians.medians(
        lambda: iter(np.array_split(values, 3))
    )
    np.testing.assert_array_equal(found[4], np.nan)
    np.testing.assert_array_equal(num_missing, np.isnan(values).sum(axis=0))
    for column in range(4):
        present = values[~np.isnan(values[:, column]), column]
        expected = np.median(present) if len(present) else np.nan
        np.testing.assert_array_equal(found[column], expected)


def test_a_folder_of_parquet_files_is_one_table(written):
    of_file, of_folder = (
        paths.from_path(
            path, label_column="answer", ignore_column="note", verbose=False
        )
        for path in written
    )
    assert of_file.data.fingerprint == of_folder.data.fingerprint
    x, names = of_folder.reader.read(written[1])
    assert names[-1] == "row 1000"
    np.testing.assert_array_equal(x, of_folder.reader.read(written[0])[0])


def test_files_of_a_folder_with_other_columns(written):
    path = written[1] / "part-2.parquet"
    pd.read_parquet(path).rename(columns={"x1": "y1"}).to_parquet(path)
    with pytest.raises(ValueError, match=r"part-2.parquet` has other .* 'x1'"):
        tasks.from_csv(written[1], "answer", verbose=False)


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("x1", "a lot", "row 702, column 'x1': .* received 'a lot'"),
        ("answer", "", "row 702: the label is missing"),
        ("x0", "1e300", "column 'x0': .* 1e\\+300"),
    ],
)
def test_errors_in_later_parts_of_a_table_name_the_row(
    tmp_path, monkeypatch, column, cell, message
):
    monkeypatch.setattr(sequences, "MAX_BYTES_IN_MEMORY", 1000)
    monkeypatch.setattr(table_files, "ROWS_PER_CHUNK", 300)
    frame = table(1000).astype(str)
    frame.loc[701, column] = cell
    frame.to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(ValueError, match=message):
        tasks.from_csv(
            tmp_path / "table.csv",
            "answer",
            ignore_column="note",
            verbose=False,
        )


@pytest.mark.parametrize("kind", ["floats", "series", "padded", "symbols"])
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_arrays(tmp_path, monkeypatch, both, kind, suffix):
    monkeypatch.setattr(array_on_disk, "BLOCK_BYTES", 2000)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 12, 3))
    if kind == "series":
        rows = rng.normal(size=(12 + 89 * 4, 3))
        x = np.stack([rows[4 * i : 4 * i + 12] for i in range(90)])
    elif kind == "padded":
        for i in range(0, 90, 3):
            x[i, 5 + i % 5 :] = np.nan
    elif kind == "symbols":
        x = rng.integers(0, 9, (90, 12))
    y = rng.integers(0, 2, 90)
    path, options = tmp_path / f"mine.{suffix}", {}
    if suffix == "npy":
        np.save(path, x)
        np.save(tmp_path / "labels.npy", y)
        options = {"labels": tmp_path / "labels.npy"}
    else:
        np.savez_compressed(path, x=x, y=y)
    first, second = both(
        lambda: paths.from_path(path, verbose=False, **options)
    )
    assert sequence_store.is_on_disk(second.data.splits["train"].x)
    assert first.data.fingerprint == second.data.fingerprint
    assert first.description == second.description
    assert first.reader == second.reader
    assert first.findings == second.findings
    assert_same_batches(first, second, rtol=0)
    new, names = second.reader.read(path)
    assert sequence_store.is_on_disk(new) and len(names) == 90
    assert sequences.longest(new) == 12


def test_arrays_of_each_split_and_images(tmp_path, both):
    rng = np.random.default_rng(0)
    arrays = {}
    for split, size in (("train", 40), ("test", 12)):
        arrays[f"{split}_images"] = rng.integers(
            0, 255, (size, 8, 8, 3), np.uint8
        )
        arrays[f"{split}_labels"] = np.arange(size) % 2
    np.savez(tmp_path / "mine.npz", **arrays)
    first, second = both(
        lambda: paths.from_path(tmp_path / "mine.npz", verbose=False)
    )
    assert sequence_store.is_on_disk(second.data.splits["train"].x)
    assert second.data.size("test") == 12
    assert first.data.fingerprint == second.data.fingerprint


def test_an_array_that_is_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr(sequences, "MAX_BYTES_IN_MEMORY", 1000)
    path = tmp_path / "mine.npy"
    np.save(path, np.zeros((90, 12, 3)))
    np.save(tmp_path / "labels.npy", np.arange(90) % 2)
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(ValueError, match="mine.npy`: The file ends at row 0"):
        paths.from_path(path, labels=tmp_path / "labels.npy")


@pytest.mark.parametrize("length", [None, 12])
def test_strings(tmp_path, both, length):
    rng = np.random.default_rng(0)
    texts = [
        "".join(rng.choice([*"ACGT"], length or rng.integers(5, 30)))
        for _ in range(400)
    ]
    texts[7], texts[8] = "NA", "ACGT" * 10
    labels = np.array(["u", "v"])[rng.integers(0, 2, 400)].tolist()
    labels[9] = "?"
    frame = pd.DataFrame({"dna": texts, "y": labels})
    frame.to_csv(tmp_path / "mine.csv", index=False)
    first, second = both(
        lambda: paths.from_path(
            tmp_path / "mine.csv",
            text_column="dna",
            label_column="y",
            missing=["?"],
            drop_missing=True,
            max_length=32,
            verbose=False,
        )
    )
    assert sequence_store.is_on_disk(second.data.splits["train"].x)
    sizes = [second.data.size(s) for s in ("train", "validation", "test")]
    assert sum(sizes) == 397
    assert first.reader == second.reader and first.symbols == second.symbols
    assert first.description == second.description
    assert first.data.fingerprint == second.data.fingerprint
    assert_same_batches(first, second, rtol=0)
    frame.loc[350, "dna"] = ""
    frame.to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(ValueError, match=r"row 8: .* is missing \('NA'\)"):
        tasks.get(tmp_path / "mine.csv", text_column="dna", label_column="y")


def string_table(size):
    rng = np.random.default_rng(0)
    texts = [
        "".join(rng.choice([*"ACGT"], n)) for n in rng.integers(5, 30, 400)
    ]
    return pd.DataFrame(
        {
            "dna": texts,
            "y": rng.choice(["u", "v"], size),
            "score": rng.normal(size=size).round(3),
            "price": rng.integers(1, 9, size),
            "hot": rng.integers(0, 2, size),
            "wet": rng.integers(0, 2, size),
            "tags": rng.choice(["a", "b", "a;b"], size),
            "part": rng.choice(["train", "TEST"], size),
            "family": rng.integers(0, 40, size),
        }
    )


@pytest.mark.parametrize(
    "options",
    [
        {"label_column": "y", "split_group": "family"},
        {"label_column": "y", "split_group": ["family", "part"], "folds": 4},
        {"label_column": "y", "folds": 3, "fold": 2},
        {"label_column": "y", "split_column": "part"},
        {
            "label_column": "y",
            "split_column": "part",
            "split_group": "family",
        },
        {"label_column": "y", "test": "test.csv"},
        {"label_column": "score"},
        {"label_column": ["score", "price"], "folds": 3},
        {"label_column": ["hot", "wet"], "split_group": "family"},
        {"label_column": "tags", "split_column": "part"},
    ],
)
def test_splits_and_labels_of_strings(tmp_path, both, options):
    frame = string_table(400)
    frame.loc[[7, 350], "dna"] = ["NA", "ACGT" * 10]
    frame.loc[9, np.ravel(options["label_column"])[0]] = None
    frame.to_csv(tmp_path / "mine.csv", index=False)
    string_table(400)[:90].to_csv(tmp_path / "test.csv", index=False)
    if "test" in options:
        options = {**options, "test": tmp_path / options["test"]}
    first, second = both(
        lambda: tasks.get(
            tmp_path / "mine.csv",
            text_column="dna",
            drop_missing=True,
            max_length=32,
            **options,
        )
    )
    assert sequence_store.is_on_disk(second.data.splits["train"].x)
    assert first.reader == second.reader and first.symbols == second.symbols
    assert first.class_names == second.class_names
    assert first.description == second.description
    assert first.findings == second.findings
    for split in ("train", "validation", "test"):
        one, two = (task.data.splits[split] for task in (first, second))
        np.testing.assert_array_equal(one.y, two.y)
        assert [*one.names] == [*two.names]
        assert (one.groups is None) == (two.groups is None)
    assert first.data.fingerprint == second.data.fingerprint
    assert_same_batches(first, second, rtol=0)


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("family", "", "row 351, column 'family': the group is missing"),
        ("score", "a lot", "row 351: the label 'a lot' is not a number"),
        ("part", "what", "row 351: unknown split 'what'"),
    ],
)
def test_errors_in_strings_name_the_row(tmp_path, both, column, cell, message):
    frame = string_table(400).astype(str)
    frame.loc[350, column] = cell
    frame.to_csv(tmp_path / "mine.csv", index=False)
    option = "split_column" if column == "part" else "split_group"

    def call():
        with pytest.raises(ValueError, match=message):
            tasks.get(
                tmp_path / "mine.csv",
                text_column="dna",
                label_column="score",
                task_type="regression",
                **{option: "part" if column == "part" else "family"},
            )

    both(call)


def save_dataset(folder, columns, rows):
    """Writes what `save_to_disk` does, in two files of several batches."""
    folder.mkdir(parents=True)
    table = pa.table(columns).take(rows)
    files = [{"filename": f"data-{number}.arrow"} for number in range(2)]
    half = len(table) // 2
    for entry, part in zip(files, (table[:half], table[half:]), strict=True):
        with (
            pa.OSFile(str(folder / entry["filename"]), "wb") as sink,
            pa.ipc.new_stream(sink, part.schema) as writer,
        ):
            writer.write_table(part, 7)
    features = {"y": {"names": ["no", "yes"], "_type": "ClassLabel"}}
    (folder / "state.json").write_text(json.dumps({"_data_files": files}))
    (folder / "dataset_info.json").write_text(
        json.dumps({"features": features})
    )


@pytest.mark.parametrize(
    ("kind", "splits"),
    [
        ("equal", "none"),
        ("different", "own"),
        ("different", "groups"),
        ("padded", "none"),
        ("padded", "files"),
        ("symbols", "own"),
    ],
)
def test_saved_data_sets(tmp_path, both, kind, splits):
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 9, 90) if kind != "equal" else [6] * 90
    x = [rng.normal(size=(length, 2)).astype("f4") for length in lengths]
    if kind == "symbols":
        x = [rng.integers(0, 5, length) for length in lengths]
    if kind == "padded":
        for row in x[::3]:
            row[-1] = np.nan
    columns = {
        "y": rng.integers(0, 2, 90),
        "who": [f"p{n // 6}" for n in range(90)],
        "x": [row.tolist() for row in x],
    }
    options = {"label_column": "y", "verbose": False}
    path, rows = tmp_path / "mine", np.arange(90)
    if splits == "own":
        path.mkdir()
        for name, part in (("train", rows[:60]), ("test", rows[60:])):
            save_dataset(path / name, columns, part)
        names = {"splits": ["train", "test"]}
        (path / "dataset_dict.json").write_text(json.dumps(names))
    elif splits == "files":
        save_dataset(path, columns, rows[:60])
        save_dataset(tmp_path / "test", columns, rows[60:])
        options["test"] = tmp_path / "test"
    else:
        save_dataset(path, columns, rows)
    columns_of_groups = {"split_group": "who"} if splits == "groups" else {}
    first, second = both(
        lambda: paths.from_path(path, **options, **columns_of_groups)
    )
    assert sequence_store.is_on_disk(second.data.splits["train"].x)
    assert first.class_names == second.class_names == ("no", "yes")
    assert first.description == second.description
    assert first.reader == second.reader
    assert first.findings == second.findings
    assert first.data.fingerprint == second.data.fingerprint
    assert_same_batches(first, second, rtol=0)
    if splits == "none":
        new, names = second.reader.read(path)
        assert sequence_store.is_on_disk(new) and len(names) == 90


@pytest.mark.parametrize(
    ("labels", "options"),
    [
        ("words", {}),
        ("fractions", {}),
        ("whole numbers", {"task_type": "regression"}),
        ("whole numbers", {}),
        ("tags", {}),
        ("zeros and ones", {"task_type": "multilabel"}),
        ("words", {"class_names": ["b", "a"]}),
        ("true and false", {}),
        ("one each", {}),
    ],
)
def test_labels_of_saved_data_sets(
    tmp_path, both, monkeypatch, labels, options
):
    rng = np.random.default_rng(0)
    values = {
        "words": rng.choice([*"ab"], 90),
        "fractions": rng.normal(size=90).round(3),
        "whole numbers": rng.integers(-3, 4, 90),
        "tags": rng.choice(["a;b", "b", "a"], 90),
        "zeros and ones": rng.integers(0, 2, 90),
        "true and false": rng.integers(0, 2, 90) > 0,
        "one each": np.array([f"label {i // 2}" for i in range(90)]),
    }[labels]
    columns = {"z": values, "x": rng.normal(size=(90, 6, 2)).tolist()}
    save_dataset(tmp_path / "mine", columns, np.arange(90))
    if labels == "one each":
        monkeypatch.setattr(large_labels, "MAX_DISTINCT", 9)
    first, second = both(
        lambda: paths.from_path(
            tmp_path / "mine", label_column="z", verbose=False, **options
        )
    )
    assert sequence_store.is_on_disk(second.data.splits["train"].x)
    assert first.class_names == second.class_names
    assert first.num_targets == second.num_targets
    assert first.description == second.description
    assert first.findings == second.findings
    assert first.data.fingerprint == second.data.fingerprint
    assert_same_batches(first, second, rtol=0)


@pytest.mark.parametrize("splits", ["none", "own", "files", "column"])
def test_strings_of_saved_data_sets(tmp_path, both, splits):
    frame = string_table(400).rename(columns={"y": "word"})
    frame.loc[7, "dna"] = ""
    columns = frame.to_dict("list")
    options = {"text_column": "dna", "label_column": "word"}
    path, rows = tmp_path / "mine", np.arange(400)
    if splits == "own":
        path.mkdir()
        for name, part in (("train", rows[:300]), ("testing", rows[300:])):
            save_dataset(path / name, columns, part)
        names = {"splits": ["train", "testing"]}
        (path / "dataset_dict.json").write_text(json.dumps(names))
    elif splits == "files":
        save_dataset(path, columns, rows[:300])
        frame[300:].to_csv(tmp_path / "test.csv", index=False)
        options["test"] = tmp_path / "test.csv"
    else:
        save_dataset(path, columns, rows)
    if splits == "column":
        options |= {"split_column": "part", "split_group": "family"}
    first, second = both(
        lambda: tasks.get(path, drop_missing=True, max_length=32, **options)
    )
    assert sequence_store.is_on_disk(second.data.splits["train"].x)
    assert first.reader == second.reader and first.symbols == second.symbols
    assert first.description == second.description
    assert first.data.fingerprint == second.data.fingerprint
    assert_same_batches(first, second, rtol=0)
    for split in ("train", "validation", "test"):
        one, two = (task.data.splits[split] for task in (first, second))
        assert [*one.names] == [*two.names]
    if splits == "own":
        with pytest.raises(ValueError, match="mine` has splits already"):
            tasks.get(path, test=path / "train", **options)


@pytest.mark.parametrize("splits", ["own", "files"])
def test_no_string_for_validation_is_left(tmp_path, both, splits):
    frame = string_table(400)[["dna", "y"]].rename(columns={"y": "word"})
    frame.loc[250:299, "dna"] = ""
    path, options = tmp_path / "mine", {}
    parts = {"train": [0, 250], "validation": [250, 300], "test": [300, 400]}
    if splits == "own":
        path.mkdir()
        (path / "dataset_dict.json").write_text(
            json.dumps({"splits": [*parts]})
        )
        for name, limits in parts.items():
            save_dataset(path / name, frame.to_dict("list"), np.arange(*limits))
    else:
        for name, (first, end) in parts.items():
            options[name] = tmp_path / f"{name}.csv"
            frame[first:end].to_csv(options[name], index=False)
        path = options.pop("train")
    one, two = both(
        lambda: tasks.get(
            path,
            text_column="dna",
            label_column="word",
            drop_missing=True,
            **options,
        )
    )
    assert sequence_store.is_on_disk(two.data.splits["train"].x)
    assert two.data.size("validation") == 25
    assert one.description == two.description
    assert one.data.fingerprint == two.data.fingerprint


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "Example 50: the label is missing"),
        ("0.5", "Example 50: the label 0.5 is not a class"),
    ],
)
def test_errors_in_labels_of_saved_data_sets(tmp_path, both, value, message):
    labels = [str(n % 2) for n in range(90)]
    labels[50] = value
    columns = {"z": labels, "x": [[[0.0, 1.0], [2.0, 3.0]]] * 90}
    save_dataset(tmp_path / "mine", columns, np.arange(90))

    def call():
        with pytest.raises(ValueError, match=message):
            paths.from_path(tmp_path / "mine", label_column="z")

    both(call)


@pytest.mark.parametrize("train", ["saved", "npz"])
@pytest.mark.parametrize("is_equal", [True, False])
def test_a_saved_data_set_and_arrays(tmp_path, both, train, is_equal):
    rng = np.random.default_rng(0)
    lengths = [6] * 90 if is_equal else rng.integers(3, 7, 90)
    x = [rng.normal(size=(length, 2)).astype("f4") for length in lengths]
    y = np.arange(90) % 2
    columns = {"z": y, "x": [row.tolist() for row in x]}
    save_dataset(tmp_path / "mine", columns, np.arange(90))
    np.savez(
        tmp_path / "mine.npz",
        x=rng.normal(size=(60, 6, 2)),
        z=y[:60].astype(str),
    )
    files = [tmp_path / "mine", tmp_path / "mine.npz"]
    path, test = files if train == "saved" else files[::-1]
    first, second = both(
        lambda: paths.from_path(
            path, test=test, label_column="z", verbose=False
        )
    )
    assert sequence_store.is_on_disk(second.data.splits["train"].x)
    assert second.data.size("test") == (60 if train == "saved" else 90)
    assert first.description == second.description
    assert first.data.fingerprint == second.data.fingerprint
    assert_same_batches(first, second, rtol=0)


def test_arrays_of_another_width_than_the_saved_data_set(tmp_path, both):
    x = np.random.default_rng(0).normal(size=(90, 6, 2))
    columns = {"z": np.arange(90) % 2, "x": x.tolist()}
    save_dataset(tmp_path / "mine", columns, np.arange(90))
    np.savez(tmp_path / "mine.npz", x=x[..., :1], z=np.arange(90) % 2)

    def call():
        with pytest.raises(ValueError, match="but example 90 is .*6, 1"):
            paths.from_path(
                tmp_path / "mine",
                test=tmp_path / "mine.npz",
                label_column="z",
            )

    both(call)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((0, 6, 2), "No example is for testing"),
        ((60, 0, 2), r"Example 90 has shape \(0, 2\)"),
    ],
)
def test_empty_arrays_beside_a_saved_data_set(tmp_path, both, shape, message):
    columns = {"z": np.arange(90) % 2, "x": [[[0.0, 1.0]] * 6] * 90}
    save_dataset(tmp_path / "mine", columns, np.arange(90))
    test = tmp_path / "test.npz"
    np.savez(test, x=np.zeros(shape), z=np.arange(shape[0]) % 2)

    def call():
        with pytest.raises(ValueError, match=message):
            paths.from_path(tmp_path / "mine", test=test, label_column="z")

    both(call)


@pytest.mark.parametrize("train", ["saved", "npz"])
def test_several_labels_beside_a_saved_data_set(tmp_path, both, train):
    x = np.random.default_rng(0).normal(size=(90, 6, 2))
    columns = {"z": np.arange(90) % 2, "x": x.tolist()}
    save_dataset(tmp_path / "mine", columns, np.arange(90))
    np.savez(tmp_path / "mine.npz", x=x, z=np.ones((90, 6), int))
    files = [tmp_path / "mine", tmp_path / "mine.npz"]
    path, test = files if train == "saved" else files[::-1]

    def call():
        with pytest.raises(ValueError, match=r"labels of shape .*\(90, 6\)"):
            paths.from_path(path, test=test, label_column="z")

    both(call)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1.0, np.inf]], "Example 50, token 0: expected finite numbers"),
        ([[1.0]], "expected lists of numbers, .* of widths 1, 2"),
        (None, "column 'x': 1 sequences are missing"),
    ],
)
def test_errors_in_saved_data_sets(tmp_path, both, value, message):
    x = [[[0.0, 1.0], [2.0, 3.0]]] * 90
    x[50] = value
    columns = {"y": np.arange(90) % 2, "x": x}
    save_dataset(tmp_path / "mine", columns, np.arange(90))

    def call():
        with pytest.raises(ValueError, match=message):
            paths.from_path(tmp_path / "mine", label_column="y")

    both(call)


def test_a_damaged_data_set(tmp_path, monkeypatch):
    monkeypatch.setattr(sequences, "MAX_BYTES_IN_MEMORY", 1000)
    columns = {"y": np.arange(90) % 2, "x": [[[0.0], [1.0]]] * 90}
    save_dataset(tmp_path / "mine", columns, np.arange(90))
    file = tmp_path / "mine" / "data-1.arrow"
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(ValueError, match="Cannot read .*data-1.arrow"):
        paths.from_path(tmp_path / "mine", label_column="y")
    with pytest.raises(ValueError, match="has no column 'z'"):
        paths.from_path(tmp_path / "mine", label_column="z")


def test_dates_of_eight_digits_are_not_taken_for_numbers(tmp_path, both):
    frame = table(1000).drop(columns="note")
    days = pd.date_range("2020-01-01", periods=1000)
    frame["x1"] = days[np.random.default_rng(0).permutation(1000)]
    frame["x1"] = frame["x1"].dt.strftime("%Y%m%d")
    frame.to_csv(tmp_path / "table.csv", index=False)
    first, second = both(
        lambda: tasks.from_csv(tmp_path / "table.csv", "answer", verbose=False)
    )
    assert second.reader.kinds[1].kind == "date"
    assert first.data.fingerprint == second.data.fingerprint
