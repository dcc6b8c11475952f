"""Reads the series of new tables of more rows than fit into memory.

The table is parsed once, into a file of standardized rows, from which contexts
and horizons are cut when they are needed. Where groups and times are written
beside forecasts, it is read again for their cells. In memory are some bytes for
each row, as in training.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.ranges import Ranges
from keras_fpt.tasks.user_data import given_files, sequences, unlike_training
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables import (
    filling,
    future_rows,
    large_files,
    large_forecasts,
    large_watch,
    series_windows,
    table_columns,
    table_files,
    table_reader,
    times,
)
from keras_fpt.tasks.user_data.tables.series_reader import (
    NewWindows,
    SeriesReader,
)
from keras_fpt.tasks.user_data.tables.table_structure import Structure

if TYPE_CHECKING:
    import pandas as pd


class Block(NamedTuple):
    """Some of the series of a new table.

    Args:
        x: float32 array, what `SeriesReader.read` returns of them.
        names: list of strings, their names.
        beside: `pandas.DataFrame`, as `SeriesReader.following` returns.
    """

    x: np.ndarray
    names: list[str]
    beside: "pd.DataFrame"


class _Table(NamedTuple):
    """The rows of a table, which are in the order of series and time."""

    # Standardized, `(rows, 1, columns)`.
    rows: sequence_store.SequenceStore
    # Which rows lack a cell of what is forecast, bool array.
    lacks_target: np.ndarray
    # The first row of each series, and its name.
    series: np.ndarray
    names: list[str]
    # The first row of each series, and those that follow a gap in time.
    stretches: np.ndarray
    # How many of the last rows of each series are to be forecast.
    unknown: np.ndarray


class _Parsed(NamedTuple):
    """The cells of a table, and which of them are missing."""

    # float64 `(rows, 1, columns)`, NaN where a cell is missing.
    values: sequence_store.SequenceStore
    lacks_target: np.ndarray
    has_target: np.ndarray
    lacks_any: np.ndarray

    def parts(self) -> Iterator[np.ndarray]:
        return (part[:, 0] for part in sequence_store.chunks(self.values))


def read_blocks(
    reader: SeriesReader, path: str | os.PathLike
) -> Iterator[Block] | None:
    """Reads the last context of each series of a table, some at a time.

    Args:
        reader: a `SeriesReader`.
        path: the table's file.

    Returns:
        An iterator over `Block`s, which together hold what `reader.read` and
        `reader.following` return; `None` if the table is small, or must be
        read as a whole, since its rows are in another order.

    Raises:
        ValueError: as for `SeriesReader.read`.
    """
    table = _read(reader, path)
    if table is None:
        return None
    ends = np.append(table.series[1:], len(table.rows))
    before = np.searchsorted(table.stretches, ends) - 1
    lengths = ends - table.stretches[before]
    reader.check_last(lengths, table.unknown, table.names, path)
    starts = ends - table.unknown - reader.context
    return _blocks(reader, path, table, starts)


def _blocks(
    reader: SeriesReader,
    path: str | os.PathLike,
    table: _Table,
    starts: np.ndarray,
) -> Iterator[Block]:
    size = reader.context + reader.unknown_rows
    cells = _cells(reader, path, starts, size)
    at_once = max(1, table_files.ROWS_PER_CHUNK // size)
    for first in range(0, len(starts), at_once):
        own = slice(first, first + at_once)
        count = len(starts[own])
        x = sequence_store.StoredWindows(
            table.rows, starts[own], np.full(count, size)
        )
        frames = (next(cells) for _ in range(count))
        yield Block(
            reader.inputs(x[:]), table.names[own], reader.beside(frames, path)
        )


def _cells(
    reader: SeriesReader,
    path: str | os.PathLike,
    starts: np.ndarray,
    size: int,
) -> Iterator["pd.DataFrame"]:
    """Yields the rows of each input, with the columns of groups and time."""
    import pandas as pd

    wanted = list(reader.beside_columns)
    if not wanted:
        yield from (pd.DataFrame() for _ in starts)
        return
    frames = table_files.read_chunks(path, reader.header, reader.encoding)
    held = next(frames)[wanted]
    for start in starts.tolist():
        last = start + size - 1
        held = held.loc[start:]
        while not len(held) or held.index[-1] < last:
            held = pd.concat([held, next(frames)[wanted]]).loc[start:]
        yield held.loc[start:last]


def read_new_windows(
    reader: SeriesReader, path: str | os.PathLike
) -> NewWindows:
    """Reads every context of a new table that has a horizon after it.

    Args:
        reader, path: as for `read_blocks`.

    Returns:
        What `reader.read_windows` returns; on disk, if the table is large.

    Raises:
        ValueError: as for `SeriesReader.read_windows`.
    """
    table = _read(reader, path)
    if table is None:
        return reader.read_windows(path)
    size = reader.context + reader.horizon
    lengths = np.diff(np.append(table.stretches, len(table.rows)))
    every = Ranges(table.stretches, np.maximum(lengths - size + 1, 0), 1)
    starts = series_windows.without(
        {"": every}, reader.context, size, table.lacks_target
    )[""]
    if not len(starts):
        raise reader.too_short(int(lengths.max()), path)
    x, y = large_forecasts.inputs_and_truth(starts, table.rows, reader)
    names = large_forecasts.SeriesNames(table.names, table.series, starts, size)
    return NewWindows(x, y, names)


def _read(reader: SeriesReader, path: str | os.PathLike) -> _Table | None:
    """Reads a table; `None` if it is small, or its rows are not sorted."""
    files = large_files.LargeFiles(
        given_files.check_paths(path, None, None),
        reader.header,
        reader.encoding,
    )
    if files.num_bytes <= sequences.MAX_BYTES_IN_MEMORY:
        return None
    size = reader.context + reader.horizon
    structure = Structure(reader.group_column, reader.time_column, size)
    watch = large_watch.Watch(files, structure)
    with contextlib.closing(watch):
        parsed = _parse(reader, path, watch)
        steps = None if parsed is None else watch.steps_if_sorted()
        if parsed is None or steps is None:
            return None
        series, gaps = watch.runs.starts, steps.gaps
        if watch.times is not None and reader.time_gap is not None:
            gaps = np.concatenate(
                [
                    first + np.flatnonzero(each > reader.time_gap)
                    for first, each in watch.times.parts(series)
                ]
            )
    unknown = np.zeros(len(series), int)
    if reader.future_columns:
        unknown = future_rows.count(parsed.has_target, series)
    if reader.fill is None:
        _check_no_missing(reader, path, parsed, series, unknown)
    stretches = np.union1d(series, gaps)
    rows, far = _standardized(reader, path, parsed, stretches)
    step = None if steps.time_gap is None else steps.time_gap / times.GAP
    unlike_training.log_step(
        step, reader.time_step, reader.time_column, str(path)
    )
    unlike_training.log_far(far, len(rows), reader.all_columns, path)
    return _Table(
        rows,
        parsed.lacks_target,
        series,
        watch.runs.names,
        stretches,
        unknown,
    )


def _parse(
    reader: SeriesReader, path: str | os.PathLike, watch: large_watch.Watch
) -> _Parsed | None:
    """Parses the columns; `None` if the table has no rows."""
    targets = len(reader.columns)
    lacks_target, has_target, lacks_any = [], [], []
    with sequence_store.SequenceWriter() as writer:
        for frame in watch.frames(watch.files.frames()):
            values = reader.parse(frame, path)
            is_nan = np.isnan(values)
            lacks_target.append(is_nan[:, :targets].any(axis=1))
            has_target.append(~is_nan[:, :targets].all(axis=1))
            lacks_any.append(is_nan[:, targets:].any(axis=1))
            writer.extend(values[:, None, :])
        if not sum(map(len, has_target)):
            return None
        return _Parsed(
            writer.finish(),
            np.concatenate(lacks_target),
            np.concatenate(has_target),
            np.concatenate(lacks_any),
        )


def _check_no_missing(
    reader: SeriesReader,
    path: str | os.PathLike,
    parsed: _Parsed,
    series: np.ndarray,
    unknown: np.ndarray,
) -> None:
    """Checks that nothing is missing but what is to be forecast.

    Raises:
        ValueError: a cell is missing. The file is read again, to say what it
            holds.
    """
    is_unknown = future_rows.are_unknown(
        len(parsed.has_target), series, unknown
    )
    wrong = parsed.lacks_any | (parsed.lacks_target & ~is_unknown)
    if not wrong.any():
        return
    targets = len(reader.columns)
    for frame in table_files.read_chunks(path, reader.header, reader.encoding):
        values = reader.parse(frame, path)
        values[is_unknown[frame.index.to_numpy()], :targets] = 0
        columns_.check_no_missing(
            values,
            frame,
            reader.all_columns,
            table_columns.where_in(frame, path),
            table_reader.MISSING_ADVICE,
        )


def _standardized(
    reader: SeriesReader,
    path: str | os.PathLike,
    parsed: _Parsed,
    stretches: np.ndarray,
) -> tuple[sequence_store.SequenceStore, np.ndarray]:
    """Fills and scales the rows as in training.

    Returns:
        A tuple: a `SequenceStore` of float32 rows `(1, columns)`, and how many
        numbers of each column are far from those of training.
    """
    parts = parsed.parts()
    if reader.fill == "forward":
        parts = filling.fill_forward_in_parts(parts, stretches)
    first, far = 0, np.zeros(len(reader.all_columns), int)
    with sequence_store.SequenceWriter() as writer:
        for part in parts:
            if reader.fill is not None:
                part = filling.fill_rest(part, reader.kinds)
            scaled = reader.standardized(part, path, first)
            far += unlike_training.count_far(scaled)
            writer.extend(scaled[:, None, :])
            first += len(part)
        return writer.finish(), far
