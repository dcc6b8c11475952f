"""The names of a table's columns, and whether its first row has them."""

import collections
import pathlib
from collections.abc import Sequence

from keras_fpt.tasks.user_data.tables import table_rows
from keras_fpt.tasks.user_data.tables.cells import MISSING, as_number

ADVICE = (
    "With header=False (--no-header), the columns are named "
    "column_1, column_2, ...; if it is a header, give header=True (--header)."
)


def choose_names(
    rows: Sequence[Sequence[str]], header: bool | None, path: pathlib.Path
) -> tuple[list[str], bool]:
    """Chooses the names of a table's columns.

    Args:
        rows: the first rows, with the header if there is one.
        header: bool, whether there is a header. `None` expects one.
        path: the table's file, for errors.

    Returns:
        A tuple: list of strings, and whether the first row is the header.

    Raises:
        ValueError: the header looks like a row of data; or a name is empty or
            used twice.
    """
    first = [cell.strip() for cell in rows[0]] if rows else []
    if header is False:
        return [f"column_{i + 1}" for i in range(len(first))], False
    if header is None and _looks_like_data(first, rows[1:]):
        shown = ", ".join(f"'{cell}'" for cell in first[:4])
        raise ValueError(
            f"`{path}`: its first row looks like data, not like names of "
            f"columns: {shown}{', ...' * (len(first) > 4)}. {ADVICE}"
            f"{_comment_advice(first)}"
        )
    _check_names(first, path)
    return first, True


def _looks_like_data(
    header: Sequence[str], rows: Sequence[Sequence[str]]
) -> bool:
    """Whether a header has numbers or values of the columns below.

    A name above a column of numbers shows that it is a header. So do numbers
    in equal steps, as pandas writes for columns without names, and as spectra
    have.
    """
    rows = [row for row in rows if len(row) == len(header)]
    if not rows or (list(header) in rows and len(header) > 1):
        return False  # A header that is repeated is another error.
    columns = [
        {c.strip() for c in column} for column in zip(*rows, strict=True)
    ]
    for name, below in zip(header, columns, strict=True):
        present = [c for c in below if c.lower() not in MISSING]
        is_name = not _is_number(name) and name.lower() not in MISSING
        if is_name and present and all(map(_is_number, present)):
            return False
    numbers = [float(name) for name in header if _is_number(name)]
    if numbers:
        return not _has_equal_steps(numbers)
    return any(
        name in below for name, below in zip(header, columns, strict=True)
    )


def _comment_advice(first: Sequence[str]) -> str:
    if not first[0].startswith(table_rows.COMMENTS):
        return ""
    return f" If '{first[0]}' begins a comment, delete its line."


def _is_number(cell: str) -> bool:
    return as_number(cell) is not None


def _has_equal_steps(numbers: Sequence[float]) -> bool:
    steps = {
        round(b - a, 9) for a, b in zip(numbers, numbers[1:], strict=False)
    }
    if len(steps) != 1 or min(steps) <= 0:
        return False
    is_count = numbers[0] in (0, 1) and steps == {1}
    return len(numbers) >= (3 if is_count else 5)


def _check_names(header: list[str], path: pathlib.Path) -> None:
    if "" in header:
        raise ValueError(
            f"`{path}`: column {header.index('') + 1} has no name. Name it, "
            "or, if it is pandas's index, write the file with index=False. If "
            "the first row is a title, delete it."
        )
    counts = collections.Counter(header)
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise ValueError(
            f"`{path}` has more than one column '{min(repeated)}'. Give each "
            "a name of its own, in one row."
        )
