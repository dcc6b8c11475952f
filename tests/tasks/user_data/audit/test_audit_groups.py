"""Groups whose examples are in train and in test, in tables of no inputs."""

import numpy as np
import pandas as pd
import pytest
from scipy.io import wavfile

from keras_fpt import tasks
from keras_fpt.tasks.user_data import sequences
from keras_fpt.tasks.user_data.audit import audit_groups
from keras_fpt.tasks.user_data.targets import Labels

pytestmark = pytest.mark.backend_free
CLASSES = ("drill", "siren")


def beside(frame, y, known=()):
    """Finds groups of a split into two halves that alternate."""
    rows = np.arange(len(frame))
    splits = {"train": rows[::2], "test": rows[1::2]}
    labels = Labels(np.asarray(y), CLASSES)
    return audit_groups.find_beside(frame, known, labels, splits)


def clips(number=12, each=4):
    """Clips of recordings, each of which has one class."""
    recording = np.repeat(np.arange(number), each)
    y = recording % 2
    frame = pd.DataFrame(
        {"fsID": 1000 + 37 * recording, "take": np.arange(len(y))}
    )
    return frame, y


def test_values_that_have_one_class_each_are_groups():
    frame, y = clips()
    (found,) = beside(frame, y)
    assert found.kind == "groups-across-splits" and not found.is_leak
    assert "Each of the 12 values of the column 'fsID'" in found.message
    assert "12 of them are in train and in test" in found.message
    assert "--split-group fsID" in found.advice
    assert beside(frame, y, known=["fsID"]) == []


@pytest.mark.parametrize(
    "column",
    [
        lambda y, rng: np.where(y, "tool", "alarm"),  # The class again.
        lambda y, rng: 2 * rng.integers(0, 3, len(y)) + y,  # Finer classes.
        lambda y, rng: rng.integers(0, 12, len(y)),  # Any class.
        lambda y, rng: np.arange(len(y)),  # A value per example.
        lambda y, rng: np.full(len(y), ""),
    ],
)
def test_what_is_no_group_is_not_noted(column):
    frame, y = clips()
    found = column(y, np.random.default_rng(0))
    assert beside(pd.DataFrame({"other": found}), y) == []


def test_groups_may_be_large():
    frame, y = clips(each=3000)
    (found,) = beside(frame.drop(columns="take"), y)
    assert "'fsID'" in found.message


def test_few_groups_may_have_one_class_by_chance():
    frame, y = clips(number=7, each=2)
    assert beside(frame, y) == []


def test_rows_without_a_group_are_in_none():
    frame, y = clips()
    frame = frame.rename(columns={"fsID": "speaker"}).astype(str)
    frame.loc[frame.index >= 8, "speaker"] = ""
    # Two speakers are left, which are too few.
    assert beside(frame, y) == []


@pytest.fixture
def sounds(tmp_path):
    """Four clips of each of 12 recordings, listed in a table."""
    rng = np.random.default_rng(0)
    frame, y = clips()
    names = []
    for row, label in enumerate(y):
        times = np.arange(800) / 8000
        wave = np.sin(2 * np.pi * (300 + 400 * label) * times)
        name = f"{frame['fsID'][row]}-{row}.wav"
        samples = 8000 * wave + rng.normal(0, 500, 800)
        wavfile.write(tmp_path / name, 8000, samples.astype("int16"))
        names.append(name)
    frame = frame.assign(file=names, label=np.array(CLASSES)[y])
    frame.to_csv(tmp_path / "clips.csv", index=False)
    return tmp_path / "clips.csv"


def kinds(task):
    return [finding.kind for finding in task.findings]


def test_a_table_of_files_is_audited(sounds):
    options = {"file_column": "file", "label_column": "label"}
    task = tasks.from_file_table(sounds, **options, verbose=False)
    assert kinds(task) == ["groups-across-splits"]
    apart = tasks.from_file_table(
        sounds, **options, split_group="fsID", verbose=False
    )
    assert kinds(apart) == []
    renamed = pd.read_csv(sounds).rename(columns={"fsID": "speaker"})
    renamed.to_csv(sounds, index=False)
    with pytest.raises(ValueError, match="--split-group speaker"):
        tasks.from_file_table(sounds, **options, strict=True, verbose=False)


def strings(count):
    rng = np.random.default_rng(0)
    return ["".join(rng.choice(list("ACDE"), 24)) for _ in range(count)]


