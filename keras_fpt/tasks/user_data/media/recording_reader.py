"""Reads tables, each of which is a recording, as training did."""

import dataclasses
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_fpt.tasks.user_data import sequences, unlike_training
from keras_fpt.tasks.user_data.media import file_kinds, folders
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables import (
    filling,
    missing_rows,
    table_columns,
    table_files,
)


@dataclasses.dataclass(frozen=True)
class RecordingReader:
    """Converts tables to sequences of standardized rows.

    Args:
        columns: tuple of strings, the columns that are read.
        mean: tuple of floats, the mean of each column in the training rows.
        scale: tuple of floats, the standard deviation of each column.
        window: int or `None`, see `from_recording_folder`.
        stride: int or `None`.
        header: bool or `None`, see `from_csv`.
        missing: tuple of strings, what marks missing cells.
        fill: string or `None`, see `from_recording_folder`.
        median: tuple of floats, the median of each column in the training
            rows, if missing cells are filled; otherwise empty.
        flagged: tuple of ints, the columns with an extra channel that marks
            missing cells: those with missing cells in training.
        encoding: string or `None`, see `from_csv`.
    """

    columns: tuple[str, ...]
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    window: int | None = None
    stride: int | None = None
    header: bool | None = None
    missing: tuple[str, ...] = ()
    fill: str | None = None
    median: tuple[float, ...] = ()
    flagged: tuple[int, ...] = ()
    encoding: str | None = None

    def __post_init__(self) -> None:
        check_options(self.window, self.stride, self.fill)

    def read(self, path: str | os.PathLike) -> tuple[Any, list[str]]:
        """Reads the sequences of one table or of all in a folder.

        Returns:
            A tuple: tokens, and the names of the sequences.

        Raises:
            ValueError: a file is not a table with the columns of training, or
                is shorter than a window.
        """
        return self.read_files(*folders.new_files(path))

    def read_files(
        self, files: list[pathlib.Path], names: list[str]
    ) -> tuple[Any, list[str]]:
        """Reads the sequences of some tables; see `read`."""
        part_names: list[str] = []
        far, count = np.zeros(len(self.columns), int), 0

        def parts_of_files() -> Iterator[np.ndarray]:
            nonlocal far, count
            for file, name in zip(files, names, strict=True):
                values = self.load(file)
                size = len(self.columns)
                scaled = (values - self.mean[:size]) / self.scale[:size]
                far = far + unlike_training.count_far(scaled)
                count += len(values)
                parts = self.parts(name, len(values))
                if not parts:
                    raise ValueError(
                        f"`{file}` has {len(values):,} rows, fewer than a "
                        f"window of {self.window}."
                    )
                scaled = self.standardized(self.filled(values), file)
                part_names.extend(part for part, _ in parts)
                yield from (scaled[rows] for _, rows in parts)

        x = sequences.collect(parts_of_files())
        place = files[0] if len(files) == 1 else files[0].parent
        unlike_training.log_far(far, count, self.columns, place)
        return x, part_names

    def load(self, file: str | os.PathLike) -> np.ndarray:
        """Reads the numbers of one table, float64 `(rows, columns)`."""
        frame = read_frame(file, self.header, self.encoding)
        return self.numbers(frame, file, self.fill is not None)

    def numbers(
        self, frame: Any, file: str | os.PathLike, may_lack: bool
    ) -> np.ndarray:
        """The numbers of a table.

        Args:
            frame: what `table_files.read_table` returned.
            file: the table's file, for errors.
            may_lack: bool, whether cells may be missing.

        Returns:
            float64 array `(rows, columns)`, NaN where a cell is missing.
        """
        where = table_columns.where_in(frame, file)
        for name in self.columns:
            table_columns.column(frame, name, file)
        kinds = [columns_.Column()] * len(self.columns)
        values = columns_.parse_columns(
            frame,
            self.columns,
            kinds,
            where,
            self.missing,
            columns_.IGNORE_ADVICE,
        )
        if not may_lack:
            columns_.check_no_missing(values, frame, self.columns, where)
        return values

    def filled(self, values: np.ndarray) -> np.ndarray:
        """Fills the missing cells of one recording.

        Args:
            values: float64 array `(rows, columns)`, NaN for missing cells.

        Returns:
            float64 array `(rows, channels)`.
        """
        if self.fill is None:
            return values
        is_missing = np.isnan(values)
        if self.fill == "forward":
            values = filling.fill_forward(values, None)
        values = np.where(np.isnan(values), self.median, values)
        return np.concatenate([values, is_missing[:, self.flagged]], axis=1)

    def parts(self, name: str, size: int) -> list[tuple[str, slice]]:
        """Names and rows of the sequences of a recording of some rows."""
        if self.window is None:
            return [(name, slice(0, size))]
        step = self.stride or self.window
        return [
            (
                f"{name}, rows {start + 1}-{start + self.window}",
                slice(start, start + self.window),
            )
            for start in range(0, size - self.window + 1, step)
        ]

    def standardized(
        self, values: np.ndarray, file: str | os.PathLike
    ) -> np.ndarray:
        """Scales rows `(rows, columns)` as the training rows were scaled.

        Raises:
            ValueError: a number is too far from those of training.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = sequences.standardized(values, self.mean, self.scale)
        wrong = np.argwhere(~np.isfinite(scaled) & ~np.isnan(values))
        if len(wrong):
            row, index = wrong[0]
            # A channel of zeros and ones is always finite.
            raise ValueError(
                f"`{file}`, row {row + 1}, column '{self.columns[index]}': "
                f"{values[row, index]:g} is too large."
            )
        return scaled


def read_frame(
    file: str | os.PathLike, header: bool | None, encoding: str | None
) -> Any:
    """Reads a table.

    Raises:
        ValueError: it is none.
    """
    if file_kinds.kind_of(file) != file_kinds.TABLES:
        raise file_kinds.unreadable(file, "a table")
    return table_files.read_table(file, header, encoding)


def check_options(
    window: int | None, stride: int | None, fill: str | None = None
) -> None:
    """Checks the options of recordings before any table is read.

    Raises:
        ValueError: one of them cannot be used.
    """
    for name, value in (("window", window), ("stride", stride)):
        if value is not None and value < 1:
            raise ValueError(
                f"Expected {name} to be at least 1 but received {value}."
            )
    if stride is not None and window is None:
        raise ValueError("A stride needs a window.")
    missing_rows.check_fill(fill)
