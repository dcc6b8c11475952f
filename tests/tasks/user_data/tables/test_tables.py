import numpy as np
import pytest

from keras_fpt import tasks
from keras_fpt.tasks.user_data.tables import table_columns, table_files

pytestmark = pytest.mark.backend_free


def write(path, header, rows):
    lines = [",".join(header)]
    lines += [",".join(map(str, row)) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def table(tmp_path):
    """100 rows of a, b and a label; b is a hundred times as large."""
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 100))
    rows = [
        (f"{x:.6f}", f"{100 * z + 5:.6f}", "high" if x > 0 else "low")
        for x, z in zip(a, b, strict=True)
    ]
    return write(tmp_path / "table.csv", ("a", "b", "level"), rows)


@pytest.fixture
def series(tmp_path):
    """200 rows of 10 people, whose label changes every 5 rows."""
    rows = [
        (row, row % 7, f"p{row // 20}", "xy"[row // 5 % 2])
        for row in range(200)
    ]
    return write(tmp_path / "s.csv", ("time", "v", "person", "label"), rows)


def read(path):
    return np.genfromtxt(path, delimiter=",", skip_header=1, usecols=(0, 1))


def everything(task):
    return {
        name: task.data.splits[name] for name in ("train", "validation", "test")
    }


def test_a_row_is_a_sequence_of_cells(table):
    task = tasks.from_csv(table, "level", verbose=False)
    assert task.name == "table"
    assert (task.sequence_length, task.input_dim) == (2, 1)
    assert task.class_names == ("high", "low")
    train, validation, test = task.datasets(16)
    x, y = next(iter(train))
    assert x.shape == (16, 2, 1) and y.shape == (16,)
    assert [task.data.size(n) for n in everything(task)] == [72, 8, 20]
    assert sum(len(y) for _, y in test) == 20


def test_rows_keep_their_labels_and_are_standardized_by_train(table):
    task = tasks.from_csv(table, "level", verbose=False)
    splits = everything(task)
    values = read(table)
    rows = [int(name.split()[1]) - 1 for name in splits["train"].names]
    expected = values[rows]
    mean, scale = expected.mean(0), expected.std(0)
    np.testing.assert_allclose(
        splits["train"].x[:, :, 0], (expected - mean) / scale, atol=1e-5
    )
    test_rows = [int(name.split()[1]) - 1 for name in splits["test"].names]
    np.testing.assert_allclose(
        splits["test"].x[:, :, 0], (values[test_rows] - mean) / scale, atol=1e-5
    )
    np.testing.assert_array_equal(
        splits["test"].y, (values[test_rows, 0] <= 0).astype(int)
    )


def test_a_group_of_rows_is_a_sequence(tmp_path):
    rows = [
        (f"g{group}", row + 100 * group, group % 2)
        for group in range(30)
        for row in range(3 + group % 4)
    ]
    np.random.default_rng(0).shuffle(rows)
    path = write(tmp_path / "g.csv", ("group", "v", "label"), rows)
    task = tasks.from_csv(path, "label", group_column="group", verbose=False)
    assert (task.sequence_length, task.input_dim) == (6, 1)
    seen = 0
    reader = task.reader
    for examples in everything(task).values():
        lengths = examples.x.row_lengths().numpy()
        for place, name in enumerate(examples.names):
            group = int(name.removeprefix("group g"))
            values = examples.x[place].numpy()[:, 0]
            values = values * reader.scale[0] + reader.mean[0]
            expected = [row[1] for row in rows if row[0] == f"g{group}"]
            np.testing.assert_allclose(values, expected, atol=1e-2)
            assert lengths[place] == 3 + group % 4
            assert examples.y[place] == group % 2
            seen += 1
    assert seen == 30


def test_windows_in_time_do_not_straddle_splits(series):
    task = tasks.from_csv(
        series,
        "label",
        window=5,
        stride=2,
        ignore_column="person",
        verbose=False,
    )
    limits = {"train": (1, 144), "validation": (145, 160), "test": (161, 200)}
    for split, examples in everything(task).items():
        assert examples.x.shape[1:] == (5, 2)
        for name in examples.names:
            first, last = map(int, name.split()[-1].split("-"))
            assert last - first == 4
            assert limits[split][0] <= first and last <= limits[split][1]
    # (144 - 5) // 2 + 1 windows in the first 144 rows.
    assert task.data.size("train") == 70


def test_a_window_has_its_most_common_label(series):
    task = tasks.from_csv(
        series, "label", window=5, stride=2, ignore_column="person",
        verbose=False,
    )  # fmt: skip
    for examples in everything(task).values():
        for name, y in zip(examples.names, examples.y, strict=True):
            first = int(name.split()[-1].split("-")[0]) - 1
            labels = [row // 5 % 2 for row in range(first, first + 5)]
            assert y == (sum(labels) > 2)


def test_windows_of_a_group_stay_in_one_split(series):
    task = tasks.from_csv(
        series,
        "label",
        group_column="person",
        window=8,
        stride=5,
        verbose=False,
    )
    people = [
        {name.split(",")[0] for name in examples.names}
        for examples in everything(task).values()
    ]
    assert [len(p) for p in people] == [7, 1, 2]
    assert len(set.union(*people)) == 10


def test_a_column_can_say_the_split(tmp_path):
    names = ["train"] * 20 + ["val"] * 4 + ["test"] * 6
    rows = [(i, name, "ab"[i % 2]) for i, name in enumerate(names)]
    path = write(tmp_path / "t.csv", ("v", "part", "y"), rows)
    task = tasks.from_csv(path, "y", split_column="part", verbose=False)
    assert [len(e.y) for e in everything(task).values()] == [20, 4, 6]
    assert everything(task)["test"].names[0] == "row 25"


def test_it_says_what_it_found(table, capsys):
    tasks.from_csv(table, "level")
    out = capsys.readouterr().out
    assert "table: 100 sequences, 2 tokens of width 1 -> 2 classes" in out
    assert "72 train, 8 validation, 20 test" in out
    assert "a, b, standardized" in out
    assert "high" in out and "%" in out


def test_the_reader_reads_new_rows_as_those_in_training(table):
    task = tasks.from_csv(table, "level", verbose=False)
    x, names = task.reader.read(table)
    train = everything(task)["train"]
    rows = [names.index(name) for name in train.names]
    np.testing.assert_array_equal(x[rows], train.x)


def test_spaces_around_cells_and_names_do_not_count(tmp_path):
    rows = [(f" p{i // 3}" + " " * (i % 2), i, " ab"[1 + i // 3 % 2]) for i in
            range(60)]  # fmt: skip
    path = write(tmp_path / "t.csv", ("who", " v", " y "), rows)
    task = tasks.from_csv(path, "y", group_column="who", verbose=False)
    assert task.class_names == ("a", "b")
    assert sum(len(e.y) for e in everything(task).values()) == 20


def test_a_constant_column_stays_small(tmp_path):
    rows = [(1700000000.1, i, "ab"[i % 2]) for i in range(40)]
    path = write(tmp_path / "t.csv", ("time", "v", "y"), rows)
    task = tasks.from_csv(path, "y", verbose=False)
    assert task.reader.scale[0] == 1.0
    path.write_text("time,v\n1700000000.2,3\n")
    x, _ = task.reader.read(path)
    assert abs(x[0, 0, 0] - 0.1) < 1e-3


@pytest.mark.parametrize("factor", [1e200, 1e-200])
def test_a_column_that_cannot_be_standardized_is_named(table, factor):
    lines = table.read_text().splitlines()
    cells = [line.split(",") for line in lines[1:]]
    rows = [(float(a) * factor, b, label) for a, b, label in cells]
    write(table, ("a", "b", "level"), rows)
    with pytest.raises(ValueError, match="table.csv`, column 'a': its largest"):
        tasks.from_csv(table, "level", verbose=False)
    task = tasks.from_csv(table, "level", ignore_column="a", verbose=False)
    assert task.sequence_length == 1


def test_a_new_number_far_from_those_of_training_is_named(table, tmp_path):
    reader = tasks.from_csv(table, "level", verbose=False).reader
    new = write(tmp_path / "new.csv", ("a", "b"), [(1, 2), (1, 1e60)])
    with pytest.raises(ValueError, match="new.csv`, row 2, column 'b': 1e"):
        reader.read(new)


def test_a_bare_carriage_return_ends_a_row(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b'a,b\r1,"x\ry"\r\r2,z\r')
    read = table_files.read_table(path)
    assert read.to_numpy().tolist() == [["1", "x\ry"], ["2", "z"]]
    path.write_bytes(b"a,b\n1\r2,z\n")
    with pytest.raises(ValueError, match="row 1: expected 2 cells"):
        table_files.read_table(path)


def test_a_wide_table_is_parsed_by_blocks(tmp_path, monkeypatch):
    names = [f"c{i}" for i in range(50)]
    rows = np.arange(100.0).reshape(2, 50).tolist()
    path = write(tmp_path / "wide.csv", names, rows)
    monkeypatch.setattr(table_columns, "CELLS_AT_ONCE", 14)
    frame = table_files.read_table(path)
    assert table_columns.numbers(frame, names[::-1], path).tolist() == [
        row[::-1] for row in rows
    ]
    rows[1][30] = "x"
    frame = table_files.read_table(write(path, names, rows))
    with pytest.raises(ValueError, match="row 2, column 'c30': .*'x'"):
        table_columns.numbers(frame, names, path)


def test_a_new_group_shorter_than_a_window_is_named(series, tmp_path):
    task = tasks.from_csv(
        series,
        "label",
        group_column="person",
        window=8,
        stride=5,
        verbose=False,
    )
    new = write(tmp_path / "n.csv", ("time", "v", "person"), [(1, 1, "q")] * 5)
    with pytest.raises(ValueError, match="person q: 5 rows are fewer than"):
        task.reader.read(new)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,y\n1,u\n2,v,9\n", "row 2: expected 2 cells but received 3"),
        ("# made\na,y\n1,u\n", "row 1: .* a title or comment, delete them"),
        ("a,y\n1,u\n2\n", "row 2: expected 2 cells but received 1"),
        ("a,y\n1,u\nx,v\n", "row 2, column 'a': expected a finite .* 'x'"),
        ("a,y\n1,u\n,v\n", "row 2, column 'a': expected a finite .* ''"),
        ("a,y\nNaN,u\n2,v\n", "row 1, column 'a': expected a finite .* 'NaN'"),
        ("a,y\n1,u\ninf,v\n", "row 2, column 'a': expected a finite .* 'inf'"),
        ("a,y\n1,u\n2,\n", "row 2: the label is missing"),
        ("a,b\n1,u\n", "no column 'y'. Its columns are a, b"),
        ("a,y\n", "no rows below its header"),
        ("", "no rows below its header"),
        (",a,y\n0,1,u\n", "column 1 has no name"),
        ('a,y\n1,u\n"2,v\n', "not a table in UTF-8, after row"),
        ("a,a,y\n1,2,u\n", "more than one column 'a'"),
        ("y\nu\n", "no columns other than"),
        ("a,y\n1,u\n2,v\n", "split has no example: 2 examples are too few"),
    ],
)
def test_bad_tables_name_the_file_and_row(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        tasks.from_csv(path, "y", verbose=False)
    assert "bad.csv" in str(caught.value) or "too few" in message


def test_no_table_at_all(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.csv"):
        tasks.from_csv(tmp_path / "nowhere.csv", "y")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81" * 9)
    with pytest.raises(ValueError, match="binary.csv` is not a table"):
        tasks.from_csv(tmp_path / "binary.csv", "y")


def test_contradicting_labels_of_a_group(tmp_path):
    rows = [("g", 1, "a"), ("g", 2, "b")]
    path = write(tmp_path / "g.csv", ("group", "v", "y"), rows)
    with pytest.raises(ValueError, match="row 2: the label 'b' contradicts"):
        tasks.from_csv(path, "y", group_column="group", verbose=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "window to be at least 1"),
        ({"window": 9.5}, "a whole number but received 9.5"),
        ({"window": "9"}, "a whole number but received '9'"),
        ({"stride": 3}, "stride needs a window"),
        ({"window": 500}, "train split has 144 rows, fewer than a window"),
        ({"group_column": "nobody"}, "no column 'nobody'"),
    ],
)
def test_bad_options(series, options, message):
    with pytest.raises(ValueError, match=message):
        tasks.from_csv(
            series, "label", ignore_column="person", verbose=False, **options
        )


def test_tables_of_several_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(table_files, "ROWS_PER_CHUNK", 3)
    path = tmp_path / "t.tsv"
    rows = [(f" {i} ", f'"x\ty{i}"') for i in range(7)]
    lines = ["a\tb", *("\t".join(row) for row in rows)]
    path.write_text("\n\n".join(lines))
    frame = table_files.read_table(path)
    assert list(frame.columns) == ["a", "b"]
    assert frame.index.tolist() == list(range(7))
    assert frame["a"].tolist() == [str(i) for i in range(7)]
    assert frame["b"].tolist() == [f"x\ty{i}" for i in range(7)]
    path.write_text("\n".join([*lines, "8"]))
    with pytest.raises(ValueError, match="row 8: expected 2 cells but rec"):
        table_files.read_table(path)
