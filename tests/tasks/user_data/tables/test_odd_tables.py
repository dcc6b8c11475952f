"""Tables that would be read as something else without a word."""

import datetime

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from keras_fpt import tasks
from keras_fpt.tasks.user_data import sequences
from keras_fpt.tasks.user_data.tables import table_files

pytestmark = pytest.mark.backend_free


def test_durations_may_be_zero(tmp_path):
    path = tmp_path / "durations.parquet"
    durations = [datetime.timedelta(seconds=1.5 * n) for n in range(3)]
    column = pa.array([*durations, None], pa.duration("us"))
    pa.parquet.write_table(pa.table({"a": column}), path)
    found = table_files.read_table(path)["a"].tolist()
    assert found[:3] == [0, 1.5, 3] and np.isnan(found[3])


def test_parts_of_a_table_are_in_the_order_of_their_numbers(tmp_path):
    """As Dask names them; a series would be in another order."""
    for part in range(12):
        frame = pd.DataFrame({"t": [part]})
        frame.to_parquet(tmp_path / f"part.{part}.parquet")
    assert table_files.read_table(tmp_path)["t"].tolist() == [*range(12)]


def test_a_table_in_folders_of_values_is_refused(tmp_path):
    """Each file would be a recording, of a class `year=2024`."""
    for year in (2023, 2024):
        folder = tmp_path / f"year={year}"
        folder.mkdir()
        pd.DataFrame({"v": np.arange(9.0)}).to_parquet(folder / "p.parquet")
    with pytest.raises(ValueError, match=r"'year', as .*pandas.read_parquet"):
        tasks.get(str(tmp_path))


def book(path, *sheets):
    """Writes a workbook of (title, state, rows)."""
    found = openpyxl.Workbook()
    found.remove(found.active)
    for title, state, rows in sheets:
        sheet = found.create_sheet(title)
        for row in rows:
            sheet.append(row)
        sheet.sheet_state = state
    found.save(path)
    return path


ROWS = [["a", "y"], [1, "x"], [2, "z"]]


def test_a_hidden_sheet_is_not_the_first(tmp_path):
    path = book(
        tmp_path / "b.xlsx",
        ("Old", "hidden", [["a", "y"], [7, "x"]]),
        ("Data", "visible", ROWS),
    )
    frame = table_files.read_table(path)
    assert frame["a"].tolist() == ["1", "2"]
    assert frame.attrs["format"] == [
        "sheet: Data, the first shown of 2 (not read: Old)"
    ]


def test_an_empty_first_sheet_is_named(tmp_path):
    path = book(
        tmp_path / "b.xlsx",
        ("Cover", "visible", []),
        ("Data", "visible", ROWS),
    )
    with pytest.raises(ValueError, match=r"sheet: Cover, .*\(not read: Data\)"):
        table_files.read_table(path)


def test_line_ends_of_unicode_within_cells_end_no_row(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "a;b;y\n" + "1.5;x\u2028z;p\n2.5;x\x0bz;q\n", encoding="utf-8"
    )
    frame = table_files.read_table(path)
    assert frame["b"].tolist() == ["x\u2028z", "x\x0bz"]


def test_a_header_that_lacks_the_name_of_row_names(tmp_path):
    """As R and pandas's `to_string` write it."""
    path = tmp_path / "t.txt"
    path.write_text("a b y\n1 0.5 1.5 p\n2 0.25 2.5 q\n")
    with pytest.raises(ValueError, match="give that column a name"):
        table_files.read_table(path)


def test_words_in_one_column_are_no_table_of_white_space(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("name\nAda Lovelace\nAlan Turing\n")
    assert table_files.read_table(path)["name"].tolist() == [
        "Ada Lovelace",
        "Alan Turing",
    ]


@pytest.mark.parametrize("group", [None, "region"])
@pytest.mark.parametrize("rows", [None, 15, 100])
def test_a_row_of_totals_is_noted(tmp_path, monkeypatch, rows, group):
    if rows is not None:
        monkeypatch.setattr(sequences, "MAX_BYTES_IN_MEMORY", 100)
        monkeypatch.setattr(table_files, "ROWS_PER_CHUNK", rows)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "region": [f"r{n}" for n in range(40)],
            "people": rng.integers(100, 900, 40),
            "sales": rng.normal(50, 5, 40).round(2),
        }
    )
    frame.loc[40] = ["Total", frame.people.sum(), frame.sales.sum()]
    again = frame.copy()
    again.loc[3, "region"] = "Total"
    again.loc[3, "sales"] = frame.loc[40, "sales"]
    tables = {"with": frame, "without": frame[:-1], "again": again}
    for name, table in tables.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        task = tasks.from_csv(
            tmp_path / f"{name}.csv",
            "sales",
            group_column=group,
            ignore_column=() if group else "region",
            verbose=False,
        )
        found = [f.message for f in task.findings if f.kind == "total-row"]
        assert len(found) == (name == "with")
        assert all("'Total' in the column 'region'" in each for each in found)


@pytest.mark.parametrize("dropped", [False, True])
def test_labels_only_in_the_first_row_of_groups_are_explained(
    tmp_path, dropped
):
    lines = [
        f"{n // 5},{n % 7},{'ab'[n // 5 % 2] if n % 5 == 0 else ''}"
        for n in range(100)
    ]
    path = tmp_path / "first.csv"
    path.write_text("group,x,y\n" + "\n".join(lines))
    with pytest.raises(ValueError, match=r"row 2: .* first one of each.*ffill"):
        tasks.from_csv(
            path,
            "y",
            group_column="group",
            drop_missing=dropped,
            verbose=False,
        )


def test_numbers_with_an_apostrophe_before_them_are_noted(tmp_path):
    path = tmp_path / "text.csv"
    lines = [f"'{60 + n % 5},{n % 3},{'ab'[n % 2]}" for n in range(60)]
    path.write_text("weight,x,y\n" + "\n".join(lines))
    task = tasks.from_csv(path, "y", verbose=False)
    assert "numbers-as-text" in {finding.kind for finding in task.findings}
