"""Several labels per example, from tables, strings, files and arrays."""

import numpy as np
import pandas as pd
import pytest

from keras_fpt import tasks
from keras_fpt.tasks.user_data import several_labels, targets

pytestmark = pytest.mark.backend_free
NAMES = ["cat", "dog", "owl"]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4))
Y = (X[:, :3] + 0.5 * RNG.normal(size=(120, 3)) > 0.5).astype(int)
COLUMNS = {"label_column": NAMES, "verbose": False}


@pytest.fixture
def frame():
    frame = pd.DataFrame(X, columns=list("abcd"))
    return frame.assign(**dict(zip(NAMES, Y.T, strict=True)))


def write(frame, path):
    frame.to_csv(path, index=False)
    return path


def cells(separator):
    return [separator.join(np.array(NAMES)[row > 0]) or "[]" for row in Y]


def labels_of(task):
    """The labels of all examples, in the order of the file."""
    rows = {}
    for split in task.data.splits.values():
        for name, row in zip(split.names, split.y, strict=True):
            rows[int(name.rpartition(" ")[2])] = row
    return np.array([rows[number] for number in sorted(rows)])


def test_columns_of_0_and_1_are_several_labels(frame, tmp_path, messages):
    path = write(frame, tmp_path / "t.csv")
    task = tasks.get(path, label_column=NAMES)
    assert task.is_multilabel and not task.has_one_class
    assert task.class_names == tuple(NAMES) and task.head == "multi_label"
    assert task.model_arguments()["num_labels"] == 3
    np.testing.assert_array_equal(labels_of(task), Y)
    assert "3 labels of 0 and 1: an example may have several" in messages[-1]
    assert f"cat {Y[:, 0].mean():.1%}" in messages[-1]
    _, y = next(task.datasets(8).train.as_numpy_iterator())
    assert y.shape == (8, 3) and y.dtype == np.int32
    words = frame.assign(cat=np.where(Y[:, 0], "Yes", "no"))
    spelled = tasks.get(write(words, tmp_path / "w.csv"), **COLUMNS)
    np.testing.assert_array_equal(labels_of(spelled), Y)


@pytest.mark.parametrize(
    "separator, options",
    [
        (";", {}),
        ("|", {}),
        (", ", {"task_type": "multilabel"}),
        (" ", {"task_type": "multilabel"}),
        ("/", {"label_separator": "/"}),
    ],
)
def test_cells_of_several_names(separator, options, frame, tmp_path):
    own = frame[list("abcd")].assign(tags=cells(separator))
    path = write(own, tmp_path / "t.csv")
    task = tasks.get(path, label_column="tags", verbose=False, **options)
    assert task.is_multilabel and task.class_names == tuple(NAMES)
    np.testing.assert_array_equal(labels_of(task), Y)


def test_lists_in_brackets_are_several_labels(frame, tmp_path):
    lists = [str(list(np.array(NAMES)[row > 0].tolist())) for row in Y]
    assert "['cat', 'dog']" in lists and "[]" in lists
    own = frame[list("abcd")].assign(tags=lists)
    task = tasks.get(
        write(own, tmp_path / "t.csv"), label_column="tags", verbose=False
    )
    np.testing.assert_array_equal(labels_of(task), Y)


@pytest.mark.parametrize(
    "distinct, found",
    [
        (["a;b", "a", "b"], ";"),
        (["a|b", "b|a|c", "c"], "|"),
        (["['a', 'b']", "[]"], "["),
        (["a;b", "c"], None),  # A name that no other cell has.
        (["Smith, John", "Smith", "John"], None),
        (["up", "down"], None),
        ([], None),
    ],
)
def test_what_tells_that_cells_hold_several_names(distinct, found):
    assert several_labels.find_separator(distinct) == found


def test_a_classification_can_be_asked_for(frame, tmp_path):
    own = frame[list("abcd")].assign(tags=cells(";"))
    path = write(own, tmp_path / "t.csv")
    task = tasks.get(
        path, label_column="tags", task_type="classification", verbose=False
    )
    assert not task.is_multilabel and "cat;dog" in task.class_names


