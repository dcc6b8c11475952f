import bz2
import gzip
import lzma
import zipfile

import numpy as np
import pandas as pd
import pytest

from keras_fpt import tasks
from keras_fpt.tasks.user_data import paths
from keras_fpt.tasks.user_data.tables import (
    table_columns,
    table_files,
    table_sheets,
)

pytestmark = pytest.mark.backend_free


@pytest.fixture
def frame():
    """60 rows of two numbers and a label."""
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 60)).round(3)
    label = np.where(a > 0, "high", "low")
    return pd.DataFrame({"a": a, "b": 100 * b, "label": label})


def examples(task):
    names = ("train", "validation", "test")
    return [np.asarray(task.data.splits[name].x) for name in names]


def assert_equal(first, second):
    for one, other in zip(examples(first), examples(second), strict=True):
        np.testing.assert_array_equal(one, other)
    assert first.class_names == second.class_names
    assert first.reader.columns == second.reader.columns


@pytest.fixture
def expected(frame, tmp_path):
    frame.to_csv(tmp_path / "plain.csv", index=False)
    return tasks.from_csv(tmp_path / "plain.csv", "label", verbose=False)


WRITERS = {
    "semicolons.csv": lambda f, p: f.to_csv(p, sep=";", index=False),
    "bars.csv": lambda f, p: f.to_csv(p, sep="|", index=False),
    "tabs.csv": lambda f, p: f.to_csv(p, sep="\t", index=False),
    "commas.tsv": lambda f, p: f.to_csv(p, index=False),
    "commas.txt": lambda f, p: f.to_csv(p, index=False),
    "german.csv": lambda f, p: f.to_csv(p, sep=";", decimal=",", index=False),
    "quoted.csv": lambda f, p: f.to_csv(p, decimal=",", index=False),
    "french.txt": lambda f, p: f.to_csv(
        p, sep="\t", decimal=",", index=False, encoding="utf-16"
    ),
    "little.csv": lambda f, p: f.to_csv(p, index=False, encoding="utf-16-le"),
    "wide.csv": lambda f, p: f.to_csv(p, index=False, encoding="utf-32"),
    "white space.dat": lambda f, p: p.write_text(f.to_string(index=False)),
    "sep.csv": lambda f, p: p.write_text(
        "sep=;\n" + f.to_csv(sep=";", index=False)
    ),
    "line ends.txt": lambda f, p: p.write_text(
        f.to_csv(index=False, lineterminator=";\n")
    ),
    "empty columns.csv": lambda f, p: p.write_text(
        f.to_csv(sep=";", index=False, lineterminator=";;\n") + ";;;;\n" * 3
    ),
    "t.csv.gz": lambda f, p: p.write_bytes(gzip.compress(csv(f))),
    "t.csv.bz2": lambda f, p: p.write_bytes(bz2.compress(csv(f))),
    "t.tsv.xz": lambda f, p: p.write_bytes(lzma.compress(csv(f, "\t"))),
    "t.zip": lambda f, p: zip_of(p, {"in/t.csv": csv(f), "__MACOSX/._t": b""}),
    "t.parquet": lambda f, p: f.to_parquet(p),
    "t.feather": lambda f, p: f.to_feather(p),
    "t.arrow": lambda f, p: f.to_feather(p, compression="uncompressed"),
    "t.xlsx": lambda f, p: f.to_excel(p, index=False),
    "t.parquet.gz": lambda f, p: p.write_bytes(gzip.compress(f.to_parquet())),
}


def csv(frame, separator=","):
    return frame.to_csv(sep=separator, index=False).encode()


