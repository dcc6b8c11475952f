"""Forecasts of tables of more rows than fit into memory.

The table is parsed once, into a file of numbers. The standardized rows are a
file as well, from which contexts and horizons are cut when they are needed.
Rows that are not in the order of series and times are sorted on disk. In memory
are, for each row, a few bytes: its split, whether a cell is missing, and the
number of its example's group.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.ranges import Ranges
from keras_fpt.tasks.stored import Examples
from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import audit, given_files, sequences
from keras_fpt.tasks.user_data.tables import (
    filling,
    forecast_build,
    forecast_columns,
    forecast_notes,
    future_rows,
    large_files,
    large_medians,
    large_order,
    large_series,
    large_splits,
    large_watch,
    large_windows,
    missing_rows,
    series_windows,
    table_columns,
    table_order,
    table_reader,
)
from keras_fpt.tasks.user_data.tables.forecast_build import Request
from keras_fpt.tasks.user_data.tables.series_reader import SeriesReader
from keras_fpt.tasks.user_data.tables.table_structure import Structure

if TYPE_CHECKING:
    import pandas as pd

# The season is found in so many rows of a stretch, since the autocorrelation of
# more takes more memory.
SEASON_ROWS = 2**20


class SeriesNames:
    """The names of examples, which are made when they are needed.

    Args:
        names: sequence of strings, the names of the series.
        series: int array, the first row of each series.
        starts: `Ranges`, the first row of each example.
        size: int, how many rows an example has.
    """

    def __init__(
        self,
        names: Sequence[str],
        series: np.ndarray,
        starts: Ranges,
        size: int,
    ) -> None:
        self._names = names
        self._series = series
        self._starts = starts
        self._size = size

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: int) -> str:
        return self._named(self._starts[[index]])[0]

    def __iter__(self) -> Iterator[str]:
        for part in large_splits.slices(len(self)):
            yield from self._named(self._starts[part])

    def _named(self, starts: np.ndarray) -> list[str]:
        numbers = _series_of(starts, self._series)
        first = starts - self._series[numbers]
        return [
            f"{self._names[number]}, rows {row + 1}-{row + self._size}"
            for number, row in zip(
                numbers.tolist(), first.tolist(), strict=True
            )
        ]


def make_task(request: Request) -> Task | None:
    """Makes the task of `forecast_tables.from_series` from a large table.

    Args:
        request: `Request`.

    Returns:
        A `Task`; `None` if the table fits into memory, or if its times cannot
        be parsed in parts, so that it must be read as a whole.

    Raises:
        ValueError: as for `from_series`.
    """
    files = large_files.LargeFiles(
        given_files.check_paths(request.path, None, None),
        request.header,
        request.encoding,
    )
    if files.num_bytes <= sequences.MAX_BYTES_IN_MEMORY:
        return None
    size = request.context + request.horizon
    structure = Structure(request.keys, request.time_column, size)
    watch = large_watch.Watch(files, structure)
    with contextlib.closing(watch):
        rows = large_series.parse(watch, request)
        order = None if rows is None else watch.order()
    if rows is None or order is None:
        return None
    return _make_task(request, watch, rows, order)


def _make_task(
    request: Request,
    watch: large_watch.Watch,
    rows: large_series.Rows,
    order: large_order.Order,
) -> Task:
    files, size = watch.files, len(rows.values)
    series, lengths, steps = watch.runs.starts, watch.runs.sizes, watch.steps()
    unknown = np.zeros(len(series), int)
    if request.known:
        unknown = future_rows.count(order.take(rows.has_number), series)
        is_unknown = future_rows.are_unknown(size, series, unknown)
        large_series.check_no_missing(
            request, rows, order.restore(is_unknown), files.where
        )
    stretches = np.union1d(series, steps.gaps)
    found = series_windows.cut(
        series,
        stretches,
        size,
        request.context,
        request.horizon,
        request.stride,
        unknown,
    )
    starts, left_out = forecast_build.with_truth(
        found.starts, request, order.take(rows.is_missing)
    )
    forecast_build.check_splits(starts, found, int(lengths.max()), request)
    # What is learned, and the audit, read rows in the order of the file.
    is_train = order.restore(found.is_train)
    reader = _learn(
        request,
        lambda: large_windows.chosen_rows(rows.parts(), is_train),
        steps.time_gap,
    )
    stored, is_known = _standardize(request, rows, order, reader, stretches)
    targets = len(request.targets)
    history = series_windows.history(
        sequence_store.Derived(stored, lambda each: each[:, 0, :targets]),
        is_known,
        found.is_train,
        stretches,
        starts,
        request.context,
    )
    season = forecast_build.find_season(history, SEASON_ROWS)
    reader = dataclasses.replace(reader, season=season)
    audited = np.zeros(size, bool)
    audited[large_windows.audited_rows(size)] = True
    audited &= is_train
    known = np.concatenate(
        [
            np.empty((0, len(request.columns))),
            *large_windows.chosen_rows(rows.parts(), audited),
        ]
    )
    return forecast_build.make_task(
        request,
        reader,
        {
            split: _examples(each, stored, reader, watch.runs.names, series)
            for split, each in starts.items()
        },
        history,
        [
            forecast_notes.series_note(len(series), found.longest),
            *table_columns.format_notes(rows.first),
            *forecast_notes.gap_notes(
                len(steps.gaps), steps.time_gap, request.time_column
            ),
            *left_out,
            *missing_rows.words_notes(rows.unused),
            forecast_notes.season_note(season, request.context),
            "kept on disk while the process runs; audited: "
            f"{len(known):,} rows",
        ],
        [
            *watch.findings(steps, order),
            *forecast_notes.irregular_steps(
                () if watch.times is None else watch.times.parts(series),
                request.time_column,
                steps.time_gap,
                lambda place: files.where(order.row(place)),
            ),
            *forecast_notes.sentinels(known, request.columns),
            *_other_order(request, rows.first, files.known),
        ],
    )


def _other_order(
    request: Request,
    first: "pd.DataFrame",
    files: given_files.Files,
) -> list[audit.Finding]:
    """Findings of the first part of a table without a column of times."""
    if request.time_column is not None:
        return []
    own = given_files.Files(files.paths, (len(first),))
    ordered = table_order.in_order(first, request.keys, None, own)
    return forecast_notes.other_order(
        first,
        (*request.columns, *request.keys),
        ordered.order,
        ordered.is_first,
        own,
    )


def _learn(
    request: Request,
    parts: Callable[[], Iterator[np.ndarray]],
    time_gap: float | None,
) -> SeriesReader:
    """What the training rows say of the columns.

    Args:
        request: `Request`.
        parts: function that returns an iterator over training rows, float64
            `(rows, columns)`, NaN where a cell is missing.
        time_gap: float, or `None`.
    """
    columns, path = request.columns, request.path
    count, present = 0, np.zeros(len(columns), int)
    low, high = np.full((2, len(columns)), np.nan)
    for part in parts():
        count += len(part)
        present += np.count_nonzero(~np.isnan(part), axis=0)
        low = np.fmin(low, np.fmin.reduce(part))
        high = np.fmax(high, np.fmax.reduce(part))
    for index, name in enumerate(columns):
        forecast_columns.check_varies(
            name, int(present[index]), low[index], high[index], path
        )
    largest = np.maximum(np.abs(low), np.abs(high))
    table_reader.check_magnitudes(largest[None], columns, path)
    fillers = large_medians.medians(parts)[0] if request.fill else np.arange(0)
    mean, scale = np.empty((2, len(columns)))
    is_complete = present == count
    groups = [[index] for index in np.flatnonzero(~is_complete).tolist()]
    if is_complete.any():
        groups.append(np.flatnonzero(is_complete).tolist())
    for group in groups:
        mean[group], scale[group] = sequences.statistics_by_column(
            lambda group=group: _without_missing(parts(), group)  # type: ignore[misc]
        )
    return forecast_build.make_reader(
        request, mean, scale, fillers.tolist(), time_gap
    )


def _without_missing(
    parts: Iterable[np.ndarray], columns: Sequence[int]
) -> Iterator[np.ndarray]:
    """Some columns, in the rows that have all of their cells."""
    for part in parts:
        values = part[:, columns]
        yield values[~np.isnan(values).any(axis=1)]


def _standardize(
    request: Request,
    rows: large_series.Rows,
    order: large_order.Order,
    reader: SeriesReader,
    breaks: np.ndarray,
) -> tuple[sequence_store.SequenceStore, np.ndarray]:
    """Fills missing cells, and writes the standardized rows into a file.

    Args:
        request: `Request`.
        rows: `Rows`.
        order: their `Order`.
        reader: `SeriesReader`.
        breaks: int array, the places that nothing is filled from before.

    Returns:
        A tuple: a `SequenceStore` of float32 rows `(1, columns)`, and a bool
        array `(rows,)`, which rows have all that is forecast; in their order.
    """
    parts = rows.parts()
    if request.fill == "forward":
        parts = large_windows.filled_forward(rows.values, order, breaks)()
    is_known, first = [], 0
    with sequence_store.SequenceWriter() as writer:
        for part in parts:
            if request.fill is not None:
                part = filling.fill_rest(part, reader.kinds)
            scaled = reader.standardized(part, request.path, first)
            targets = scaled[:, : len(request.targets)]
            is_known.append(np.isfinite(targets).all(axis=1))
            writer.extend(scaled[:, None, :])
            first += len(part)
        stored = order.sort(writer.finish())
    return stored, order.take(np.concatenate(is_known))


def _examples(
    starts: Ranges,
    stored: sequence_store.SequenceStore,
    reader: SeriesReader,
    names: Sequence[str],
    series: np.ndarray,
) -> Examples:
    """The examples of a split, whose rows are read when they are needed."""
    size = reader.context + reader.horizon
    x, y = inputs_and_truth(starts, stored, reader)
    return Examples(
        x,
        y,
        SeriesNames(names, series, starts, size),
        _block_numbers(starts, series, size),
    )


def inputs_and_truth(
    starts: Ranges, stored: sequence_store.SequenceStore, reader: SeriesReader
) -> tuple[Any, Any]:
    """What the model reads and what it forecasts, cut when it is needed.

    Args:
        starts: `Ranges`, where contexts begin.
        stored: a `SequenceStore` of standardized rows `(1, columns)`.
        reader: `SeriesReader`.
    """
    count = len(starts)
    behind = sequence_store.StoredWindows(
        stored,
        starts,
        np.broadcast_to(reader.context + reader.unknown_rows, count),
    )
    ahead = sequence_store.StoredWindows(
        stored,
        starts.plus(reader.context),
        np.broadcast_to(reader.horizon, count),
    )
    targets = len(reader.columns)
    return (
        sequence_store.Derived(behind, reader.inputs),
        sequence_store.Derived(ahead, lambda rows: rows[..., :targets]),
    )


def _block_numbers(starts: Ranges, series: np.ndarray, size: int) -> np.ndarray:
    """Numbers of the examples that share rows, int32 array `(n,)`.

    Args:
        starts: `Ranges`, the first row of each example.
        series: int array, the first row of each series.
        size: int, how many rows an example has.
    """
    found = np.empty(len(starts), np.int32)
    number, last = 0, None
    for part in large_splits.slices(len(starts)):
        places = starts[part]
        blocks = np.stack([_series_of(places, series), places // size])
        before = blocks[:, :1] if last is None else last
        changes = np.diff(blocks, axis=1, prepend=before).any(axis=0)
        found[part] = number + np.cumsum(changes)
        number, last = int(found[part][-1]), blocks[:, -1:]
    return found


def _series_of(rows: np.ndarray, series: np.ndarray) -> np.ndarray:
    return np.searchsorted(series, rows, side="right") - 1
