# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811
"""Groups among examples that do not fit into memory are found as in it."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from on_disk import both, home

from keras_fpt import tasks
from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data.audit import audit_groups, streamed_groups
from keras_fpt.tasks.user_data.targets import Labels

pytestmark = pytest.mark.backend_free
SIZE = 900


def columns(size=SIZE):
    """Columns of a table, most of which are no groups."""
    rng = np.random.default_rng(0)
    clip = rng.permutation(size) // 6
    y = clip % 2
    speaker = np.where(clip % 7 == 0, "", "s" + clip.astype(str).astype(object))
    frame = pd.DataFrame(
        {
            "clip": 1000 + 37 * clip,
            "speaker": speaker,
            "family_id": rng.integers(0, 4, size),
            "finer": 2 * rng.integers(0, 3, size) + y,
            "any": rng.integers(0, 40, size),
            "number": np.arange(size),
            "patient": rng.permutation(size) % (3 * size // 4),
        }
    )
    return frame.astype(str), y


def streamed(frame, y, split, rows_at_once=100, left_out=()):
    kept = np.setdiff1d(np.arange(len(frame)), left_out)
    with streamed_groups.StreamedGroups(is_beside=True) as groups:
        for start in range(0, len(frame), rows_at_once):
            part = frame.iloc[start : start + rows_at_once]
            own = kept[(kept >= start) & (kept < start + rows_at_once)] - start
            groups.add(part, own)
        return groups.find(split, Labels(y, ("a", "b")))


def test_findings_are_those_in_memory():
    frame, y = columns()
    split = np.random.default_rng(1).integers(0, 3, SIZE).astype(np.uint8)
    found = streamed(frame, y, split)
    rows = {"train": split == 0, "test": split == 2}
    rows = {name: np.flatnonzero(is_in) for name, is_in in rows.items()}
    assert found == audit_groups.find_beside(
        frame, (), Labels(y, ("a", "b")), rows
    )
    assert [finding.is_leak for finding in found] == [True, False]
    assert "of the 128 values of the column 'speaker' have" in found[0].message
    assert "of the 150 values of the column 'clip' occurs" in found[1].message


def test_examples_that_are_left_out_do_not_count():
    frame, y = columns()
    out = np.arange(0, SIZE, 5)
    kept = np.setdiff1d(np.arange(SIZE), out)
    split = np.random.default_rng(1).integers(0, 3, SIZE).astype(np.uint8)
    without = streamed(frame.iloc[kept], y[kept], split[kept])
    assert streamed(frame, y[kept], split[kept], left_out=out) == without
    split[out] = 3
    assert streamed(frame, y, split) == without


def test_many_values_are_sampled_with_all_of_their_examples(monkeypatch):
    monkeypatch.setattr(streamed_groups, "MAX_VALUES", 40)
    frame, y = columns()
    frame = frame.drop(columns="patient")  # too few for a good estimate
    split = np.random.default_rng(1).integers(0, 3, SIZE).astype(np.uint8)
    named, other = streamed(frame, y, split)
    for found, name in ((named, "speaker"), (other, "clip")):
        assert f"values of the column '{name}' that were looked at" in str(
            found
        )
    # Which they are follows from their texts, so the counts can be checked.
    values = streamed_groups._Values()
    codes = np.concatenate(
        [values.add(frame["clip"][i : i + 100]) for i in range(0, SIZE, 100)]
    )
    looked_at = [frame["clip"][codes == code].iloc[0] for code in values.codes]
    assert 10 < len(looked_at) <= 40 < values.total
    shared = [
        {0, 2} <= {*split[frame["clip"] == clip].tolist()} for clip in looked_at
    ]
    assert f"Each of the {len(shared):,} values" in other.message
    assert f"{sum(shared):,} of them are in train" in other.message
    # A single example of another class is not overlooked.
    y = y.copy()
    row = int(np.flatnonzero(frame["clip"] == looked_at[3])[2])
    y[row] = 1 - y[row]
    assert [found.is_leak for found in streamed(frame, y, split)] == [True]


def test_a_column_of_different_values_is_given_up(monkeypatch):
    monkeypatch.setattr(streamed_groups, "MAX_VALUES", 40)
    monkeypatch.setattr(streamed_groups, "ENOUGH", 200)
    frame, _ = columns()
    with streamed_groups.StreamedGroups(is_beside=True) as groups:
        for start in range(0, SIZE, 100):
            groups.add(frame[start : start + 100], np.arange(100))
        assert groups._columns["number"] is None
        assert groups._columns["clip"] is not None


def test_a_column_that_a_later_file_lacks_is_not_looked_at():
    frame, y = columns()
    split = np.random.default_rng(1).integers(0, 3, SIZE).astype(np.uint8)
    with streamed_groups.StreamedGroups() as groups:
        groups.add(frame[:500], np.arange(500))
        groups.add(frame[500:].drop(columns="speaker"), np.arange(400))
        assert groups.find(split) == []


def assert_same_findings(tasks_of_both, name):
    first, second = tasks_of_both
    assert sequence_store.is_on_disk(second.data.splits["train"].x)
    assert first.findings == second.findings
    kinds = [found.kind for found in first.findings if name in found.message]
    assert kinds == ["groups-across-splits"]


def test_large_tables_of_strings(tmp_path, both):
    frame, y = columns()
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice([*"ACGT"], 12)) for _ in range(SIZE)]
    frame = frame[["clip", "any"]].assign(dna=texts, y=y)
    frame.loc[5, "dna"] = "A" * 99
    frame.to_csv(tmp_path / "dna.csv", index=False)
    options = {"text_column": "dna", "label_column": "y", "max_length": 20}
    made = both(lambda: tasks.get(str(tmp_path / "dna.csv"), **options))
    assert_same_findings(made, "'clip'")
    apart = tasks.get(tmp_path / "dna.csv", **options, split_group="clip")
    assert apart.findings == ()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_large_tables_of_rows(tmp_path, both, suffix):
    # Sorted by patient, so that the first rows are of few of them.
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(SIZE, 3)), columns=[*"abc"])
    frame = frame.assign(patient_id=np.arange(SIZE) // 90)
    frame["y"] = rng.integers(0, 2, SIZE)
    path = tmp_path / f"rows.{suffix}"
    write = frame.to_csv if suffix == "csv" else frame.to_parquet
    write(path, index=False)
    options = {"label_column": "y", "ignore_column": "patient_id"}
    made = both(lambda: tasks.get(str(path), **options))
    first, second = (
        [f for f in task.findings if "patient_id" in f.message] for task in made
    )
    assert sequence_store.is_on_disk(made[1].data.splits["train"].x)
    assert first == second and "of the 10 values" in first[0].message
    with pytest.raises(ValueError, match="--split-group patient_id"):
        tasks.get(str(path), **options, strict=True)


@pytest.mark.parametrize("has_test", [False, True])
def test_large_saved_data_sets(tmp_path, both, has_test):
    rng = np.random.default_rng(0)
    for number, name in enumerate(("mine", "test")[: 1 + has_test]):
        folder = tmp_path / name
        folder.mkdir()
        table = pa.table(
            {
                "y": rng.integers(0, 2, 90),
                "speaker": [f"p{n // 6 + 5 * number}" for n in range(90)],
                "video": [{"frames": n} for n in range(90)],
                "x": rng.normal(size=(90, 5)).tolist(),
            }
        )
        with (
            pa.OSFile(str(folder / "data.arrow"), "wb") as sink,
            pa.ipc.new_stream(sink, table.schema) as writer,
        ):
            writer.write_table(table, 7)
        files = {"_data_files": [{"filename": "data.arrow"}]}
        (folder / "state.json").write_text(json.dumps(files))
        (folder / "dataset_info.json").write_text("{}")
    options = {"test": tmp_path / "test"} if has_test else {}
    made = both(lambda: tasks.get(str(tmp_path / "mine"), **options))
    assert_same_findings(made, "'speaker'")
