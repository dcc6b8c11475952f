"""Reads the rows of new tables in blocks, as many as fit into memory."""

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_fpt.tasks.user_data import given_files, sequences, unlike_training
from keras_fpt.tasks.user_data.tables import (
    large_files,
    large_times,
    large_watch,
    table_columns,
    table_files,
    table_folders,
    table_layout,
    table_order,
    table_reader,
    table_structure,
    times,
    windows,
)

if TYPE_CHECKING:
    import pandas as pd


class Block(NamedTuple):
    """Some of the sequences of a new table.

    Args:
        frame: `pandas.DataFrame`, rows of the table; its index counts them in
            the whole table.
        cut: the `windows.Sequences` of these rows.
        x: the sequences, as `TableReader.read` returns them.
        names: list of strings, their names.
    """

    frame: "pd.DataFrame"
    cut: windows.Sequences
    x: Any
    names: list[str]


def read_blocks(
    reader: table_reader.TableReader, path: str | os.PathLike
) -> Iterator[Block] | None:
    """Reads the sequences of a new table that may not fit into memory.

    Args:
        reader: a `TableReader`.
        path: the table's file.

    Returns:
        An iterator over `Block`s, which together hold the sequences that
        `reader.read` returns; `None` if the table is small, or must be read
        as a whole: where each row has an answer of its own, which is a mean
        over windows, and where the rows of a group do not follow one another
        in the order of time.

    Raises:
        ValueError: as for `TableReader.read`.
    """
    is_small = table_folders.num_bytes(path) <= sequences.MAX_BYTES_IN_MEMORY
    if is_small or reader.is_per_token:
        return None
    if reader.is_by_row:
        return _blocks_of_rows(reader, path)
    if reader.group_column or reader.time_column is not None:
        steps = _steps(reader, path)
        if steps is None:
            return None
        if reader.time_gap is not None and steps.time_gap is not None:
            unlike_training.log_step(
                steps.time_gap / times.GAP,
                reader.time_gap / times.GAP,
                reader.time_column,
                path,
            )
    return _blocks_of_sequences(reader, path)


def _steps(
    reader: table_reader.TableReader, path: str | os.PathLike
) -> large_times.Steps | None:
    """The steps of time; `None` if rows are not in order, which is logged."""
    files = large_files.LargeFiles(
        given_files.check_paths(path, None, None),
        reader.header,
        reader.encoding,
    )
    keys = table_structure.as_tuple(reader.group_column)
    watch = large_watch.Watch(
        files,
        table_structure.Structure(keys, reader.time_column, reader.window),
    )
    with contextlib.closing(watch):
        for _ in watch.frames(files.frames()):
            pass
        return watch.steps_if_sorted()


def _blocks_of_rows(
    reader: table_reader.TableReader, path: str | os.PathLike
) -> Iterator[Block]:
    far, count = np.zeros(len(reader.columns), int), 0
    for frame in table_files.read_chunks(path, reader.header, reader.encoding):
        first = int(frame.index[0]) if len(frame) else 0
        values = reader.parse(frame, path)
        far += reader.count_far(values)
        count += len(values)
        complete = reader.complete(values, frame, _files(frame, path))
        scaled = reader.scaled(complete, np.isnan(values), path, first)
        yield Block(
            frame,
            windows.each_row(len(frame)),
            scaled[:, :, None],
            [f"row {row + 1}" for row in frame.index.tolist()],
        )
    unlike_training.log_far(far, count, reader.columns, path)


class _Rest(NamedTuple):
    """The last rows of a part, which go on in the next one.

    Args:
        frame: `pandas.DataFrame`, from the last window that has been read, or
            else the beginning of the stretch.
        offset: int, how many rows of their group come before.
        is_read: bool, whether the window at the beginning has been read.
        first: float64 array `(columns,)`, the first row without missing
            cells.
        far: int array `(columns,)`, as `TableReader.count_far` returns, of all
            rows until now.
    """

    frame: "pd.DataFrame"
    offset: int
    is_read: bool
    first: np.ndarray
    far: np.ndarray


