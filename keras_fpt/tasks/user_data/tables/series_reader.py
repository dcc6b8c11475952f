"""Reads the series of new tables as those in training, for forecasts."""

import dataclasses
import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_fpt.tasks import seasons
from keras_fpt.tasks.task_floors import NAIVE, SEASONAL_NAIVE
from keras_fpt.tasks.user_data import given_files, sequences
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables import (
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
        x: float32 array `(n, context, columns)`, standardized.
        y: float32 array `(n, horizon, columns)`, standardized.
        names: list of n strings.
    """

    x: np.ndarray
    y: np.ndarray
    names: list[str]


class _Read(NamedTuple):
    """A new table: its rows by series and time."""

    frame: "pd.DataFrame"
    ordered: table_order.Ordered
    # In the order of the series, standardized; and where cells were missing.
    values: np.ndarray
    is_missing: np.ndarray


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
            rows; an empty one if missing cells are errors.
        header: bool or `None`, see `from_series`.
        encoding: string or `None`, see `from_series`.
        season: int, the rows of a season in train; `None` if none was found.
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

    def __post_init__(self) -> None:
        series_windows.check_sizes(self.context, self.horizon)
        size = len(self.columns)
        if not size or not size == len(self.mean) == len(self.scale):
            raise ValueError(
                f"Expected a mean and a scale for each of {size} columns but "
                f"received {len(self.mean)} and {len(self.scale)}."
            )
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
        numbers = [*self.mean, *self.scale, *self.fillers]
        if not np.isfinite(numbers).all() or min(self.scale) <= 0:
            raise ValueError(
                "Expected finite means and scales above 0 for the columns."
            )

    @property
    def kinds(self) -> tuple[columns_.Column, ...]:
        """How missing cells of each column are filled."""
        return tuple(columns_.Column(filler=each) for each in self.fillers)

    @property
    def rules(self) -> dict[str, Callable[[Any], np.ndarray]]:
        """Simple ways to forecast, as functions of contexts, by their names.

        The value one season before is one of them if contexts hold a season.
        """
        places = {NAIVE: np.full(self.horizon, -1)}
        if self.season is not None and self.season <= self.context:
            places[SEASONAL_NAIVE] = seasons.one_before(
                self.season, self.horizon
            )
        return {
            name: functools.partial(_rows_before, found)
            for name, found in places.items()
        }

    def read(self, path: str | os.PathLike) -> tuple[np.ndarray, list[str]]:
        """Reads the last context of each series of a new file.

        Returns:
            A tuple: float32 array `(series, context, columns)`, standardized,
            and the names of the series.

        Raises:
            ValueError: a series has fewer rows than a context; or as for
                `from_series`.
        """
        table = self._read(path)
        last, names = self._last(table, path)
        return last.cut(self._in_file(table)), names

    def read_windows(self, path: str | os.PathLike) -> NewWindows:
        """Reads every context of a new file that has a horizon after it.

        Raises:
            ValueError: there is none; or as for `from_series`.
        """
        table = self._read(path)
        ordered = table.ordered
        starts, lengths = windows.stretches(ordered.is_first | ordered.is_gap)
        size = self.context + self.horizon
        stretches = windows.Sequences(ordered.order, starts, lengths)
        cut, _ = windows.windows(stretches, size, 1)
        is_kept = series_windows.has_truth(
            cut.starts, self.context, self.horizon, table.is_missing
        )
        cut = cut.select(is_kept)
        if not len(cut.starts):
            raise ValueError(
                f"`{path}`: a forecast of {self.horizon} rows from "
                f"{self.context} is scored on {size} rows that follow one "
                f"another, but the longest series has {lengths.max()} without "
                "a gap. Give a longer file."
            )
        values = cut.cut(self._in_file(table))
        return NewWindows(
            values[:, : self.context],
            values[:, self.context :],
            ordered.window_names(cut),
        )

    def following(self, path: str | os.PathLike) -> "pd.DataFrame":
        """The groups and times of what is forecast for a new file.

        Returns:
            `pandas.DataFrame` with `horizon` rows for each series, in the
            order of `read`: the columns of groups and of time, if there are
            any.
        """
        import pandas as pd

        table = self._read(path)
        last, _ = self._last(table, path)
        files = given_files.Files((str(path),), (len(table.frame),))
        found: dict[str, list] = {name: [] for name in self.group_column}
        if self.time_column is not None:
            found[self.time_column] = []
        for start in last.starts:
            rows = last.order[start : start + self.context]
            for name in self.group_column:
                cells = table_columns.column(table.frame, name, path)
                found[name] += [cells.iloc[rows[-1]]] * self.horizon
            if self.time_column is not None:
                cells = table_columns.column(
                    table.frame, self.time_column, path
                ).iloc[rows]
                found[self.time_column] += times.following(
                    cells, self.time_column, self.horizon, files.where
                )
        return pd.DataFrame(found)

    def in_units(self, values: np.ndarray) -> np.ndarray:
        """Standardized numbers `(..., columns)` in the unit of each column."""
        return np.asarray(values, float) * self.scale + self.mean

    def describe(self, values: np.ndarray) -> str:
        """The columns of standardized numbers `(..., columns)`, in words."""
        found = self.in_units(values).reshape(-1, len(self.columns))
        # Single precision makes of 0 a number that is almost 0.
        found[np.abs(found) < 1e-6 * np.abs(found).max(axis=0)] = 0
        return "; ".join(
            f"{name} from {each.min():.6g} to {each.max():.6g}, mean "
            f"{each.mean():.6g}, standard deviation {each.std():.6g}"
            for name, each in zip(self.columns, found.T, strict=True)
        )

    def _read(self, path: str | os.PathLike) -> _Read:
        frame = table_files.read_table(path, self.header, self.encoding)
        for name in self.columns:
            table_columns.column(frame, name, path)
        files = given_files.Files((str(path),), (len(frame),))
        kinds = self.kinds or (columns_.Column(),) * len(self.columns)
        values = columns_.parse_columns(
            frame, self.columns, kinds, files.where, self.missing
        )
        if self.fill is None:
            columns_.check_no_missing(
                values,
                frame,
                self.columns,
                files.where,
                table_reader.MISSING_ADVICE,
            )
        is_missing = np.isnan(values)
        values = table_reader.fill_missing(
            values,
            kinds,
            self.fill,
            frame,
            self.group_column,
            self.time_column,
            files,
            self.time_gap,
        )
        ordered = table_order.in_order(
            frame, self.group_column, self.time_column, files, self.time_gap
        )
        return _Read(
            frame,
            ordered,
            self.standardized(values, path)[ordered.order],
            is_missing[ordered.order],
        )

    def standardized(
        self, values: np.ndarray, path: str | os.PathLike
    ) -> np.ndarray:
        """Rows `(rows, columns)` scaled as the training rows were.

        Raises:
            ValueError: a number is too far from those of training.
        """
        with np.errstate(over="ignore"):
            scaled = sequences.standardized(values, self.mean, self.scale)
        wrong = np.argwhere(np.isinf(scaled))
        if len(wrong):
            row, index = wrong[0]
            raise ValueError(
                f"`{path}`, row {row + 1}, column '{self.columns[index]}': "
                f"{values[row, index]:g} is too large. In training, the "
                f"column's standard deviation is {self.scale[index]:g}."
            )
        return scaled

    def _last(
        self, table: _Read, path: str | os.PathLike
    ) -> tuple[windows.Sequences, list[str]]:
        """The last rows of each series, and the series' names."""
        ordered = table.ordered
        starts, lengths = windows.stretches(ordered.is_first | ordered.is_gap)
        ends = starts + lengths
        is_last = np.append(ordered.is_first, True)[ends]
        names = ordered.groups.names
        for index, length in enumerate(lengths[is_last]):
            if length < self.context:
                raise ValueError(
                    f"`{path}`, {names[index]}: a forecast is made from "
                    f"{self.context} rows that follow one another, but there "
                    f"are {length} after the last gap. Give a longer file, or "
                    "train with a shorter context (--context)."
                )
        last = windows.Sequences(
            ordered.order,
            ends[is_last] - self.context,
            np.full(int(is_last.sum()), self.context),
        )
        return last, names

    def _in_file(self, table: _Read) -> np.ndarray:
        """The values in the order of the file, which `Sequences.cut` takes."""
        values = np.empty_like(table.values)
        values[table.ordered.order] = table.values
        return values


def _rows_before(places: np.ndarray, x: Any) -> np.ndarray:
    """The rows of contexts at places that count from their ends."""
    return np.asarray(x)[:, places]
