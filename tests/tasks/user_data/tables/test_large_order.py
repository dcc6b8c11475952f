# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811
"""Tables that do not fit into memory, whose rows are in any order."""

import numpy as np
import pandas as pd
import pytest
import test_large_forecasts as forecasts
from on_disk import both, home
from test_large_answers import notes_of
from test_large_windows import COLUMNS, assert_same, read, table, with_texts

from keras_fpt import tasks
from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data.tables import (
    group_runs,
    large_groups,
    large_order,
    large_splits,
)

pytestmark = pytest.mark.backend_free


@pytest.fixture(autouse=True)
def small_runs(monkeypatch):
    """So that what is sorted takes many runs."""
    monkeypatch.setattr(large_order, "RUN_BYTES", 3000)
    monkeypatch.setattr(large_order, "SAMPLE_STEP", 7)
    monkeypatch.setattr(group_runs, "AT_ONCE", 128)
    monkeypatch.setattr(large_splits, "AT_ONCE", 128)


def shuffled(frame, how):
    if how == "newest first":
        return frame[::-1]
    if how == "by turns":
        return frame.iloc[np.arange(len(frame)).reshape(20, -1).T.ravel()]
    if how == "two swapped":
        places = np.arange(len(frame))
        places[[500, 501]] = places[[501, 500]]
        return frame.iloc[places]
    return frame.sample(frac=1, random_state=0)


def stored(values):
    with sequence_store.SequenceWriter() as writer:
        writer.extend(values)
        return writer.finish()


@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize(("groups", "times"), [(1, 1), (1, 400), (9, 5)])
def test_order(size, groups, times):
    rng = np.random.default_rng(size)
    keys = np.stack(
        [rng.integers(0, groups, size), rng.integers(0, times, size) / 7], 1
    )
    order = large_order.find(iter(np.array_split(keys, 4)))
    expected = np.lexsort((keys[:, 1], keys[:, 0]))
    np.testing.assert_array_equal(order.rows[:][:, 0, 0], expected)
    assert order.row(size - 1) == expected[-1]
    place = order.places_of(expected[-1:])
    assert place == size - 1
    values = rng.normal(size=(size, 1, 3)).astype(np.float32)
    moved = order.sort(stored(values))
    assert moved.dtype == values.dtype
    np.testing.assert_array_equal(moved[:], values[expected])
    np.testing.assert_array_equal(order.unsort(moved)[:], values)
    taken = order.take(values[:, 0])
    np.testing.assert_array_equal(taken, values[expected, 0])
    np.testing.assert_array_equal(order.restore(taken), values[:, 0])


def test_pieces_that_are_sorted_are_of_like_sizes(monkeypatch):
    sizes = []
    by_key = large_order._by_key

    def counting(keys):
        sizes.append(len(keys))
        return by_key(keys)

    monkeypatch.setattr(large_order, "_by_key", counting)
    monkeypatch.setattr(large_order, "RUN_BYTES", 30_000)
    # All keys are equal: only the rows tell them apart.
    large_order.find(iter([np.zeros((100, 2))] * 100))
    assert max(sizes) <= 3 * large_order.RUN_BYTES / 24


