"""Columns that mix numbers and words, and numbers that may be codes."""

import math
import re
import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data.tables import table_columns, table_text

if TYPE_CHECKING:
    import pandas as pd

# Rows that tell whether a column holds codes.
GLANCE = 20_000
WORDS_SHOWN = 3


def mixed_error(
    frame: "pd.DataFrame",
    rows: np.ndarray,
    name: str,
    where: Callable[[int], str],
    may_be_category: bool = False,
) -> str:
    """What to do about a column of numbers and words.

    Args:
        frame: what `table_files.read_table` returned.
        rows: int array of the rows whose cells are words.
        name: string, the column.
        where: function from a row to words that say where it is.
        may_be_category: bool, whether the user can say that the column holds
            categories.
    """
    texts = table_columns.column(frame, name, "").iloc[rows]
    message = table_columns.cell_error(frame, int(rows[0]), name, where)
    first, *others = texts.unique().tolist()
    if table_text.is_like_number(first):
        return message
    is_word = re.search(r"[^\W\d_]", first) and not _is_infinite(first)
    if "rows" in frame.attrs:  # Of the texts of a large table, not its rows.
        is_word = None
    if rows.tolist() == [0] and is_word:
        message += (
            " If the first row below the header holds units or further names, "
            "delete it."
        )
    elif rows.tolist() == [len(frame) - 1] and is_word:
        message += " If the last row is a total or a note, delete it."
    words = [first, *others[: WORDS_SHOWN - 1]]
    options = " ".join(f"--missing {shlex.quote(word)}" for word in words)
    more = ""
    if others:
        more = f" (and {len(others)} further word{'s' * (len(others) > 1)})"
    how = "write each as a word, such as 'kind 1'"
    if may_be_category:
        option = f"--category-column {shlex.quote(name)}"
        how = f"name it with category_column ({option})"
    return message + (
        f" If '{first}' marks a missing value{more}, name it with missing "
        f"({options}{' ...' * (len(others) >= WORDS_SHOWN)}). If the column "
        f"names kinds of things, {how}."
    )


def _is_infinite(word: str) -> bool:
    try:
        return not math.isfinite(float(word))
    except ValueError:
        return False


def find_codes(
    frame: "pd.DataFrame",
    values: np.ndarray,
    names: Sequence[str],
    are_numbers: Sequence[bool],
) -> dict[str, str]:
    """Finds columns of numbers with zeros in front, such as zip codes.

    All numbers of such a column have equally many digits.

    Args:
        frame: what `table_files.read_table` returned.
        values: float64 array `(rows, columns)` of numbers.
        names: sequence of strings, the columns.
        are_numbers: sequence of bools, whether a column is read as numbers.

    Returns:
        A dict from columns to one of their cells.
    """
    codes = {}
    glance = slice(GLANCE)
    for name, numbers, is_read in zip(
        names, values.T, are_numbers, strict=True
    ):
        known = numbers[glance][np.isfinite(numbers[glance])]
        is_read = is_read and not table_columns.are_typed(frame, name)
        if not is_read or (known != np.floor(known)).any():
            continue
        texts = table_columns.column(frame, name, "").iloc[glance]
        digits = texts[texts.str.fullmatch(r"[0-9]+")]
        starts = digits[digits.str.fullmatch(r"0[0-9]+")]
        if starts.nunique() > 1 and digits.str.len().nunique() == 1:
            codes[name] = str(starts.iloc[0])
    return codes
