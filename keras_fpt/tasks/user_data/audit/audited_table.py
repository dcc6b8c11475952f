"""A table of numbers, as the audit receives it."""

import dataclasses
from collections.abc import Callable, Collection, Sequence

import numpy as np


def spell_number(name: str, value: float) -> str:
    """A number of a column, as `--missing` takes it."""
    return f"{value:.15g}"


@dataclasses.dataclass(frozen=True)
class Table:
    """A table, as the audit receives it.

    Args:
        values: float array `(rows, columns)`, the inputs as in the file.
        columns: sequence of strings.
        labels: int array `(rows,)` of classes.
        class_names: sequence of strings.
        train: int array of the rows of the train split.
        test: int array of the rows of the test split.
        groups: int array `(rows,)`, the group that a row belongs to, or
            `None`.
        is_series: bool, whether successive rows make one sequence.
        categories: tuple of strings, the columns whose numbers stand for
            texts.
        are_files: bool, whether the table is of many files, each of which is
            a recording whose rows are in their order.
        spell: function from a column and one of its numbers to the text of a
            cell that holds it.
    """

    values: np.ndarray
    columns: Sequence[str]
    labels: np.ndarray
    class_names: Sequence[str]
    train: np.ndarray
    test: np.ndarray
    groups: np.ndarray | None = None
    is_series: bool = False
    categories: tuple[str, ...] = ()
    are_files: bool = False
    spell: Callable[[str, float], str] = spell_number

    def labeled(self) -> "Table":
        """The same table without the rows that have no label."""
        is_labeled = self.labels >= 0
        if is_labeled.all():
            return self
        place = np.cumsum(is_labeled) - 1
        return dataclasses.replace(
            self,
            values=self.values[is_labeled],
            labels=self.labels[is_labeled],
            train=place[self.train[is_labeled[self.train]]],
            test=place[self.test[is_labeled[self.test]]],
            groups=None if self.groups is None else self.groups[is_labeled],
        )

    def numbers(self) -> "Table":
        """The same table with its columns of numbers."""
        return self.without({*self.categories})

    def without(self, names: Collection[str]) -> "Table":
        """The same table without some of its columns."""
        return self.part(
            [i for i, name in enumerate(self.columns) if name not in names]
        )

    def part(self, indices: Sequence[int]) -> "Table":
        """The same table with some of its columns."""
        if len(indices) == len(self.columns):
            return self  # A copy of a large table takes much memory.
        return dataclasses.replace(
            self,
            values=self.values[:, indices],
            columns=[self.columns[i] for i in indices],
        )
