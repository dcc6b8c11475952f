"""Reads the rows of new tables as in training."""

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fpt.tasks.user_data import given_files, sequences, unlike_training
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables import (
    filling,
    table_columns,
    table_files,
    table_layout,
    table_order,
    table_structure,
    windows,
)

if TYPE_CHECKING:
    import pandas as pd

MISSING_ADVICE = (
    ", a missing value, but none was filled in training. Train with "
    "fill='median' or 'forward' (--fill)."
)
# Of the numbers in a column.
MAGNITUDES = (1e-140, 1e140)


@dataclasses.dataclass(frozen=True)
class TableReader:
    """Converts rows of a table to sequences of standardized numbers.

    Args:
        columns: tuple of strings, the columns that are read.
        mean: tuple of floats, the mean of each column in the training rows.
        scale: tuple of floats, the standard deviation of each column.
        group_column: string, tuple of strings or `None`, see `from_csv`.
        window: int or `None`, see `from_csv`.
        stride: int or `None`, see `from_csv`.
        time_column: string or `None`, see `from_csv`.
        time_gap: float, the longest step of time within a window, in seconds
            for dates; `None` for any.
        kinds: tuple of `columns.Column`s, the kind of each column; an empty one
            if all are numbers.
        missing: tuple of strings, what marks missing cells.
        fill: string or `None`, see `from_csv`.
        header: bool or `None`, see `from_csv`.
        encoding: string or `None`, see `from_csv`.
        is_per_token: bool, whether each row has an answer of its own.
    """

    columns: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    group_column: str | tuple[str, ...] | None = None
    window: int | None = None
    stride: int | None = None
    time_column: str | None = None
    time_gap: float | None = None
    kinds: tuple[columns_.Column, ...] = ()
    missing: tuple[str, ...] = ()
    fill: str | None = None
    header: bool | None = None
    encoding: str | None = None
    is_per_token: bool = False

    def __post_init__(self) -> None:
        table_structure.check_window(self.window, self.stride)
        if self.window is not None and self.stride is None:
            raise ValueError("A reader with a window needs a stride.")
        if not len(self.columns) == len(self.mean) == len(self.scale):
            raise ValueError(
                f"Expected a mean and a scale for each of {len(self.columns)} "
                f"columns but received {len(self.mean)} and {len(self.scale)}."
            )
        if self.kinds and len(self.kinds) != len(self.columns):
            raise ValueError(
                f"Expected {len(self.columns)} kinds of columns but received "
                f"{len(self.kinds)}."
            )
        is_usable = np.isfinite(self.mean) & np.isfinite(self.scale)
        if not (is_usable & (np.array(self.scale) > 0)).all():
            raise ValueError(
                "Expected finite means and scales above 0 for the columns."
            )

    def read(self, path: str | os.PathLike) -> tuple[Any, list[str]]:
        """Reads the sequences of a new file, and their names.

        Raises:
            ValueError: as for `from_csv`; labels are not needed.
        """
        frame = table_files.read_table(path, self.header, self.encoding)
        values = self._read_values(frame, path)
        cut, names = self.lay_out(frame, path, is_noted=True)
        if self.is_by_row:
            return values[:, :, None], names
        return cut.cut(values), names

    def lay_out(
        self,
        frame: "pd.DataFrame",
        path: str | os.PathLike,
        is_noted: bool = False,
    ) -> tuple[windows.Sequences, list[str]]:
        """The sequences of the rows of a new table, and their names.

        Where each row has an answer of its own, all rows are in a sequence.

        Args:
            frame: what `table_files.read_table` returned.
            path: its file, for errors.
            is_noted: bool, as for `table_layout.lay_out_new`. A file is laid
                out again for its labels, and noted once.
        """
        stride = self.stride
        if self.is_per_token and self.window is not None:
            stride = min(self.stride or self.window, self.window)
        return table_layout.lay_out_new(
            frame,
            table_structure.as_tuple(self.group_column),
            self.time_column,
            self.time_gap,
            self.window,
            stride,
            path,
            self.is_per_token,
            is_noted,
        )

    def _read_values(
        self, frame: "pd.DataFrame", path: str | os.PathLike
    ) -> np.ndarray:
        """The channels of a new table's rows."""
        values = self.parse(frame, path)
        far = self.count_far(values)
        unlike_training.log_far(far, len(values), self.columns, path)
        files = given_files.Files((str(path),), (len(frame),))
        return self.channels(values, frame, files)

    def parse(
        self, frame: "pd.DataFrame", path: str | os.PathLike
    ) -> np.ndarray:
        """Parses the cells of a new table, or of a part of it.

        Args:
            frame: what `table_files.read_table` returned.
            path: its file, for errors.

        Returns:
            float64 array `(rows, columns)`, NaN for missing cells.

        Raises:
            ValueError: a column is missing, or a cell is not as in training.
        """
        if not self.kinds:
            return table_columns.numbers(frame, self.columns, path)
        for name in self.columns:
            table_columns.column(frame, name, path)
        where = table_columns.where_in(frame, path)
        values = columns_.parse_columns(
            frame, self.columns, self.kinds, where, self.missing
        )
        if self.fill is None:
            columns_.check_no_missing(
                values, frame, self.columns, where, MISSING_ADVICE
            )
        return values

    def count_far(self, values: np.ndarray) -> np.ndarray:
        """How many numbers of each column may be in other units.

        Args:
            values: what `parse` returned.
        """
        scaled = (values - np.array(self.mean)) / np.array(self.scale)
        if self.kinds:
            is_category = [each.kind == "category" for each in self.kinds]
            scaled[:, is_category] = 0
        return unlike_training.count_far(scaled)

    def channels(
        self, values: np.ndarray, frame: "pd.DataFrame", files: Any
    ) -> np.ndarray:
        """Fills missing cells, and makes channels of the rows of a table.

        Args:
            values: float64 array `(rows, columns)`, NaN for missing cells.
            frame: what `table_files.read_table` returned.
            files: the `Files` that the rows are from.

        Returns:
            float32 array `(rows, channels)`.
        """
        complete = self.complete(values, frame, files)
        return self.scaled(complete, np.isnan(values), files.paths[0])

    def complete(
        self, values: np.ndarray, frame: "pd.DataFrame", files: Any
    ) -> np.ndarray:
        """Fills missing cells; arguments as for `channels`."""
        if not self.kinds:
            return values
        return fill_missing(
            values,
            self.kinds,
            self.fill,
            frame,
            table_structure.as_tuple(self.group_column),
            self.time_column,
            files,
            self.time_gap,
        )

    def scaled(
        self,
        values: np.ndarray,
        is_missing: np.ndarray,
        path: str | os.PathLike,
        first_row: int = 0,
    ) -> np.ndarray:
        """Makes channels of rows whose missing cells are filled.

        Args:
            values: what `complete` returned.
            is_missing: bool array `(rows, columns)`.
            path, first_row: as for `standardized`.

        Returns:
            float32 array `(rows, channels)`.
        """
        if not self.kinds:
            return self.standardized(values, path, first_row)
        scaled = self.standardized(np.nan_to_num(values), path, first_row)
        return columns_.to_channels(scaled, values, is_missing, self.kinds)

    @property
    def is_by_row(self) -> bool:
        """Whether each row is a sequence, and each of its cells a token."""
        return not self.group_column and self.window is None

    def standardized(
        self,
        values: np.ndarray,
        path: str | os.PathLike,
        first_row: int = 0,
    ) -> np.ndarray:
        """Scales rows `(rows, columns)` as the training rows were scaled.

        Args:
            values: array `(rows, columns)`.
            path: the table's file, for errors.
            first_row: int, the number of the first of the rows, from 0.

        Raises:
            ValueError: a number is too far from those of training.
        """
        with np.errstate(over="ignore"):
            scaled = sequences.standardized(values, self.mean, self.scale)
        wrong = np.argwhere(~np.isfinite(scaled))
        if len(wrong):
            row, index = wrong[0]
            raise ValueError(
                f"`{path}`, row {first_row + row + 1}, column "
                f"'{self.columns[index]}': "
                f"{values[row, index]:g} is too large. In training, the "
                f"column's standard deviation is {self.scale[index]:g}."
            )
        return scaled


