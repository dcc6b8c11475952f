"""Converts the cells of a table's columns to numbers.

A column holds numbers, booleans, dates, or text of a few kinds (categories).
"""

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data.tables import (
    cells,
    column_kinds,
    dates,
    mixed_columns,
    table_columns,
)
from keras_fpt.tasks.user_data.tables.column_kinds import (
    IGNORE_ADVICE,
    Column,
    Where,
)

if TYPE_CHECKING:
    import pandas as pd

FILLS = ("median", "forward")
MISSING_ADVICE = (
    ", a missing value. Fill such cells with fill='median' or 'forward' "
    "(--fill), or leave their examples out with drop_missing (--drop-missing)."
)


def find_columns(
    frame: "pd.DataFrame",
    names: Sequence[str],
    where: Where,
    missing: Sequence[str] = (),
    categories: Sequence[str] | None = None,
) -> tuple[np.ndarray, list[Column]]:
    """Finds the kinds of a table's columns, and parses their cells.

    Args:
        frame: what `table_files.read_table` returned.
        names: sequence of strings, the columns.
        where: function from a row to words that say where it is, for errors.
        missing: sequence of strings, what marks missing cells.
        categories: sequence of strings, columns of categories, whatever their
            cells look like; `None` where the user cannot name any.

    Returns:
        A tuple: float64 array `(rows, columns)`, NaN where a cell is missing
        and the index of a category; and list of `Column`s, in which
        categories are those of all rows.

    Raises:
        ValueError: a cell of a column of numbers is not a finite number; or
            the texts of a column are too many for categories.
    """
    values = table_columns.parse(frame, names, "")
    named = [i for i, name in enumerate(names) if name in (categories or ())]
    values[:, named] = 0  # Neither numbers nor dates.
    others = [i for i in range(len(names)) if i not in named]
    table_columns.check_points(
        frame, [names[i] for i in others], values[:, others], where
    )
    found = [Column() for _ in names]
    words = cells.as_floats(missing)
    if words:
        values[np.isin(values, words)] = np.nan
    for index in range(len(names)):
        if dates.are_compact(values[:, index]):
            found[index] = Column("date", date_format=dates.COMPACT)
            is_known = np.isfinite(values[:, index])
            values[is_known, index] = dates.to_days(
                dates.compact_texts(values[is_known, index]), dates.COMPACT
            )
    for index in named:
        texts = table_columns.names(frame, names[index])
        is_missing = cells.is_missing(texts, missing)
        values[is_missing, index] = np.nan
        present = np.flatnonzero(~is_missing)
        found[index] = column_kinds.find_categories(
            frame, texts.iloc[present], present, names[index], where
        )
        values[present, index] = column_kinds.parse_texts(
            found[index], texts.iloc[present]
        )
    for index in np.flatnonzero(~np.isfinite(values).all(axis=0)).tolist():
        if index in named:
            continue
        if table_columns.need_no_text(frame, names[index], values[:, index]):
            continue  # What is missing is NaN already.
        texts = table_columns.column(frame, names[index], "")
        is_missing = cells.is_missing(texts, missing)
        is_text = ~np.isfinite(values[:, index]) & ~is_missing
        if not is_text.any():
            values[is_missing, index] = np.nan
            continue
        # An infinite number is a number.
        is_number = ~np.isnan(values[:, index]) & ~is_missing
        if is_number.any() and not cells.are_booleans(texts[~is_missing]):
            raise ValueError(
                mixed_columns.mixed_error(
                    frame,
                    np.flatnonzero(is_text),
                    names[index],
                    where,
                    categories is not None,
                )
                + IGNORE_ADVICE
            )
        values[:, index] = np.nan
        present = np.flatnonzero(~is_missing)
        found[index] = column_kinds.find_text_column(
            frame, texts.iloc[present], present, names[index], where
        )
        values[present, index] = column_kinds.parse_texts(
            found[index], texts.iloc[present]
        )
    return values, found


def check_named(
    categories: Sequence[str],
    not_values: Sequence[str],
    frame: "pd.DataFrame",
    path: str | os.PathLike,
) -> None:
    """Checks the columns that the user names as categories.

    Args:
        categories: sequence of strings.
        not_values: sequence of strings, the columns that are no values.
        frame: what `table_files.read_table` returned.
        path: the table's file, for errors.

    Raises:
        ValueError: a column does not exist, or is used for something else.
    """
    for name in categories:
        table_columns.column(frame, name, path)
        if name in not_values:
            raise ValueError(
                f"`{path}`, column '{name}': category_column "
                "(--category-column) names a column that is a label, a group, "
                "a time or a split, or is left out."
            )


def check_no_missing(
    values: np.ndarray,
    frame: "pd.DataFrame",
    names: Sequence[str],
    where: Where,
    advice: str = MISSING_ADVICE,
) -> None:
    """Raises `ValueError` if a cell is missing, and names it."""
    index = table_columns.first_column(np.isnan(values))
    if index is not None:
        row = int(np.argmax(np.isnan(values[:, index])))
        text = table_columns.column(frame, names[index], "").iloc[row]
        raise ValueError(
            f"{where(row)}, column '{names[index]}': "
            f"expected a finite number but received '{text}'{advice}"
            f"{IGNORE_ADVICE}"
        )


