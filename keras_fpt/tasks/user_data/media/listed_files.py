"""The files that the rows of a table name."""

import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from keras_fpt.tasks.user_data.media import file_index
from keras_fpt.tasks.user_data.tables import cells, table_columns, table_files

if TYPE_CHECKING:
    import pandas as pd


class Wanted(NamedTuple):
    """The columns to read from a table of files; see `from_file_table`.

    Args:
        file_column: string.
        label_columns: strings; none if labels are not needed.
        others: strings, the columns of groups and splits.
        missing: strings, cells that mark a missing label.
        drop_missing: bool, whether rows without a label or a file are left
            out.
        header: bool, or `None`.
        encoding: string, or `None`.
    """

    file_column: str
    label_columns: Sequence[str] = ()
    others: Sequence[str] = ()
    missing: Sequence[str] = ()
    drop_missing: bool = False
    header: bool | None = None
    encoding: str | None = None


class Listed(NamedTuple):
    """The files that a table names, each of them once.

    Args:
        path: the table.
        files: list of n paths.
        names: list of n strings, the paths from the folder of all files.
        rows: list of n ints, the first row that names each.
        cells: dict from columns to n texts.
        beside: `pandas.DataFrame` of the n rows and of all columns.
        notes: strings, what was left out.
    """

    path: pathlib.Path
    files: list[pathlib.Path]
    names: list[str]
    rows: list[int]
    cells: dict[str, list[str]]
    beside: "pd.DataFrame"
    notes: list[str]

    def where(self, index: int) -> str:
        """Words that say which row names a file, for errors."""
        return f"`{self.path}`, row {self.rows[index] + 1}"


def find_listed(path: pathlib.Path, wanted: Wanted) -> Listed:
    """Finds the files that a table names.

    Args:
        path: the table.
        wanted: a `Wanted`.

    Raises:
        FileNotFoundError: the table does not exist.
        ValueError: it lacks a column; a row names no file, or several; or two
            rows that name one file contradict each other.
    """
    frame = table_files.read_table(path, wanted.header, wanted.encoding)
    notes = table_columns.format_notes(frame)
    file_column = wanted.file_column
    used = [*wanted.label_columns, *wanted.others]
    columns = {
        name: table_columns.column(frame, name, path)
        for name in (*used, file_column)
    }
    frame = frame.assign(**columns)
    rows = np.arange(len(frame))
    if wanted.drop_missing:
        is_missing = cells.is_missing(columns[file_column], wanted.missing)
        for name in wanted.label_columns:
            is_missing |= cells.is_missing(columns[name], wanted.missing)
        rows = rows[~is_missing]
        if is_missing.any():
            notes.append(
                f"left out: {is_missing.sum():,} rows without a label or a file"
            )
    index = file_index.FileIndex(path, frame, wanted.others)
    files: dict[pathlib.Path, int] = {}
    not_found = []
    num_repeated = 0
    for row in rows.tolist():
        file = index.find(row, file_column)
        if file is None:
            not_found.append(row)
        elif file in files:
            _check_repeated(frame, path, used, file, files[file], row)
            num_repeated += 1
        else:
            files[file] = row
    if not_found and not wanted.drop_missing:
        cell = frame[file_column].iloc[not_found[0]]
        raise ValueError(
            f"`{path}`, row {not_found[0] + 1}, column '{file_column}': there "
            f"is no file '{cell}' in `{index.root.resolve()}` or below it "
            f"({len(not_found):,} of {len(frame):,} rows name no file). Put "
            "the table into the folder of the files or above it, or leave such "
            "rows out with drop_missing (--drop-missing)."
        )
    if not_found:
        notes.append(f"left out: {len(not_found):,} rows whose file is missing")
    if num_repeated:
        notes.append(f"listed again: {num_repeated:,} rows, read once")
    if not files:
        raise ValueError(f"`{path}` names no file that exists.")
    kept = list(files.values())
    return Listed(
        path,
        list(files),
        [os.path.relpath(file, index.root) for file in files],
        kept,
        {name: frame[name].iloc[kept].astype(str).tolist() for name in used},
        frame.iloc[kept],
        notes + index.note_unlisted(files),
    )


def find_new(
    path: str | os.PathLike,
    file_column: str | None,
    header: bool | None,
    encoding: str | None,
    label_columns: Sequence[str] = (),
) -> Listed | None:
    """Finds the files of a new table, which needs no labels.

    Args:
        path: a file or folder.
        file_column: string, the column of files in training, or `None`.
        header, encoding: as in `Wanted`.
        label_columns: strings, the columns of labels that are read.

    Returns:
        `Listed`, or `None` if the path is no table with such a column.

    Raises:
        ValueError: as for `find`.
    """
    path = pathlib.Path(path)
    if file_column is None or not path.is_file():
        return None
    if not table_files.is_table(path):
        return None
    first = next(table_files.read_chunks(path, header, encoding))
    if file_column not in first.columns:
        return None
    return find_listed(
        path,
        Wanted(file_column, label_columns, header=header, encoding=encoding),
    )


def check_apart(parts: Sequence[Listed]) -> None:
    """Checks that no file is in two tables, of which each is a split.

    Raises:
        ValueError: one is.
    """
    seen: dict[pathlib.Path, str] = {}
    for part in parts:
        for index, file in enumerate(part.files):
            resolved = file.resolve()
            if resolved in seen:
                raise ValueError(
                    f"{part.where(index)}: `{file}` is in {seen[resolved]}, "
                    "too, so it would be in two splits. Remove one of the rows."
                )
            seen[resolved] = part.where(index)


def _check_repeated(
    frame: "pd.DataFrame",
    path: pathlib.Path,
    columns: Sequence[str],
    file: pathlib.Path,
    first: int,
    row: int,
) -> None:
    """Checks that rows that name the same file agree.

    Raises:
        ValueError: they do not.
    """
    for name in columns:
        before, now = frame[name].iloc[first], frame[name].iloc[row]
        if before != now:
            raise ValueError(
                f"`{path}`, row {row + 1}: '{now}' in '{name}' contradicts "
                f"'{before}' in row {first + 1}, which names the same file, "
                f"`{file}`."
            )
