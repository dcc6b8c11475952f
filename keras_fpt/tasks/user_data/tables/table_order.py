"""The order of a table's rows, by group and time."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from keras_fpt.tasks.user_data import audit, given_files, unlike_training
from keras_fpt.tasks.user_data.tables import (
    table_columns,
    table_groups,
    times,
    windows,
)

if TYPE_CHECKING:
    import pandas as pd

# In seconds; and the shares of rows that may follow midnight, and the end of
# half a day, which is one of twelve if each hour has a row.
HALF_A_DAY = 12 * 60 * 60
NIGHTS, HALVES = 0.05, 0.1


class Ordered(NamedTuple):
    """The rows of a table by group and time.

    Args:
        order: int array `(rows,)` of rows.
        groups: `table_groups.Groups` of the rows, in the order of the file.
        is_first: bool array `(rows,)`, whether a place begins a group.
        is_gap: bool array `(rows,)`, whether a place follows a gap in time.
        time_gap: float, or `None`.
        findings: list of what is suspicious.
        time_step: float, the median step of time, or `None`.
        steps: float array `(rows,)`, the step of time from the place before
            to each, or `None`.
    """

    order: np.ndarray
    groups: table_groups.Groups
    is_first: np.ndarray
    is_gap: np.ndarray
    time_gap: float | None
    findings: list[audit.Finding]
    time_step: float | None = None
    steps: np.ndarray | None = None

    @property
    def whole(self) -> windows.Sequences:
        """Each group as one sequence."""
        return windows.Sequences(self.order, *windows.stretches(self.is_first))

    def log_step(
        self, time_column: str | None, path: str | os.PathLike
    ) -> None:
        """Logs if the rows of a new file have other steps than in training."""
        known = None if self.time_gap is None else self.time_gap / times.GAP
        unlike_training.log_step(self.time_step, known, time_column, path)

    def window_names(self, sequences: windows.Sequences) -> list[str]:
        """Names that count rows within the group, from 1."""
        numbers = self.groups.numbers[self.order[sequences.starts]]
        first = sequences.starts - np.flatnonzero(self.is_first)[numbers]
        last = first + sequences.lengths
        rows = zip(numbers.tolist(), first.tolist(), last.tolist(), strict=True)
        names = self.groups.names
        return [f"{names[g]}, rows {a + 1}-{b}" for g, a, b in rows]

    def gaps(self, files: given_files.Files) -> audit.Finding:
        """The finding about gaps within groups that are one sequence."""
        row = int(self.order[np.argmax(self.is_gap)])
        return gaps_in_groups(row, int(self.is_gap.sum()), self.time_gap, files)


def gaps_in_groups(
    row: int, count: int, time_gap: float | None, files: given_files.Files
) -> audit.Finding:
    """The finding about gaps within groups that are one sequence.

    Args:
        row: int, the first row that follows a gap.
        count: int, how many rows do.
        time_gap: float, the longest step that is no gap.
        files: the `Files` that the rows are from.
    """
    return audit.Finding(
        "time-gaps",
        f"{count:,} rows follow a gap in time of more than {time_gap:g} "
        f"within their group, the first one {files.where(row)}.",
        "If they begin another recording, name a column that distinguishes "
        "it with --group-column, or cut windows with --window, which span "
        "no gap.",
    )


def in_order(
    frame: "pd.DataFrame",
    columns: Sequence[str],
    time_column: str | None,
    files: given_files.Files,
    time_gap: float | None = None,
) -> Ordered:
    """Sorts rows by group and, if there is a column of times, by time.

    Args:
        frame: what `table_files.read_table` returned.
        columns: sequence of strings, the columns of the groups' key, see
            `table_groups.find_groups`.
        time_column: string, or `None`.
        files: the `Files` that the rows are from.
        time_gap: float, the longest step that is no gap; `None` takes it from
            the times, see `times.GAP`.

    Raises:
        ValueError: a column does not exist; a group or a time is missing.
    """
    findings: list[audit.Finding] = []
    groups = table_groups.find_groups(frame, columns, files)
    is_gap = np.zeros(len(frame), bool)
    time_step = steps = None
    if time_column is None:
        if columns:
            findings += table_groups.scattered(groups, frame, columns)
        order = np.argsort(groups.numbers, kind="stable")
        numbers = groups.numbers[order]
        is_first = np.diff(numbers, prepend=-1) != 0
    else:
        cells = table_columns.column(frame, time_column, files.paths[0])
        moments = times.parse(cells, time_column, files.where)
        findings += _past_midnight(
            cells, time_column, moments, groups.numbers, files
        )
        clock = _half_days(cells, time_column, moments, groups.numbers, files)
        findings += clock
        order = np.lexsort((moments, groups.numbers))
        numbers = groups.numbers[order]
        is_first = np.diff(numbers, prepend=-1) != 0
        moments = moments[order]
        largest = times.largest_step(moments, is_first)
        time_step = None if largest is None else largest / times.GAP
        if time_gap is None:
            time_gap = largest
        steps = np.diff(moments, prepend=moments[:1])
        is_repeated = (steps == 0) & ~is_first
        # Those of a clock of 12 hours repeat for that reason.
        if is_repeated.any() and not clock:
            findings.append(
                repeated_times(
                    time_column,
                    int(order[np.argmax(is_repeated)]),
                    int(is_repeated.sum()),
                    files,
                    columns,
                )
            )
        if time_gap is not None:
            is_gap = (steps > time_gap) & ~is_first
    return Ordered(
        order, groups, is_first, is_gap, time_gap, findings, time_step, steps
    )


def _past_midnight(
    cells: "pd.Series",
    time_column: str,
    moments: np.ndarray,
    numbers: np.ndarray,
    files: given_files.Files,
) -> list[audit.Finding]:
    """Finds times of a day that begin again, which are sorted wrongly.

    Args:
        cells: `pandas.Series` of the column of times.
        time_column: string.
        moments: float array `(rows,)`, the times in seconds.
        numbers: int array `(rows,)`, the group of each row.
        files: the `Files` that the rows are from.
    """
    if not times.are_of_day(cells):
        return []
    begins = np.diff(moments) < -HALF_A_DAY
    begins &= np.diff(numbers) == 0
    # Rows in no order go back and forth all the time.
    if not 0 < begins.sum() <= NIGHTS * len(moments):
        return []
    row = int(np.argmax(begins)) + 1
    return [
        audit.Finding(
            "times-without-date",
            f"{files.where(row)}: '{cells.iloc[row]}' follows "
            f"'{cells.iloc[row - 1]}', and rows are sorted by {time_column}, "
            "so that it comes before.",
            "If it is on the next day, write the dates, too; or leave out "
            "--time-column, if the rows of the file are in their order.",
        )
    ]


def _half_days(
    cells: "pd.Series",
    time_column: str,
    moments: np.ndarray,
    numbers: np.ndarray,
    files: given_files.Files,
) -> list[audit.Finding]:
    """Finds times of a clock of 12 hours that do not say which half it is.

    Args:
        cells, time_column, moments, numbers, files: as for `_past_midnight`.
    """
    steps = np.diff(moments)
    is_within = np.diff(numbers) == 0
    forward = steps[is_within & (steps > 0)]
    if not len(forward):
        return []
    # 12:59 is followed by 1:00.
    ahead = steps + HALF_A_DAY
    begins = is_within & (steps < 0) & (ahead > 0)
    begins &= ahead <= times.GAP * np.median(forward)
    if not 0 < begins.sum() <= HALVES * len(moments):
        return []
    if not times.are_of_half_days(cells):
        return []
    row = int(np.argmax(begins)) + 1
    return [
        audit.Finding(
            "half-days",
            f"{files.where(row)}: '{cells.iloc[row]}' follows "
            f"'{cells.iloc[row - 1]}', and all hours of {time_column} are from "
            "1 to 12, as on a clock of 12 hours, without AM or PM. Rows are "
            f"sorted by {time_column}, which mixes the halves of the day.",
            "If it is such a clock, write hours from 0 to 23, or AM and PM; or "
            "leave out --time-column, if the rows of the file are in their "
            "order.",
        )
    ]


def repeated_times(
    time_column: str,
    row: int,
    count: int,
    files: given_files.Files,
    columns: Sequence[str],
) -> audit.Finding:
    """The finding about rows of one group that have the same time.

    Args:
        time_column: string.
        row: int, the first row that has the time of the row before.
        count: int, how many rows do.
        files: the `Files` that the rows are from.
        columns: sequence of strings, the columns of the groups' key.
    """
    within = f" of its group by {' and '.join(columns)}" if columns else ""
    return audit.Finding(
        "repeated-times",
        f"{files.where(row)}: another row{within} has the same time, as have "
        f"{count:,} rows in all ({time_column}).",
        "If rows of different recordings are mixed, name the columns that "
        "distinguish them with --group-column.",
    )
