"""Finds the separator of a text file, and yields its rows."""

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from keras_fpt.tasks.user_data.tables import cells, table_encodings
from keras_fpt.tasks.user_data.tables.table_archives import Source

SAMPLE_CHARACTERS = 2**18
SAMPLE_ROWS = 100
WHITE_SPACE = " "
# Of an encoding that no mark tells.
ADVICE = " (--encoding names another)"
NAMES = {
    ",": "commas",
    ";": "semicolons",
    "\t": "tabs",
    "|": "vertical bars",
    WHITE_SPACE: "white space",
}
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", re.ASCII)
DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?", re.ASCII)
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+", re.ASCII)
THOUSANDS_POINT = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+", re.ASCII)
_MONEY = r"(?:[$€£¥₹]|USD|EUR|GBP)?"
# Numbers in a spelling that is not read.
_LIKE_NUMBERS = re.compile(
    rf"\(?[+\-−–]?\s*{_MONEY}\s*[+\-−–]?\d[\d.,'’_\s]*(?:[eEdD][+-]?\d+)?\s*"
    rf"(?:[%‰]|{_MONEY})\)?|['’`]\s*[+\-−–]?\d[\d.,]*|0[xX][0-9a-fA-F]+|\d+\s*/\s*\d+"
)
# Some programs write a line such as `sep=;` for Excel.
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)


class TextFormat(NamedTuple):
    """The text format of a table.

    Args:
        encoding: string, the name of one of Python's codecs.
        separator: string, one of `NAMES`.
        has_decimal_comma: bool, whether numbers are written as 1,5.
        is_named: bool, whether the first line names the separator.
        line_end: string, what ends each row, such as `;`.
        word: string, one that shows whether the encoding is right.
        point: string, a number that all of whose kind may have their point
            between thousands, or ''.
    """

    encoding: str = table_encodings.UTF_8
    separator: str = ","
    has_decimal_comma: bool = False
    is_named: bool = False
    line_end: str = ""
    word: str = ""
    point: str = ""

    def notes(self, suffix: str) -> list[str]:
        """Notes what is not the default, in at most one line."""
        found = []
        if self.separator != ("\t" if suffix == ".tsv" else ","):
            found.append(f"separated by {NAMES[self.separator]}")
        if self.has_decimal_comma:
            found.append("decimal comma")
        if self.encoding != table_encodings.UTF_8:
            guess = "" if self.encoding.startswith("utf") else ADVICE
            shown = f", as in '{self.word}'" if self.word else ""
            found.append(f"encoding {self.encoding}{shown}{guess}")
        if self.point:
            found.append(f"{self.point} has a decimal point")
        return [f"format: {', '.join(found)}"] if found else []


def find_format(source: Source, encoding: str | None = None) -> TextFormat:
    """Finds the format of a table from its first rows.

    Args:
        source: a `Source`.
        encoding: string, the name of one of Python's codecs; `None` finds it.

    Raises:
        ValueError: the file does not hold text.
    """
    encoding = table_encodings.find_encoding(source, encoding)
    with _open_text(source, encoding) as file:
        try:
            text = file.read(SAMPLE_CHARACTERS)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"`{source.path}` is not text in {encoding}: {error}."
                f"{table_encodings.ADVICE}"
            ) from error
    named = _SEPARATOR_LINE.match(text)
    if named:
        text = text[named.end() :]
    # `str.splitlines` would also split at characters within cells.
    lines = [*io.StringIO(text, newline="")]
    if len(text) >= SAMPLE_CHARACTERS:
        lines = lines[:-1]  # It may be cut off.
    if named and named[1] in NAMES:
        separator = named[1]
    else:
        separator = _find_separator(lines, source.suffix)
    rows = _sample(lines, separator)
    ends = {row[-1][-1:] for row in rows}
    has_end = separator == "," and ends == {";"}
    return TextFormat(
        encoding,
        separator,
        _has_decimal_comma(rows),
        bool(named),
        ";" if has_end else "",
        _first_word_beyond_ascii(text),
        _ambiguous_point(rows) if separator == ";" else "",
    )


def open_rows(
    source: Source, text_format: TextFormat
) -> tuple[io.TextIOBase, Iterator[list[str]]]:
    """Opens a table.

    Returns:
        A tuple: the file, which is to be closed; and an iterator of the cells
        of each row, with the header, which raises `csv.Error` and
        `UnicodeDecodeError`.
    """
    file = _open_text(source, text_format.encoding)
    if text_format.is_named:
        file.readline()
    rows = _split(file, text_format.separator)
    if text_format.line_end:
        rows = _without_end(rows, text_format.line_end)
    return file, rows


def with_decimal_point(cell: str) -> str:
    """A cell with a point in place of a decimal comma."""
    return cell.replace(",", ".") if DECIMAL_COMMA.fullmatch(cell) else cell


