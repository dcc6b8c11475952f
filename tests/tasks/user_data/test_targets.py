"""Labels that are numbers to predict."""

import numpy as np
import pandas as pd
import pytest

from keras_fpt import tasks
from keras_fpt.tasks.user_data import targets

pytestmark = pytest.mark.backend_free
RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 5, 2)).astype("float32")
Y = 100 + X.mean(axis=(1, 2))


def labels_of(task):
    return np.concatenate([each.y for each in task.data.splits.values()])


def test_arrays_of_fractions_are_a_regression(messages):
    task = tasks.from_arrays(X, Y)
    assert task.is_regression and task.num_targets == 1
    assert task.head == "regressor"
    assert labels_of(task).shape == (80, 1)
    assert sorted(labels_of(task)[:, 0]) == sorted(Y.astype("float32"))
    assert "a regression, since most labels are fractions" in messages[-1]
    assert "-> 1 number" in messages[-1]
    x, y = next(iter(task.datasets(8).train.as_numpy_iterator()))
    assert y.dtype == np.float32 and y.shape == (8, 1)
    # Each label is still that of its sequence.
    np.testing.assert_allclose(y[:, 0], 100 + x.mean(axis=(1, 2)), rtol=1e-6)


def test_splits_have_the_same_share_of_each_tenth():
    y = np.arange(200) + 0.5
    x = RNG.normal(size=(200, 3, 1))
    task = tasks.from_arrays(x, y, verbose=False)
    for split, size in (("test", 40), ("validation", 16)):
        numbers = task.data.labels(split)[:, 0]
        counts = np.histogram(numbers, np.linspace(0, 200, 11))[0]
        assert len(numbers) == size and np.ptp(counts) <= 1


def test_the_errors_of_one_number():
    task = tasks.from_arrays(X, Y, verbose=False)
    train, test = task.data.labels("train"), task.data.labels("test")
    floors = task.target_floors("test")
    rmse = np.sqrt(((test - train.mean()) ** 2).mean())
    assert floors["floor_rmse"] == pytest.approx(rmse, rel=1e-4)
    mae = np.abs(test - np.median(train)).mean()
    assert floors["floor_mae"] == pytest.approx(mae, rel=1e-4)


def test_several_targets_are_asked_for():
    both = np.stack([Y, -Y], axis=1)
    task = tasks.from_arrays(X, both, task_type="regression", verbose=False)
    assert task.num_targets == 2 and task.model_arguments()["num_targets"] == 2
    table = task.split_table()
    assert len(table["label"][0].split()) == 2


@pytest.mark.parametrize(
    ("labels", "is_regression"),
    [
        (np.repeat([0, 1], 10), False),
        ([i / 7 for i in range(1, 20)], True),
        ([str(i / 7) for i in range(1, 20)], True),
        ([0.5, 1.5] * 10, None),  # Few values: perhaps a mistake.
        ([*map(float, range(12)), 0.5] * 3, None),  # Few fractions.
        (["1.5a"] * 10 + ["b"] * 10, False),
    ],
)
def test_what_is_a_regression(labels, is_regression):
    encode = targets.encode
    if is_regression is None:
        with pytest.raises(ValueError, match="--task-type regression"):
            encode(labels, str)
    else:
        assert encode(labels, str).is_regression is is_regression


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["1.5", "x", "2"], "1: the label 'x' is not a number"),
        (["1.5", "NaN", "2"], "1: the label is missing"),
        ([1.5, np.inf], "1: the label inf is not a finite number"),
        ([1.5, 1e39], "finite number of at most"),
        ([], "none"),
    ],
)
def test_numbers_that_cannot_be_used(labels, words):
    with pytest.raises(ValueError, match=words):
        targets.encode(labels, str, "regression")


