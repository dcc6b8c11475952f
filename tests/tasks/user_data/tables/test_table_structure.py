"""Keys, times, windows and given splits of tables, against pandas."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from keras_fpt import tasks
from keras_fpt.tasks import reader_from_json, reader_to_json

pytestmark = pytest.mark.backend_free
SPLITS = ("train", "validation", "test")


def make(path, label="y", **options):
    return tasks.from_csv(path, label, verbose=False, **options)


def raw(task, split):
    """The numbers of a split's examples, as they are in the file."""
    x = task.data.splits[split].x
    return x * np.array(task.reader.scale) + np.array(task.reader.mean)


def rows_of(name):
    """The first and the last row that a window's name says."""
    first, last = map(int, name.split("rows ")[1].split("-"))
    return first - 1, last


def kinds(task):
    """The findings, but for that the value grows, as it does in these tests."""
    found = [finding.kind for finding in task.findings]
    return [kind for kind in found if kind != "time-as-feature"]


@pytest.fixture
def trials(tmp_path):
    """6 subjects, each with the same 10 trials of 5 rows."""
    frame = pd.DataFrame(
        {
            "subject": np.repeat(range(6), 50),
            "trial": np.tile(np.repeat(range(10), 5), 6),
            "v": np.arange(300.0),
        }
    )
    frame["y"] = np.where(frame["trial"] % 2, "odd", "even")
    path = tmp_path / "trials.csv"
    frame.to_csv(path, index=False)
    return path, frame


def test_two_columns_are_one_key(trials):
    path, frame = trials
    task = make(path, group_column=["subject", "trial"])
    expected = {
        f"subject {subject}, trial {trial}": rows["v"].to_numpy()
        for (subject, trial), rows in frame.groupby(["subject", "trial"])
    }
    assert task.sequence_length == 5 and kinds(task) == []
    seen = 0
    for split in SPLITS:
        names = task.data.splits[split].names
        for name, values in zip(names, raw(task, split), strict=True):
            np.testing.assert_allclose(values[:, 0], expected[name], atol=1e-4)
            seen += 1
    assert seen == 60
    again = reader_from_json(
        json.loads(json.dumps(reader_to_json(task.reader)))
    )
    assert dataclasses.asdict(again) == dataclasses.asdict(task.reader)
    x, names = again.read(path)
    assert set(names) == set(expected) and x.shape == (60, 5, 1)


def test_a_group_that_starts_again_is_named(trials):
    path, _ = trials
    task = make(path, group_column="trial", ignore_column="subject")
    assert kinds(task) == ["scattered-groups"]
    finding = task.findings[0]
    assert not finding.is_leak
    assert "trial 0 starts again at row 51" in finding.message
    assert "6 stretches" in finding.message
    assert "--group-column trial --group-column subject" in finding.advice


def test_a_missing_group_is_named(trials):
    path, frame = trials
    for value in ("", "NA"):
        frame["subject"] = frame["subject"].astype(object)
        frame.loc[7, "subject"] = value
        frame.to_csv(path, index=False)
        for option in ("group_column", "split_group"):
            with pytest.raises(ValueError, match="row 8: the 'subject' is mis"):
                make(path, **{option: "subject", "ignore_column": "trial"})


