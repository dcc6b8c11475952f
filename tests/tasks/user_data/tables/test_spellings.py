"""Cells that spell numbers, booleans, codes and dates in other ways."""

import numpy as np
import pandas as pd
import pytest

from keras_fpt import tasks
from keras_fpt.tasks.user_data.tables import table_files

pytestmark = pytest.mark.backend_free
SPLITS = ("train", "validation", "test")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def write(tmp_path, rng):
    """Writes 60 rows of a column `a`, a column of noise and a label."""

    def write(cells, labels=None, separator=",", name="mine.csv", **options):
        frame = pd.DataFrame(
            {
                "a": cells,
                "b": rng.integers(0, 9, len(cells)),
                "y": rng.choice(["p", "q"], len(cells))
                if labels is None
                else labels,
            }
        )
        frame.to_csv(tmp_path / name, sep=separator, index=False, **options)
        return tmp_path / name

    return write


def column_a(task):
    """The raw cells of column `a`, by row, from what a model is given."""
    cells = {}
    for split in SPLITS:
        examples = task.data.splits[split]
        for name, x in zip(examples.names, np.asarray(examples.x), strict=True):
            value = x[0, 0] * task.reader.scale[0] + task.reader.mean[0]
            cells[int(name.split()[1]) - 1] = value
    return [cells[row] for row in range(len(cells))]


def kinds(task):
    return [finding.kind for finding in task.findings]


def test_spellings_of_booleans_are_one_class(write, rng):
    words = rng.choice(["True", "1", "TRUE", "0", "false"], 60)
    task = tasks.from_csv(write(np.arange(60) % 7, words), "y", verbose=False)
    assert task.class_names == ("False", "True")
    y = {
        int(name.split()[1]) - 1: int(label)
        for split in SPLITS
        for name, label in zip(
            task.data.splits[split].names,
            task.data.splits[split].y,
            strict=True,
        )
    }
    expected = [word in ("True", "1", "TRUE") for word in words]
    assert [y[row] for row in range(60)] == expected


def test_a_boolean_beside_other_labels_is_a_class(write, rng):
    words = rng.choice(["True", "1", "2"], 60)
    task = tasks.from_csv(write(np.arange(60) % 7, words), "y", verbose=False)
    assert task.class_names == ("1", "2", "True")


def test_booleans_and_their_numbers_in_a_column(write, rng):
    words = rng.choice(["True", "1", "FALSE", "0"], 60)
    task = tasks.from_csv(write(words), "y", verbose=False)
    expected = [word in ("True", "1") for word in words]
    np.testing.assert_allclose(column_a(task), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["850", "1.100", "999"], "row 2, column 'a': is '1.100' 1100 or 1.1"),
        (["7"] * 200 + ["1.100"], "row 201, column 'a': is '1.100' 1100 or"),
        (["1,5"] * 200 + ["1.100"], "row 201, column 'a': other numbers.*1100"),
        (["1,5"] * 200 + ["1.234.567"], "row 201, .*'1.234.567' 1234567"),
    ],
)
def test_points_that_may_separate_thousands(cells, message, write):
    path = write(cells * (20 if len(cells) == 3 else 1), separator=";")
    with pytest.raises(ValueError, match=message):
        tasks.from_csv(path, "y", verbose=False)


@pytest.mark.parametrize(
    ("cells", "separator", "others"),
    [
        (["1.100", "2.250", "3.125"], ",", ()),  # no sign of decimal commas
        (["850", "1.1", "999"], ";", ()),  # a point of decimals
        (["850", "0.125", "999"], ";", ()),
        (["1.100", "2.250", "3.125"], ";", ("1.100 has a decimal point",)),
    ],
)
def test_points_of_decimals(cells, separator, others, write, messages):
    path = write(cells * 20, separator=separator)
    task = tasks.from_csv(path, "y")
    expected = [float(cell) for cell in cells * 20]
    np.testing.assert_allclose(column_a(task), expected, atol=1e-3)
    for words in others:
        assert any(words in message for message in messages)


def test_labels_of_a_regression_with_points(write):
    path = write(range(60), ["850", "1.100", "990"] * 20, separator=";")
    with pytest.raises(ValueError, match="row 2, column 'y': is '1.100' 1100"):
        tasks.from_csv(path, "y", verbose=False, task_type="regression")


def test_codes_with_zeros_in_front_are_said(write, rng):
    zips = rng.choice(["01234", "02139", "10001"], 60)
    task = tasks.from_csv(write(zips), "y", verbose=False)
    assert kinds(task) == ["codes-as-numbers"]
    assert "'a' holds '0" in task.findings[0].message
    counts = [str(count) for count in rng.integers(0, 200, 60)]
    assert not tasks.from_csv(write(counts), "y", verbose=False).findings


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["low", *"12345" * 12], "row 1, .*'low'. If the first row.* units"),
        ([*"12345" * 12, "sum"], "row 61, .*'sum'. If the last row .* total"),
        (
            [*"12A4B" * 12],
            "'A' marks a missing value .and 1 f.*missing A",
        ),
        (["1", "−2"] * 30, "'−2'. Write numbers plainly"),
        ([f"{i}%" for i in range(60)], "'0%'. Write numbers plainly"),
        ([f"{i} EUR" for i in range(60)], "'0 EUR'. Write numbers plainly"),
    ],
)
def test_cells_that_are_no_numbers(cells, message, write):
    with pytest.raises(ValueError, match=message) as error:
        tasks.from_csv(write(cells), "y", verbose=False)
    assert "--ignore-column" in str(error.value)


