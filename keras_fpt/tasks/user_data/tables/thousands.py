"""Points that may separate thousands: 1.100 in a column of whole numbers.

Where columns are separated by semicolons, decimals often have a comma, and a
point separates thousands: a spreadsheet there reads 1.100 as 1100, and a
program that writes points reads it as 1.1.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data.tables import table_text

if TYPE_CHECKING:
    import pandas as pd

ADVICE = (
    " Write all numbers with a decimal point, and without separators of "
    "thousands."
)


def check_rows(
    rows: Iterable[list[str]],
    names: Sequence[str],
    first: int,
    path: object,
) -> Iterator[list[str]]:
    """Yields the rows of a table with decimal commas.

    Args:
        rows: iterable of rows as they are in the file.
        names: sequence of strings, the columns.
        first: int, the number of the first of the rows, counted from 1.
        path: the table's file, for errors.

    Raises:
        ValueError: a number has a point that may separate thousands.
    """
    for count, row in enumerate(rows, first):
        for index, cell in enumerate(row[: len(names)]):
            if "." in cell and is_ambiguous(cell.strip()):
                raise ValueError(
                    f"`{path}`, row {count}, column '{names[index]}': other "
                    f"numbers of the table have a decimal comma: is "
                    f"'{cell.strip()}' {_readings(cell.strip())}?{ADVICE}"
                )
        yield row


def check_column(
    texts: "pd.Series", values: np.ndarray, where: Callable[[int], str]
) -> None:
    """Checks the numbers of a column of a table with semicolons.

    Args:
        texts: `pandas.Series` of the cells of a column.
        values: float array `(rows,)`, the same as numbers, or NaN.
        where: function from a row to words that say where it is.

    Raises:
        ValueError: all numbers with a point may have it between thousands,
            and others have none.
    """
    fractions = values[np.isfinite(values) & (values != np.floor(values))]
    thousands = np.abs(fractions) * 1000
    # Looking at numbers is far faster than looking at texts.
    if (
        not len(fractions)
        or (thousands < 1000).any()
        or (thousands >= 1e6).any()
        or (np.abs(thousands - np.round(thousands)) > 1e-6).any()
    ):
        return
    has_point = np.isfinite(values) & texts.str.contains(".", regex=False)
    has_point = np.array(has_point, bool)
    pointed = texts[has_point]
    if has_point.all() or not all(map(is_ambiguous, pointed.unique())):
        return
    text = str(pointed.iloc[0])
    raise ValueError(
        f"{where(int(np.argmax(has_point)))}, column '{texts.name}': is "
        f"'{text}' {_readings(text)}? Other numbers of the column have no "
        f"point, and columns are separated by semicolons, as where decimals "
        f"have a comma.{ADVICE}"
    )


def is_ambiguous(text: str) -> bool:
    """Whether a point in a number may separate thousands."""
    return table_text.THOUSANDS_POINT.fullmatch(text) is not None


def _readings(text: str) -> str:
    plain = text.replace(".", "")
    return f"{plain} or {text}" if text.count(".") == 1 else plain