def test_a_table_of_strings_is_audited(tmp_path):
    frame, y = clips()
    frame = frame.rename(columns={"fsID": "scaffold"})
    frame = frame.assign(text=strings(len(y)), label=y)
    path = tmp_path / "strings.csv"
    frame.to_csv(path, index=False)
    options = {"text_column": "text", "label_column": "label"}
    task = tasks.get(str(path), **options)
    assert kinds(task) == ["groups-across-splits"]
    apart = tasks.get(str(path), **options, split_group="scaffold")
    assert kinds(apart) == []


def test_the_labels_of_records_are_audited(tmp_path):
    frame, y = clips()
    names = [f"s{i}" for i in range(len(y))]
    text = "".join(
        f">{name}\n{string}\n"
        for name, string in zip(names, strings(len(y)), strict=True)
    )
    (tmp_path / "some.fasta").write_text(text.replace("E", "F"))
    frame = frame.rename(columns={"fsID": "family"}).assign(id=names, label=y)
    frame.to_csv(tmp_path / "labels.csv", index=False)
    options = {
        "labels": tmp_path / "labels.csv",
        "label_column": "label",
        "id_column": "id",
        "verbose": False,
    }
    task = tasks.from_fasta(tmp_path / "some.fasta", **options)
    assert kinds(task) == ["groups-across-splits"]
    apart = tasks.from_fasta(
        tmp_path / "some.fasta", **options, split_group="family"
    )
    assert kinds(apart) == []


@pytest.fixture
def people():
    """Ten series of each of 12 people."""
    x = np.random.default_rng(0).normal(size=(120, 9, 2)).astype("float32")
    person = np.repeat(np.arange(12), 10)
    return x, person % 2, person


def test_arrays_named_like_groups_are_audited(tmp_path, people):
    x, y, person = people
    path = tmp_path / "har.npz"
    np.savez(path, x=x, y=y, subject=person)
    assert kinds(tasks.get(str(path))) == ["groups-across-splits"]
    for options in ({"split_group": "subject"}, {"label_column": "subject"}):
        task = tasks.get(str(path), **options)
        assert kinds(task) == []
    np.savez(path, x=x, y=y, mySubject=person)
    assert kinds(tasks.get(str(path))) == ["groups-across-splits"]
    # Names of people are no value per sequence, and of no use here.
    np.savez(path, x=x, y=y, subject=np.array(["ann", "bob"]))
    assert kinds(tasks.get(str(path))) == []


def test_the_arrays_of_each_split_are_joined(tmp_path, people):
    x, y, person = people
    path = tmp_path / "har.npz"
    order = np.random.default_rng(1).permutation(120)
    for rows in (np.arange(120), order):
        train, test = rows[:60], rows[60:]
        np.savez(
            path,
            X_train=x[train],
            y_train=y[train],
            subject_train=person[train],
            X_test=x[test],
            y_test=y[test],
            subject_test=person[test],
        )
        found = kinds(tasks.get(str(path)))
        assert found == ["groups-across-splits"] * (rows is order)


@pytest.mark.parametrize(
    ("pattern", "is_found"),
    [("P{0:02}_{1}", True), ("subj {0}.{1}", True), ("ID{2:05}", False)],
)
@pytest.mark.parametrize("is_large", [False, True])
def test_people_in_ids_of_rows_are_found(
    tmp_path, monkeypatch, pattern, is_found, is_large
):
    if is_large:
        monkeypatch.setattr(sequences, "MAX_BYTES_IN_MEMORY", 1000)
    rng = np.random.default_rng(0)
    numbers = rng.permutation(400)
    frame = pd.DataFrame(
        {
            "sample": [pattern.format(n // 20, n % 20, n) for n in numbers],
            "x": rng.normal(size=400),
            "y": rng.integers(0, 2, 400),
        }
    )
    frame.to_csv(tmp_path / "ids.csv", index=False)
    task = tasks.from_csv(
        tmp_path / "ids.csv", "y", ignore_column="sample", verbose=False
    )
    assert [f.kind for f in task.findings] == [
        "groups-across-splits"
    ] * is_found
    if is_found:
        message = str(task.findings[0])
        assert "part 1 of the IDs in the column 'sample'" in message or (
            "part 2 of the IDs in the column 'sample'" in message
        )
        assert ".id-of" not in message and "into a column" in message