@pytest.mark.parametrize("kind", ["number", "iso", "us"])
def test_rows_are_sorted_by_time_and_no_window_holds_a_gap(tmp_path, kind):
    generator = np.random.default_rng(0)
    moments = np.arange(400) * 10 + np.repeat([0, 5000], 200)
    frame = pd.DataFrame(
        {"t": moments, "v": np.arange(400.0), "y": np.arange(400) // 20 % 2}
    )
    if kind != "number":
        dates = pd.Timestamp("2024-01-25") + pd.to_timedelta(moments, "h")
        form = None if kind == "iso" else "%m/%d/%Y %H:%M"
        frame["t"] = dates.strftime(form) if form else dates.astype(str)
    path = tmp_path / "t.csv"
    frame.iloc[generator.permutation(400)].to_csv(path, index=False)
    task = make(path, window=10, time_column="t")
    assert task.input_dim == 1 and task.reader.columns == ("v",)
    for split in SPLITS:
        values = raw(task, split)[:, :, 0].round()
        np.testing.assert_array_equal(np.diff(values), 1)
        is_across = (values[:, 0] < 200) & (values[:, -1] >= 200)
        assert not is_across.any()
    assert raw(task, "train").min() < 1e-3  # The oldest rows.
    assert raw(task, "test").max() > 398
    # Also in new files, whose rows may be in any order.
    x, names = task.reader.read(path)
    assert len(x) == 40 and names[20] == "series, rows 201-210"


def test_without_a_column_of_times_a_series_is_in_the_order_of_the_file(
    tmp_path, capsys
):
    path = tmp_path / "t.csv"
    frame = pd.DataFrame({"v": range(200)[::-1], "y": np.arange(200) % 40 < 20})
    frame.to_csv(path, index=False)
    tasks.from_csv(path, "y", window=4)
    out = capsys.readouterr().out
    assert "(in the order of the file)" in out and "by time" not in out


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["1", "2", "x", "4"], "row 3, column 't': expected a number or a dat"),
        (["1", "2", "", "4"], "row 3, column 't'"),
        (["2024-01-01", "2024-01-02", "soon", "2024-01-04"], "row 3, column"),
        (["1/2/2024", "1/3/2024", "2/1/2024", "3/1/2024"], "begin with the da"),
    ],
)
def test_times_that_cannot_be_read_are_named(tmp_path, cells, message):
    path = tmp_path / "t.csv"
    frame = pd.DataFrame({"t": cells * 20, "v": 1, "y": [0, 1] * 40})
    frame.to_csv(path, index=False)
    with pytest.raises(ValueError, match=message):
        make(path, window=2, time_column="t")


def test_equal_times_within_a_group_are_named(tmp_path):
    path = tmp_path / "t.csv"
    frame = pd.DataFrame(
        {"t": np.tile(np.arange(100), 2), "v": 1.0, "y": [0, 1] * 100}
    )
    frame.loc[100:, "v"] = 2.0
    frame.to_csv(path, index=False)
    assert "repeated-times" in kinds(make(path, window=5, time_column="t"))


def test_windows_without_a_most_common_label_are_left_out(tmp_path, capsys):
    path = tmp_path / "t.csv"
    labels = np.tile(np.repeat(["walk", "run"], 100), 10)
    pd.DataFrame({"v": np.arange(2000.0), "y": labels}).to_csv(
        path, index=False
    )
    task = tasks.from_csv(path, "y", window=100, stride=50)
    limits = {"train": (0, 1440), "validation": (1440, 1600),
              "test": (1600, 2000)}  # fmt: skip
    ties = 0
    for split, (first, end) in limits.items():
        expected = []
        for start in range(first, end - 99, 50):
            counts = pd.Series(labels[start : start + 100]).value_counts()
            is_tie = len(counts) > 1 and counts.iloc[0] == counts.iloc[1]
            ties += is_tie
            if not is_tie:
                expected.append((start, counts.index[0]))
        examples = task.data.splits[split]
        found = [
            (rows_of(name)[0], task.class_names[y])
            for name, y in zip(examples.names, examples.y, strict=True)
        ]
        assert found == expected
    out = capsys.readouterr().out
    assert f"left out: {ties} windows in which no label is the most" in out
    assert kinds(task) == ["mixed-windows"]