def zip_of(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("name", WRITERS)
def test_each_format_gives_the_same_examples(name, frame, expected, tmp_path):
    path = tmp_path / name
    WRITERS[name](frame, path)
    task = paths.from_path(path, label_column="label", verbose=False)
    assert_equal(task, expected)
    x, _ = task.reader.read(path)
    plain, _ = expected.reader.read(tmp_path / "plain.csv")
    np.testing.assert_array_equal(x, plain)


def test_what_is_not_the_default_is_noted(frame, tmp_path, messages):
    path = tmp_path / "t.csv"
    frame["label"] = frame["label"].map({"high": "größer", "low": "weiß"})
    frame.to_csv(path, sep=";", decimal=",", index=False, encoding="cp1252")
    task = tasks.from_csv(path, "label")
    assert task.class_names == ("größer", "weiß")
    assert any(
        "format: separated by semicolons, decimal comma, encoding cp1252" in m
        for m in messages
    )
    messages.clear()
    frame.to_csv(path, index=False)
    tasks.from_csv(path, "label")
    assert not any("format:" in m for m in messages)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "año;señal\n1;débil\n2;así\n"),
        ("cp1250", "wartość;żółty\n1;źle\n2;łódź\n"),
        ("cp1251", "имя;город\n1;Москва\n2;Казань\n"),
        ("cp1253", "όνομα;πόλη\n1;Αθήνα\n2;Πάτρα\n"),
        ("shift_jis", "名前;値\n1;東京\n2;大阪です\n"),
        ("utf-16-be", "naïve;ok\n1;a\n2;b\n"),
        ("utf-8-sig", "größe;ok\n1;a\n2;ß\n"),
    ],
)
def test_encodings_are_found(encoding, text, tmp_path):
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    header, *rows = [line.split(";") for line in text.splitlines()]
    frame = table_files.read_table(tmp_path / "t.csv")
    assert list(frame.columns) == header
    assert frame.to_numpy().tolist() == rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # It may be 1.234 or 1234.
        ("a;y\n1,234;u\n5,678;v\n" * 1, "row 1, .*'1,234'. It may be 1.234 or"),
        ('a,y\n"1,234.5",u\n"2,000.5",v\n', "without separators of thousands"),
        ("a;y\n1.234,5;u\n2.000,5;v\n", "without separators of thousands"),
        ("a;b;y\n1,5;1.5;u\n2,5;2.5;v\n", "'1,5'. It has a decimal comma, but"),
    ],
)
def test_numbers_that_can_be_read_in_two_ways(text, message, tmp_path):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        tasks.from_csv(tmp_path / "t.csv", "y", verbose=False)


def test_a_table_without_a_header(frame, tmp_path):
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False, header=False)
    message = "t.csv`: its first row looks like data.*--no-header"
    with pytest.raises(ValueError, match=message):
        tasks.from_csv(path, "low", verbose=False)
    task = paths.from_path(
        path, label_column="column_3", header=False, verbose=False
    )
    assert sum(map(len, examples(task))) == len(frame)
    assert task.reader.columns == ("column_1", "column_2")
    # The reader knows that new tables have no header.
    x, names = task.reader.read(path)
    assert len(x) == len(names) == len(frame)


@pytest.mark.parametrize(
    ("text", "is_header"),
    [
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", False),
        ("red,round,a\nred,square,b\n", False),
        ("red;1;a\nred;2;b\n", False),
        ("1\t0.5\t0.25\n2\t0.5\t1\n", False),
        ("color,shape,y\nred,square,b\nred,round,b\n", True),
        # Names above numbers.
        ("y,a,b\ny,1,2\nn,2,3\n", True),
        ("Id,400.5,402,y\n1,2,3,u\n2,3,4,v\n", True),
        # What pandas writes for columns without names, and spectra.
        ("0,1,2,y\n.1,.2,.3,a\n.2,.3,.4,b\n", True),
        ("400,402,404,406,408,y\n.1,.2,.3,.3,.3,a\n", True),
    ],
)
def test_a_header_that_looks_like_a_row(text, is_header, tmp_path):
    (tmp_path / "t.csv").write_text(text)
    if is_header:
        table_files.read_table(tmp_path / "t.csv")
    else:
        with pytest.raises(ValueError, match="looks like data"):
            table_files.read_table(tmp_path / "t.csv")
    frame = table_files.read_table(tmp_path / "t.csv", header=True)
    assert len(frame) == text.count("\n") - 1


