# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811
"""Labels of any kind of tables that do not fit into memory."""

import numpy as np
import pandas as pd
import pytest
from on_disk import both, home
from test_large_windows import assert_same

from keras_fpt import tasks
from keras_fpt.tasks.user_data.tables import large_labels, large_medians

pytestmark = pytest.mark.backend_free
SIZE = 1000
GROUP = 20


def table():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{i}": rng.normal(i, 1, SIZE) for i in range(3)})
    frame["who"] = np.arange(SIZE) // GROUP
    frame["site"] = frame["who"] % 10
    frame["part"] = np.array(["train", "dev", "train", "Test"])[
        frame["who"] % 4
    ]
    frame["score"] = rng.normal(size=SIZE).round(4)
    frame["price"] = rng.integers(1, 9, SIZE)
    for name in ("hot", "wet"):
        frame[name] = rng.integers(0, 2, SIZE)
    frame["tags"] = rng.choice(["a", "b", "a;b", "[]", "c;a"], SIZE)
    frame["quarter"] = rng.integers(0, 20, SIZE) / 4
    return frame


KINDS = {
    "fractions": {"label_column": "score"},
    "few fractions": {"label_column": "quarter"},
    "whole numbers": {"label_column": "price", "task_type": "regression"},
    "two numbers": {"label_column": ["score", "price"]},
    "columns of 0 and 1": {"label_column": ["hot", "wet"]},
    "one label": {"label_column": "hot", "task_type": "multilabel"},
    "names": {"label_column": "tags", "task_type": "multilabel"},
    "names by semicolon": {"label_column": "tags", "label_separator": ";"},
}
STRUCTURES = {
    "rows": {},
    "rows by group": {"split_group": "site"},
    "folds": {"folds": 4, "fold": 2},
    "given": {"split_column": "part"},
    "groups": {"group_column": "who"},
    "windows": {"window": 7, "stride": 3},
    "windows of groups": {"window": 5, "group_column": "who"},
}
OTHERS = ("who", "site", "part")
LABELS = ("score", "price", "hot", "wet", "tags", "quarter")


def read(path, ignored=(), **options):
    named = {*np.ravel(options["label_column"])}
    for name in ("group_column", "split_group", "split_column"):
        named |= {*np.ravel(options.get(name, []))}
    ignored = [*ignored, *(n for n in (*OTHERS, *LABELS) if n not in named)]
    return tasks.from_csv(path, ignore_column=ignored, **options)


def notes_of(messages):
    """The lines on each of two tasks, without those on where they are kept."""
    lines = [line for text in messages for line in text.split("\n")]
    # Of rows on disk, a part is audited.
    others = ("  kept on disk", "  note: ")
    lines = [line for line in lines if not line.startswith(others)]
    first = next(i for i, line in enumerate(lines) if "sequences, " in line)
    second = next(
        i for i, line in enumerate(lines) if "sequences, " in line and i > first
    )
    return lines[first:second], lines[second:]


@pytest.mark.parametrize(
    ("kind", "structure"),
    [
        *(("fractions", name) for name in STRUCTURES if name != "given"),
        ("few fractions", "given"),
        ("whole numbers", "rows by group"),
        ("whole numbers", "windows of groups"),
        ("two numbers", "rows"),
        ("two numbers", "groups"),
        ("columns of 0 and 1", "folds"),
        ("columns of 0 and 1", "groups"),
        ("columns of 0 and 1", "windows"),
        ("one label", "given"),
        ("names", "rows by group"),
        ("names", "windows of groups"),
        ("names by semicolon", "rows"),
    ],
)
def test_labels(tmp_path, both, messages, kind, structure, monkeypatch):
    if kind in ("fractions", "two numbers"):
        monkeypatch.setattr(large_labels, "MAX_DISTINCT", 50)
    frame = table()
    if "group_column" in STRUCTURES[structure] and structure == "groups":
        for name in LABELS:
            frame[name] = frame[name].to_numpy()[
                np.arange(SIZE) // GROUP * GROUP
            ]
    frame.to_csv(tmp_path / "table.csv", index=False)
    options = {**KINDS[kind], **STRUCTURES[structure]}
    first, second = both(lambda: read(tmp_path / "table.csv", **options))
    assert first.class_names == second.class_names
    assert first.num_targets == second.num_targets
    assert first.is_multilabel == second.is_multilabel
    assert first.findings == second.findings
    assert_same(first, second)
    in_memory, on_disk = notes_of(messages)
    assert in_memory == on_disk


