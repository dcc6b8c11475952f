"""Reads the series of new tables as those in training, for forecasts.

This file is longer than others, since it has one large public class.
"""

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_fpt.tasks import seasons, sequence_store
from keras_fpt.tasks.user_data import given_files, sequences, unlike_training
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables import (
    forecast_notes,
    future_rows,
    series_windows,
    table_columns,
    table_files,
    table_order,
    table_reader,
    times,
    windows,
)

if TYPE_CHECKING:
    import pandas as pd


class NewWindows(NamedTuple):
    """Every forecast that a new table holds the truth of.

    Args:
        x: float32 array, inputs of the model, see `SeriesReader.inputs`.
        y: float32 array `(n, horizon, columns)`, standardized. Both may be on
            disk, see `sequence_store.is_on_disk`.
        names: n strings, one after the other.
    """

    x: Any
    y: Any
    names: Any


class _Read(NamedTuple):
    """A new table: its rows by series and time."""

    frame: "pd.DataFrame"
    ordered: table_order.Ordered
    # In the order of the series, standardized; and where cells were missing.
    values: np.ndarray
    is_missing: np.ndarray
    # How many of the last rows of each series are to be forecast.
    unknown: np.ndarray


@dataclasses.dataclass(frozen=True)
class SeriesReader:
    """How the rows of a table become contexts of forecasts.

    Args:
        columns: tuple of strings, the columns that are forecast.
        mean: tuple of floats, the mean of each column in the training rows.
        scale: tuple of floats, the standard deviation of each column.
        context: int, how many rows a forecast is made from.
        horizon: int, how many rows are forecast.
        group_column: tuple of strings, the columns that tell series apart.
        time_column: string or `None`, see `from_series`.
        time_gap: float, the longest step of time that is no gap; `None` for
            any.
        missing: tuple of strings, what marks missing cells.
        fill: string or `None`, see `from_series`.
        fillers: tuple of floats, the median of each column in the training
            rows, and then of `future_columns`; an empty one if missing cells
            are errors.
        header: bool or `None`, see `from_series`.
        encoding: string or `None`, see `from_series`.
        season: int, the rows of a season in train; `None` if none was found.
        future_columns: tuple of strings, the columns that are known over the
            horizon as well, and are not forecast.
        future_mean, future_scale: tuples of floats, as `mean` and `scale`, of
            these columns.
    """

    columns: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    context: int
    horizon: int
    group_column: tuple[str, ...] = ()
    time_column: str | None = None
    time_gap: float | None = None
    missing: tuple[str, ...] = ()
    fill: str | None = None
    fillers: tuple[float, ...] = ()
    header: bool | None = None
    encoding: str | None = None
    season: int | None = None
    future_columns: tuple[str, ...] = dataclasses.field(
        default=(), metadata={"since": "0.2.0"}
    )
    future_mean: tuple[float, ...] = dataclasses.field(
        default=(), metadata={"since": "0.2.0"}
    )
    future_scale: tuple[float, ...] = dataclasses.field(
        default=(), metadata={"since": "0.2.0"}
    )

    def __post_init__(self) -> None:
        series_windows.check_sizes(self.context, self.horizon)
        size = len(self.columns)
        if not size or not size == len(self.mean) == len(self.scale):
            raise ValueError(
                f"Expected a mean and a scale for each of {size} columns but "
                f"received {len(self.mean)} and {len(self.scale)}."
            )
        known = len(self.future_columns)
        if not known == len(self.future_mean) == len(self.future_scale):
            raise ValueError(
                f"Expected a mean and a scale for each of {known} columns that "
                f"are known in advance but received {len(self.future_mean)} "
                f"and {len(self.future_scale)}."
            )
        size += known
        if len(self.fillers) != (size if self.fill else 0):
            raise ValueError(
                f"Expected {size if self.fill else 0} numbers that fill "
                f"missing cells but received {len(self.fillers)}."
            )
        if self.season is not None and self.season < 1:
            raise ValueError(
                "Expected a season of at least 1 row but received "
                f"{self.season}."
            )
        scales = [*self.scale, *self.future_scale]
        numbers = [*self.mean, *self.future_mean, *scales, *self.fillers]
        if not np.isfinite(numbers).all() or min(scales) <= 0:
            raise ValueError(
                "Expected finite means and scales above 0 for the columns."
            )

    @property
    def kinds(self) -> tuple[columns_.Column, ...]:
        """How missing cells of each column are filled."""
        return tuple(columns_.Column(filler=each) for each in self.fillers)

    @property
    def all_columns(self) -> tuple[str, ...]:
        """The columns that are forecast, and those known in advance."""
        return (*self.columns, *self.future_columns)

    @property
    def time_step(self) -> float | None:
        """The median step of time in training, if there are times."""
        return None if self.time_gap is None else self.time_gap / times.GAP

    @property
    def unknown_rows(self) -> int:
        """How many of the last rows of an input are to be forecast."""
        return self.horizon if self.future_columns else 0

    def inputs(self, rows: np.ndarray) -> np.ndarray:
        """What the model reads of contexts, and of the horizons after them.

        Args:
            rows: float array `(n, context + horizon, columns)` of
                `all_columns`, or without the horizon.

        Returns:
            Float array `(n, context, columns)`; or, where some columns are
            known in advance, `(n, context + horizon, columns)`, with 0 for
            what is to be forecast.
        """
        size = self.context + self.unknown_rows
        if not self.future_columns:
            return rows[:, :size]
        found = rows[:, :size].copy()
        found[:, self.context :, : len(self.columns)] = 0
        return found

    def past(self, x: np.ndarray) -> np.ndarray:
        """What is forecast, in the contexts of `(..., rows, columns)`."""
        return x[..., : self.context, : len(self.columns)]

    @property
    def rules(self) -> dict[str, Callable[[Any], np.ndarray]]:
        """Simple ways to forecast, as functions of contexts, by their names.

        The value one season before is one of them if contexts hold a season.
        """
        return seasons.rules(
            *(self.context, self.horizon, self.season),
            *(self.unknown_rows, len(self.columns)),
        )

    def read(self, path: str | os.PathLike) -> tuple[np.ndarray, list[str]]:
        """Reads the last context of each series of a new file.

        Returns:
            A tuple: float32 array, see `inputs`, standardized, and the names
            of the series.

        Raises:
            ValueError: a series has fewer rows than a context, or lacks those
                with what is known in advance; or as for `from_series`.
        """
        table = self._read(path)
        unlike_training.log_series(self, table.ordered, table.values, path)
        last, names = self._last(table, path)
        return self.inputs(last.cut(self._in_file(table))), names

    def read_windows(self, path: str | os.PathLike) -> NewWindows:
        """Reads every context of a new file that has a horizon after it.

        Raises:
            ValueError: there is none; or as for `from_series`.
        """
        table = self._read(path)
        unlike_training.log_series(self, table.ordered, table.values, path)
        ordered = table.ordered
        starts, lengths = windows.stretches(ordered.is_first | ordered.is_gap)
        size = self.context + self.horizon
        stretches = windows.Sequences(ordered.order, starts, lengths)
        cut, _ = windows.windows(stretches, size, 1)
        is_kept = series_windows.has_truth(
            cut.starts,
            self.context,
            self.horizon,
            table.is_missing[:, : len(self.columns)],
        )
        cut = cut.select(is_kept)
        if not len(cut.starts):
            raise self.too_short(int(lengths.max()), path)
        values = cut.cut(self._in_file(table))
        return NewWindows(
            self.inputs(values),
            values[:, self.context :, : len(self.columns)],
            ordered.window_names(cut),
        )

    def following(self, path: str | os.PathLike) -> "pd.DataFrame":
        """The groups and times of what is forecast for a new file.

        Returns:
            `pandas.DataFrame` with `horizon` rows for each series, in the
            order of `read`: the columns of groups and of time, if there are
            any.
        """

        table = self._read(path)
        last, _ = self._last(table, path)
        size = self.context + self.unknown_rows
        return self.beside(
            (
                table.frame.iloc[last.order[start : start + size]]
                for start in last.starts.tolist()
            ),
            path,
        )

    def beside(
        self, frames: Iterable["pd.DataFrame"], path: str | os.PathLike
    ) -> "pd.DataFrame":
        """The groups and times of what is forecast from some rows.

        Args:
            frames: iterable of `pandas.DataFrame`s, the rows of each input of
                the model.
            path: their file, for errors.

        Returns:
            As `following`.
        """
        import pandas as pd

        found: dict[str, list] = {name: [] for name in self.beside_columns}
        for frame in frames:
            for name in self.group_column:
                cells = table_columns.column(frame, name, path)
                last = cells.iloc[self.context - 1]
                found[name] += [last] * self.horizon
            if self.time_column is not None:
                cells = table_columns.column(frame, self.time_column, path)
                found[self.time_column] += (
                    cells.iloc[self.context :].tolist()
                    if self.future_columns
                    else times.following(
                        cells,
                        self.time_column,
                        self.horizon,
                        table_columns.where_in(frame, path),
                    )
                )
        return pd.DataFrame(found)

    @property
    def beside_columns(self) -> tuple[str, ...]:
        """The columns of groups and of time."""
        time = () if self.time_column is None else (self.time_column,)
        return (*self.group_column, *time)

    def in_units(self, values: np.ndarray) -> np.ndarray:
        """Standardized numbers `(..., columns)` in the unit of each column."""
        return np.asarray(values, float) * self.scale + self.mean

    def describe(self, values: Any) -> str:
        """The columns of standardized numbers `(..., columns)`, in words."""

        def parts() -> Iterator[np.ndarray]:
            for part in sequence_store.chunks(values):
                yield self.in_units(part).reshape(-1, len(self.columns))

        return forecast_notes.describe(parts, self.columns)

    def _read(self, path: str | os.PathLike) -> _Read:
        frame = table_files.read_table(path, self.header, self.encoding)
        files = given_files.Files((str(path),), (len(frame),))
        values = self.parse(frame, path)
        ordered = table_order.in_order(
            frame, self.group_column, self.time_column, files, self.time_gap
        )
        unknown = np.zeros(len(ordered.groups.names), int)
        if self.future_columns:
            known = ~np.isnan(values[ordered.order, : len(self.columns)])
            series, _ = windows.stretches(ordered.is_first)
            unknown = future_rows.count(known.any(axis=1), series)
        if self.fill is None:
            columns_.check_no_missing(
                future_rows.without(
                    values, ordered, unknown, len(self.columns)
                ),
                frame,
                self.all_columns,
                files.where,
                table_reader.MISSING_ADVICE,
            )
        is_missing = np.isnan(values)
        values = table_reader.fill_missing(
            values,
            self.kinds,
            self.fill,
            frame,
            self.group_column,
            self.time_column,
            files,
            self.time_gap,
        )
        return _Read(
            frame,
            ordered,
            self.standardized(values, path)[ordered.order],
            is_missing[ordered.order],
            unknown,
        )

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
            ValueError: a column is missing, or a cell is no number.
        """
        for name in self.all_columns:
            table_columns.column(frame, name, path)
        return columns_.parse_columns(
            frame,
            self.all_columns,
            self.kinds or (columns_.Column(),) * len(self.all_columns),
            table_columns.where_in(frame, path),
            self.missing,
        )

    def standardized(
        self, values: np.ndarray, path: str | os.PathLike, first_row: int = 0
    ) -> np.ndarray:
        """Rows `(rows, columns)` from `first_row` on, scaled as those of train.

        Raises:
            ValueError: a number is too far from those of training.
        """
        mean = (*self.mean, *self.future_mean)
        scale = (*self.scale, *self.future_scale)
        with np.errstate(over="ignore"):
            scaled = sequences.standardized(values, mean, scale)
        wrong = np.argwhere(np.isinf(scaled))
        if len(wrong):
            row, index = wrong[0]
            raise ValueError(
                f"`{path}`, row {first_row + row + 1}, column "
                f"'{self.all_columns[index]}': {values[row, index]:g} is too "
                "large. In training, the column's standard deviation is "
                f"{scale[index]:g}."
            )
        return scaled

    def _last(
        self, table: _Read, path: str | os.PathLike
    ) -> tuple[windows.Sequences, list[str]]:
        """The last rows of each series, and the series' names.

        Where columns are known in advance, these are a context and the horizon
        after it.
        """
        ordered = table.ordered
        starts, lengths = windows.stretches(ordered.is_first | ordered.is_gap)
        ends = starts + lengths
        is_last = np.append(ordered.is_first, True)[ends]
        names, unknown = ordered.groups.names, table.unknown
        self.check_last(lengths[is_last], unknown, names, path)
        last = windows.Sequences(
            ordered.order,
            ends[is_last] - unknown - self.context,
            np.full(int(is_last.sum()), self.context + self.unknown_rows),
        )
        return last, names

    def check_last(
        self,
        lengths: np.ndarray,
        unknown: np.ndarray,
        names: Sequence[str],
        path: str | os.PathLike,
    ) -> None:
        """Checks that the last rows of each series are enough for a forecast.

        Args:
            lengths: int array `(series,)`, the rows after the last gap.
            unknown: int array `(series,)`, how many of them are to come.
            names: sequence of strings, the series.
            path: the file, for errors.

        Raises:
            ValueError: they are not.
        """
        for index, length in enumerate((lengths - unknown).tolist()):
            if unknown[index] < self.unknown_rows:
                raise ValueError(
                    f"`{path}`, {names[index]}: what is known in advance "
                    f"({', '.join(self.future_columns)}) is needed for the "
                    f"{self.horizon} rows that are forecast, but the file ends "
                    f"with {unknown[index]} rows in which no "
                    f"{', '.join(self.columns)} is. Add these rows, with the "
                    "cells of what is forecast empty."
                )
            if length < self.context:
                raise ValueError(
                    f"`{path}`, {names[index]}: a forecast is made from "
                    f"{self.context} rows that follow one another, but there "
                    f"are {length} after the last gap. Give a longer file, or "
                    "train with a shorter context (--context)."
                )

    def too_short(self, longest: int, path: str | os.PathLike) -> ValueError:
        """The error that no row has a context before and a horizon after it.

        Args:
            longest: int, the rows of the longest series without a gap.
            path: the file.
        """
        return ValueError(
            f"`{path}`: a forecast of {self.horizon} rows from {self.context} "
            f"is scored on {self.context + self.horizon} rows that follow one "
            f"another, but the longest series has {longest} without a gap. "
            "Give a longer file."
        )

    def _in_file(self, table: _Read) -> np.ndarray:
        """The values in the order of the file, which `Sequences.cut` takes."""
        values = np.empty_like(table.values)
        values[table.ordered.order] = table.values
        return values