def test_typed_columns(tmp_path):
    frame = pd.DataFrame(
        {
            "whole": pd.array([2**53 + 1, 2, None], "Int64"),
            "real": np.array([0.1, np.nan, 3], np.float32),
            "yes": pd.array([True, None, False], "boolean"),
            "day": pd.to_datetime(["2024-01-31", None, "2024-02-01"]),
            "kind": pd.Categorical(["a", "b", None]),
        },
        index=[5, 6, 7],
    )
    frame.to_parquet(tmp_path / "t.parquet")
    read = table_files.read_table(tmp_path / "t.parquet")
    assert list(read.columns) == list(frame.columns)
    texts = {
        name: table_columns.column(read, name, "").tolist() for name in read
    }
    assert texts["whole"] == ["9007199254740993", "2", ""]
    assert texts["yes"] == ["True", "", "False"]
    assert texts["day"][0].startswith("2024-01-31") and texts["day"][1] == ""
    assert texts["kind"] == ["a", "b", ""]
    values = table_columns.parse(read, ["real"], "")[:, 0]
    np.testing.assert_array_equal(values, frame["real"].astype(float))
    frame["kind"] = [[1], [2], [3]]
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match="column 'kind': expected one value"):
        table_files.read_table(tmp_path / "t.parquet")


def test_a_workbook_of_several_sheets(frame, tmp_path, messages):
    path = tmp_path / "t.xlsx"
    with pd.ExcelWriter(path) as writer:
        frame.to_excel(writer, sheet_name="data", index=False)
        frame.to_excel(writer, sheet_name="more", index=False)
    tasks.from_csv(path, "label")
    assert any(
        "sheet: data, the first of 2 (not read: more)" in m for m in messages
    )


@pytest.mark.parametrize("where", ["load_workbook", "read row"])
def test_a_workbook_too_large_for_memory_is_not_called_damaged(
    frame, tmp_path, monkeypatch, where
):
    import openpyxl

    def without_memory(*arguments):
        raise MemoryError

    frame.to_excel(tmp_path / "t.xlsx", index=False)
    if where == "load_workbook":
        monkeypatch.setattr(
            openpyxl, "load_workbook", lambda *a, **k: without_memory()
        )
    else:
        monkeypatch.setattr(table_sheets, "_as_text", without_memory)
    with pytest.raises(MemoryError):
        table_files.read_table(tmp_path / "t.xlsx")


def test_arff_is_read_as_scipy_reads_it(tmp_path):
    from scipy.io import arff

    path = tmp_path / "t.arff"
    path.write_text(
        "% a comment\n@relation flowers\n@ATTRIBUTE 'petal length' REAL\n"
        "@attribute width numeric\n@attribute class {setosa, other}\n"
        "@data\n1.5,2,setosa\n% another\n?,3,other\n\n2,1,setosa\n"
    )
    frame = table_files.read_table(path)
    data, _ = arff.loadarff(path)
    assert tuple(frame.columns) == data.dtype.names
    values = table_columns.parse(frame, ["petal length", "width"], path)
    np.testing.assert_array_equal(values[:, 0], data["petal length"])
    np.testing.assert_array_equal(values[:, 1], data["width"])
    assert frame["class"].tolist() == [c.decode() for c in data["class"]]
    # What SciPy does not read.
    path.write_text(
        "@relation r\n@attribute 1 string\n@attribute when date yyyy-MM-dd\n"
        "@data\n'one, two', 2024-01-31\n'it\\'s', ?\n"
    )
    assert table_files.read_table(path).to_numpy().tolist() == [
        ["one, two", "2024-01-31"],
        ["it's", ""],
    ]
    with pytest.raises(ValueError, match="names its columns itself"):
        table_files.read_table(path, header=False)


def test_archives_that_cannot_be_read(tmp_path):
    path = tmp_path / "t.zip"
    zip_of(path, {"a.csv": b"a\n1\n", "b.csv": b"a\n1\n"})
    with pytest.raises(ValueError, match="found 2: a.csv, b.csv. Unpack it"):
        table_files.read_table(path)
    for name in ("t.csv.gz", "t.csv.bz2", "t.csv.xz", "t.zip"):
        (tmp_path / name).write_bytes(b"no archive")
        with pytest.raises(ValueError, match="cannot be unpacked"):
            table_files.read_table(tmp_path / name)
    cut_off = gzip.compress(b"a,b\n" + b"1,2\n" * 1000)[:-20]
    (tmp_path / "t.csv.gz").write_bytes(cut_off)
    with pytest.raises(ValueError, match="cannot be unpacked"):
        table_files.read_table(tmp_path / "t.csv.gz")
    for name in ("t.parquet", "t.feather", "t.arrow", "t.xlsx", "t.arff"):
        (tmp_path / name).write_bytes(b"PAR1 no table")
        with pytest.raises(ValueError, match=name):
            table_files.read_table(tmp_path / name)