def test_columns_of_other_numbers_are_a_regression(frame, tmp_path, messages):
    path = write(frame.assign(dog=3.5 * X[:, 0]), tmp_path / "t.csv")
    options = {"label_column": ["cat", "dog"], "ignore_column": "owl"}
    task = tasks.get(path, **options)
    assert task.num_targets == 2
    np.testing.assert_allclose(labels_of(task)[:, 1], 3.5 * X[:, 0], rtol=1e-5)
    assert "a regression of 2 numbers" in messages[-1]
    frame["place"] = np.repeat(np.arange(40), 3)
    own = frame.assign(cat=frame["place"] / 7, dog=frame["place"])
    path = write(own, tmp_path / "g.csv")
    groups = tasks.get(path, group_column="place", verbose=False, **options)
    found = np.concatenate([s.y for s in groups.data.splits.values()])
    np.testing.assert_allclose(found[:, 0], found[:, 1] / 7, rtol=1e-6)
    assert sorted(found[:, 1]) == list(range(40))


def test_groups_and_windows(frame, tmp_path):
    group = np.repeat(np.arange(40), 3)
    whole = frame.assign(g=group, **dict(zip(NAMES, Y[group].T, strict=True)))
    path = write(whole, tmp_path / "g.csv")
    task = tasks.get(path, group_column="g", **COLUMNS)
    np.testing.assert_array_equal(labels_of(task), Y[:40])
    path = write(frame, tmp_path / "w.csv")
    task = tasks.get(path, window=4, **COLUMNS)
    # The labels that at least half of the last window's rows have.
    expected = Y[116:].mean(axis=0) >= 0.5
    np.testing.assert_array_equal(task.data.labels("test")[-1], expected)
    with pytest.raises(ValueError, match="the label goes from 0 to 1"):
        tasks.get(
            write(frame.assign(g=group), path), group_column="g", **COLUMNS
        )


def test_strings_and_arrays(tmp_path):
    texts = ["".join(RNG.choice(list("abc"), 6)) for _ in range(120)]
    frame = pd.DataFrame({"text": texts, "tags": cells(";")})
    path = write(frame, tmp_path / "s.csv")
    task = tasks.get(
        path, text_column="text", label_column="tags", verbose=False
    )
    np.testing.assert_array_equal(labels_of(task), Y)
    x = np.repeat(X[:, :, None], 2, axis=2)
    task = tasks.from_arrays(x, Y, verbose=False)
    assert task.is_multilabel and task.class_names == ("0", "1", "2")
    table = task.split_table()
    assert set(table["label"]) <= {"", "0", "1", "2", "0;1", "0;2", "1;2"} | {
        "0;1;2"
    }
    np.savez(tmp_path / "x.npz", x=x)
    labels = write(pd.DataFrame(Y, columns=NAMES), tmp_path / "y.csv")
    np.save(tmp_path / "x.npy", x)
    task = tasks.get(tmp_path / "x.npy", labels=str(labels), **COLUMNS)
    assert task.is_multilabel and task.class_names == tuple(NAMES)


def test_splits_share_the_examples_of_a_rare_label():
    y = np.zeros((200, 2), int)
    y[:100, 0] = 1
    y[90:110, 1] = 1  # 20 examples, of which half have the other label.
    x = RNG.normal(size=(200, 3, 1))
    task = tasks.from_arrays(x, y, task_type="multilabel", verbose=False)
    assert task.data.labels("test")[:, 1].sum() == 4
    assert task.data.labels("validation")[:, 1].sum() >= 1


def test_floors_are_of_each_label():
    task = tasks.from_arrays(X[:, :, None], Y, verbose=False)
    train, test = task.data.labels("train"), task.data.labels("test")
    common = train.mean(axis=0) > 0.5
    np.testing.assert_array_equal(task.majority_class, common)
    expected = (test == common).mean()
    assert task.majority_accuracy("test") == pytest.approx(expected)
    assert task.floors("test")["majority class"].mean() == pytest.approx(
        expected
    )
    np.testing.assert_array_equal(task.class_counts("train"), train.sum(axis=0))