def test_dates_without_separators(write, rng, messages):
    days = pd.Timestamp("2023-12-01") + pd.to_timedelta(
        rng.integers(0, 90, 60), unit="D"
    )
    task = tasks.from_csv(write(days.strftime("%Y%m%d")), "y")
    expected = (days - pd.Timestamp("1970-01-01")).days
    np.testing.assert_allclose(column_a(task), expected, rtol=1e-6)
    assert any("days (year, month, day)" in message for message in messages)
    # They are no dates if one of them is none.
    numbers = rng.integers(19000101, 21001231, 60)
    task = tasks.from_csv(write(numbers), "y", verbose=False)
    np.testing.assert_allclose(column_a(task), numbers, rtol=1e-6)


def test_no_window_ends_with_a_month(tmp_path, rng):
    days = pd.date_range("2024-01-01", periods=120)
    x = []
    for spelling in ("%Y%m%d", "%Y-%m-%d"):
        frame = pd.DataFrame({"t": days.strftime(spelling), "a": range(120)})
        frame["y"] = ["p", "q"] * 60
        frame.to_csv(tmp_path / "t.csv", index=False)
        task = tasks.from_csv(
            tmp_path / "t.csv", "y", window=5, time_column="t", verbose=False
        )
        x.append(np.concatenate([task.data.splits[s].x for s in SPLITS]))
    assert len(x[0]) == 22
    np.testing.assert_array_equal(*x)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,y\n1,u\n2,v\na,y\n3,u\n", "row 3 repeats the names of the columns"),
        ("a,y\n" + "1,u\n" * 300 + "a,y\n", "row 301 repeats the names"),
        ("a,y\n1,u\n2,v\nSource: me\n", "row 3: .*'Source: me'. If it is a no"),
        ("a,y\n1,u\n# 2,v,w\n", "row 2: .* If it is a note or a comment"),
        ("# a, y\na,y\na,v\n", "If '# a' begins a comment, delete its line"),
        ("My table,\na,y\n1,u\n", "column 2 has no name.*If .* a title, del"),
        (
            "a,y\nr1,1,u\nr2,2,v\n",
            "row 1: .* the first cell of each row is",
        ),
    ],
)
def test_rows_that_are_no_data(text, message, tmp_path):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        table_files.read_table(tmp_path / "t.csv")


@pytest.mark.parametrize(
    "text",
    ["a,y,\n1,u\n2,v\n", "a,y\n1,u,\n2,v,\n", "a,y\n1,u,,\n2,v\n"],
)
def test_separators_after_the_last_column(text, tmp_path):
    (tmp_path / "t.csv").write_text(text)
    frame = table_files.read_table(tmp_path / "t.csv")
    assert frame.to_dict("list") == {"a": ["1", "2"], "y": ["u", "v"]}


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("mac_roman", "café crème garçon Noël forêt"),
        ("mac_roman", "Zürich Köln größer weiß Übung"),
        ("mac_roman", "São João coração ação"),
        ("cp850", "perché città più"),
        ("cp850", "Zürich Köln größer weiß Übung"),
        ("cp1252", "µg/L °C m² ±3"),
        ("cp1252", "niño señor ¿qué?"),
    ],
)
def test_encodings_of_old_programs_and_of_signs(encoding, words, tmp_path):
    lines = [
        "a,y",
        *(f"{word},{i % 2}" for i, word in enumerate(words.split())),
    ]
    (tmp_path / "t.csv").write_bytes("\n".join(lines).encode(encoding))
    frame = table_files.read_table(tmp_path / "t.csv", header=True)
    assert frame["a"].tolist() == words.split()


def test_a_word_shows_the_encoding(tmp_path, messages):
    lines = [
        "a,y",
        *(f"{i % 7},{'süß' if i % 2 else 'sauer'}" for i in range(60)),
    ]
    (tmp_path / "t.csv").write_bytes("\n".join(lines).encode("cp1252"))
    tasks.from_csv(tmp_path / "t.csv", "y")
    assert any("encoding cp1252, as in 'süß' (--enc" in m for m in messages)


def test_spellings_of_a_category_are_found(write, rng):
    colors = rng.choice(["Red", "RED", "blue"], 60)
    (finding,) = tasks.from_csv(write(colors), "y", verbose=False).findings
    assert finding.kind == "similar-categories"
    assert "'RED' and 'Red' of the column 'a'" in finding.message


def test_times_of_a_day_are_said(write, messages):
    tasks.from_csv(write([f"{i % 24}:15" for i in range(60)]), "y")
    assert any("times, as parts of a day" in message for message in messages)


def test_a_column_may_be_in_another_sheet(tmp_path):
    with pd.ExcelWriter(tmp_path / "t.xlsx") as writer:
        for name in ("about", "data"):
            frame = pd.DataFrame({name: [1, 2]})
            frame.to_excel(writer, sheet_name=name, index=False)
    with pytest.raises(
        ValueError, match="columns are about. That is the sheet: about"
    ):
        tasks.from_csv(tmp_path / "t.xlsx", "data")
