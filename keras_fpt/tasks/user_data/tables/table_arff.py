"""Yields the rows of an ARFF file, the format of Weka and of OpenML."""

import csv
import io
import re
from collections.abc import Iterable, Iterator

from keras_fpt.tasks.user_data.tables import table_encodings
from keras_fpt.tasks.user_data.tables.table_archives import Source

_ATTRIBUTE = re.compile(
    r"@attribute\s+('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\S+?)\s*"
    r"(\{.*|\s\S.*)",
    re.IGNORECASE,
)


def open_rows(source: Source) -> tuple[Iterator[list[str]], list[str]]:
    """Opens a table in the attribute-relation file format.

    Args:
        source: a `Source` of an `.arff` file.

    Returns:
        A tuple: iterator of the cells of each row, first the names of the
        columns; and notes. A missing value (`?`) is an empty cell.

    Raises:
        ValueError: the file is damaged, or has values that no table holds.

    Source: Witten, Frank, Hall and Pal, Data Mining, 4th edition, 2016,
        section 2.4 and appendix B.
    """
    encoding = table_encodings.find_encoding(source)
    return _rows(source, encoding), []


def _rows(source: Source, encoding: str) -> Iterator[list[str]]:
    with io.TextIOWrapper(source.open(), encoding=encoding) as file:
        names = []
        for line in file:
            line = line.strip()
            if line.lower().startswith("@data"):
                break
            if line.lower().startswith("@attribute"):
                names.append(_attribute_name(line, source))
        else:
            raise ValueError(f"`{source.path}` has no line @data.")
        yield names
        yield from _data(file, source)


def _attribute_name(line: str, source: Source) -> str:
    found = _ATTRIBUTE.fullmatch(line)
    if not found:
        raise ValueError(
            f"`{source.path}`: expected @attribute, a name and a type but "
            f"found '{line}'."
        )
    name, kind = found[1], found[2].strip().lower()
    if kind.startswith("relational"):
        raise ValueError(
            f"`{source.path}`: the attribute {name} holds tables "
            "(relational). Give the `.ts` file of the same data."
        )
    return _unquoted(name)


def _unquoted(name: str) -> str:
    if len(name) > 1 and name[0] == name[-1] and name[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", name[1:-1])
    return name


def _data(lines: Iterable[str], source: Source) -> Iterator[list[str]]:
    for line in lines:
        line = line.strip()
        if not line or line.startswith("%"):
            continue
        if line.startswith("{"):
            raise ValueError(
                f"`{source.path}`: sparse rows such as '{line[:40]}' are not "
                "read. Write the table with all its values."
            )
        quote = "'" if "'" in line else '"'
        separator = "," if "," in line else "\t"
        (row,) = csv.reader(
            [line],
            delimiter=separator,
            quotechar=quote,
            escapechar="\\",
            skipinitialspace=True,
            strict=True,
        )
        yield ["" if cell.strip() == "?" else cell for cell in row]