@pytest.mark.parametrize("label", ["score", ["hot", "wet"]])
def test_labels_in_a_folder_of_parquet_files(tmp_path, both, label):
    frame = table()
    (tmp_path / "table").mkdir()
    for i, start in enumerate(range(0, SIZE, 300)):
        part = frame[start : start + 300]
        part.to_parquet(tmp_path / "table" / f"{i}.parquet", index=False)
    folder = tmp_path / "table"
    assert_same(*both(lambda: read(folder, label_column=label, verbose=False)))


@pytest.mark.parametrize(
    ("kind", "column", "cell", "message"),
    [
        ("fractions", "score", "a lot", "row 702: the label 'a lot' is not"),
        ("fractions", "score", "", "row 702: the label is missing"),
        ("whole numbers", "price", "1e99", "row 702: the label 1e\\+99 is not"),
        ("two numbers", "price", "no", "row 702, column 'price': the label"),
        ("columns of 0 and 1", "wet", "", "row 702, column 'wet': the label"),
        ("one label", "hot", "", "row 702: the label is missing"),
        ("names", "tags", "NA", "row 702: the label is missing"),
    ],
)
@pytest.mark.parametrize("structure", ["rows", "windows"])
def test_errors_name_the_row(
    tmp_path, both, kind, structure, column, cell, message
):
    frame = table().astype(str)
    frame.loc[701, column] = cell
    frame.to_csv(tmp_path / "table.csv", index=False)
    options = {**KINDS[kind], **STRUCTURES[structure]}
    if kind == "fractions":
        options["task_type"] = "regression"
    errors = []

    def call():
        with pytest.raises(ValueError, match=message) as caught:
            read(tmp_path / "table.csv", **options)
        errors.append(str(caught.value))

    both(call)
    assert errors[0] == errors[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"label_column": ["hot", "wet"], "task_type": "classification"},
            "several labels of 0 and 1",
        ),
        (
            {"label_column": ["hot", "wet"], "label_separator": ";"},
            "in columns of their own",
        ),
        (
            {"label_column": "score", "window": 5, "within_label": True},
            "is for classes",
        ),
        ({"label_column": ["hot", "cold"]}, "as one-hot"),
        ({"label_column": "who", "group_column": "site"}, "goes from 0 to 40"),
    ],
)
def test_refused(tmp_path, both, options, message):
    frame = table()
    frame["cold"] = 1 - frame["hot"]
    if "group_column" in options:
        frame = frame.sort_values("site", kind="stable")
        options["task_type"] = "regression"
    frame.to_csv(tmp_path / "table.csv", index=False)

    def call():
        with pytest.raises(ValueError, match=message):
            read(tmp_path / "table.csv", **options)

    both(call)


def test_windows_of_rows_without_a_label_are_split_by_groups(tmp_path, both):
    frame = table()
    frame["kind"] = frame["who"].map(lambda who: "uvw"[who % 3])
    frame.loc[frame.index % 50 == 3, "kind"] = np.nan
    frame.to_csv(tmp_path / "table.csv", index=False)
    in_memory, on_disk = both(
        lambda: read(
            tmp_path / "table.csv",
            label_column="kind",
            window=5,
            group_column="who",
            folds=3,
            fold=1,
            drop_missing=True,
        )
    )
    assert_same(in_memory, on_disk)


def test_labels_of_rows_that_are_left_out_do_not_count(tmp_path, both):
    frame = table()
    frame.loc[5, ["hot", "x1"]] = [7, np.nan]
    frame.to_csv(tmp_path / "table.csv", index=False)
    first, second = both(
        lambda: read(
            tmp_path / "table.csv",
            label_column=["hot", "wet"],
            drop_missing=True,
        )
    )
    assert first.is_multilabel and second.is_multilabel
    assert_same(first, second)
    frame.loc[5, "x1"] = 0.5
    frame.to_csv(tmp_path / "table.csv", index=False)
    task = read(
        tmp_path / "table.csv", label_column=["hot", "wet"], drop_missing=True
    )
    assert task.num_targets == 2


