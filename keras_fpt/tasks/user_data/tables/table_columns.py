"""The columns of a table: found by name, and parsed as numbers."""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data.tables import table_text, thousands

if TYPE_CHECKING:
    import pandas as pd

CELLS_AT_ONCE = 100_000
COLUMNS_SHOWN = 8


def format_notes(frame: "pd.DataFrame") -> list[str]:
    """Notes on a table's format, in at most a few lines."""
    return list(frame.attrs.get("format", ()))


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
            f"`{path}` has no column '{name}'. Its columns are "
            f"{list_columns(list(frame.columns))}."
            f"{sheet_advice(frame)}"
        )
    values = frame[name]
    if pd.api.types.is_numeric_dtype(values.dtype):
        texts = values.astype(str)
        return texts.where(values.notna(), "").astype(str)
    return values if values.dtype == "str" else values.astype(str)


def names(frame: "pd.DataFrame", name: str) -> "pd.Series":
    """A column whose cells name something, as text.

    Numbers in Parquet files are written as in text: 3 also where pandas has
    3.0, since another cell is empty.

    Args:
        frame: what `read_table` returned.
        name: string.
    """
    texts = column(frame, name, "")
    if are_typed(frame, name):
        texts = texts.str.removesuffix(".0")
    return texts


def sheet_advice(frame: "pd.DataFrame") -> str:
    """What to do if the data may be in another sheet of a workbook."""
    sheets = [n for n in format_notes(frame) if n.startswith("sheet: ")]
    if not sheets:
        return ""
    return (
        f" That is the {sheets[0]}. If the data is in another one, put it "
        "first, or save it by itself."
    )


def are_typed(frame: "pd.DataFrame", name: str) -> bool:
    """Whether a column holds numbers, as in Parquet files, and no text."""
    import pandas as pd

    return pd.api.types.is_numeric_dtype(frame[name].dtype)


def need_no_text(frame: "pd.DataFrame", name: str, values: np.ndarray) -> bool:
    """Whether a column holds finite numbers and NaN, and no text.

    Text of many numbers takes long to make.
    """
    return are_typed(frame, name) and not np.isinf(values).any()


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
    # Column by column; for wide tables, many at a time.
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
    check_points(frame, columns, values, where_in(frame, path))
    index = first_column(~np.isfinite(values))
    if index is not None:
        row = int(np.argmin(np.isfinite(values[:, index])))
        message = cell_error(frame, row, columns[index], where_in(frame, path))
        raise ValueError(message + advice)
    return values


def check_points(
    frame: "pd.DataFrame",
    columns: Sequence[str],
    values: np.ndarray,
    where: Callable[[int], str],
) -> None:
    """Raises `ValueError` if points of numbers may separate thousands.

    Args:
        frame: what `read_table` returned.
        columns: sequence of strings.
        values: float array `(rows, columns)`, what `parse` returned.
        where: function from a row to words that say where it is.
    """
    found = "; ".join(format_notes(frame))
    if table_text.NAMES[";"] in found and "decimal comma" not in found:
        for name, numbers_of in zip(columns, values.T, strict=True):
            thousands.check_column(column(frame, name, ""), numbers_of, where)


def first_column(is_wrong: np.ndarray) -> int | None:
    """The first column of an array that is true somewhere, or `None`."""
    found = np.flatnonzero(is_wrong.any(axis=0))
    return int(found[0]) if len(found) else None


def cell_error(
    frame: "pd.DataFrame", row: int, name: str, where: Callable[[int], str]
) -> str:
    """The error about a cell that should be a finite number.

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
