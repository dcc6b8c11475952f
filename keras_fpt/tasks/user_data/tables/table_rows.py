"""Checks the rows of a table: their length, and that they are rows of data."""

import os
from collections.abc import Iterator, Sequence

COMMENTS = ("#", "%", "//")


def used_width(rows: list[list[str]]) -> int:
    """The number of columns without those at the end that have no cells."""
    width = full = len(rows[0]) if rows else 0
    rows = [row for row in rows if len(row) == full]
    while width > 1 and not any(row[width - 1] for row in rows):
        width -= 1
    return width


def of_equal_length(
    rows: Iterator[list[str]],
    names: Sequence[str],
    path: str | os.PathLike,
) -> Iterator[list[str]]:
    """Yields rows with one cell per column.

    Empty cells after the last column, as a separator at the end of a line
    makes them, are left out.

    Args:
        rows: iterator of rows, without the header.
        names: sequence of strings, the columns.
        path: the table's file, for errors.

    Raises:
        ValueError: a row has too few or too many cells, or repeats the header.
    """
    width, header = len(names), list(names)
    for count, row in enumerate(rows, 1):
        size = len(row)
        if size != width:
            if size < width or any(row[width:]):
                raise ValueError(_length_error(row, width, count, path))
            row = row[:width]
        if row == header and width > 1:
            raise ValueError(
                f"`{path}`, row {count} repeats the names of the columns, as "
                "where files were joined. Delete it."
            )
        yield row


def _length_error(
    row: list[str], width: int, count: int, path: str | os.PathLike
) -> str:
    message = (
        f"`{path}`, row {count}: expected {width} cells but received {len(row)}"
    )
    further = [cell for cell in row[width:] if cell]
    if len(row) == 1 or further:
        message += f": '{(further or row)[-1]}'"
    message += "."
    if width == 1 < len(row):
        return message + (
            " If the lines above it are no header of the columns but a title "
            "or comment, delete them."
        )
    if len(row) == 1 or row[0].startswith(COMMENTS):
        return message + " If it is a note or a comment, delete it."
    if len(row) == width + 1 and count == 1:
        return message + (
            " If the first cell of each row is its name, give that column a "
            "name in the header, too."
        )
    return message
