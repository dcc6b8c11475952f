"""The columns of a table whose next rows are forecast."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data import given_files, sequences
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables import table_columns

if TYPE_CHECKING:
    import pandas as pd


def check_named(
    frame: "pd.DataFrame",
    columns: Sequence[str],
    others: Sequence[str],
    path: str | os.PathLike,
) -> None:
    """Checks the columns that the user names.

    Args:
        frame: what `table_files.read_table` returned.
        columns: sequence of strings, those that are forecast or known.
        others: sequence of strings, those of groups and times.
        path: the table's file, for errors.

    Raises:
        ValueError: one does not exist, or is named twice.
    """
    for name in (*columns, *others):
        table_columns.column(frame, name, path)
    twice = {*columns} & {*others}
    if twice or len({*columns}) < len(columns):
        name = min(twice) if twice else columns[0]
        raise ValueError(
            f"The column '{name}' is named twice. Name each column that is "
            "forecast once with target_column (--target-column), or known in "
            "advance with future_column (--future-column), and no column of "
            "groups or times."
        )


def read_numbers(
    frame: "pd.DataFrame",
    columns: Sequence[str],
    known_columns: Sequence[str],
    files: given_files.Files,
    words: Sequence[str],
) -> np.ndarray:
    """The columns as numbers, NaN where a cell is missing.

    Args:
        frame: what `table_files.read_table` returned.
        columns: sequence of strings.
        known_columns: sequence of strings, those that are known in advance.
        files: the `Files` that the rows are from.
        words: sequence of strings, what marks missing cells.

    Raises:
        ValueError: a column does not hold numbers.
    """
    values, found = columns_.find_columns(frame, columns, files.where, words)
    for name, column in zip(columns, found, strict=True):
        if column.kind != "number":
            raise no_numbers(frame, name, known_columns)
    return values


def no_numbers(
    frame: "pd.DataFrame", name: str, known_columns: Sequence[str]
) -> ValueError:
    """The error about a column that does not hold numbers.

    Args:
        frame: what `table_files.read_table` returned.
        name: string, the column.
        known_columns: sequence of strings, those that are known in advance.
    """
    row = table_columns.column(frame, name, "")
    what, advice = "to forecast", "target_column (--target-column)."
    if name in known_columns:
        what = "that are known in advance"
        advice = (
            "future_column (--future-column), such as 0 and 1 for holidays."
        )
    return ValueError(
        f"The column '{name}' holds no numbers {what}, but cells such as "
        f"'{row.iloc[0]}'. Name a column of numbers with {advice}"
    )


def medians(
    known: np.ndarray, columns: Sequence[str], path: str | os.PathLike
) -> tuple[float, ...]:
    """The median of each column, which must vary."""
    found = []
    for name, column in zip(columns, known.T, strict=True):
        present = column[~np.isnan(column)]
        low, high = present.min(initial=np.inf), present.max(initial=-np.inf)
        check_varies(name, len(present), low, high, path)
        found.append(float(np.median(present)))
    return tuple(found)


def check_varies(
    name: str, count: int, low: float, high: float, path: str | os.PathLike
) -> None:
    """Checks that something can be learned of a column.

    Args:
        name: string, the column.
        count: int, how many of the training rows have a number there.
        low, high: floats, the lowest and the highest of them.
        path: the table's file, for errors.

    Raises:
        ValueError: there is no number, or only one.
    """
    if not count:
        raise ValueError(
            f"`{path}`, column '{name}': every cell of the training rows is "
            "missing. Name another column with target_column "
            "(--target-column), or future_column (--future-column)."
        )
    if low == high:
        raise ValueError(
            f"`{path}`, column '{name}': all {count:,} training rows hold "
            f"{low:g}, of which nothing can be learned. Name another column "
            "with target_column (--target-column), or future_column "
            "(--future-column), or leave out the rows before it varies."
        )


def statistics(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the deviation of each column's known cells."""
    pairs = [
        sequences.statistics(column[~np.isnan(column)][:, None])
        for column in known.T
    ]
    means, scales = zip(*pairs, strict=True)
    return np.concatenate(means), np.concatenate(scales)
