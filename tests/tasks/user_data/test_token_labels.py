"""A label for each row of a series, and for each token of arrays."""

import numpy as np
import pandas as pd
import pytest

from keras_fpt import tasks
from keras_fpt.tasks.user_data.tables import windows

pytestmark = pytest.mark.backend_free
RNG = np.random.default_rng(0)
SIZE = 203
VALUES = RNG.normal(size=SIZE)
STATES = np.where(VALUES > 0, "up", "down")
OPTIONS = {"label_column": "state", "task_type": "tokens", "verbose": False}


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "v": VALUES,
            "state": STATES,
            "who": np.repeat(np.arange(30), 7)[:SIZE],
        }
    )


def write(frame, path):
    frame.to_csv(path, index=False)
    return path


def check_rows(task, size):
    """Each token's label is that of its own value; returns their number."""
    count = 0
    for name in ("train", *task.held_out_splits):
        if name == "train":
            batches = task.data.in_order(
                task.data.splits["train"].x,
                task.data.order("train"),
                8,
                task.data.labels("train"),
            )
        else:
            batches = task.held_out(name, 8)
        for x, y in batches.as_numpy_iterator():
            mask = np.ones(y.shape, bool)
            if isinstance(x, dict):
                x, mask = x["tokens"], x["padding_mask"] > 0
            assert (y[~mask] == -1).all() and x.shape[:2] == y.shape
            shift = task.reader.mean[0] / task.reader.scale[0]
            is_up = x[:, :, 0] + shift > 0
            np.testing.assert_array_equal(y[mask], is_up[mask])
            count += int(mask.sum())
    assert count == size


