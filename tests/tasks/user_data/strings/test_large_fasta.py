# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811
"""FASTA files that do not fit into memory give what small ones give."""

import gzip

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from on_disk import both, home

from keras_fpt import tasks
from keras_fpt.tasks import proteins, sequence_store
from keras_fpt.tasks.user_data import build, sequences
from keras_fpt.tasks.user_data.strings import (
    fasta,
    fasta_records,
    record_rows,
)

pytestmark = pytest.mark.backend_free
SIZE = 200


def write(path, letters="ACDEFGHIKL", key="p{}", size=SIZE, seed=0):
    """A FASTA file and its table of labels, in another order."""
    rng = np.random.default_rng(seed)
    names = [key.format(i) for i in range(size)]
    lines = []
    for name in names:
        text = "".join(rng.choice([*letters], rng.integers(5, 40)))
        lines += [f">{name} some words", text[:20], text[20:], ""]
    content = "\n".join(lines).encode()
    is_packed = path.suffix == ".gz"
    path.write_bytes(gzip.compress(content) if is_packed else content)
    frame = pd.DataFrame(
        {
            "id": [name.split("|")[-1] for name in names],
            "y": rng.choice(["u", "v"], size),
            "score": rng.normal(size=size).round(3),
            "hot": rng.integers(0, 2, size),
            "wet": rng.integers(0, 2, size),
            "part": rng.choice(["train", "TEST"], size),
            "family": rng.integers(0, 40, size),
        }
    )
    frame[::-1].to_csv(path.parent / "labels.csv", index=False)
    return path


def assert_same(first, second):
    assert isinstance(first.data.splits["train"].x, tf.RaggedTensor)
    assert sequence_store.is_on_disk(second.data.splits["train"].x)
    assert first.reader == second.reader and first.symbols == second.symbols
    assert first.class_names == second.class_names
    assert first.description == second.description
    assert first.findings == second.findings
    assert first.data.fingerprint == second.data.fingerprint
    for split in ("train", "validation", "test"):
        one, two = (task.data.splits[split] for task in (first, second))
        np.testing.assert_array_equal(one.y, two.y)
        assert [*one.names] == [*two.names]
        assert (one.groups is None) == (two.groups is None)
        if one.groups is not None:
            np.testing.assert_array_equal(one.groups, two.groups)
    for one, two in (
        [task.datasets(4, 3, 5).train.take(2) for task in (first, second)],
        [task.held_out("test", 4) for task in (first, second)],
    ):
        for examples in zip(one, two, strict=True):
            tf.nest.map_structure(np.testing.assert_array_equal, *examples)


@pytest.mark.parametrize(
    "options",
    [
        {"label_column": "y"},
        {"label_column": "y", "max_length": 20},
        {"label_column": "y", "split_group": "family"},
        {"label_column": "y", "split_group": ["family", "part"], "folds": 4},
        {"label_column": "y", "split_column": "part"},
        {"label_column": "score", "folds": 3, "fold": 2},
        {"label_column": ["hot", "wet"]},
    ],
)
def test_labels_and_splits(tmp_path, both, options):
    path = write(tmp_path / "mine.fasta")
    labels = tmp_path / "labels.csv"
    assert_same(*both(lambda: tasks.get(path, labels=labels, **options)))


@pytest.mark.parametrize("name", ["mine.fna", "mine.fa.gz"])
def test_dna_and_names_in_parts(tmp_path, both, name):
    path = write(tmp_path / name, "ACGTn", "sp|P1|N{}_HUMAN")
    labels = tmp_path / "labels.csv"
    first, second = both(
        lambda: tasks.get(path, labels=labels, label_column="y")
    )
    assert_same(first, second)
    assert first.vocabulary_size == 15


