"""Notes and findings on a table whose next rows are forecast."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data import audit, given_files
from keras_fpt.tasks.user_data.audit import audit_values, audited_table
from keras_fpt.tasks.user_data.tables import (
    cells,
    table_columns,
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


def series_note(count: int, longest: int) -> str:
    """A note on how many series there are, and on the longest.

    Args:
        count: int, how many series.
        longest: int, the rows of the longest stretch without a gap.
    """
    return f"series: {count:,}, of up to {longest:,} rows without a gap"


def gap_notes(
    count: int, time_gap: float | None, time_column: str | None
) -> list[str]:
    """A note on the gaps in time, or none if there are no gaps.

    Args:
        count: int, how many gaps.
        time_gap: float, the longest step of time that is no gap, or `None`.
        time_column: string, the column of times, or `None`.
    """
    if not count:
        return []
    return [
        f"{count:,} gaps in {time_column}, of more than {time_gap:g} each: no "
        "example holds one"
    ]


def irregular_steps(
    parts: Iterable[tuple[int, np.ndarray]],
    time_column: str | None,
    time_gap: float | None,
    where: Callable[[int], str],
) -> list[audit.Finding]:
    """Findings of steps of time that differ much from the median step.

    Args:
        parts: pairs of the place of the first of some rows and of their
            steps, as of `LargeTimes.parts`.
        time_column: string, the column of times, or `None`.
        time_gap: float, the longest step of time that is no gap, or `None`.
        where: function from the place of a row to words that say where it is.
    """
    if time_gap is None:
        return []
    median = time_gap / times.GAP
    count, num_odd, first_odd = 0, 0, -1
    shortest, longest = np.inf, 0.0
    for start, steps in parts:
        is_step = (steps > 0) & ~(steps > time_gap)
        if not is_step.any():
            continue
        is_odd = is_step & (
            (steps > _REGULAR * median) | (steps < median / _REGULAR)
        )
        if not num_odd and is_odd.any():
            first_odd = start + int(np.argmax(is_odd))
        num_odd += int(is_odd.sum())
        count += int(is_step.sum())
        shortest = min(shortest, steps[is_step].min())
        longest = max(longest, steps[is_step].max())
    if not num_odd:
        return []
    return [
        audit.Finding(
            "irregular-steps",
            f"{num_odd:,} of {count:,} steps of {time_column} are not like "
            f"the median of {median:g}, the first one before "
            f"{where(first_odd)}: steps go from {shortest:g} to {longest:g}.",
            "Each row counts as one step. Bring the table to even steps first, "
            "for instance with pandas.DataFrame.resample.",
        )
    ]


def other_order(
    frame: "pd.DataFrame",
    used: Sequence[str],
    order: np.ndarray,
    is_first: np.ndarray,
    files: given_files.Files,
) -> list[audit.Finding]:
    """Findings of a column of dates that the rows are not sorted by.

    Args:
        frame: what `table_files.read_table` returned, or its first part.
        used: sequence of strings, columns that are not looked at.
        order: int array `(rows,)`, the rows by series.
        is_first: bool array `(rows,)`, whether a place begins a series.
        files: the `Files` that the rows are from.
    """
    for name in frame.columns:
        texts = table_columns.column(frame, name, files.paths[0])
        first = str(texts.iloc[0])
        if name in used or cells.as_number(first) is not None:
            continue
        try:
            moments = times.parse(texts, name, files.where)[order]
        except ValueError:
            continue  # No dates, or some that are not clear.
        falls = (np.diff(moments, prepend=moments[:1]) < 0) & ~is_first
        if falls.any():
            row = int(order[np.argmax(falls)])
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


def describe(
    parts: Callable[[], Iterable[np.ndarray]], columns: Sequence[str]
) -> str:
    """The numbers of some columns, in words.

    Args:
        parts: function that returns float64 arrays `(rows, columns)`, three
            times the same.
        columns: sequence of strings, the columns' names.
    """
    largest = np.max([np.abs(part).max(axis=0) for part in parts()], axis=0)

    def rounded() -> Iterator[np.ndarray]:
        # Single precision makes of 0 a number that is almost 0.
        for part in parts():
            yield np.where(np.abs(part) < 1e-6 * largest, 0.0, part)

    low, high, total = np.inf, -np.inf, np.zeros(())
    size = 0
    for part in rounded():
        low = np.minimum(low, part.min(axis=0))
        high = np.maximum(high, part.max(axis=0))
        total, size = total + part.sum(axis=0), size + len(part)
    mean = total / size
    squares = sum(((part - mean) ** 2).sum(axis=0) for part in rounded())
    found = np.stack([low, high, mean, np.sqrt(squares / size)], axis=1)
    return "; ".join(
        f"{name} from {each[0]:.6g} to {each[1]:.6g}, mean {each[2]:.6g}, "
        f"standard deviation {each[3]:.6g}"
        for name, each in zip(columns, found, strict=True)
    )
