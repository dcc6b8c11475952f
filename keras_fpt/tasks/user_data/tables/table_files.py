"""Reads tables of any format as frames of text cells."""

import contextlib
import csv
import itertools
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data.tables import (
    table_archives,
    table_arff,
    table_arrow,
    table_folders,
    table_headers,
    table_sheets,
    table_text,
)

if TYPE_CHECKING:
    import pandas as pd

TEXT = (".csv", ".tsv", ".txt", ".data", ".dat")
SUFFIXES = (*TEXT, *table_arrow.PARQUET, *table_arrow.ARROW, ".xlsx", ".arff")
# Their columns always have names.
NAMED = (*table_arrow.PARQUET, *table_arrow.ARROW, ".arff")
# Only this many rows at a time are Python strings, which take much memory.
ROWS_PER_CHUNK = 20_000
CELLS_AT_ONCE = 100_000
COLUMNS_SHOWN = 8

_flatten = itertools.chain.from_iterable


def is_table(path: str | os.PathLike) -> bool:
    """Whether a file, which may be compressed, has the suffix of a table."""
    path = pathlib.Path(path)
    if path.suffix.lower() == ".zip":
        return True
    name = pathlib.PurePath(table_archives.unpacked_name(path))
    return name.suffix.lower() in SUFFIXES


def read_table(
    path: str | os.PathLike, header: bool | None = None
) -> "pd.DataFrame":
    """Reads a table.

    Blank lines are skipped, and white space around cells is removed.

    Args:
        path: a file of text, whose encoding, separator and decimal comma are
            found; or a Parquet, Arrow, Excel or ARFF file. It may be
            compressed. Or a folder of Parquet files.
        header: bool, whether the first row names the columns. `None` expects
            that, and refuses a first row that looks like data.

    Returns:
        A `pandas.DataFrame` of strings, whose index counts the rows from 0.
        Columns of numbers in Parquet and Arrow files stay numbers: see
        `column` and `numbers`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is not a table; a row has too few or too many cells.
    """
    import pandas as pd

    chunks = [*read_chunks(path, header)]
    notes = format_notes(chunks[0])
    if not sum(map(len, chunks)):
        raise ValueError(f"`{path}` has no rows below its header.")
    frame = pd.concat(chunks, ignore_index=True)
    frame.attrs["format"] = notes
    return frame


def read_labels(path: str | os.PathLike) -> "pd.DataFrame":
    """Reads a table of the labels of another file's examples."""
    try:
        return read_table(path)
    except ValueError as error:
        advice = "Write a first row of names, such as id,label or label."
        text = str(error).replace(table_headers.ADVICE, advice)
        raise ValueError(text) from error


def read_chunks(
    path: str | os.PathLike, header: bool | None = None
) -> Iterator["pd.DataFrame"]:
    """Reads a table that may be larger than the memory, in chunks.

    Args:
        path: as for `read_table`.
        header: as for `read_table`.

    Yields:
        At least one `pandas.DataFrame`, as `read_table` returns, of some of
        the rows. The index counts them in the whole table.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: as for `read_table`.
    """
    import pandas as pd

    start = 0
    frames = table_folders.check_same_columns(
        (file, _read_file(file, header))
        for file in table_folders.files_of(path)
    )
    for frame in frames:
        frame.index = pd.RangeIndex(start, start + len(frame))
        start += len(frame)
        yield frame


def _read_file(
    path: pathlib.Path, header: bool | None
) -> Iterator["pd.DataFrame"]:
    source = table_archives.find_source(path)
    if source.suffix in NAMED:
        if header is False:
            raise ValueError(
                f"`{path}` names its columns itself: header=False "
                "(--no-header) does not apply."
            )
        header = True
    notes: list[str] = []
    if source.suffix in (*table_arrow.PARQUET, *table_arrow.ARROW):
        frames = table_arrow.read_chunks(source)
    else:
        frames, notes = _read_rows(source, header)
    for frame in frames:
        frame.attrs["format"] = notes
        yield frame


def format_notes(frame: "pd.DataFrame") -> list[str]:
    """What was found about a table's format, in no or a few lines."""
    return list(frame.attrs.get("format", ()))


