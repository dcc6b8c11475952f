"""Yields the rows of an Excel workbook's first sheet."""

import datetime
import io
import re
import shlex
import zipfile
from collections.abc import Iterator
from typing import Any

from keras_fpt.files import unpacking
from keras_fpt.tasks.user_data.tables.table_archives import Source

# Digits with a zero in front, such as a postal code.
_CODE = re.compile("0[0-9]+")


def open_rows(source: Source) -> tuple[Iterator[list[str]], list[str]]:
    """Opens the first sheet of a workbook.

    Args:
        source: a `Source` of an `.xlsx` file.

    Returns:
        A tuple: iterator of the cells of each row, as text; and notes.

    Raises:
        ValueError: the file is damaged, or its sheet is empty.
    """
    import openpyxl

    with source.open() as file:
        content = io.BytesIO(file.read())
    try:
        with zipfile.ZipFile(content) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        unpacking.check_size(len(content.getvalue()), size, source.path)
        # Values of formulas, not the formulas.
        book = openpyxl.load_workbook(content, read_only=True, data_only=True)
        sheets = book.worksheets
    except MemoryError:  # The workbook is too large, not damaged.
        raise
    # Damaged workbooks raise errors of almost any type.
    except Exception as error:
        raise _damaged(source, error) from error
    if not sheets:
        raise ValueError(f"`{source.path}` has no sheet.")
    # What Excel shows first.
    shown = [s for s in sheets if s.sheet_state == "visible"] or sheets
    others = [sheet.title for sheet in sheets if sheet is not shown[0]]
    notes = []
    if others:
        first = "the first" if shown[0] is sheets[0] else "the first shown"
        notes = [
            f"sheet: {shown[0].title}, {first} of {len(sheets)} (not read: "
            f"{', '.join(others)})"
        ]
    return _rows(shown[0], source, notes), notes


def _rows(sheet: Any, source: Source, notes: list[str]) -> Iterator[list[str]]:
    """Yields the cells of each row; at the end, there may be more notes."""
    codes: dict[int, str] = {}
    numbers: dict[int, str] = {}
    names: list[str] = []
    try:
        # What a workbook says of its size may be wrong.
        sheet.reset_dimensions()
        width = 0
        for row in sheet.rows:
            texts = [_as_text(cell) for cell in row]
            names = names or texts
            for column, (cell, text) in enumerate(zip(row, texts, strict=True)):
                if isinstance(cell.value, int):
                    numbers.setdefault(column, text)
                elif text[:1] == "0" and _CODE.fullmatch(text):
                    codes.setdefault(column, text)
            # The cells at the end of a row may be left out if empty.
            if not width and any(texts):
                width = len(texts)
            yield texts + [""] * (width - len(texts))
        notes += [
            f"column '{names[column]}' mixes text such as '{code}' and numbers "
            f"such as {numbers[column]}, from which Excel may have cut zeros "
            "in front: if they are codes, format the whole column as text, and "
            f"add --category-column {shlex.quote(names[column])}"
            for column, code in codes.items()
            if column in numbers and column < len(names)
        ]
    except MemoryError:
        raise
    except Exception as error:
        raise _damaged(source, error) from error


def _as_text(cell: Any) -> str:
    """The text of a cell; an error such as #DIV/0! is a missing value."""
    value = cell.value
    if value is None or cell.data_type == "e":
        return ""
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    return str(value)


def _damaged(source: Source, error: Exception) -> ValueError:
    return ValueError(f"`{source.path}` is not a readable workbook: {error}")
