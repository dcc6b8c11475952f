"""Reads tables of any format as frames of text cells."""

import contextlib
import csv
import itertools
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from keras_fpt.tasks.user_data.tables import (
    table_archives,
    table_arff,
    table_arrow,
    table_columns,
    table_encodings,
    table_folders,
    table_headers,
    table_rows,
    table_sheets,
    table_text,
    thousands,
)

if TYPE_CHECKING:
    import pandas as pd

TEXT = (".csv", ".tsv", ".txt", ".data", ".dat")
SUFFIXES = (*TEXT, *table_arrow.PARQUET, *table_arrow.ARROW, ".xlsx", ".arff")
# Their columns always have names.
NAMED = (*table_arrow.PARQUET, *table_arrow.ARROW, ".arff")
# Only this many rows at a time are Python strings, which take much memory.
ROWS_PER_CHUNK = 20_000

QUOTES = ' Within a cell in quotes, write a quote twice: "5"" pipe".'

_flatten = itertools.chain.from_iterable


def is_table(path: str | os.PathLike) -> bool:
    """Whether a file, which may be compressed, has the suffix of a table."""
    path = pathlib.Path(path)
    if path.suffix.lower() == ".zip":
        return True
    name = pathlib.PurePath(table_archives.unpacked_name(path))
    return name.suffix.lower() in SUFFIXES


def read_table(
    path: str | os.PathLike,
    header: bool | None = None,
    encoding: str | None = None,
    texts: Sequence[str] = (),
) -> "pd.DataFrame":
    """Reads a table.

    Blank lines are skipped, and white space around cells is removed.

    Args:
        path: a file of text, whose encoding, separator and decimal comma are
            found; or a Parquet, Arrow, Excel or ARFF file. It may be
            compressed. Or a folder of Parquet files.
        header: bool, whether the first row names the columns. `None` expects
            that, and refuses a first row that looks like data.
        encoding: string, that of a file of text which is not UTF-8; `None`
            finds it.
        texts: sequence of strings, columns of text, in which 1,5 is no number
            in a table with decimal commas.

    Returns:
        A `pandas.DataFrame` of strings, whose index counts the rows from 0.
        Columns of numbers in Parquet and Arrow files stay numbers: see
        `column` and `numbers`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is not a table; a row has too few or too many cells.
    """
    import pandas as pd

    chunks = [*read_chunks(path, header, encoding, texts)]
    notes = table_columns.format_notes(chunks[0])
    if not sum(map(len, chunks)):
        raise ValueError(
            f"`{path}` has no rows below its header."
            f"{table_columns.sheet_advice(chunks[0])}"
        )
    frame = pd.concat(chunks, ignore_index=True)
    frame.attrs["format"] = notes
    return frame


def read_labels(
    path: str | os.PathLike, encoding: str | None = None
) -> "pd.DataFrame":
    """Reads a table of the labels of another file's examples."""
    try:
        return read_table(path, encoding=encoding)
    except ValueError as error:
        advice = "Write a first row of names, such as id,label or label."
        text = str(error).replace(table_headers.ADVICE, advice)
        raise ValueError(text) from error


def read_chunks(
    path: str | os.PathLike,
    header: bool | None = None,
    encoding: str | None = None,
    texts: Sequence[str] = (),
) -> Iterator["pd.DataFrame"]:
    """Reads a table that may be larger than the memory, in chunks.

    Args:
        path: as for `read_table`.
        header: as for `read_table`.
        encoding: as for `read_table`.
        texts: as for `read_table`.

    Yields:
        At least one `pandas.DataFrame`, as `read_table` returns, of some of
        the rows. The index counts them in the whole table.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: as for `read_table`.
    """
    import pandas as pd

    start, empty = 0, None
    frames = table_folders.check_same_columns(
        (file, _read_file(file, header, encoding, texts))
        for file in table_folders.files_of(path)
    )
    for frame in frames:
        if not len(frame):  # Spark writes such files.
            empty = frame
            continue
        frame.index = pd.RangeIndex(start, start + len(frame))
        start += len(frame)
        yield frame
    if not start and empty is not None:
        yield empty


def _read_file(
    path: pathlib.Path,
    header: bool | None,
    encoding: str | None,
    texts: Sequence[str],
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
        frames, notes = _read_rows(source, header, encoding, texts)
    for frame in frames:
        frame.attrs["format"] = notes
        yield frame


def _read_rows(
    source: table_archives.Source,
    header: bool | None,
    named: str | None,
    texts: Sequence[str],
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
            text_format = table_text.find_format(source, named)
            notes = text_format.notes(source.suffix)
            if text_format.encoding != table_text.TextFormat().encoding:
                encoding = text_format.encoding
            if text_format.has_decimal_comma:
                convert = _with_decimal_point
            file, rows = table_text.open_rows(source, text_format)
            stack.enter_context(file)
        rows = _without_errors(rows, source.path, encoding)
        first = [*itertools.islice(rows, table_text.SAMPLE_ROWS)]
        first = [[cell.strip() for cell in row] for row in first]
        width = table_rows.used_width(first)
        names, is_header = table_headers.choose_names(
            [[convert(cell) for cell in row[:width]] for row in first],
            header,
            source.path,
        )
        if header is False:
            notes.append("no header: columns are column_1, column_2, ...")
        first = first[is_header:]
        if convert is _with_decimal_point:
            # The first rows are the sample that showed decimal commas.
            rows = thousands.check_rows(
                rows, names, len(first) + 1, source.path
            )
        rows = table_rows.of_equal_length(
            itertools.chain(first, rows), names, source.path
        )
        closing = stack.pop_all()
    converts = [str.strip if name in texts else convert for name in names]
    return _frames(rows, names, converts, closing), notes


def _frames(
    rows: Iterator[list[str]],
    names: Sequence[str],
    converts: Sequence[Callable[[str], str]],
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
                for index, (name, convert) in enumerate(
                    zip(names, converts, strict=True)
                )
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
            f"{max(count, 0)}: {error}."
            f"{QUOTES if isinstance(error, csv.Error) else ''}"
            f"{table_encodings.ADVICE if encoding != 'UTF-8' else ''}"
        ) from error


def _with_decimal_point(cell: str) -> str:
    return table_text.with_decimal_point(cell.strip())