def _read_rows(
    source: table_archives.Source, header: bool | None
) -> tuple[Iterator["pd.DataFrame"], list[str]]:
    """Frames of a file whose cells are text, and notes on its format."""
    with contextlib.ExitStack() as stack:
        encoding = "UTF-8"
        convert: Callable[[str], str] = str.strip
        if source.suffix == ".xlsx":
            rows, notes = table_sheets.open_rows(source)
        elif source.suffix == ".arff":
            rows, notes = table_arff.open_rows(source)
        else:
            text_format = table_text.find_format(source)
            notes = text_format.notes(source.suffix)
            if text_format.encoding != table_text.TextFormat().encoding:
                encoding = text_format.encoding
            if text_format.has_decimal_comma:
                convert = _with_decimal_point
            file, rows = table_text.open_rows(source, text_format)
            stack.enter_context(file)
        rows = _without_errors(rows, source.path, encoding)
        first = [*itertools.islice(rows, table_text.SAMPLE_ROWS)]
        first = [[convert(cell) for cell in row] for row in first]
        width = _used_width(first)
        names, is_header = table_headers.choose_names(
            [row[:width] for row in first], header, source.path
        )
        full_width = len(first[0]) if first else 0
        if header is False:
            notes = [*notes, "no header: columns are column_1, column_2, ..."]
        rows = _of_equal_length(
            itertools.chain(first[is_header:], rows),
            len(names),
            full_width,
            source.path,
        )
        closing = stack.pop_all()
    return _frames(rows, names, convert, closing), notes


def _frames(
    rows: Iterator[list[str]],
    names: Sequence[str],
    convert: Callable[[str], str],
    closing: contextlib.ExitStack,
) -> Iterator["pd.DataFrame"]:
    import pandas as pd

    with closing:
        is_empty = True
        # In one flat list: Python's garbage collector would go through lists
        # of rows again and again.
        while cells := [*_flatten(itertools.islice(rows, ROWS_PER_CHUNK))]:
            is_empty = False
            columns = {
                name: list(map(convert, cells[index :: len(names)]))
                for index, name in enumerate(names)
            }
            yield pd.DataFrame(columns, dtype=str)
        if is_empty:
            yield pd.DataFrame({name: [] for name in names}, dtype=str)


def _without_errors(
    rows: Iterator[list[str]], path: pathlib.Path, encoding: str
) -> Iterator[list[str]]:
    """Rows without blank lines, and without empty rows at the end.

    Errors name the row, counted below the header.
    """
    count = -1
    empty: list[list[str]] = []
    try:
        for row in rows:
            if not row:
                continue
            count += 1
            if len(row) > 1 and not any(row):
                empty.append(row)
                continue
            if empty:
                yield from empty
                empty = []
            yield row
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"`{path}` is not a table in {encoding}, after row "
            f"{max(count, 0)}: {error}"
        ) from error


def _used_width(rows: list[list[str]]) -> int:
    """The number of columns without those at the end that have no cells."""
    width = full = len(rows[0]) if rows else 0
    rows = [row for row in rows if len(row) == full]
    while width > 1 and not any(row[width - 1] for row in rows):
        width -= 1
    return width


def _of_equal_length(
    rows: Iterator[list[str]], width: int, full_width: int, path: pathlib.Path
) -> Iterator[list[str]]:
    """Checks each row's length, and cuts off the columns without cells."""
    for count, row in enumerate(rows, 1):
        if len(row) != full_width or (width < full_width and any(row[width:])):
            message = (
                f"`{path}`, row {count}: expected {width} cells but "
                f"received {len(row)}."
            )
            if width == 1 < len(row):
                message += (
                    " If the lines above it are no header of the columns but "
                    "a title or comment, delete them."
                )
            raise ValueError(message)
        yield row if width == full_width else row[:width]


def _with_decimal_point(cell: str) -> str:
    return table_text.with_decimal_point(cell.strip())


