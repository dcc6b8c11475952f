"""Files of the UCR/UEA archive."""

import os
import pathlib

import numpy as np
import pytest

from keras_fpt import tasks

pytestmark = pytest.mark.backend_free

HEADER = """# A comment.
@problemName Mine
@timeStamps false
@missing false
@univariate false
@dimensions 2
@equalLength {equal}
@classLabel true walk run
@data
"""


@pytest.fixture
def cases():
    generator = np.random.default_rng(0)
    return [
        (
            generator.normal(5, 3, (n % 4 + 3, 2)).round(3),
            ["walk", "run"][n % 2],
        )
        for n in range(40)
    ]


def write(path, cases, equal="false"):
    header = HEADER.format(equal=equal)
    rows = [
        ":".join([*(",".join(map(str, values)) for values in x.T), label])
        for x, label in cases
    ]
    path.write_text("\n".join([header.rstrip(), *rows]) + "\n")
    return path


def raw(task, split):
    """The values of a split, as they are in the file."""
    mean, scale = np.array(task.reader.mean), np.array(task.reader.scale)
    x = task.data.splits[split].x
    return [np.asarray(row) * scale + mean for row in x]


def test_cases_of_a_train_and_a_test_file(tmp_path, cases, capsys):
    train = write(tmp_path / "Mine_TRAIN.ts", cases[:30])
    test = write(tmp_path / "Mine_TEST.ts", cases[30:])
    task = tasks.get(train)
    assert "test cases are in Mine_TEST.ts (--test)" in capsys.readouterr().out
    task = tasks.get(train, test=test)
    assert task.class_names == ("run", "walk") and task.input_dim == 2
    for values, label, (x, name) in zip(
        raw(task, "test"), task.data.splits["test"].y, cases[30:], strict=True
    ):
        np.testing.assert_allclose(values, x, atol=1e-5)
        assert task.class_names[label] == name
    trained = np.concatenate(
        [np.asarray(x) for x in task.data.splits["train"].x]
    )
    np.testing.assert_allclose(trained.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(trained.std(axis=0), 1, atol=1e-6)
    assert task.data.splits["test"].names[0] == "Mine_TEST.ts, line 10"
    reader = tasks.reader_from_json(tasks.reader_to_json(task.reader))
    new, names = reader.read(test)
    assert names[0] == "line 10"
    np.testing.assert_array_equal(
        new.flat_values, task.data.splits["test"].x.flat_values
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("@timeStamps false", "@timeStamps true", "a time for each value"),
        ("@classLabel true walk run", "@classLabel false", "no classes"),
        (
            "@classLabel true walk run",
            "@targetLabel true",
            "the label 'walk' is not a number",
        ),
        ("walk run", "walk hop", "line 11: the class 'run' is not one of"),
        ("@dimensions 2", "@dimensions 3", "line 10: expected 3 dimensions"),
        ("@dimensions 2", "@dimensions two", "@dimensions to be a whole"),
        ("@data\n", "", "begins with @"),
        ("0.126", "?", r"line 10, dimension 1, value 1: it is missing"),
        ("0.126", "a", "line 10, value 1: expected a number but found 'a'"),
        ("0.126", "0.126,1", "line 10: its dimensions have from 3 to 4"),
        ("0.126", "(0,1)", "line 10: it has a time"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, cases, old, new, message):
    cases[0][0][0, 0] = 0.126
    path = write(tmp_path / "mine.ts", cases)
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=rf"mine.ts`.*{message}"):
        tasks.get(path)


@pytest.mark.parametrize("how", ["forward", "median"])
def test_missing_values_are_filled(tmp_path, cases, how):
    path = write(tmp_path / "mine.ts", cases)
    lines = path.read_text().splitlines()
    # A gap, a first value, and padding at the end of both dimensions.
    lines[9:29:2] = ["1,?,3,?:?,2,3,?:walk"] * 10
    lines[10:30:2] = ["5,6,?:1,2,7:run"] * 10
    path.write_text("\n".join(lines))
    task = tasks.get(path, fill=how)
    assert task.input_dim == 4 and task.reader.flagged == (0, 1)
    new, _ = task.reader.read(path)
    mean, scale = np.array(task.reader.mean), np.array(task.reader.scale)
    first, second = (np.asarray(row) for row in new[:2])
    median = np.array(task.reader.median)
    before = 1 if how == "forward" else median[0]
    expected = [[1, median[1], 0, 1], [before, 2, 1, 0], [3, 3, 0, 0]]
    np.testing.assert_allclose(
        first[:, :2] * scale + mean, np.array(expected)[:, :2], atol=1e-5
    )
    np.testing.assert_array_equal(first[:, 2:], np.array(expected)[:, 2:])
    assert second[2, 2:].tolist() == [1, 0]
    train = np.concatenate([np.asarray(x) for x in task.data.splits["train"].x])
    np.testing.assert_allclose(train[:, :2].mean(axis=0), 0, atol=1e-5)
    with pytest.raises(ValueError, match="fill .--fill. to be one of median"):
        tasks.get(path, fill="mean")


def test_a_length_that_the_header_contradicts(tmp_path, cases):
    path = write(tmp_path / "mine.ts", cases, "true\n@seriesLength 3")
    with pytest.raises(ValueError, match="line 12: expected 3 values, as @ser"):
        tasks.get(path)


@pytest.mark.parametrize("name", ["GunPoint", "BasicMotions", "JapaneseVowels"])
def test_the_archive_itself(name):
    folder = pathlib.Path(
        os.environ.get("KERAS_FPT_TEST_DATA", ""), "ucr", name
    )
    if not folder.is_dir():
        pytest.skip("KERAS_FPT_TEST_DATA has no folder ucr of the archive")
    train, test = (folder / f"{name}_{s}.ts" for s in ("TRAIN", "TEST"))
    task = tasks.get(train, test=test, verbose=False)
    lines = test.read_text().lower().split("@data")[1].split()
    for line, values, y in zip(
        lines, raw(task, "test"), task.data.splits["test"].y, strict=True
    ):
        *parts, label = line.split(":")
        expected = np.array([part.split(",") for part in parts], float).T
        np.testing.assert_allclose(values, expected, atol=1e-4)
        assert task.class_names[y].lower() == label