def test_each_row_of_a_window_has_its_label(frame, tmp_path, messages):
    path = write(frame, tmp_path / "s.csv")
    options = {"ignore_column": "who", "window": 12}
    task = tasks.get(path, **OPTIONS | options | {"verbose": True})
    assert task.is_per_token and task.head == "token_classifier"
    assert task.class_names == ("down", "up")
    assert "each row has a label of its own" in messages[0]
    assert f"down {np.mean(STATES == 'down'):.1%}" in messages[0]
    # Every row is in a window, the last ones in a shorter one.
    check_rows(task, SIZE)
    test = STATES[-len(STATES) // 5 :]
    labels = task.data.labels("test")
    share = np.mean(labels[labels >= 0] == task.majority_class)
    assert task.majority_accuracy("test") == pytest.approx(share)
    assert task.floors("test")["majority class"].mean() == pytest.approx(share)
    assert abs((labels >= 0).sum() - len(test)) <= 1
    assert task.class_counts("test").sum() == (labels >= 0).sum()


def test_groups_are_padded(frame, tmp_path):
    path = write(frame, tmp_path / "s.csv")
    task = tasks.get(path, group_column="who", **OPTIONS)
    check_rows(task, SIZE)
    assert task.sequence_length == 7
    cut = tasks.get(path, group_column="who", window=5, **OPTIONS)
    check_rows(cut, SIZE)
    assert cut.sequence_length == 5


def test_rows_without_a_label_do_not_count(frame, tmp_path, messages):
    frame.loc[[3, 50, 51], "state"] = ""
    path = write(frame, tmp_path / "s.csv")
    options = OPTIONS | {"ignore_column": "who", "window": 10}
    with pytest.raises(ValueError, match="row 4: the label is missing"):
        tasks.get(path, **options)
    task = tasks.get(path, drop_missing=True, **options | {"verbose": True})
    assert "without a label: 3 rows" in messages[0]
    counts = [task.class_counts(s).sum() for s in task.data.splits]
    assert sum(counts) == SIZE - 3


@pytest.mark.parametrize(
    "options, words",
    [
        ({}, r"give window \(--window\)"),
        ({"window": 5, "label_column": ["state", "who"]}, "takes one column"),
        ({"window": 5, "within_label": True}, "is for classes"),
    ],
)
def test_what_labels_of_rows_refuse(options, words, frame, tmp_path):
    path = write(frame, tmp_path / "s.csv")
    with pytest.raises(ValueError, match=words):
        tasks.get(path, **OPTIONS | options)


def test_strings_have_no_labels_of_rows(tmp_path):
    path = write(
        pd.DataFrame({"text": ["ab", "ba"], "state": ["x", "y"]}),
        tmp_path / "t.csv",
    )
    with pytest.raises(ValueError, match="not for strings"):
        tasks.get(path, text_column="text", **OPTIONS)


def test_as_many_labels_as_tokens_are_found(messages):
    x = RNG.normal(size=(60, 6, 2))
    y = (x[:, :, 0] > 0).astype(int)
    task = tasks.from_arrays(x, y)
    assert task.is_per_token and task.class_names == ("0", "1")
    assert "a label for each token, since there are as many" in messages[0]
    task = tasks.from_arrays(x, y, task_type="multilabel", verbose=False)
    assert task.is_multilabel and task.num_classes == 6
    named = np.where(y, "up", "down")
    task = tasks.from_arrays(x, named, verbose=False)
    assert task.class_names == ("down", "up")
    with pytest.raises(ValueError, match=r"\(examples, 6\).*\(60, 4\)"):
        tasks.from_arrays(x, y[:, :4], task_type="tokens", verbose=False)


def test_unequal_sequences_and_tokens_without_a_label(messages):
    x = [RNG.normal(size=(n, 1)) for n in np.tile([3, 4, 6], 20)]
    y = np.full((60, 6), 7)  # Beyond the end, they mean nothing.
    for row, values in zip(y, x, strict=True):
        row[: len(values)] = values[:, 0] > 0
    y[0, 0] = -1
    task = tasks.from_arrays(x, y, task_type="tokens")
    assert task.class_names == ("0", "1")
    assert "without a label (-1): 1 tokens" in messages[0]
    total = sum(task.class_counts(split).sum() for split in task.data.splits)
    assert total == 20 * 13 - 1


def test_the_audit_names_classes_that_a_split_lacks(frame, tmp_path):
    frame.loc[190:, "state"] = "end"
    path = write(frame, tmp_path / "s.csv")
    task = tasks.get(path, ignore_column="who", window=10, **OPTIONS)
    found = [str(f) for f in task.findings if f.kind == "label-not-in-split"]
    assert any("'end' is in no example of train" in each for each in found)


def test_windows_keep_the_rest():
    whole = windows.Sequences(np.arange(12), np.array([0, 9]), np.array([9, 3]))
    cut, origin = windows.windows(whole, 4, 4, keep_rest=True)
    assert cut.starts.tolist() == [0, 4, 8, 9]
    assert cut.lengths.tolist() == [4, 4, 1, 3]
    assert origin.tolist() == [0, 0, 0, 1]
    cut, _ = windows.windows(whole, 4, 2, keep_rest=True)
    assert cut.starts.tolist() == [0, 2, 4, 6, 9]
    assert cut.lengths.tolist() == [4, 4, 4, 3, 3]
    cut, _ = windows.windows(whole, 4, 4)
    assert cut.lengths.tolist() == [4, 4]


def test_a_table_of_token_labels_in_another_encoding(tmp_path):
    x = RNG.normal(size=(40, 3, 2)).astype("f4")
    path, labels = tmp_path / "x.npy", tmp_path / "y.csv"
    np.save(path, x)
    words = np.array(["上", "下"])[(x[:, :, 0] > 0).astype(int)]
    frame = pd.DataFrame(words, columns=["a", "b", "c"])
    frame.to_csv(labels, index=False, encoding="shift_jis")
    options = {
        "labels": str(labels),
        "label_column": ["a", "b", "c"],
        "encoding": "shift_jis",
        "task_type": "tokens",
    }
    task = tasks.user_data.from_path(path, verbose=False, **options)
    assert task.class_names == ("上", "下")
    new, _ = task.reader.read(path)
    found = tasks.read_new_tokens(
        task.reader, path, new, task.class_names, options, labels
    )
    np.testing.assert_array_equal(found, x[:, :, 0] > 0)