def test_an_archive_that_unpacks_to_too_much(tmp_path, monkeypatch):
    from keras_fpt.files import unpacking

    monkeypatch.setattr(unpacking, "MAX_BYTES", 10_000)
    content = b"a,b\n" + b"1,2\n" * 100_000
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match="may be a decompression bomb"):
        table_files.read_table(tmp_path / "t.csv.gz")


def test_a_table_in_chunks(frame, tmp_path, monkeypatch):
    monkeypatch.setattr(table_files, "ROWS_PER_CHUNK", 25)
    path = tmp_path / "t.csv"
    frame.to_csv(path, sep=";", decimal=",", index=False)
    chunks = [*table_files.read_chunks(path)]
    assert [chunk.index[0] for chunk in chunks] == [0, 25, 50]
    values = [table_columns.numbers(c, ["a", "b"], path) for c in chunks]
    np.testing.assert_array_equal(
        np.concatenate(values), frame[["a", "b"]].to_numpy()
    )


JAPANESE = "ラベル,花の名前,値"
CYRILLIC = "метка,название города,значение"


@pytest.mark.parametrize(
    ("header", "words", "encoding"),
    [
        (JAPANESE, ["桜の花", "菊と百合", "ひまわり"], "shift_jis"),
        (JAPANESE, ["桜の花", "菊と百合", "ひまわり"], "euc_jp"),
        ("标签,城市名称,数值", ["北京市", "上海市", "广州"], "gb18030"),
        ("ya,שם העיר,val", ["ירושלים", "תל אביב", "חיפה"], "cp1255"),
        ("ya,ชื่อเมือง,val", ["กรุงเทพ", "เชียงใหม่", "ภูเก็ต"], "cp874"),
        (JAPANESE, ["桜の花", "菊と百合", "ひまわり"], "iso2022_jp"),
        ("라벨,도시 이름,값", ["서울특별시", "부산", "대구"], "euc_kr"),
        (CYRILLIC, ["Москва", "Санкт-Петербург", "Казань"], "koi8_r"),
        (CYRILLIC, ["Москва", "Санкт-Петербург", "Казань"], "cp1251"),
    ],
)
def test_encodings_are_found_or_named(tmp_path, header, words, encoding):
    rows = [f"{'ab'[i % 2]},{words[i % 3]},{i}" for i in range(60)]
    path = tmp_path / "mine.csv"
    path.write_bytes("\n".join([header, *rows]).encode(encoding))
    label, name, _ = header.split(",")
    for options in ({"encoding": encoding}, {}):
        frame = table_files.read_table(path, **options)
        assert frame.columns[0] == label
        assert frame[name].tolist() == [words[i % 3] for i in range(60)]
        assert "encoding" in frame.attrs["format"][0]


def test_a_wrong_or_unknown_encoding(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("y,ä\nu,1\nv,2\n", "utf-8")
    assert [*table_files.read_table(path, encoding="cp1252")] == ["y", "ä"]
    with pytest.raises(ValueError, match="no encoding 'klingon' .--encoding"):
        table_files.read_table(path, encoding="klingon")
    path.write_bytes("y,ä\nu,1\nv,2\n".encode("cp1252"))
    with pytest.raises(ValueError, match="not text in ascii.*--encoding"):
        table_files.read_table(path, encoding="ascii")


def test_a_decimal_comma_with_separators_of_thousands(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("a;b;y\n1.003;0,5;u\n1.250;2,5;v\n")
    with pytest.raises(ValueError, match="'0,5' have.*'1.003' a.* 1003 or 1"):
        tasks.from_csv(path, "y")