@pytest.mark.parametrize(
    ("how", "options"),
    [
        ("at random", {"group_column": "who"}),
        ("by turns", {"group_column": ["who", "trial"], "time_column": "time"}),
        ("at random", {"group_column": "who", "time_column": "seconds"}),
        ("by turns", {"group_column": "who", "split_column": "part"}),
        ("at random", {"group_column": "who", "split_group": "site"}),
        ("at random", {"group_column": "who", "folds": 3, "fold": 2}),
        ("by turns", {"group_column": "who", "window": 10}),
        ("at random", {"window": 10, "time_column": "time"}),
        ("newest first", {"window": 10, "time_column": "seconds", "folds": 4}),
        ("newest first", {"window": 10, "time_column": "time", "stride": 4}),
        (
            "at random",
            {"window": 7, "time_column": "time", "split_column": "part"},
        ),
        (
            "two swapped",
            {"window": 10, "group_column": "who", "time_column": "time"},
        ),
        (
            "by turns",
            {
                "window": 10,
                "stride": 5,
                "group_column": "who",
                "time_column": "seconds",
                "split_group": "site",
                "within_label": True,
            },
        ),
        (
            "at random",
            {"window": 8, "group_column": "who", "split_column": "part"},
        ),
        (
            "at random",
            {
                "window": 8,
                "group_column": "who",
                "folds": 3,
                "min_label_share": 0.5,
            },
        ),
        (
            "at random",
            {
                "window": 8,
                "group_column": "who",
                "time_column": "time",
                "task_type": "tokens",
            },
        ),
        (
            "at random",
            {
                "group_column": "who",
                "time_column": "time",
                "task_type": "tokens",
            },
        ),
    ],
)
def test_classes(tmp_path, both, messages, how, options):
    frame = table()
    if "window" not in options:
        frame["answer"] = np.array([*"ab"])[frame["who"] // 2 % 2]
        frame = frame[np.random.default_rng(0).random(len(frame)) < 0.8]
    if how == "by turns":
        frame = frame[: len(frame) // 20 * 20]
    shuffled(frame, how).to_csv(tmp_path / "table.csv", index=False)
    first, second = both(
        lambda: read(tmp_path / "table.csv", **{"verbose": True, **options})
    )
    assert_same(first, second)
    assert first.findings == second.findings
    in_memory, on_disk = notes_of(messages)
    assert in_memory == on_disk
    scattered = [
        each for each in second.findings if each.kind == "scattered-groups"
    ]
    has_groups = "group_column" in options and "time_column" not in options
    assert bool(scattered) == has_groups


@pytest.mark.parametrize(
    ("label", "options"),
    [
        ("score", {"window": 7, "group_column": "who", "time_column": "time"}),
        ("score", {"group_column": "who"}),
        (["hot", "wet"], {"window": 6, "time_column": "seconds"}),
        (["hot", "wet"], {"group_column": "who", "time_column": "seconds"}),
    ],
)
def test_numbers_and_several_labels(tmp_path, both, label, options):
    frame = table().drop(columns="answer")
    rng = np.random.default_rng(1)
    is_group = "window" not in options
    which = frame["who"] if is_group else np.arange(len(frame))
    frame["score"] = rng.normal(size=1000).round(3)[which]
    for name in ("hot", "wet"):
        frame[name] = rng.integers(0, 2, 1000)[which]
    named = {*np.ravel(label), *options.values()}
    others = ["score", "hot", "wet", *COLUMNS]
    shuffled(frame, "at random").to_csv(tmp_path / "table.csv", index=False)
    first, second = both(
        lambda: tasks.from_csv(
            tmp_path / "table.csv",
            label,
            ignore_column=[name for name in others if name not in named],
            **options,
        )
    )
    assert_same(first, second)
    assert first.findings == second.findings


@pytest.mark.parametrize(
    "options",
    [
        {"fill": "median", "window": 10, "time_column": "time"},
        {"fill": "forward", "group_column": "who", "time_column": "seconds"},
        {"fill": "forward", "window": 7, "group_column": "who"},
        {"drop_missing": True, "window": 5, "group_column": "who"},
        {"drop_missing": True, "window": 5, "time_column": "seconds"},
    ],
)
def test_missing_cells_and_texts(tmp_path, both, options):
    answer = None
    if "window" not in options:
        answer = np.array([*"ab"])[table()["who"] // 2 % 2]
    frame = with_texts(table(), answer)
    rng = np.random.default_rng(1)
    rare = 0.02 if "drop_missing" in options else 0.3
    for name in ("x1", "color"):
        frame.loc[rng.random(1000) < rare, name] = np.nan
    if "drop_missing" in options:
        frame = frame.drop(columns="color")
        frame.loc[[3, 500, 501, 801], "answer"] = None
    shuffled(frame, "at random").to_csv(tmp_path / "table.csv", index=False)
    first, second = both(
        lambda: read(tmp_path / "table.csv", category_column="zip", **options)
    )
    assert_same(first, second)
    assert first.findings == second.findings


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_files_of_validation_and_test(tmp_path, both, suffix):
    frame, files = table(), {}
    for name, low, high in (
        ("train", 0, 12),
        ("dev", 10, 15),
        ("held", 14, 20),
    ):
        part = frame[(frame["who"] >= low) & (frame["who"] < high)]
        part = shuffled(part, "at random")
        files[name] = tmp_path / f"{name}{suffix}"
        if suffix == ".csv":
            part.to_csv(files[name], index=False)
        else:
            # Whole numbers in one file, and fractions in another.
            part = part.astype({"who": float if name == "dev" else int})
            part.to_parquet(files[name])
    options = {"group_column": "who", "time_column": "time", "window": 10}
    if suffix == ".parquet":
        options = {"time_column": "seconds", "window": 6}
    assert_same(
        *both(
            lambda: read(
                files["train"],
                validation=files["dev"],
                test=files["held"],
                **options,
            )
        )
    )


@pytest.mark.parametrize("named", ["trial", "time", "run", None])
def test_the_column_that_groups_lack_is_named(tmp_path, both, named):
    frame = table().sort_values(["trial", "who"], kind="stable")
    if named == "run":
        frame = frame.drop(columns="trial")
        frame["run"] = np.arange(len(frame)) // 25 * 0.5
    if named in ("time", None):
        # Rows by turns are each a stretch of their own.
        frame = shuffled(table(), "by turns").drop(columns="trial")
        frame = frame.drop(columns=["seconds", "x0", "x1"])
        frame["x2"] = frame["who"]
    if named is None:
        frame = frame.drop(columns="time")
    frame.to_csv(tmp_path / "table.csv", index=False)
    ignored = {*COLUMNS, "run"} & {*frame.columns} - {"who"}
    found = [
        [each for each in task.findings if each.kind == "scattered-groups"]
        for task in both(
            lambda: tasks.from_csv(
                tmp_path / "table.csv",
                "answer",
                group_column="who",
                window=10,
                ignore_column=[*ignored],
            )
        )
    ]
    assert found[0] == found[1]
    (finding,) = found[1]
    words = f"--group-column who --group-column {named or 'COLUMN'}."
    assert words in finding.advice


@pytest.mark.parametrize(
    "options",
    [{"group_column": "who"}, {"window": 10, "group_column": "who"}, {}],
)
def test_groups_of_similar_spellings_are_found(tmp_path, both, options):
    frame = table()
    frame["answer"] = np.array([*"ab"])[frame["who"] // 2 % 2]
    frame["site"] = np.array(["north", "North", "south"])[frame["who"] % 3]
    frame["who"] = "Person " + frame["who"].astype(str)
    frame.loc[frame["who"] == "Person 6", "who"] = "person 2"
    options = {"split_group": "site" if not options else (), **options}
    shuffled(frame, "at random").to_csv(tmp_path / "table.csv", index=False)
    first, second = (
        [each for each in task.findings if each.kind == "similar-groups"]
        for task in both(lambda: read(tmp_path / "table.csv", **options))
    )
    assert first == second
    assert len(second) == 1


def test_too_many_stretches_are_not_searched(tmp_path, both, monkeypatch):
    monkeypatch.setattr(large_groups, "MOST_STRETCHES", 30)
    frame = table().sort_values(["trial", "who"], kind="stable")
    frame.to_csv(tmp_path / "table.csv", index=False)
    first, second = (
        next(each for each in task.findings if each.kind == "scattered-groups")
        for task in both(
            lambda: read(tmp_path / "table.csv", group_column="who", window=5)
        )
    )
    assert first.message == second.message
    assert "--group-column COLUMN" in second.advice


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (
            {"answer": "a"},
            {"group_column": "who"},
            "the label 'a' contradicts 'z' in row .* of the same group, who",
        ),
        (
            {"part": "Test"},
            {"group_column": "who", "split_column": "part"},
            r"the split \(column part\) 'Test' contradicts 'train' in row",
        ),
        ({"who": ""}, {"window": 5, "group_column": "who"}, "the 'who'"),
        ({"x1": "a"}, {"group_column": "who"}, "column 'x1'"),
        (
            {"time": "later"},
            {"window": 5, "group_column": "who", "time_column": "time"},
            "column 'time'",
        ),
        (
            {"part": "what"},
            {"window": 5, "group_column": "who", "split_column": "part"},
            "unknown split 'what'",
        ),
    ],
)
def test_errors_name_the_row_of_the_file(
    tmp_path, both, change, options, message
):
    frame = table()
    frame["answer"] = np.array([*"zb"])[frame["who"] % 2]
    frame = shuffled(frame.astype(str), "at random")
    place = int(np.flatnonzero(frame["who"] == "12")[-1])
    for name, cell in change.items():
        frame.iloc[place, frame.columns.get_loc(name)] = cell
    frame.to_csv(tmp_path / "table.csv", index=False)
    errors = []

    def fail():
        with pytest.raises(ValueError, match=message) as error:
            read(tmp_path / "table.csv", **options)
        errors.append(str(error.value))

    both(fail)
    if "x1" not in change:  # Where parts are read, more advice is given.
        assert errors[0] == errors[1]
    assert f"row {place + 1}" in errors[1]


@pytest.mark.parametrize(
    ("how", "options"),
    [
        ("at random", {}),
        ("newest first", {"stride": 5, "time_column": "seconds"}),
        ("newest first", {"group_column": None}),
        ("at random", {"fill": "forward"}),
        ("at random", {"drop_missing": True, "stride": 2}),
        ("at random", {"time_column": None}),
        ("at random", {"future_column": "open", "target_column": "rain"}),
    ],
)
def test_forecasts(tmp_path, both, how, options):
    lacks = 0.02 if {"fill", "drop_missing"} & {*options} else 0
    ahead = forecasts.HORIZON if "future_column" in options else 0
    frame = forecasts.table(missing=lacks, ahead=ahead)
    if options.get("group_column", "") is None:
        frame = frame[: forecasts.LENGTHS["a"]]
    shuffled(frame, how).to_csv(tmp_path / "table.csv", index=False)
    forecasts.assert_same(
        *both(lambda: forecasts.read(tmp_path / "table.csv", **options))
    )


def test_what_is_missing_before_rows_to_come_is_named(tmp_path, both):
    frame = forecasts.table(ahead=forecasts.HORIZON)
    frame.loc[100, "rain"] = np.nan
    frame = shuffled(frame, "at random")
    row = int(np.flatnonzero(frame.index == 100)[0])
    frame.to_csv(tmp_path / "table.csv", index=False)

    def fail():
        message = f"row {row + 1}, column 'rain'.*--fill"
        with pytest.raises(ValueError, match=message):
            forecasts.read(tmp_path / "table.csv", future_column="open")

    both(fail)


def test_nothing_is_left_on_the_disk(tmp_path, both):
    shuffled(table(), "at random").to_csv(tmp_path / "table.csv", index=False)
    options = {"window": 5, "group_column": "who", "time_column": "time"}
    both(lambda: read(tmp_path / "table.csv", **options))
    assert not [*(tmp_path / "home").rglob("*.arrow")]