def test_what_the_audit_finds():
    rare = np.zeros(120, int)
    rare[:2] = 1
    y = np.stack([Y[:, 0], np.ones(120, int), rare, Y[:, 0]], axis=1)
    task = tasks.from_arrays(
        X[:, :, None], y, task_type="multilabel", verbose=False
    )
    found = {finding.kind: str(finding) for finding in task.findings}
    assert "The label '1' is the same" in found["constant-label"]
    assert "label '0' has '3'" in found["equal-labels"]
    assert "The label '2' is in no example of" in found["label-not-in-split"]
    copies = np.concatenate([X, X])[:, :, None]
    both = np.concatenate([Y, 1 - Y])
    task = tasks.from_arrays(copies, both, verbose=False)
    kinds = {finding.kind for finding in task.findings}
    assert {"copies-across-splits", "contradicting-labels"} <= kinds


@pytest.mark.parametrize(
    "cell, column, options, words",
    [
        (2, "dog", {"task_type": "multilabel"}, "row 5, column 'dog': expe"),
        ("", "dog", {}, "row 5, column 'dog'.*missing"),
        ("perhaps", "dog", {}, "row 5, column 'dog'.*'perhaps' is not a num"),
        (1, "dog", {"task_type": "classification"}, "The labels are in 3 col"),
        (1, "dog", {"label_separator": ";"}, "columns of their own"),
        (1, "dog", {"label_column": ["cat", "cat"]}, "names 'cat' twice"),
        (1, "dog", {"label_column": ["cat", "cow"]}, "no column 'cow'"),
    ],
)
def test_wrong_labels_are_refused(
    cell, column, options, words, frame, tmp_path
):
    frame = frame.astype({column: object})
    frame.loc[4, column] = cell
    path = write(frame, tmp_path / "t.csv")
    with pytest.raises(ValueError, match=words):
        tasks.get(path, **COLUMNS | options)


def test_missing_labels_can_be_left_out(frame, tmp_path):
    frame = frame.astype({"dog": object})
    frame.loc[4, "dog"] = ""
    path = write(frame, tmp_path / "t.csv")
    task = tasks.get(path, drop_missing=True, **COLUMNS)
    np.testing.assert_array_equal(labels_of(task), np.delete(Y, 4, axis=0))


def test_one_hot_labels_are_asked_about():
    y = np.eye(3, dtype=int)[RNG.integers(0, 3, 120)]
    with pytest.raises(ValueError, match="exactly one of the labels"):
        tasks.from_arrays(X[:, :, None], y, verbose=False)
    task = tasks.from_arrays(
        X[:, :, None], y, task_type="multilabel", verbose=False
    )
    assert task.is_multilabel


def test_an_empty_cell_says_what_to_write():
    with pytest.raises(ValueError, match=r"example 1: .* Write \[\] where"):
        several_labels.from_cells(
            np.array(["a;b", "", "a"]), lambda i: f"example {i}"
        )


def test_labels_of_new_files_are_those_of_training(frame, tmp_path):
    own = frame[list("abcd")].assign(tags=cells(";"))
    task = tasks.get(
        write(own, tmp_path / "t.csv"), label_column="tags", verbose=False
    )
    new = own[:3].assign(tags=["dog|cat", "owl", "[]"])
    path = write(new, tmp_path / "new.csv")
    names = ["row 1", "row 2", "row 3"]

    def read():
        return tasks.read_new_indicators(
            task.reader, path, names, NAMES, {"label_column": "tags"}
        )

    np.testing.assert_array_equal(read(), [[1, 1, 0], [0, 0, 1], [0, 0, 0]])
    write(new.assign(tags=["dog|cow", "owl", "cat"]), path)
    with pytest.raises(ValueError, match="row 1: the label 'cow' is not one"):
        read()


def test_strata_are_the_rarest_labels():
    y, names = several_labels.strata(
        np.array([[1, 1], [1, 0], [1, 0], [0, 0]], np.int8), ("a", "b")
    )
    assert [names[i] for i in y] == ["b", "a", "a", "none"]


def test_kinds_of_labels_are_named():
    assert targets.TASK_TYPES == (
        "classification",
        "regression",
        "multilabel",
        "tokens",
    )