def test_a_test_file_and_records_without_a_label(tmp_path, both):
    path = write(tmp_path / "mine.fasta")
    lines = path.read_text().splitlines(keepends=True)
    (tmp_path / "test.fasta").write_text("".join(lines[:200]))
    path.write_text("".join(lines[200:]))
    frame = pd.read_csv(tmp_path / "labels.csv")
    frame = frame.drop(index=[3, 150])
    frame.loc[[9, 170], "y"] = None
    frame.to_csv(tmp_path / "labels.csv", index=False)
    first, second = both(
        lambda: tasks.get(
            path,
            labels=tmp_path / "labels.csv",
            label_column="y",
            test=tmp_path / "test.fasta",
            drop_missing=True,
        )
    )
    assert_same(first, second)
    assert first.data.size("test") == 48


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((b">p150 ", b">p20 "), "line 601: the ID 'p20' is that of line 81"),
        ((b">p150 some words\n", b">p150\nA-"), "p150: '-' at position 2"),
        ((b">p150 some", b"\xff>p150 some"), "line 601: this is not text"),
        ((b">p150 some words", b">"), "line 601: the header has no ID"),
        ((b">p150 ", b">q150 "), "record q150: it has no row"),
    ],
)
def test_errors_are_those_of_small_files(
    tmp_path, monkeypatch, change, message
):
    path = write(tmp_path / "mine.fasta")
    path.write_bytes(path.read_bytes().replace(*change))
    texts = []
    for most in (2**27, 1000):
        monkeypatch.setattr(sequences, "MAX_BYTES_IN_MEMORY", most)
        labels = tmp_path / "labels.csv"
        with pytest.raises(ValueError, match=message) as info:
            tasks.get(path, labels=labels, label_column="y")
        texts.append(str(info.value))
    assert texts[0] == texts[1]


def test_names_whose_hashes_are_equal(tmp_path, monkeypatch):
    path = write(tmp_path / "mine.fasta", size=30)
    monkeypatch.setattr(
        fasta_records, "hash", lambda name: len(name), raising=False
    )
    records = fasta_records.Records({"": path})
    assert records.names == [f"p{i}" for i in range(30)]
    path.write_text(path.read_text() + ">p3\nACD\n")
    with pytest.raises(ValueError, match="line 120: the ID 'p3' is .* line 13"):
        fasta_records.Records({"": path})


def test_the_first_of_several_repeated_names_is_reported(tmp_path):
    path = write(tmp_path / "mine.fasta", size=30)
    path.write_text(path.read_text() + ">p9\nACD\n>p2\nACD\n")
    with pytest.raises(ValueError, match="line 120: the ID 'p9' is .* line 37"):
        fasta_records.Records({"": path})


def test_a_wrong_file_is_refused_before_blocks_are_read(tmp_path):
    with pytest.raises(FileNotFoundError):
        fasta.FastaReader(20).read_blocks(tmp_path / "none.fasta")


def test_all_groups_are_audited(both, tmp_path, monkeypatch):
    path = write(tmp_path / "mine.fasta")
    monkeypatch.setattr(build, "AUDITED_BYTES", 100)
    options = {"labels": tmp_path / "labels.csv", "label_column": "y"}
    options |= {"split_group": "family", "split_column": "part"}
    small, large = both(lambda: tasks.get(str(path), **options))
    assert [each.message for each in small.findings if each.is_leak] == [
        each.message for each in large.findings if each.is_leak
    ]
    with pytest.raises(ValueError, match="groups have examples in train and"):
        tasks.get(str(path), **options, strict=True)


def test_records_of_large_files_are_read_again(tmp_path, monkeypatch):
    path = write(tmp_path / "mine.fasta")
    expected = proteins.read_fasta(path)
    monkeypatch.setattr(sequences, "MAX_BYTES_IN_MEMORY", 1000)
    monkeypatch.setattr(fasta_records, "NAMES_AT_ONCE", 7)
    records = fasta_records.Records({"train": path})
    assert records.is_large and isinstance(records.names, fasta_records.Names)
    for _ in range(2):
        found = records.chosen(np.arange(SIZE))
        assert [*zip(records.names, found, strict=True)] == expected
    chosen = np.array([3, 8, 150])
    assert [*records.chosen(chosen)] == [expected[i][1] for i in chosen]
    assert [*records.names.select(chosen)] == ["p3", "p8", "p150"]


def test_several_records_of_one_row():
    frame = pd.DataFrame({"id": ["a", "P1", "b"], "y": [0, 1, 0]}, dtype=str)
    names = ["a", "sp|P1|x", "b"]
    rows, notes = record_rows.match_rows(names, frame, "labels.csv")
    assert rows.tolist() == [0, 1, 2]
    assert notes == ["records and labels are matched by parts of their names"]
    with pytest.raises(ValueError, match="row 2: 'P1' is both sp|P1|x and P1"):
        record_rows.match_rows([*names, "P1"], frame, "labels.csv")
