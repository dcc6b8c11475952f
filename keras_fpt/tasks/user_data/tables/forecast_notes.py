"""Notes and findings on a table whose next rows are forecast."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data import audit, given_files
from keras_fpt.tasks.user_data.audit import audit_values, audited_table
from keras_fpt.tasks.user_data.tables import (
    cells,
    table_columns,
    table_order,
    times,
)

if TYPE_CHECKING:
    import pandas as pd

# Steps of time that are shorter or longer than the median by this factor.
_REGULAR = 1.5


def season_note(season: int | None, context: int) -> str:
    """A note on the season of the training rows, and whether contexts have it.

    Args:
        season: int, in rows; `None` if none was found.
        context: int, the rows that a forecast is made from.
    """
    if season is None:
        return "season: none found in train"
    if season > context:
        return (
            f"season: {season:,} rows in train, more than the context of "
            f"{context:,}, so that no forecast sees it; a longer one does "
            "(--context)"
        )
    return f"season: {season:,} rows in train"


def gap_notes(
    ordered: table_order.Ordered, time_column: str | None
) -> list[str]:
    """A note on the gaps in time, or none if there are no gaps.

    Args:
        ordered: the rows of a table by series and time.
        time_column: string, the column of times, or `None`.
    """
    if not ordered.is_gap.any():
        return []
    return [
        f"{int(ordered.is_gap.sum()):,} gaps in {time_column}, of more than "
        f"{ordered.time_gap:g} each: no example holds one"
    ]


def irregular_steps(
    frame: "pd.DataFrame",
    time_column: str | None,
    ordered: table_order.Ordered,
    files: given_files.Files,
) -> list[audit.Finding]:
    """Findings of steps of time that differ much from the median step."""
    if time_column is None or ordered.time_gap is None:
        return []
    texts = table_columns.column(frame, time_column, files.paths[0])
    moments = times.parse(texts, time_column, files.where)[ordered.order]
    steps = np.diff(moments, prepend=moments[:1])
    is_step = ~ordered.is_first & ~ordered.is_gap & (steps > 0)
    median = ordered.time_gap / times.GAP
    is_odd = is_step & (
        (steps > _REGULAR * median) | (steps < median / _REGULAR)
    )
    if not is_odd.any():
        return []
    row = int(ordered.order[np.argmax(is_odd)])
    return [
        audit.Finding(
            "irregular-steps",
            f"{int(is_odd.sum()):,} of {int(is_step.sum()):,} steps of "
            f"{time_column} are not like the median of {median:g}, the first "
            f"one before {files.where(row)}: steps go from "
            f"{steps[is_step].min():g} to {steps[is_step].max():g}.",
            "Each row counts as one step. Bring the table to even steps first, "
            "for instance with pandas.DataFrame.resample.",
        )
    ]


def other_order(
    frame: "pd.DataFrame",
    used: Sequence[str],
    ordered: table_order.Ordered,
    files: given_files.Files,
) -> list[audit.Finding]:
    """Findings of a column of dates that the rows are not sorted by.

    Args:
        frame: what `table_files.read_table` returned.
        used: sequence of strings, columns that are not looked at.
        ordered: the rows by series, in the order of the file.
        files: the `Files` that the rows are from.
    """
    for name in frame.columns:
        texts = table_columns.column(frame, name, files.paths[0])
        first = str(texts.iloc[0])
        if name in used or cells.as_number(first) is not None:
            continue
        try:
            moments = times.parse(texts, name, files.where)[ordered.order]
        except ValueError:
            continue  # No dates, or some that are not clear.
        falls = (np.diff(moments, prepend=moments[:1]) < 0) & ~ordered.is_first
        if falls.any():
            row = int(ordered.order[np.argmax(falls)])
            return [
                audit.Finding(
                    "rows-in-other-order",
                    f"Rows are read in the order of the file, but '{name}' "
                    f"goes back {int(falls.sum()):,} times, first at "
                    f"{files.where(row)}.",
                    f"Sort by it: --time-column {shlex.quote(name)}.",
                )
            ]
    return []


def sentinels(known: np.ndarray, columns: Sequence[str]) -> list[audit.Finding]:
    """Findings of numbers such as -999 that may stand for missing cells.

    Args:
        known: float array `(rows, columns)`, the training rows, NaN where a
            cell is missing.
        columns: sequence of strings, the columns' names.
    """
    complete = known[~np.isnan(known).any(axis=1)]
    nothing = np.arange(0)
    if not len(complete):
        return []
    return audit_values.find_sentinels(
        audited_table.Table(complete, columns, nothing, (), nothing, nothing)
    )