def _blocks_of_sequences(
    reader: table_reader.TableReader, path: str | os.PathLike
) -> Iterator[Block]:
    """Groups, or windows of groups or of one series, in the file's order."""
    frames = table_files.read_chunks(path, reader.header, reader.encoding)
    frame = next(frames)
    rest: _Rest | None = None
    is_empty = True
    while True:
        following = next(frames, None)
        block, rest = _next_block(reader, path, frame, rest, following is None)
        if block.names:
            is_empty = False
            yield block
        if following is None:
            break
        frame = _joined(rest.frame, following)
    count = int(frame.index[-1]) + 1
    unlike_training.log_far(rest.far, count, reader.columns, path)
    if is_empty:
        raise ValueError(
            table_layout.no_window(
                path, reader.time_column, reader.window, reader.time_gap
            )
        )


def _next_block(
    reader: table_reader.TableReader,
    path: str | os.PathLike,
    frame: "pd.DataFrame",
    rest: _Rest | None,
    is_last: bool,
) -> tuple[Block, _Rest]:
    """The sequences of some rows, and the rows that further ones belong to.

    Args:
        reader, path: as for `read_blocks`.
        frame: `pandas.DataFrame` that begins with the rows of `rest`.
        rest: what was left of the rows before, or `None`.
        is_last: bool, whether no rows follow.
    """
    files = _files(frame, path)
    keys = table_structure.as_tuple(reader.group_column)
    ordered = table_order.in_order(
        frame, keys, reader.time_column, files, reader.time_gap
    )
    values = reader.parse(frame, path)
    known = 0 if rest is None else len(rest.frame)
    far = reader.count_far(values[known:])
    if rest is not None:
        far += rest.far
    is_missing = np.isnan(values)
    if rest is not None:
        values[0] = np.where(is_missing[0], rest.first, values[0])
    values = reader.complete(values, frame, files)
    starts, lengths = windows.stretches(ordered.is_first)
    before = np.zeros(len(starts), int)
    before[0] = 0 if rest is None else rest.offset
    last = int(starts[-1])
    if reader.window is None:
        cut = ordered.whole if is_last else ordered.whole.select(slice(-1))
        names = ordered.groups.names[: len(cut.starts)]
        left = _Rest(frame[last:], 0, False, values[last], far)
    else:
        _check_lengths(reader, path, ordered, lengths + before, is_last)
        stretches = windows.Sequences(
            ordered.order,
            *windows.stretches(ordered.is_first | ordered.is_gap),
        )
        cut, origin = windows.windows(
            stretches, reader.window, reader.stride or reader.window
        )
        group = ordered.groups.numbers[cut.starts]
        names = [
            f"{ordered.groups.names[g]}, rows {a + 1}-{a + reader.window}"
            for g, a in zip(
                group.tolist(),
                (cut.starts - starts[group] + before[group]).tolist(),
                strict=True,
            )
        ]
        place = int(stretches.starts[-1])
        is_read = bool(len(origin)) and origin[-1] == len(stretches.starts) - 1
        if is_read:
            place = int(cut.starts[-1])
        if rest is not None and rest.is_read:
            cut, names = cut.select(slice(1, None)), names[1:]
        offset = place - last + int(before[-1])
        left = _Rest(frame[place:], offset, is_read, values[place], far)
    channels = reader.scaled(values, is_missing, path, int(frame.index[0]))
    x = cut.cut(channels) if len(names) else None
    return Block(frame, cut, x, names), left


def _check_lengths(
    reader: table_reader.TableReader,
    path: str | os.PathLike,
    ordered: table_order.Ordered,
    lengths: np.ndarray,
    is_last: bool,
) -> None:
    """Raises `ValueError` if a whole group is shorter than a window."""
    if not is_last:
        lengths = lengths[:-1]
    short = np.flatnonzero(lengths < (reader.window or 1))
    if len(short):
        raise ValueError(
            f"`{path}`, {ordered.groups.names[short[0]]}: "
            f"{lengths[short[0]]} rows are fewer than a window of "
            f"{reader.window}."
        )


def _joined(first: "pd.DataFrame", second: "pd.DataFrame") -> "pd.DataFrame":
    """Rows that follow one another, with their numbers in the table."""
    import pandas as pd

    frame = pd.concat([first, second])
    frame.attrs["format"] = table_columns.format_notes(second)
    return frame


def _files(frame: "pd.DataFrame", path: str | os.PathLike) -> given_files.Files:
    return given_files.Files(
        (str(path),), (len(frame),), places=frame.index.to_numpy()
    )
