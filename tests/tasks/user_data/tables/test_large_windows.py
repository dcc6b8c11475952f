# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811
"""Windows and groups of tables that do not fit into memory."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from on_disk import both, home

from keras_fpt import tasks
from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data.tables import large_labels

pytestmark = pytest.mark.backend_free


def assert_same(first, second):
    """The same task, to the last bit, of which the second is on disk."""
    train = second.data.splits["train"]
    assert sequence_store.is_on_disk(train.x)
    assert first.reader == second.reader
    assert first.description == second.description
    for kind in ("time-gaps", "repeated-times", "mixed-windows"):
        of_kind = [
            [finding for finding in task.findings if finding.kind == kind]
            for task in (first, second)
        ]
        assert of_kind[0] == of_kind[1]
    for split in ("train", "validation", "test"):
        one, two = first.data.splits[split], second.data.splits[split]
        np.testing.assert_array_equal(one.y, two.y)
        assert [*one.names] == [*two.names]
        assert (one.groups is None) == (two.groups is None)
        if one.groups is not None:
            _, expected = np.unique(one.groups, return_inverse=True)
            _, groups = np.unique(two.groups, return_inverse=True)
            np.testing.assert_array_equal(groups, expected)
    assert first.data.fingerprint == second.data.fingerprint
    for one, two in (
        # From the sixth batch on, as in a run that is resumed.
        [task.datasets(4, 3, 5).train.take(2) for task in (first, second)],
        [task.held_out("test", 4) for task in (first, second)],
    ):
        for examples in zip(one, two, strict=True):
            parts = map(tf.nest.flatten, examples)
            for expected, received in zip(*parts, strict=True):
                assert expected.dtype == received.dtype
                np.testing.assert_array_equal(expected, received)


def table(size=1000):
    """20 people, in their order, each with 2 trials and a part."""
    rng = np.random.default_rng(0)
    values = {f"x{i}": rng.normal(i, 10.0**i, size) for i in range(3)}
    frame = pd.DataFrame(values)
    who = np.repeat(np.arange(20), size // 20)
    frame["answer"] = np.repeat(rng.choice([*"abc"], size // 20), 20)
    frame.loc[::70, "answer"] = "b"
    frame["who"] = who
    frame["trial"] = np.repeat(np.arange(40), size // 40) % 2
    frame["site"] = np.array([*"stuvw"])[who % 5]
    frame["part"] = np.array(["train", "dev", "train", "Test"])[who % 4]
    seconds = np.arange(size) * 0.1 + 7.3 * (np.arange(size) // 130)
    times = pd.Timestamp("2024-01-31") + pd.to_timedelta(seconds, "s")
    frame["time"] = times.astype(str)
    frame["seconds"] = seconds
    return frame


COLUMNS = ("who", "trial", "site", "part", "time", "seconds")


def read(path, **options):
    named = set()
    for name in ("group_column", "split_group", "split_column", "time_column"):
        named |= {*np.ravel(options.get(name, []))}
    return tasks.from_csv(
        path,
        "answer",
        ignore_column=[name for name in COLUMNS if name not in named],
        **{"verbose": False, **options},
    )


@pytest.mark.parametrize(
    "options",
    [
        {"window": 10},
        {"window": 10, "stride": 4, "within_label": True},
        {"window": 10, "stride": 5, "group_column": ["who", "trial"]},
        {"window": 8, "group_column": "who", "min_label_share": 0.8},
        {"window": 10, "split_column": "part"},
        {"window": 10, "split_column": "part", "group_column": "who"},
        {"window": 10, "time_column": "time"},
        {"window": 10, "stride": 7, "time_column": "seconds", "folds": 4},
        {"window": 5, "group_column": "who", "time_column": "time"},
        {"window": 10, "group_column": "who", "folds": 3, "fold": 2},
        {"window": 10, "group_column": "who", "split_group": "site"},
        {"window": 10, "split_group": "who"},
        {"window": 100, "group_column": "site"},
    ],
)
def test_windows(tmp_path, both, options):
    frame = table()
    if options.get("group_column") == "site":
        # Too few groups for a stratified split.
        frame = frame.sort_values("site", kind="stable")
    frame.to_csv(tmp_path / "table.csv", index=False)
    assert_same(*both(lambda: read(tmp_path / "table.csv", **options)))


@pytest.mark.parametrize(
    "options",
    [
        {"window": 10},
        {"window": 30, "stride": 13},
        {"window": 9, "group_column": ["who", "trial"]},
        {"window": 70, "stride": 20, "group_column": "who", "folds": 3},
        {"window": 7, "time_column": "time", "split_column": "part"},
        {"group_column": ["who", "trial"]},
        {"group_column": "who", "split_group": "site", "fill": "forward"},
        {"window": 8, "drop_missing": True},
        {"window": 8, "group_column": "who", "drop_missing": True},
        {"window": 8, "drop_missing": True, "fill": "median"},
    ],
)
def test_a_label_per_row(tmp_path, both, options):
    frame = table()
    frame["answer"] = np.random.default_rng(1).choice([*"abc"], len(frame))
    if "fill" in options or "drop_missing" in options:
        frame.loc[::50, "x1"] = np.nan
    if "drop_missing" in options:
        frame.loc[[3, 500, 501, 801], "answer"] = None
    frame.to_csv(tmp_path / "table.csv", index=False)
    first, second = both(
        lambda: read(tmp_path / "table.csv", task_type="tokens", **options)
    )
    assert first.is_per_token and second.is_per_token
    assert first.class_names == second.class_names
    kinds = [[each.kind for each in task.findings] for task in (first, second)]
    assert kinds[0] == kinds[1]
    assert_same(first, second)


@pytest.mark.parametrize(
    "options",
    [
        {"window": 8},
        {"window": 9, "stride": 4, "split_column": "part"},
        {"window": 8, "group_column": "who", "folds": 3},
        {"window": 8, "group_column": "who", "split_group": "site"},
        {"window": 1},
    ],
)
def test_windows_without_any_label_are_left_out(tmp_path, both, options):
    rng = np.random.default_rng(1)
    frame = table()
    frame["answer"] = rng.choice([*"abc"], len(frame)).astype(object)
    frame.loc[rng.random(len(frame)) < 0.3, "answer"] = None
    frame.loc[100:237, "answer"] = None
    frame.loc[rng.random(len(frame)) < 0.01, "x1"] = np.nan
    frame.to_csv(tmp_path / "table.csv", index=False)
    first, second = both(
        lambda: read(
            tmp_path / "table.csv",
            task_type="tokens",
            drop_missing=True,
            **options,
        )
    )
    assert_same(first, second)


@pytest.mark.parametrize(
    "options",
    [
        {"group_column": "who"},
        {"group_column": ["who", "trial"], "time_column": "time"},
        {"group_column": "who", "split_group": "site", "folds": 3},
        {"group_column": "who", "fill": "median"},
        {"group_column": "who", "split_column": "part"},
        {"group_column": "who", "missing": ["-999", "?"]},
        {"group_column": "who", "task_type": "tokens"},
    ],
)
@pytest.mark.parametrize("order", ["in order", "at random"])
def test_groups_that_lack_something_are_left_out(
    tmp_path, both, messages, options, order
):
    rng, frame = np.random.default_rng(1), table()
    frame["color"] = rng.choice(["red", "green", "blue"], len(frame))
    frame["answer"] = np.array([*"ab"], object)[frame["who"] // 4 % 2]
    if options.get("task_type") == "tokens":
        frame["answer"] = rng.choice([*"abc"], len(frame)).astype(object)
    frame.loc[[100, 700], "answer"] = None
    frame.loc[[3, 500], "x1"] = np.nan
    frame.loc[900, "color"] = "?" if "missing" in options else None
    if order == "at random":
        frame = frame.sample(frac=1, random_state=0)
    frame.to_csv(tmp_path / "table.csv", index=False)
    first, second = both(
        lambda: read(
            tmp_path / "table.csv", drop_missing=True, verbose=True, **options
        )
    )
    assert_same(first, second)
    assert first.findings == second.findings
    assert sum("groups with missing" in each for each in messages) == 2


def test_all_groups_lack_something(tmp_path, both):
    frame = table()
    frame.loc[~frame["who"].duplicated(), "x1"] = np.nan
    frame.to_csv(tmp_path / "table.csv", index=False)

    def call(message):
        with pytest.raises(ValueError, match=message):
            read(tmp_path / "table.csv", group_column="who", drop_missing=True)

    both(lambda: call("All 20 groups have missing cells or labels"))
    frame = table().astype({"answer": object})
    frame.loc[frame["who"].duplicated(), "answer"] = None
    frame.to_csv(tmp_path / "table.csv", index=False)
    both(lambda: call("row 2: the label is missing, as in all rows but"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 10}, "row 502: the label is missing"),
        (
            {"window": 10, "min_label_share": 0.5, "drop_missing": True},
            "min_label_share .--min-label-share. is for classes",
        ),
        ({"drop_missing": True}, "give window .--window., or group_column"),
    ],
)
def test_errors_of_a_label_per_row(tmp_path, both, options, message):
    frame = table()
    frame.loc[501, "answer"] = None
    frame.to_csv(tmp_path / "table.csv", index=False)

    def call():
        with pytest.raises(ValueError, match=message):
            read(tmp_path / "table.csv", task_type="tokens", **options)

    both(call)


@pytest.mark.parametrize(
    ("parts", "keys"),
    [
        ("train dev", {}),
        ("train Test", {}),
        ("train Test", {"group_column": "who"}),
    ],
)
def test_a_given_split_without_validation_or_test(tmp_path, both, parts, keys):
    frame = table()
    frame["part"] = np.array(parts.split())[frame["who"] % 2]
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    options = {"window": 10, "split_column": "part", **keys}
    if "dev" in parts:
        for _ in range(2):
            with pytest.raises(ValueError, match="No example is for testing"):
                both(lambda: read(path, **options))
            return
    assert_same(*both(lambda: read(path, **options)))
    frame.loc[700, "part"] = "what"
    frame.to_csv(path, index=False)
    with pytest.raises(ValueError, match="row 701: unknown split 'what'"):
        read(path, **options)


@pytest.mark.parametrize(
    ("fill", "options"),
    [
        ("median", {"window": 10}),
        ("forward", {"window": 10, "stride": 3, "time_column": "seconds"}),
        ("median", {"window": 10, "group_column": "who", "missing": "-99"}),
        ("forward", {"group_column": "who", "time_column": "time"}),
    ],
)
def test_missing_cells_are_filled(tmp_path, both, fill, options):
    frame = table()
    rng = np.random.default_rng(1)
    frame.loc[rng.random(1000) < 0.3, "x1"] = np.nan
    frame.loc[295:305, "x2"] = np.nan
    frame.loc[:3, "x2"] = np.nan
    if "missing" in options:
        frame.loc[rng.random(1000) < 0.1, "x0"] = -99
    if "window" not in options:
        frame["answer"] = np.array([*"abcd"])[frame["who"] % 4]
    frame.to_csv(tmp_path / "table.csv", index=False)
    first, second = both(
        lambda: read(tmp_path / "table.csv", fill=fill, **options)
    )
    assert first.reader.kinds[1].says_missing
    assert_same(first, second)


def with_texts(frame, answer=None):
    """A table with categories, one of them rare, dates, booleans and codes."""
    rng = np.random.default_rng(2)
    size = len(frame)
    frame = frame.copy()
    frame["color"] = rng.choice(["red", "green", "blue"], size)
    frame.loc[[790, 799], "color"] = ["rare", "none of these"]
    frame["day"] = (
        pd.Timestamp("2024-03-01")
        + pd.to_timedelta(rng.integers(0, 90, size), "D")
    ).strftime("%d.%m.%Y")
    frame["number"] = (
        pd.Timestamp("2020-01-01")
        + pd.to_timedelta(rng.integers(0, 900, size), "D")
    ).strftime("%Y%m%d")
    frame["ready"] = rng.choice(["yes", "no"], size)
    frame["zip"] = rng.choice(["02139", "2139", "10115"], size)
    if answer is not None:
        frame["answer"] = answer
    return frame


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({}, None),
        ({"split_column": "part"}, "median"),
        ({"window": 10, "stride": 5}, "forward"),
        ({"group_column": "who"}, "median"),
    ],
)
def test_texts_dates_and_categories(tmp_path, both, options, missing):
    frame = table()
    answer = None
    if options.get("group_column") and "window" not in options:
        answer = np.array([*"ab"])[frame["who"] // 2 % 2]
    frame = with_texts(frame, answer)
    if missing is not None:
        rng = np.random.default_rng(3)
        for name in ("x1", "color", "day", "number", "ready", "zip"):
            frame[name] = frame[name].astype(object)
            frame.loc[rng.random(1000) < 0.2, name] = "?"
        options = {**options, "fill": missing, "missing": "?"}
    frame.to_csv(tmp_path / "table.csv", index=False)
    first, second = both(
        lambda: read(tmp_path / "table.csv", category_column="zip", **options)
    )
    kinds = [column.kind for column in second.reader.kinds]
    assert kinds == [
        *["number"] * 3,
        "category",
        "date",
        "date",
        "boolean",
        "category",
    ]
    assert_same(first, second)
    names = ("numbers-as-text", "similar-categories", "codes-as-numbers")
    for name in names:
        assert name not in {finding.kind for finding in second.findings}


def test_texts_of_a_parquet_folder(tmp_path, both):
    frame = with_texts(table())
    frame.loc[::3, "color"] = None
    frame["number"] = frame["number"].astype(int)
    folder = tmp_path / "table"
    folder.mkdir()
    for i in range(4):
        part = frame[250 * i : 250 * (i + 1)]
        part.to_parquet(folder / f"{i}.parquet", index=False)
    assert_same(*both(lambda: read(folder, fill="median", window=10)))


@pytest.mark.parametrize(
    ("name", "cells", "message"),
    [
        ("color", [f"kind {i}" for i in range(60)], "holds 60 different texts"),
        ("color", ["red", "3"], "row .*'color': expected a finite number"),
        ("color", ["red", ""], "received '', a missing value"),
        ("x1", ["3", ""], "received '', a missing value"),
        ("day", ["01/02/2024", "02/01/2024"], "may mean day, month"),
    ],
)
def test_errors_of_texts(tmp_path, both, name, cells, message):
    frame = table().astype(str)
    frame[name] = [cells[i % len(cells)] for i in range(1000)]
    frame.to_csv(tmp_path / "table.csv", index=False)
    errors = []

    def fail():
        with pytest.raises(ValueError, match=message) as error:
            read(tmp_path / "table.csv", window=10)
        errors.append(str(error.value))

    both(fail)
    assert errors[0] == errors[1]


def test_a_column_without_a_cell_in_the_first_part(tmp_path, both):
    frame = table()
    frame["promotion"] = None
    frame.loc[600:, "promotion"] = "yes"
    frame.loc[800:, "promotion"] = "no"
    frame["discount"] = frame["x0"].where(frame.index >= 600)
    frame.to_csv(tmp_path / "table.csv", index=False)
    assert_same(
        *both(lambda: read(tmp_path / "table.csv", window=10, fill="median"))
    )


def test_too_many_texts_are_read_into_memory(
    tmp_path, both, messages, monkeypatch
):
    monkeypatch.setattr(large_labels, "MAX_DISTINCT", 100)
    frame = table()
    frame["moment"] = frame["time"]
    frame.to_csv(tmp_path / "table.csv", index=False)
    first, second = both(lambda: read(tmp_path / "table.csv", window=10))
    assert isinstance(second.data.splits["train"].x, np.ndarray)
    assert first.data.fingerprint == second.data.fingerprint
    assert "'moment' holds more than 100 different texts" in "\n".join(messages)
    assert not [*(tmp_path / "home").rglob("*.arrow")]


def test_spellings_of_labels_are_said(tmp_path, both, messages):
    frame = table()
    frame["answer"] = np.array(["1", "2", "1.0"])[np.arange(1000) // 50 % 3]
    frame.to_csv(tmp_path / "table.csv", index=False)
    both(
        lambda: tasks.from_csv(
            tmp_path / "table.csv", "answer", ignore_column=[*COLUMNS]
        )
    )
    assert "\n".join(messages).count("equal labels: 1.0 is 1") == 2


def test_labels_of_too_many_names_are_read_into_memory(
    tmp_path, both, messages, monkeypatch
):
    monkeypatch.setattr(large_labels, "MAX_DISTINCT", 2)
    frame = table()
    frame["answer"] = np.array(["a", "b", "a;b"])[np.arange(1000) % 3]
    frame.to_csv(tmp_path / "table.csv", index=False)
    first, second = both(lambda: read(tmp_path / "table.csv", window=10))
    assert second.is_multilabel
    assert first.data.fingerprint == second.data.fingerprint
    assert "is read into memory as a whole: " in "\n".join(messages)


@pytest.mark.parametrize(
    "options",
    [
        {"group_column": "who"},
        {"group_column": ["who", "trial"], "time_column": "time"},
        {"group_column": "who", "split_column": "part"},
        {"group_column": "who", "split_group": "site"},
        {"group_column": "who", "folds": 3, "fold": 2},
        {"group_column": "who", "split_group": "who", "folds": 3},
    ],
)
def test_whole_groups(tmp_path, both, options):
    are_equal = "split_column" in options
    frame = table()
    frame["answer"] = np.array([*"ab"])[frame["who"] // 2 % 2]
    if not are_equal:
        frame = frame[np.random.default_rng(0).random(len(frame)) < 0.8]
    frame.to_csv(tmp_path / "table.csv", index=False)
    first, second = both(lambda: read(tmp_path / "table.csv", **options))
    lengths = second.data.splits["train"].x.lengths
    assert (lengths is None) == are_equal
    assert_same(first, second)


@pytest.mark.parametrize(
    ("options", "suffix"),
    [
        ({}, ".csv"),
        ({"window": 10, "stride": 5}, ".parquet"),
        ({"window": 10, "group_column": "who"}, ".csv"),
        ({"group_column": "who"}, ".csv"),
    ],
)
def test_files_of_validation_and_test(tmp_path, both, options, suffix):
    frame = table()
    if options.get("window") is None and options:
        frame["answer"] = np.array([*"ab"])[frame["who"] // 2 % 2]
    given = {"validation": "part", "test": "held"}
    for name, low, high in (("all", 0, 12), ("part", 10, 15), ("held", 14, 20)):
        part = frame[(frame["who"] >= low) & (frame["who"] < high)]
        part = part[[*part.columns[::-1]] if name == "held" else part.columns]
        path = tmp_path / f"{name}{suffix}"
        if suffix == ".csv":
            part.to_csv(path, index=False)
        else:
            part.to_parquet(path)
    files = {k: tmp_path / f"{name}{suffix}" for k, name in given.items()}
    assert_same(
        *both(lambda: read(tmp_path / f"all{suffix}", **files, **options))
    )
    with pytest.raises(ValueError, match="not both"):
        read(tmp_path / f"all{suffix}", split_column="part", **files)


@pytest.mark.parametrize(
    "options",
    [
        {"split_group": "site"},
        {"split_group": ["who", "trial"], "folds": 3, "fold": 2},
        {"folds": 4},
        {"split_column": "part", "split_group": "who"},
    ],
)
def test_rows_by_group_and_fold(tmp_path, both, options):
    frame = table()
    frame["part"] = frame["part"].replace("dev", "train")
    frame.sample(frac=1, random_state=0).to_csv(
        tmp_path / "table.csv", index=False
    )
    assert_same(*both(lambda: read(tmp_path / "table.csv", **options)))


BY_TIME = {"window": 10, "group_column": "who", "time_column": "time"}


def with_dates(path, date_format, start="2024-01-28"):
    """A table with a row every hour, some of which are in another order."""
    frame = table()
    hours = pd.date_range(start, periods=len(frame), freq="h")
    frame["time"] = hours.strftime(date_format)
    order = np.arange(len(frame))
    order[[330, 331]] = order[[331, 330]]
    frame.iloc[order].to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    "date_format",
    [
        "%d.%m.%Y %H:%M",
        "%m/%d/%Y %H:%M:%S",
        "%d/%m/%Y %H:%M:%S,5",
        "%Y-%m-%d %H:%M:%S,25",
        "%Y/%m/%d %H:%M",
        "%d-%b-%Y %H:%M",
        "%b %d, %Y %H:%M:%S",
    ],
)
@pytest.mark.parametrize("start", ["2024-01-28", "2024-02-01"])
def test_dates_in_other_formats(tmp_path, both, date_format, start):
    """The first of February is also the second of January."""
    path = with_dates(tmp_path / "table.csv", date_format, start)
    assert_same(*both(lambda: read(path, **BY_TIME)))


@pytest.mark.parametrize(
    ("date_format", "change", "message"),
    [
        ("%d/%m/%Y", {}, "may begin with the day or with the month"),
        ("%d.%m.%Y", {702: "x"}, "row 703, .* but received 'x'"),
        ("%d.%m.%Y %H:%M", {702: "x"}, "row 703, .* but received 'x'"),
        ("%d.%m.%Y %H:%M", {0: "x"}, "row 1, .* but received 'x'"),
        ("%Y-%m-%d %H:%M", {702: "2024-05-05 05:00+05:00"}, "no time zone"),
        ("%Y-%m-%d %H:%MZ", {2: "2024-05-05 05:00"}, "no time zone"),
    ],
)
def test_dates_are_refused_as_those_of_small_tables(
    tmp_path, both, date_format, change, message
):
    path = with_dates(tmp_path / "table.csv", date_format, "2024-02-01")
    frame = pd.read_csv(path)
    if date_format == "%d/%m/%Y":  # Only days that may be months.
        days = 1 + np.arange(len(frame)) // 100
        frame["time"] = [f"{day:02}/03/2024" for day in days]
    for row, text in change.items():
        frame.loc[row, "time"] = text
    frame.to_csv(path, index=False)
    texts = []

    def failing():
        with pytest.raises(ValueError, match=message) as caught:
            read(path, **BY_TIME)
        texts.append(str(caught.value))

    both(failing)
    assert texts[0] == texts[1]


def test_dates_without_a_known_format_are_read_into_memory(
    tmp_path, both, messages
):
    frame = table()
    frame["time"] = pd.to_datetime(frame["time"]).dt.strftime(
        "%d %b %y %H:%M:%S.%f"
    )
    frame.to_csv(tmp_path / "table.csv", index=False)
    options = {"window": 10, "group_column": "who", "time_column": "time"}
    first, second = both(lambda: read(tmp_path / "table.csv", **options))
    assert isinstance(second.data.splits["train"].x, np.ndarray)
    assert first.data.fingerprint == second.data.fingerprint
    remedy = "Write dates such as 2024-01-31 12:00:00 to read it in parts."
    assert remedy in "\n".join(messages)
    assert not [*(tmp_path / "home").rglob("*.arrow")]


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (
            {"answer": "a"},
            {"group_column": "who"},
            "row 703: the label 'a' contradicts 'z' in row 701 of the same "
            "group, who 14. If labels change",
        ),
        (
            {"part": "Test"},
            {"group_column": "who", "split_column": "part"},
            r"row 703: the split \(column part\) 'Test' contradicts 'train' in "
            "row 701 of the same",
        ),
        (
            {"site": "q"},
            {"group_column": "who", "split_group": "site"},
            "row 703: the site '.*' contradicts '.*' in row 701",
        ),
        (
            {"who": ""},
            {"window": 5, "group_column": "who"},
            "row 703: the 'who'",
        ),
        ({"x1": "a"}, {"group_column": "who"}, "row 703, column 'x1'"),
    ],
)
def test_errors_are_those_of_small_tables(
    tmp_path, both, change, options, message
):
    frame = table()
    frame["answer"] = np.array([*"zb"])[frame["who"] % 2]
    frame = frame.astype(str)
    for name, cell in change.items():
        frame.loc[702, name] = cell
    frame.to_csv(tmp_path / "table.csv", index=False)
    errors = []

    def fail():
        with pytest.raises(ValueError, match=message) as error:
            read(tmp_path / "table.csv", **options)
        errors.append(str(error.value))

    both(fail)
    small, large = errors
    assert small == large or {"site", "x1"} & {*change}