def parse_columns(
    frame: "pd.DataFrame",
    names: Sequence[str],
    columns: Sequence[Column],
    where: Where,
    missing: Sequence[str] = (),
    advice: str = "",
) -> np.ndarray:
    """Parses the cells of a new table as in training.

    Args:
        frame: what `table_files.read_table` returned.
        names: sequence of strings, the columns.
        columns: sequence of `Column`s.
        where: function from a row to words that say where it is, for errors.
        missing: sequence of strings, what marks missing cells.
        advice: string, added to the error about a cell that is no number.

    Returns:
        As `find_columns`. The index of a category that was not in training is
        the number of categories.

    Raises:
        ValueError: a cell is not of its column's kind.
    """
    values = table_columns.parse(frame, names, "")
    numeric = [i for i, each in enumerate(columns) if each.kind != "category"]
    table_columns.check_points(
        frame, [names[i] for i in numeric], values[:, numeric], where
    )
    words = cells.as_floats(missing)
    for index, (name, column) in enumerate(zip(names, columns, strict=True)):
        is_finite = np.isfinite(values[:, index]).all()
        if column.kind == "number" and is_finite and not words:
            continue
        if column.kind == "number" and table_columns.need_no_text(
            frame, name, values[:, index]
        ):
            values[np.isin(values[:, index], words), index] = np.nan
            continue
        texts = (
            table_columns.names(frame, name)
            if column.kind == "category"
            else table_columns.column(frame, name, "")
        )
        is_missing = cells.is_missing(texts, missing)
        present = np.flatnonzero(~is_missing)
        if column.kind != "number":
            values[present, index] = column_kinds.parse_texts(
                column, texts.iloc[present]
            )
        values[is_missing, index] = np.nan
        if column.kind == "category":
            column_kinds.log_others(column, texts.iloc[present], name)
        wrong = present[~np.isfinite(values[present, index])]
        if len(wrong):
            row = int(wrong[0])
            if column.kind == "number":
                raise ValueError(
                    table_columns.cell_error(frame, row, name, where) + advice
                )
            raise ValueError(
                f"{where(row)}, column '{name}': "
                f"expected a {column.kind} as in training but received "
                f"'{texts.iloc[row]}'."
            )
    return values


def learn(
    values: np.ndarray,
    found: Sequence[Column],
    names: Sequence[str],
    train_rows: np.ndarray,
    path: str | os.PathLike,
    fill: str | None,
    is_plain: bool,
) -> tuple[Column, ...]:
    """Takes categories and fillers from the training rows.

    Args:
        values: what `find_columns` returned; indices of categories are
            replaced by those among the categories of the training rows.
        found: list of `Column`s.
        names: sequence of strings, the columns.
        train_rows: int array of rows.
        path: the table's file, for errors.
        fill: string, or `None`.
        is_plain: bool, whether no cell can be missing.

    Returns:
        A tuple of `Column`s; an empty one if all hold numbers and no cell can
        be missing.

    Raises:
        ValueError: all training cells of a column are missing.
    """
    if is_plain and all(column.kind == "number" for column in found):
        return ()
    train = values[train_rows]
    is_missing = np.isnan(train)
    empty = np.flatnonzero(is_missing.all(axis=0))
    if len(empty):
        raise all_missing(path, names[empty[0]])
    learned = []
    for index, column in enumerate(found):
        says_missing = bool(is_missing[:, index].any())
        present = train[~is_missing[:, index], index]
        filler = float(np.median(present)) if fill else None
        categories: tuple[str, ...] = ()
        if column.kind == "category":
            filler = None
            seen = np.unique(present).astype(int)
            categories = tuple(column.categories[i] for i in seen)
            place = np.full(len(column.categories), float(len(seen)))
            place[seen] = np.arange(len(seen))
            is_present = ~np.isnan(values[:, index])
            codes = values[is_present, index].astype(int)
            values[is_present, index] = place[codes]
        learned.append(
            dataclasses.replace(
                column,
                categories=categories,
                filler=filler,
                says_missing=says_missing,
            )
        )
    return tuple(learned)


def all_missing(path: str | os.PathLike, name: str) -> ValueError:
    """The error about a column without a number in the training rows."""
    return ValueError(
        f"`{path}`, column '{name}': every cell of the training rows is "
        f"missing.{IGNORE_ADVICE}"
    )


def to_channels(
    scaled: np.ndarray,
    values: np.ndarray,
    is_missing: np.ndarray,
    columns: Sequence[Column],
) -> np.ndarray:
    """Makes the channels of some rows.

    A category is an indicator of 0 or 1 for each category of the training
    rows, and one for all others.

    Args:
        scaled: float32 array `(rows, columns)`, standardized.
        values: array `(rows, columns)`; for categories, their indices.
        is_missing: bool array `(rows, columns)`.
        columns: sequence of `Column`s.

    Returns:
        float32 array `(rows, channels)`.
    """
    parts = []
    for index, column in enumerate(columns):
        if column.kind == "category":
            size = len(column.categories) + 1
            codes = values[:, index]
            if not column.says_missing:
                codes = np.where(np.isnan(codes), size - 1, codes)
            parts.append((codes[:, None] == np.arange(size)).astype(np.float32))
        else:
            parts.append(scaled[:, index : index + 1])
        if column.says_missing:
            parts.append(is_missing[:, index : index + 1].astype(np.float32))
    return np.concatenate(parts, axis=1)


def notes(names: Sequence[str], columns: Sequence[Column]) -> list[str]:
    """Notes on columns that are not numbers, and on missing cells."""
    pairs = [*zip(names, columns, strict=True)] if columns else []
    lines = []
    for name, column in pairs:
        if column.kind == "category":
            shown = table_columns.list_columns(column.categories)
            lines.append(f"categories of {name}: {shown}, and all others")
        elif column.kind == "date":
            order = dates.describe(column.date_format)
            lines.append(f"dates of {name}: as numbers of days ({order})")
        elif column.kind == "boolean":
            lines.append(f"booleans of {name}: as 0 and 1")
    filled = [name for name, column in pairs if column.says_missing]
    if filled:
        lines.append(
            f"filled: {table_columns.list_columns(filled)}, each with a "
            "channel that says which cells were missing"
        )
    return lines