def test_an_unknown_type_is_refused():
    with pytest.raises(ValueError, match="to be classification, regression"):
        tasks.from_arrays(X, Y, task_type="ranking")
    with pytest.raises(ValueError, match="use keras_fpt.tasks.from_series"):
        tasks.from_arrays(X, Y, task_type="forecast")
    with pytest.raises(ValueError, match="no classes"):
        tasks.from_arrays(X, Y, ["a", "b"], task_type="regression")
    with pytest.raises(ValueError, match="--task-type regression"):
        tasks.from_arrays(X, Y, task_type="classification")


@pytest.fixture
def frame():
    """Twenty groups of six rows in the order of time."""
    group = np.repeat(np.arange(20), 6)
    value = RNG.normal(size=120)
    of_group = np.round(value.reshape(20, 6).mean(1), 4)
    return pd.DataFrame(
        {
            "group": group,
            "value": value,
            "level": np.arange(120) / 8 + 0.01,
            "mean": of_group[group],
        }
    )


def test_tables_of_rows_groups_and_windows(frame, tmp_path):
    path = tmp_path / "levels.csv"
    frame.to_csv(path, index=False)
    options = {"verbose": False}
    rows = tasks.get(path, label_column="mean", **options)
    assert len(labels_of(rows)) == 120
    ignored = {"ignore_column": "level"}
    groups = tasks.get(
        path, label_column="mean", group_column="group", **ignored, **options
    )
    found = np.sort(labels_of(groups)[:, 0])
    np.testing.assert_allclose(found, np.sort(frame["mean"][::6]), rtol=1e-6)
    windows = tasks.get(path, label_column="level", window=4, **options)
    test = windows.data.labels("test")[:, 0]
    expected = frame["level"].to_numpy()[96:].reshape(6, 4).mean(axis=1)
    np.testing.assert_allclose(test, expected, rtol=1e-6)
    with pytest.raises(ValueError, match="group 3.*|the label goes from"):
        tasks.get(path, label_column="level", group_column="group", **options)
    with pytest.raises(ValueError, match="is for classes"):
        tasks.get(
            path, label_column="level", window=4, within_label=True, **options
        )


def test_whole_numbers_are_a_regression_if_asked_for(frame, tmp_path):
    path = tmp_path / "levels.csv"
    frame.assign(age=np.arange(120) % 3).to_csv(path, index=False)
    task = tasks.get(path, label_column="age", verbose=False)
    assert not task.is_regression
    task = tasks.get(
        path, label_column="age", task_type="regression", verbose=False
    )
    assert sorted(set(labels_of(task)[:, 0])) == [0, 1, 2]


def test_strings_and_proteins(tmp_path):
    strings = ["ACGT"[i % 4] * (3 + i % 5) for i in range(60)]
    numbers = [len(text) + i / 100 for i, text in enumerate(strings)]
    task = tasks.from_strings(strings, numbers, verbose=False)
    assert task.is_regression
    fasta = tmp_path / "x.fasta"
    fasta.write_text("".join(f">p{i}\n{s}\n" for i, s in enumerate(strings)))
    table = pd.DataFrame({"id": [f"p{i}" for i in range(60)], "y": numbers})
    table.to_csv(tmp_path / "y.csv", index=False)
    task = tasks.get(fasta, labels=tmp_path / "y.csv", verbose=False)
    np.testing.assert_allclose(
        np.sort(labels_of(task)[:, 0]), np.sort(numbers), rtol=1e-6
    )


def test_time_series_files_with_targets(tmp_path):
    lines = [",".join(f"{v:.3f}" for v in x[:, 0]) for x in X]
    text = "@problemName Mine\n@timeStamps false\n@univariate true\n"
    text += "@equalLength true\n@targetLabel true\n@data\n"
    text += "".join(f"{a}:{b}\n" for a, b in zip(lines, Y, strict=True))
    (tmp_path / "mine.ts").write_text(text)
    task = tasks.get(tmp_path / "mine.ts", verbose=False)
    assert task.is_regression
    assert sorted(labels_of(task)[:, 0]) == sorted(Y.astype("float32"))