@pytest.mark.parametrize(
    ("kind", "structure"),
    [
        ("classes", "rows"),
        ("classes", "rows by group"),
        ("fractions", "rows"),
        ("whole numbers", "folds"),
        ("names by semicolon", "rows by group"),
        ("classes", "windows"),
        ("classes", "windows of groups"),
        ("fractions", "windows"),
        ("names by semicolon", "windows of groups"),
        ("columns of 0 and 1", "rows"),
        ("columns of 0 and 1", "windows of groups"),
        ("two numbers", "rows by group"),
        ("two numbers", "windows"),
    ],
)
@pytest.mark.parametrize("fill", [None, "median"])
def test_what_is_missing_is_left_out(
    tmp_path, both, messages, monkeypatch, kind, structure, fill
):
    if kind == "fractions":
        monkeypatch.setattr(large_labels, "MAX_DISTINCT", 50)
    rng = np.random.default_rng(1)
    frame = table()
    frame["kind"] = rng.choice(["u", "v"], SIZE)
    frame = frame.astype(object)
    if "windows" in structure:  # of which some are whole
        frame["color"] = np.repeat(["red", "blue"], SIZE // 2)
        rare = 0.01
    else:
        frame["color"] = rng.choice(["red", "blue", ""], SIZE)
        rare = 0.1
    frame.loc[rng.random(SIZE) < rare, "x1"] = np.nan
    frame.loc[rng.random(SIZE) < rare, "x0"] = -99
    if "windows" not in structure:
        # Only in a row that is left out for another reason.
        frame.loc[5, ["kind", "x1"]] = ["alone", np.nan]
    frame.loc[7, "score"] = "?"
    options = {"label_column": "kind", **KINDS.get(kind, {})}
    labels = [*np.ravel(options["label_column"])]
    for name in labels:
        frame.loc[rng.random(SIZE) < rare / 2, name] = "?"
    if len(labels) == 1 and structure == "rows" and "names" not in kind:
        frame.loc[rng.random(SIZE) < rare / 2, labels[0]] = -99
    frame.to_csv(tmp_path / "table.csv", index=False)
    options |= {"drop_missing": True, "fill": fill, "missing": ["?"]}
    if len(labels) == 1:
        options["missing"].append("-99")
    options |= STRUCTURES[structure]
    ignored = ["kind"] if "kind" not in labels else []
    first, second = both(
        lambda: read(tmp_path / "table.csv", ignored=ignored, **options)
    )
    assert first.class_names == second.class_names
    kinds = [{each.kind for each in task.findings} for task in (first, second)]
    assert kinds[0] == kinds[1]
    assert_same(first, second)
    in_memory, on_disk = notes_of(messages)
    assert in_memory == on_disk
    assert any("left out" in line for line in on_disk)


@pytest.mark.parametrize(
    ("column", "cell", "options"),
    [
        ("part", "later", {"label_column": "price", "split_column": "part"}),
        ("part", "", {"label_column": "price", "split_column": "part"}),
        ("site", "", {"label_column": "price", "split_group": "site"}),
        (
            "site",
            "",
            {
                "label_column": "score",
                "split_group": ["site", "part"],
                "folds": 3,
            },
        ),
        ("score", "a lot", {"label_column": "score"}),
        ("score", "0.00001", {"label_column": "score"}),
        (
            "price",
            "a lot",
            {"label_column": "price", "task_type": "regression"},
        ),
        (
            "hot",
            "7",
            {"label_column": ["hot", "wet"], "task_type": "multilabel"},
        ),
        ("hot", "a lot", {"label_column": ["hot", "wet"]}),
        ("price", "a lot", {"label_column": ["score", "price"]}),
    ],
)
def test_rows_that_are_left_out_may_hold_anything(
    tmp_path, both, messages, monkeypatch, column, cell, options
):
    monkeypatch.setattr(large_labels, "MAX_DISTINCT", 50)
    frame = table()
    frame["site"] = np.arange(SIZE) % 40
    frame = frame.astype(object)
    frame.loc[[301, 700], column] = cell
    frame.loc[[301, 700], "x1"] = np.nan
    frame.to_csv(tmp_path / "table.csv", index=False)
    first, second = both(
        lambda: read(tmp_path / "table.csv", drop_missing=True, **options)
    )
    assert_same(first, second)
    in_memory, on_disk = notes_of(messages)
    assert in_memory == on_disk
    frame.loc[700, "x1"] = 0.5
    if cell == "0.00001":
        return
    frame.to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(ValueError) as error:
        read(tmp_path / "table.csv", drop_missing=True, **options)
    assert "row 701" in "\n".join([str(error.value), *messages])


@pytest.mark.parametrize("drop_missing", [True, False])
def test_many_labels_of_which_some_are_words_are_classes(
    tmp_path, both, messages, monkeypatch, drop_missing
):
    monkeypatch.setattr(large_labels, "MAX_DISTINCT", 50)
    frame = table()
    # Each label several times, and words only in the last rows.
    frame["score"] = np.arange(SIZE) % 100 + 0.25
    frame["score"] = frame["score"].astype(object)
    frame.loc[700:, "score"] = "a lot"
    frame.loc[0, "score"] = "" if drop_missing else 0.25
    frame.to_csv(tmp_path / "table.csv", index=False)
    first, second = both(
        lambda: read(
            tmp_path / "table.csv",
            label_column="score",
            drop_missing=drop_missing,
        )
    )
    assert "a lot" in first.class_names
    assert first.data.fingerprint == second.data.fingerprint
    assert "row 701: the label is not a number, and" in "\n".join(messages)


def test_only_rows_that_are_left_out_are_for_validation(tmp_path, both):
    frame = table().astype(object)
    frame["part"] = np.where(np.arange(SIZE) % 4, "train", "test")
    frame.loc[301, ["part", "x1"]] = ["dev", np.nan]
    frame.to_csv(tmp_path / "table.csv", index=False)
    first, second = both(
        lambda: read(
            tmp_path / "table.csv",
            label_column="price",
            split_column="part",
            drop_missing=True,
        )
    )
    assert second.data.size("validation") == 75
    assert_same(first, second)


def test_groups_of_rows_in_several_splits_are_found(tmp_path, both):
    frame = table()
    frame["site"] = np.arange(SIZE) % 25
    frame.to_csv(tmp_path / "table.csv", index=False)
    for task in both(
        lambda: read(
            tmp_path / "table.csv",
            label_column="price",
            split_column="part",
            split_group="site",
        )
    ):
        (found,) = [
            each
            for each in task.findings
            if each.kind == "groups-across-splits"
        ]
        assert "25 of 25 groups have examples in train" in str(found)


@pytest.mark.parametrize("kind", ["fractions", "whole numbers", "one label"])
@pytest.mark.parametrize("group", [{}, {"group_column": "who"}])
def test_all_windows_are_left_out(tmp_path, both, kind, group):
    frame = table()
    frame.loc[::5, "x0"] = np.nan
    frame.to_csv(tmp_path / "table.csv", index=False)

    def call():
        with pytest.raises(
            ValueError,
            match="table.csv`: All [0-9]+ windows have missing .*--fill median",
        ):
            read(
                tmp_path / "table.csv",
                drop_missing=True,
                window=5,
                **group,
                **KINDS[kind],
            )

    both(call)


@pytest.mark.parametrize("kind", ["fractions", "one label"])
def test_all_windows_of_a_split_are_left_out(tmp_path, both, kind):
    frame = table()
    frame.loc[SIZE * 4 // 5 :: 5, "x0"] = np.nan
    frame.to_csv(tmp_path / "table.csv", index=False)

    def call():
        with pytest.raises(ValueError, match="The test split has no example"):
            read(
                tmp_path / "table.csv",
                drop_missing=True,
                window=5,
                **KINDS[kind],
            )

    both(call)


def test_all_rows_are_left_out(tmp_path, both):
    frame = table()
    frame["x0"] = np.where(np.arange(SIZE) % 2, frame["x0"], np.nan)
    frame.loc[1::2, "score"] = np.nan
    frame.to_csv(tmp_path / "table.csv", index=False)

    def call():
        with pytest.raises(ValueError, match="All 1,000 rows have missing"):
            read(
                tmp_path / "table.csv",
                label_column="score",
                task_type="regression",
                drop_missing=True,
            )

    both(call)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_quantiles_of_parts(size):
    values = np.random.default_rng(size).normal(0, 1e3, (size, 1)).round(1)
    shares = np.arange(1, 10) / 10
    np.testing.assert_array_equal(
        large_medians.quantiles(
            lambda: iter(np.array_split(values, 3)), shares
        ),
        np.quantile(values[:, 0], shares),
    )