def is_like_number(cell: str) -> bool:
    """Whether a cell is a number in a spelling that is not read."""
    return _LIKE_NUMBERS.fullmatch(cell) is not None


def comma_advice(cell: str) -> str:
    """Advice on a number whose spelling cannot be read, or ''."""
    if THOUSANDS.fullmatch(cell) and cell.count(",") == 1:
        return (
            f" It may be {cell.replace(',', '.')} or {cell.replace(',', '')}: "
            "write it with a decimal point, or without a separator of "
            "thousands."
        )
    if re.fullmatch(r"[+-]?[1-9]\d{0,2}(?:([,.' ])\d{3})+(?:[.,]\d+)?", cell):
        return " Write numbers without separators of thousands."
    if DECIMAL_COMMA.fullmatch(cell):
        return (
            " It has a decimal comma, but other numbers of the table do not: "
            "write all with a decimal point."
        )
    if is_like_number(cell):
        return (
            " Write numbers plainly: digits, a decimal point and '-', without "
            "signs of percent or money."
        )
    return ""


def _open_text(source: Source, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(source.open(), encoding=encoding, newline="")


def _split(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    if separator == WHITE_SPACE:
        return _split_at_white_space(lines)
    return csv.reader(lines, delimiter=separator, strict=True)


def _split_at_white_space(lines: Iterable[str]) -> Iterator[list[str]]:
    for line in lines:
        if '"' in line or "'" in line:
            quote = '"' if '"' in line else "'"
            line = re.sub(r"\s+", " ", line.strip())
            yield from csv.reader([line], delimiter=" ", quotechar=quote)
        else:
            yield line.split()


def _without_end(
    rows: Iterator[list[str]], line_end: str
) -> Iterator[list[str]]:
    for row in rows:
        if row:
            row[-1] = row[-1].removesuffix(line_end)
        yield row


def _sample(lines: list[str], separator: str) -> list[list[str]]:
    """The first rows; none if the separator does not fit them."""
    try:
        rows = (row for row in _split(lines, separator) if any(row))
        return list(itertools.islice(rows, SAMPLE_ROWS))
    except csv.Error:
        return []


def _find_separator(lines: list[str], suffix: str) -> str:
    """The separator that makes rows of equal length.

    That of the suffix is taken if it does so, unless another one also does
    and more cells are then numbers.
    """
    default = "\t" if suffix == ".tsv" else ","
    candidates = [default, *(s for s in ",;\t|" if s != default)]
    scores: dict[str, float] = {}
    for separator in candidates:
        rows = _sample(lines, separator)
        lengths = {len(row) for row in rows}
        if len(lengths) == 1 and min(lengths) > 1:
            flat = [*itertools.chain.from_iterable(rows)]
            scores[separator] = sum(map(_is_number, flat)) / len(flat)
    if scores:
        # Of equal ones, the first.
        return max(scores, key=scores.__getitem__)
    sizes = [len(row) for row in _sample(lines, WHITE_SPACE)]
    # A header may lack a name for the rows' names, which is another error.
    width = max(sizes, default=0)
    is_named = width > 1 and sizes[0] >= min(width, max(2, width - 1))
    if is_named and {*sizes[1:]} <= {width}:
        return WHITE_SPACE
    return default


def _is_number(cell: str) -> bool:
    return cells.as_number(with_decimal_point(cell.strip())) is not None


def _first_word_beyond_ascii(text: str) -> str:
    found = re.search(r"\w*[^\W\x00-\x7f]\w*", text)
    return found[0] if found else ""


def _ambiguous_point(rows: list[list[str]]) -> str:
    """A number whose point may separate thousands, if no other one tells."""
    flat = {cell.strip() for row in rows for cell in row}
    with_point = [cell for cell in flat if DECIMAL_POINT.fullmatch(cell)]
    if with_point and all(map(THOUSANDS_POINT.fullmatch, with_point)):
        return min(with_point)
    return ""


def _has_decimal_comma(rows: list[list[str]]) -> bool:
    """Whether some numbers have a decimal comma, and none has a point.

    A comma before three digits may also separate thousands.
    """
    flat = {cell.strip() for row in rows for cell in row}
    with_comma = [cell for cell in flat if DECIMAL_COMMA.fullmatch(cell)]
    with_comma = [cell for cell in with_comma if not THOUSANDS.fullmatch(cell)]
    with_point = [cell for cell in flat if DECIMAL_POINT.fullmatch(cell)]
    are_thousands = all(map(THOUSANDS_POINT.fullmatch, with_point))
    if with_comma and with_point and are_thousands:
        point = min(with_point)
        raise ValueError(
            f"Cells such as '{min(with_comma)}' have a decimal comma, and "
            f"others such as '{point}' a point: is that "
            f"{point.replace('.', '')} or {point}? Write all numbers with a "
            "decimal point, and without separators of thousands."
        )
    return bool(with_comma) and not with_point
