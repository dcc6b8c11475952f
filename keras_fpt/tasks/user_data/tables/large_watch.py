"""Notes groups, times and given splits while a large table is parsed."""

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data import audit
from keras_fpt.tasks.user_data.audit import audit_tables
from keras_fpt.tasks.user_data.tables import (
    group_runs,
    large_files,
    large_groups,
    large_labels,
    large_order,
    large_splits,
    large_times,
    table_columns,
    table_groups,
)
from keras_fpt.tasks.user_data.tables.table_structure import Structure

if TYPE_CHECKING:
    import pandas as pd

LOGGER = logging.getLogger(__name__)


class Watch:
    """Notes the structure of a large table's rows while they are parsed.

    Args:
        files: the `LargeFiles`.
        structure: a `Structure`.
        drop_missing: bool, as for `tables.from_csv`.
    """

    def __init__(
        self,
        files: large_files.LargeFiles,
        structure: Structure,
        drop_missing: bool = False,
    ) -> None:
        self.files = files
        self.structure = structure
        self.spellings = table_groups.Spellings(
            [*structure.split_group, *structure.keys]
        )
        self.runs = group_runs.GroupRuns(files.known, structure.keys)
        self.names: large_labels.Labels | None = None
        self.together: large_groups.GroupNumbers | None = None
        self.times: large_times.LargeTimes | None = None
        # The first and the last part of the table.
        self._ends: list[pd.DataFrame] = []
        if structure.split_column is not None:
            if files.known.splits is not None:
                raise ValueError(
                    f"`{files.known.paths[0]}`: give split_column "
                    "(--split-column), or validation and test files, not both."
                )
            self.names = large_labels.Labels(files.where)
        if structure.split_group and structure.split_group != structure.keys:
            self.together = large_groups.GroupNumbers(
                structure.split_group, drop_missing and structure.is_by_row
            )
        if structure.time_column is not None:
            self.times = large_times.LargeTimes(structure.time_column)

    def frames(
        self, frames: Iterable["pd.DataFrame"]
    ) -> Iterator["pd.DataFrame"]:
        """Yields parts of the table, and notes their structure."""
        for frame in self.runs.watch(frames):
            self._ends = [*self._ends[:1], frame]
            self.spellings.add(frame)
            if self.names is not None:
                name = str(self.structure.split_column)
                path = large_files.path_of(frame)
                self.names.add(table_columns.column(frame, name, path))
            if self.together is not None:
                self.together.add(frame)
            if self.times is not None:
                self.times.add(frame)
            yield frame

    def close(self) -> None:
        """Removes files that are not needed any more."""
        self.runs.close()
        if self.times is not None:
            self.times.close()

    def total_row(self) -> list[audit.Finding]:
        """The finding of a last row that seems to sum up the others."""
        *others, last = self._ends
        return audit_tables.find_total(last, others)

    def split_names(self) -> tuple[np.ndarray, list[str], str] | None:
        """The split that is given for each row, as `large_splits.Given`."""
        if self.names is not None:
            words = f"column {self.structure.split_column}"
            return self.names.codes(), self.names.distinct, words
        found = self.files.row_splits()
        if found is None:
            return None
        return *found, self.files.known.words

    def order(self) -> large_order.Order | None:
        """The order of the rows by group and time, of which times are sorted.

        Returns:
            `Order`; `None` if the table must be read as a whole, which is
            logged.
        """
        if not self._finish_times():
            return None
        if self._are_sorted():
            return large_order.Order()
        order = large_order.find(self._keys())
        if self.times is not None:
            self.times.sort(order)
        return order

    def steps_if_sorted(self) -> large_times.Steps | None:
        """The steps of time, if there are any.

        Returns:
            `Steps`; `None` if the table must be read as a whole, since its
            rows are in another order, or as for `order`. That is logged.
        """
        if not self._finish_times():
            return None
        if self._are_sorted():
            return self.steps()
        columns = [*self.structure.keys]
        if self.times is not None:
            columns.append(str(self.structure.time_column))
        words = " and ".join(columns)
        LOGGER.warning(
            f"`{self.files.known.paths[0]}` is read into memory as a whole, "
            f"since its rows are not sorted. Sort the file by {words} to read "
            "it in parts."
        )
        return None

    def _finish_times(self) -> bool:
        """Whether the times, if there are any, can be compared in parts."""
        if self.times is None:
            return True
        if self.times.can_be_compared:
            self.times.finish()
            return True
        LOGGER.warning(
            f"`{self.files.known.paths[0]}` is read into memory as a whole, "
            f"since the times in {self.structure.time_column} do not all have "
            "one format that can be told from the first. Write dates such as "
            "2024-01-31 12:00:00 to read it in parts."
        )
        return False

    def _are_sorted(self) -> bool:
        """Whether rows follow one another by group, and by time in each."""
        return not self.runs.are_scattered and (
            self.times is None or self.times.are_sorted(self.runs.starts)
        )

    def _keys(self) -> Iterator[np.ndarray]:
        """Yields the groups and the times of some rows."""
        parts: Iterable[tuple[int, np.ndarray]] = (
            (part.start, np.zeros(part.stop - part.start))
            for part in large_splits.slices(int(self.runs.sizes.sum()))
        )
        if self.times is not None:
            parts = self.times.moments()
        for first, moments in parts:
            groups = self.runs.numbers(slice(first, first + len(moments)))
            yield np.column_stack([groups, moments])

    def steps(self) -> large_times.Steps:
        """The steps of time, if there are any, by the places of rows."""
        if self.times is None:
            return large_times.Steps(None, np.array([], int), 0, -1)
        return self.times.steps(self.runs.starts)

    def findings(
        self, steps: large_times.Steps, order: large_order.Order
    ) -> tuple[audit.Finding, ...]:
        """Findings of the order of the rows."""
        scattered = []
        if self.times is None:
            scattered = large_groups.find_scattered(
                self.runs, self.files, self.structure.keys
            )
        return (
            *scattered,
            *large_times.findings(
                steps, self.structure, self.files.known, order
            ),
        )
