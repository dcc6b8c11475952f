"""The times of more rows than fit into memory, and the steps between them."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data import audit, given_files
from keras_fpt.tasks.user_data.tables import (
    dates,
    large_dates,
    large_files,
    large_medians,
    large_order,
    table_columns,
    table_order,
    times,
)
from keras_fpt.tasks.user_data.tables.table_structure import Structure

if TYPE_CHECKING:
    import pandas as pd


class Steps(NamedTuple):
    """What follows from the times of rows, by their places in `Order`.

    Args:
        time_gap: float, the longest step that is no gap, or `None`.
        gaps: int array of the places that follow a gap within their group.
        num_repeated: int, how many rows have the time of the row before.
        first_repeated: int, the place of the first of them, or -1.
    """

    time_gap: float | None
    gaps: np.ndarray
    num_repeated: int
    first_repeated: int


def findings(
    steps: Steps,
    structure: Structure,
    files: given_files.Files,
    order: large_order.Order,
) -> tuple[audit.Finding, ...]:
    """Findings of times that repeat, and of gaps in what stays whole.

    Args:
        steps: `Steps`.
        structure: `Structure`, how rows are cut.
        files: the `Files` that the rows are from.
        order: the `Order` of the rows.
    """
    found = []
    if steps.num_repeated:
        found.append(
            table_order.repeated_times(
                str(structure.time_column),
                order.row(steps.first_repeated),
                steps.num_repeated,
                files,
                structure.keys,
            )
        )
    if structure.window is None and len(steps.gaps):
        found.append(
            table_order.gaps_in_groups(
                order.row(int(steps.gaps[0])),
                len(steps.gaps),
                steps.time_gap,
                files,
            )
        )
    return tuple(found)


class LargeTimes:
    """Parses the times of a large table, as `times.parse` does, into a file.

    Args:
        column: string, the column of times.
    """

    def __init__(self, column: str) -> None:
        self._column = column
        self._writer = sequence_store.SequenceWriter()
        self._store: sequence_store.SequenceStore | None = None
        self._kinds: set[Any] = set()
        # Of dates that are not in ISO 8601.
        self._written: large_dates.WrittenDates | None = None
        # One for each way of reading a date.
        self._earliest: Any = None
        self._per_second = 1.0
        self._reading = 0

    def add(self, frame: "pd.DataFrame") -> None:
        """Adds the times of some rows."""
        path = large_files.path_of(frame)
        cells = table_columns.column(frame, self._column, path)
        kind, found = self._parse(cells, table_columns.where_in(frame, path))
        self._kinds.add(kind)
        if not self._are_alike or not len(frame):
            return
        lowest = found.min(axis=0)
        if self._earliest is not None:
            lowest = np.minimum(lowest, self._earliest)
        self._earliest = lowest
        self._writer.extend(found[:, None])

    def _parse(
        self, cells: "pd.Series", where: Callable[[int], str]
    ) -> tuple[Any, np.ndarray]:
        """The kind of some times, and numbers `(rows, readings)` for them."""
        kind = None if self._written else times.kind_of(cells)
        if kind is None and not self._kinds:
            self._written = large_dates.WrittenDates(cells)
        found = np.empty((0, 1))
        if self._written is not None:
            if self._written.are_known:
                found, self._per_second = self._written.read(cells)
                return ("written", self._per_second), found
        elif kind == times.DATES:
            read = times.read_dates(cells, dates.ISO)
            numbers, self._per_second = times.whole_numbers(read)
            has_zone = times.has_zone(cells)
            if has_zone is not None:
                return (kind, self._per_second, has_zone), numbers[:, None]
        elif kind is not None:
            found = times.parse(cells, self._column, where)[:, None]
            return kind, found
        return None, found

    @property
    def _are_alike(self) -> bool:
        return len(self._kinds) == 1 and None not in self._kinds

    @property
    def can_be_compared(self) -> bool:
        """Whether parts of the table were enough to parse the times."""
        return self._are_alike and (
            self._written is None or self._written.chosen() is not None
        )

    def close(self) -> None:
        """Removes the file."""
        self._writer.close()

    def finish(self) -> None:
        """Ends the times, which are in the order of the file."""
        if self._written is not None:
            self._reading = self._written.chosen() or 0
        self._store = self._writer.finish()

    def sort(self, order: large_order.Order) -> None:
        """Brings the times into another order."""
        assert self._store is not None
        self._store = order.sort(self._store)

    def moments(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yields the number of the first of some times, and these."""
        has_dates = not self._kinds & {*times.NUMBERS}
        first = 0
        for part in sequence_store.chunks(self._store):
            moments = part[:, 0, self._reading]
            if has_dates:
                moments = moments - self._earliest[self._reading]
                moments = moments / self._per_second
            yield first, moments
            first += len(part)

    def parts(self, starts: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Yields the place of the first of some rows, and their steps.

        A step is from the row before to a row; NaN begins a group.

        Args:
            starts: int array, the place of the first row of each group.
        """
        last = None
        for first, moments in self.moments():
            before = moments[:1] if last is None else last
            steps = np.diff(moments, prepend=before)
            low, high = np.searchsorted(starts, [first, first + len(steps)])
            steps[starts[low:high] - first] = np.nan
            yield first, steps
            last = moments[-1:]

    def are_sorted(self, starts: np.ndarray) -> bool:
        """Whether no time is before that of the row before in its group."""
        return not any((steps < 0).any() for _, steps in self.parts(starts))

    def steps(self, starts: np.ndarray) -> Steps:
        """What follows from the steps between successive rows.

        Args:
            starts: int array, the place of the first row of each group.
        """
        gaps, num_repeated, first_repeated = [], 0, -1
        for first, steps in self.parts(starts):
            is_repeated = steps == 0
            if is_repeated.any() and first_repeated < 0:
                first_repeated = first + int(np.argmax(is_repeated))
            num_repeated += int(is_repeated.sum())
        median = large_medians.medians(
            lambda: (
                np.where(steps > 0, steps, np.nan)[:, None]
                for _, steps in self.parts(starts)
            )
        )[0][0]
        if np.isnan(median):
            return Steps(None, np.array([], int), num_repeated, first_repeated)
        time_gap = times.GAP * float(median)
        gaps = [
            first + np.flatnonzero(steps > time_gap)
            for first, steps in self.parts(starts)
        ]
        return Steps(
            time_gap, np.concatenate(gaps), num_repeated, first_repeated
        )