@pytest.fixture
def people(tmp_path):
    """10 people one after another, whose labels change every 37 rows."""
    frame = pd.DataFrame(
        {
            "who": np.repeat([f"p{i}" for i in range(10)], 200),
            "v": np.arange(2000.0),
            "y": np.array(list("abc"))[np.arange(2000) // 37 % 3],
        }
    )
    path = tmp_path / "people.csv"
    frame.to_csv(path, index=False)
    return path, frame


@pytest.mark.parametrize("option", ["group_column", "split_group"])
@pytest.mark.parametrize("within_label", [False, True])
def test_windows_are_of_one_person_and_perhaps_one_label(
    people, option, within_label
):
    path, frame = people
    task = make(
        path, window=10, stride=3, within_label=within_label, **{option: "who"}
    )
    seen = []
    for split in SPLITS:
        rows = raw(task, split)[:, :, 0].round().astype(int)
        who = frame["who"].to_numpy()[rows]
        assert (who == who[:, :1]).all()
        seen.append(set(who[:, 0]))
        labels = frame["y"].to_numpy()[rows]
        if within_label:
            assert (labels == labels[:, :1]).all()
            assert kinds(task) == []
        found = np.array(task.class_names)[task.data.splits[split].y]
        for row, label in zip(labels, found, strict=True):
            assert pd.Series(row).value_counts().index[0] == label
    assert sum(map(len, seen)) == 10


def test_windows_whose_label_has_too_few_rows_are_left_out(people, capsys):
    path, frame = people
    options = {"window": 10, "stride": 3, "group_column": "who"}
    every = make(path, **options)
    capsys.readouterr()
    task = tasks.from_csv(path, "y", min_label_share=0.8, **options)
    shares = {
        split: [
            (frame["y"].to_numpy()[row] == every.class_names[y]).mean()
            for row, y in zip(
                raw(every, split)[:, :, 0].round().astype(int),
                every.data.splits[split].y,
                strict=True,
            )
        ]
        for split in SPLITS
    }
    for split in SPLITS:
        expected = sum(share >= 0.8 for share in shares[split])
        assert task.data.size(split) == expected
    left_out = sum(s < 0.8 for split in SPLITS for s in shares[split])
    out = capsys.readouterr().out
    assert f"left out: {left_out} windows whose label has less than 0.8" in out
    assert kinds(task) == []


@pytest.mark.parametrize("by_group", [False, True])
def test_windows_end_with_the_split_that_a_column_gives(people, by_group):
    path, frame = people
    frame["set"] = np.repeat(["Train", "TEST", "dev", "train"], 500)
    frame.to_csv(path, index=False)
    options = {"group_column" if by_group else "ignore_column": "who"}
    task = make(path, window=10, split_column="set", **options)
    meant = {"train": ["Train", "train"], "validation": ["dev"],
             "test": ["TEST"]}  # fmt: skip
    for split in SPLITS:
        rows = raw(task, split)[:, :, 0].round().astype(int)
        assert frame["set"].isin(meant[split]).to_numpy()[rows].all()
        np.testing.assert_array_equal(np.diff(rows), 1)
        who = frame["who"].to_numpy()[rows]
        assert (who == who[:, :1]).all() or not by_group


def test_a_series_without_given_validation_rows_validates_on_the_last(people):
    path, frame = people
    frame["set"] = np.repeat(["train", "test"], [1600, 400])
    frame.to_csv(path, index=False)
    task = make(path, window=10, split_column="set", ignore_column="who")
    rows = raw(task, "validation")[:, :, 0]
    assert rows.min().round() == 1440 and rows.max().round() == 1599


def test_rows_of_one_person_stay_in_one_split(people):
    path, frame = people
    task = make(path, split_group="who")
    seen = []
    for split in SPLITS:
        examples = task.data.splits[split]
        rows = [int(name.split()[1]) - 1 for name in examples.names]
        who = frame["who"].to_numpy()[rows]
        seen.append(set(who))
        # A person's rows belong together in the statistics as well.
        assert len(set(zip(who, examples.groups, strict=True))) == len(seen[-1])
    assert [len(people) for people in seen] == [7, 1, 2]
    assert task.reader.columns == ("v",)


def test_groups_of_one_person_stay_in_one_split(trials):
    path, _ = trials
    task = make(path, group_column=["subject", "trial"], split_group="subject")
    seen = [
        {name.split(",")[0] for name in task.data.splits[split].names}
        for split in SPLITS
    ]
    assert [len(names) for names in seen] == [4, 1, 1]
    assert len(set.union(*seen)) == 6


@pytest.mark.parametrize(
    "options",
    [
        {"ignore_column": "who"},
        {"split_group": "who"},
        {"window": 10, "group_column": "who"},
        {"window": 10, "ignore_column": "who"},
    ],
)
def test_every_row_is_tested_in_one_fold(people, options):
    path, _ = people
    tests = []
    for fold in (1, 2, 3):
        task = make(path, folds=3, fold=fold, **options)
        tests += task.data.splits["test"].names
        sizes = [task.data.size(split) for split in SPLITS]
        assert 0 < sizes[1] < sizes[0]
    assert len(set(tests)) == len(tests)
    # A series loses the end of each block and a few ties.
    least = 2000 if "window" not in options else 190
    assert least <= len(tests) <= max(200, least)


@pytest.fixture
def files(tmp_path):
    """train.csv, val.csv and test.csv, with columns in other orders."""
    generator = np.random.default_rng(1)
    frames = {}
    for name, count in (("train", 60), ("val", 20), ("test", 30)):
        frame = pd.DataFrame(
            generator.normal(size=(count, 2)), columns=["a", "b"]
        )
        frame["who"] = np.arange(count) // 5
        frame["y"] = np.where(frame["who"] % 2, "odd", "even")
        order = list(generator.permutation(frame.columns))
        frame[order].to_csv(tmp_path / f"{name}.csv", index=False)
        frames[name] = frame
    return tmp_path, frames


def test_each_split_may_be_a_file(files):
    folder, frames = files
    task = make(
        folder / "train.csv",
        validation=folder / "val.csv",
        test=folder / "test.csv",
        ignore_column="who",
    )
    columns = list(task.reader.columns)
    train = frames["train"][columns].to_numpy()
    np.testing.assert_allclose(task.reader.mean, train.mean(0))
    np.testing.assert_allclose(task.reader.scale, train.std(0))
    for split, name in zip(SPLITS, frames, strict=True):
        expected = frames[name][columns].to_numpy()
        x = task.data.splits[split].x[:, :, 0]
        found = x * task.reader.scale + task.reader.mean
        np.testing.assert_allclose(found, expected, atol=1e-5)
        labels = np.array(task.class_names)[task.data.splits[split].y]
        np.testing.assert_array_equal(labels, frames[name]["y"])
        assert task.data.splits[split].names[3] == f"{name}.csv, row 4"


@pytest.mark.parametrize("window", [None, 4])
def test_groups_of_two_files_are_not_joined(files, window):
    folder, frames = files
    task = make(
        folder / "train.csv",
        test=folder / "test.csv",
        group_column="who",
        window=window,
    )
    assert task.sequence_length == (window or 5)
    sizes = [task.data.size(split) for split in SPLITS]
    # A window's group counts by its rows, of both classes.
    assert sizes == ([11, 1, 6] if window is None else [10, 2, 6])
    assert task.data.splits["test"].names[0].startswith("test.csv, who 0")


def test_files_that_do_not_fit_together_are_named(files):
    folder, frames = files
    train, test = folder / "train.csv", folder / "test.csv"
    with pytest.raises(ValueError, match="No example is for testing.*--test"):
        make(train, validation=test)
    with pytest.raises(FileNotFoundError, match="other.csv` of test"):
        make(train, test=folder / "other.csv")
    with pytest.raises(ValueError, match="must be different files"):
        make(train, test=train)
    with pytest.raises(ValueError, match="so there are no folds"):
        make(train, test=test, folds=3)
    frames["test"].drop(columns="b").to_csv(test, index=False)
    with pytest.raises(ValueError, match="test.csv` has no column 'b'"):
        make(train, test=test)
    frames["test"]["a"] = frames["test"]["a"].astype(object)
    frames["test"].loc[4, "a"] = "x"
    frames["test"].to_csv(test, index=False)
    with pytest.raises(ValueError, match="test.csv`, row 5, column 'a'"):
        make(train, test=test)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time_column": "v"}, "needs group_column or window"),
        ({"within_label": True}, r"\(--within-label\) needs a window"),
        ({"min_label_share": 0.5}, "needs a window"),
        ({"window": 5, "min_label_share": 2.0}, "from 0 to 1 but received 2"),
        ({"window": 50, "min_label_share": 1.0, "ignore_column": "who"},
         "no window left"),
        ({"window": 300, "group_column": "who"}, "in stretches of at most 200"),
        ({"group_column": "who"}, "row 38: the label 'b' contradicts 'a' in "
         "row 1 of the same group, who p0. If labels change"),
        ({"split_column": "who", "folds": 3}, "so there are no folds"),
    ],
)  # fmt: skip
def test_options_that_contradict_each_other(people, options, message):
    with pytest.raises(ValueError, match=message):
        make(people[0], **options)


def test_spellings_of_a_number_are_one_group(tmp_path):
    rows = [f"{i},{i // 4 % 2},{i // 4}{'.0' * (i % 2)}" for i in range(80)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["a,y,g", *rows]) + "\n")
    task = tasks.from_csv(path, "y", group_column="g", verbose=False)
    read = task.data.read()
    assert sum(len(examples.y) for examples in read.values()) == 20


def test_a_column_of_a_group_is_a_channel_beside_its_rows(tmp_path):
    age = np.repeat(np.arange(20) * 3 + 20, 4)
    frame = pd.DataFrame({"g": np.repeat(np.arange(20), 4), "age": age})
    frame["v"] = np.arange(80) % 7
    frame["y"] = np.repeat([*"pq"] * 10, 4)
    frame.to_csv(tmp_path / "t.csv", index=False)
    task = tasks.from_csv(
        tmp_path / "t.csv", "y", group_column="g", verbose=False
    )
    for examples in task.data.splits.values():
        for name, x in zip(examples.names, examples.x, strict=True):
            found = x[:, 0] * task.reader.scale[0] + task.reader.mean[0]
            expected = [20 + 3 * int(name.split()[-1])] * 4
            np.testing.assert_allclose(found, expected, rtol=1e-5)