def column(
    frame: "pd.DataFrame", name: str, path: str | os.PathLike
) -> "pd.Series":
    """A column of a table, as text.

    Args:
        frame: what `read_table` returned.
        name: string.
        path: the table's file, for errors.

    Returns:
        A `pandas.Series` of strings.

    Raises:
        ValueError: the table has no column of that name.
    """
    import pandas as pd

    if name not in frame.columns:
        raise ValueError(
            f"`{path}` has no column '{name}'. It has "
            f"{list_columns(list(frame.columns))}."
        )
    values = frame[name]
    if pd.api.types.is_numeric_dtype(values.dtype):
        texts = values.astype(str)
        return texts.where(values.notna(), "").astype(str)
    return values if values.dtype == "str" else values.astype(str)


def parse(
    frame: "pd.DataFrame", columns: Sequence[str], path: str | os.PathLike
) -> np.ndarray:
    """Parses the numbers in some columns of a table.

    Args:
        frame: what `read_table` returned.
        columns: sequence of strings.
        path: the table's file, for errors.

    Returns:
        float64 array `(rows, columns)`, NaN where a cell is not a number.

    Raises:
        ValueError: a column is missing.
    """
    import pandas as pd

    for name in {*columns} - {*frame.columns}:
        column(frame, name, path)  # Raises.
    values = np.empty((len(frame), len(columns)))
    # Column by column, but for wide tables many at once.
    size = max(1, CELLS_AT_ONCE // max(1, len(frame)))
    for start in range(0, len(columns), size):
        block = frame[list(columns[start : start + size])]
        end = start + block.shape[1]
        if all(map(pd.api.types.is_numeric_dtype, block.dtypes)):
            values[:, start:end] = block.to_numpy(float)
            continue
        cells = block.to_numpy(object)
        parsed = pd.to_numeric(pd.Series(cells.ravel("F")), errors="coerce")
        values[:, start:end] = parsed.to_numpy(float).reshape(
            cells.shape, order="F"
        )
    return values


def numbers(
    frame: "pd.DataFrame",
    columns: Sequence[str],
    path: str | os.PathLike,
    advice: str = "",
) -> np.ndarray:
    """Parses columns of a table in which every cell is a number.

    Args:
        frame: what `read_table` returned.
        columns: sequence of strings.
        path: the table's file, for errors.
        advice: string, added to the error about a cell.

    Returns:
        float64 array `(rows, columns)`.

    Raises:
        ValueError: a column is missing, or a cell is not a finite number.
    """
    values = parse(frame, columns, path)
    index = first_column(~np.isfinite(values))
    if index is not None:
        row = int(np.argmin(np.isfinite(values[:, index])))
        message = cell_error(frame, row, columns[index], where_in(frame, path))
        raise ValueError(message + advice)
    return values


def first_column(is_wrong: np.ndarray) -> int | None:
    """The first column of an array that is true somewhere, or `None`."""
    found = np.flatnonzero(is_wrong.any(axis=0))
    return int(found[0]) if len(found) else None


def cell_error(
    frame: "pd.DataFrame", row: int, name: str, where: Callable[[int], str]
) -> str:
    """What is wrong with a cell that should hold a finite number.

    Args:
        frame: what `read_table` returned.
        row: int, the place of the row in the frame.
        name: string, the column.
        where: function from a row to words that say where it is.
    """
    cell = column(frame, name, "").iloc[row]
    message = (
        f"{where(row)}, column '{name}': expected a finite number but "
        f"received '{cell}'.{table_text.comma_advice(cell)}"
    )
    found = "; ".join(format_notes(frame))
    if "encoding" in found:
        message += f" The file is not in UTF-8 but was read as: {found}."
    return message


def where_in(
    frame: "pd.DataFrame", path: str | os.PathLike
) -> Callable[[int], str]:
    """A function that names a row, whose place in the frame is given."""
    return lambda row: f"`{path}`, row {frame.index[row] + 1}"


def list_columns(columns: Sequence[str]) -> str:
    """The first columns' names and, if there are more, their number."""
    shown = ", ".join(map(str, columns[:COLUMNS_SHOWN]))
    if len(columns) <= COLUMNS_SHOWN:
        return shown
    return f"{shown}, ... ({len(columns)})"