def fill_missing(
    values: np.ndarray,
    kinds: Sequence[columns_.Column],
    fill: str | None,
    frame: "pd.DataFrame",
    keys: Sequence[str],
    time_column: str | None,
    files: given_files.Files,
    time_gap: float | None = None,
) -> np.ndarray:
    """Fills missing cells.

    Args:
        values: float64 array `(rows, columns)`, NaN for missing cells.
        kinds: sequence of `columns.Column`s.
        fill: string, or `None`.
        frame: what `table_files.read_table` returned.
        keys: sequence of strings, the columns of groups.
        time_column: string, or `None`.
        files: the `Files` that the rows are from.
        time_gap: float, the longest step of time that is no gap; `None` takes
            it from the times. Nothing is filled from before a gap.

    Returns:
        An array of the same shape. A missing category stays NaN if none came
        before.
    """
    if fill is None or not np.isnan(values).any():
        return values
    if fill == "forward":
        ordered = table_order.in_order(
            frame, keys, time_column, files, time_gap
        )
        stretches = np.cumsum(ordered.is_first | ordered.is_gap)
        filled = np.empty_like(values)
        filled[ordered.order] = filling.fill_forward(
            values[ordered.order], stretches
        )
        values = filled
    return filling.fill_rest(values, kinds)


def check_magnitudes(
    values: np.ndarray, columns: Sequence[str], path: str | os.PathLike
) -> None:
    """Checks that float64 can represent the squares of a table's numbers.

    Without them there is no standard deviation, and a column would become
    zeros.

    Args:
        values: array `(rows, columns)`.
        columns: sequence of strings.
        path: the table's file, for errors.
    """
    low, high = MAGNITUDES
    largest = np.abs(values).max(axis=0)
    wrong = np.flatnonzero((largest > high) | ((largest > 0) & (largest < low)))
    if len(wrong):
        raise ValueError(
            f"`{path}`, column '{columns[wrong[0]]}': its largest number is "
            f"{largest[wrong[0]]:g} in magnitude, which cannot be "
            f"standardized. Expected one from {low:g} to {high:g}. Rescale the "
            f"column.{columns_.IGNORE_ADVICE}"
        )
