import hashlib
import json

import numpy as np
import pytest

from keras_fpt import tasks
from keras_fpt.tasks.proteins import AMINO_ACIDS

pytestmark = pytest.mark.backend_free

SPLITS = {
    "train": "train",
    "validation": "valid",
    "test": "test_fold_holdout",
    "superfamily": "test_superfamily_holdout",
    "family": "test_family_holdout",
}


def write(folder, split, records):
    folder = folder / "remote_homology"
    folder.mkdir(exist_ok=True)
    path = folder / f"remote_homology_{SPLITS[split]}.json"
    path.write_text(
        json.dumps(
            [
                {"primary": sequence, "fold_label": fold, "id": name}
                for name, sequence, fold in records
            ]
        )
    )


@pytest.fixture
def folder(tmp_path):
    """Twelve proteins of 5 to 38 amino acids to train on, three elsewhere."""
    sequences = [2 * AMINO_ACIDS[n:] for n in range(6, 18)]
    records = [(f"d{n}", s, 90 * n) for n, s in enumerate(sequences)]
    write(tmp_path, "train", records)
    for n, split in enumerate(list(SPLITS)[1:], 1):
        write(tmp_path, split, [(split, "M" * n, n), *records[n : n + 2]])
    return tmp_path


def test_shapes():
    task = tasks.get("remote-homology")
    assert task.num_classes == 1195
    assert task.vocabulary_size == len(task.symbols) == 25
    assert task.sequence_length == 1024
    assert task.top_5
    assert task.held_out_splits == (
        "validation",
        "test",
        "superfamily",
        "family",
    )


def test_each_split_is_read_from_its_file(folder):
    task = tasks.get("remote_homology", folder)
    for n, split in enumerate(list(SPLITS)[1:], 1):
        examples = task.data.splits[split]
        assert examples.names == [split, f"d{n}", f"d{n + 1}"]
        assert examples.y.tolist() == [n, 90 * n, 90 * n + 90]
        assert examples.y.dtype == np.int32
        letters = "".join(task.symbols[t] for t in examples.x[0].numpy())
        assert letters == "M" * n


def test_batches(folder):
    task = tasks.get("remote_homology", folder)
    x, y = next(iter(task.datasets(4).train))
    assert x["tokens"].dtype == "int32"
    for tokens, mask, label in zip(
        x["tokens"].numpy(), x["padding_mask"].numpy(), y.numpy(), strict=True
    ):
        expected = 2 * AMINO_ACIDS[label // 90 + 6 :]
        letters = "".join(AMINO_ACIDS[t] for t in tokens[: mask.sum()])
        assert letters == expected


def test_golden(folder):
    digest = hashlib.sha256()
    splits = tasks.get("remote_homology", folder).datasets(5, seed=1)
    for split in splits:
        for x, y in split.take(2):
            for part in (x["tokens"], x["padding_mask"], y):
                digest.update(part.numpy().astype("<i4").tobytes())
    assert digest.hexdigest()[:16] == GOLDEN


def test_longer_proteins_are_left_out_and_counted(folder, capsys):
    data = tasks.get("remote_homology", folder, max_length=34).data
    assert [data.size(split) for split in SPLITS] == [10, 2, 3, 3, 3]
    assert data.splits["train"].names == [f"d{n}" for n in range(2, 12)]
    assert data.splits["train"].x.row_lengths().numpy().max() == 34
    assert capsys.readouterr().out == (
        "remote_homology: left out 2 of 12 train, 1 of 3 validation proteins "
        "longer than 34 amino acids\n"
    )


def test_no_note_where_nothing_is_left_out(folder, capsys):
    data = tasks.get("remote_homology", folder).data
    assert data.size("train") == 12
    assert capsys.readouterr().out == ""


def test_no_protein_is_left(folder):
    task = tasks.get("remote_homology", folder, max_length=3)
    with pytest.raises(ValueError, match="All 12 proteins of train .*=3"):
        task.datasets()


@pytest.mark.parametrize("max_length", [0, -1])
def test_max_length_must_be_positive(max_length):
    with pytest.raises(ValueError, match="max_length of at least 1"):
        tasks.get("remote_homology", max_length=max_length)


def test_a_wrong_amino_acid_names_its_file_and_record(folder):
    write(folder, "family", [("d1", "MK", 0), ("d2", "MK-V", 0)])
    with pytest.raises(ValueError) as error:
        tasks.get("remote_homology", folder).datasets()
    assert str(error.value).startswith(
        f"`{folder}/remote_homology/remote_homology_test_family_holdout.json`, "
        f"record 1 (d2): '-' at position 3 "
    )


def test_the_default_folder(folder, monkeypatch):
    monkeypatch.setenv("KERAS_FPT_HOME", str(folder))
    assert tasks.get("remote_homology").data.size("train") == 12


def test_missing_data_is_only_missed_when_it_is_read(tmp_path):
    task = tasks.get("remote_homology", tmp_path)
    with pytest.raises(FileNotFoundError, match="songlab-cal/tape"):
        task.datasets()


def test_real_data(real_data, capsys):
    data = tasks.get("remote_homology", real_data / "tape").data
    sizes = [data.size(split) for split in SPLITS]
    assert sizes == [5490, 475, 402, 720, 524]
    out = capsys.readouterr().out
    assert "4 of 5,494 train, 2 of 477 validation" in out
    real = padded = 0
    for x, _ in data.train(32, 0, 0).take(300):
        real += x["padding_mask"].numpy().sum()
        padded += x["padding_mask"].numpy().size
    assert padded < 1.4 * real


GOLDEN = "6a052afcfac9afa0"
