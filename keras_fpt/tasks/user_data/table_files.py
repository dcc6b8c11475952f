"""Reads CSV and TSV files as tables of text cells."""

import collections
import csv
import itertools
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

# Only this many rows at a time are Python strings, which take much memory.
ROWS_PER_CHUNK = 20_000
CELLS_AT_ONCE = 100_000
COLUMNS_SHOWN = 8

_flatten = itertools.chain.from_iterable


def read_table(path: str | os.PathLike) -> "pd.DataFrame":
    """Reads a table with a header.

    Blank lines are skipped, and white space around cells is removed.

    Args:
        path: a `.csv` or `.tsv` file in UTF-8.

    Returns:
        A `pandas.DataFrame` of strings.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is not a table; a row has too few or too many cells.
    """
    import pandas as pd

    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file `{path}`.")
    rows = _parse_rows(path)
    header = next(rows)
    chunks = []
    # In one flat list: Python's garbage collector would go through lists of
    # rows again and again.
    while cells := [*_flatten(itertools.islice(rows, ROWS_PER_CHUNK))]:
        columns = {
            name: list(map(str.strip, cells[index :: len(header)]))
            for index, name in enumerate(header)
        }
        chunks.append(pd.DataFrame(columns, dtype=str))
    if not chunks:
        raise ValueError(f"`{path}` has no rows below its header.")
    return pd.concat(chunks, ignore_index=True)


def _parse_rows(path: pathlib.Path) -> Iterator[list[str]]:
    """Yields the cells of the header, and then those of each row."""
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    count = 0
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter=separator, strict=True)
            header = [name.strip() for name in next(rows, [])]
            _check_header(header, path)
            yield header
            for row in rows:
                if not row:
                    continue
                count += 1
                if len(row) != len(header):
                    raise ValueError(
                        f"`{path}`, row {count}: expected {len(header)} cells "
                        f"but received {len(row)}."
                    )
                yield row
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"`{path}` is not a table in UTF-8, after row {count}: {error}"
        ) from error


def _check_header(header: list[str], path: pathlib.Path) -> None:
    if "" in header:
        raise ValueError(
            f"`{path}`: column {header.index('') + 1} has no name. Name it, "
            "or, if it is pandas's index, write the file with index=False."
        )
    counts = collections.Counter(header)
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise ValueError(
            f"`{path}` has more than one column '{min(repeated)}'."
        )


def column(
    frame: "pd.DataFrame", name: str, path: str | os.PathLike
) -> "pd.Series":
    """A column of a table.

    Args:
        frame: what `read_table` returned.
        name: string.
        path: the table's file, for errors.

    Returns:
        A `pandas.Series` of strings.

    Raises:
        ValueError: the table has no column of that name.
    """
    if name not in frame.columns:
        raise ValueError(
            f"`{path}` has no column '{name}'. It has "
            f"{list_columns(list(frame.columns))}."
        )
    return frame[name]


def numbers(
    frame: "pd.DataFrame",
    columns: Sequence[str],
    path: str | os.PathLike,
    advice: str = "",
) -> np.ndarray:
    """Parses the numbers in some columns of a table.

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
    import pandas as pd

    for name in {*columns} - {*frame.columns}:
        column(frame, name, path)  # Raises.
    values = np.empty((len(frame), len(columns)))
    # Column by column, but for wide tables many at once.
    size = max(1, CELLS_AT_ONCE // len(frame))
    for start in range(0, len(columns), size):
        names = list(columns[start : start + size])
        cells = frame[names].to_numpy(object)
        parsed = pd.to_numeric(pd.Series(cells.ravel("F")), errors="coerce")
        block = parsed.to_numpy(float).reshape(cells.shape, order="F")
        is_wrong = ~np.isfinite(block)
        if is_wrong.any():
            index = int(np.argmax(is_wrong.any(axis=0)))
            row = int(np.argmax(is_wrong[:, index]))
            raise ValueError(
                f"`{path}`, row {row + 1}, column '{names[index]}': expected "
                f"a finite number but received '{cells[row, index]}'.{advice}"
            )
        values[:, start : start + size] = block
    return values


def list_columns(columns: Sequence[str]) -> str:
    """The first columns' names and, if there are more, their number."""
    shown = ", ".join(map(str, columns[:COLUMNS_SHOWN]))
    if len(columns) <= COLUMNS_SHOWN:
        return shown
    return f"{shown}, ... ({len(columns)})"
