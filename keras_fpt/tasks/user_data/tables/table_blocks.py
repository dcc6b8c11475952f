"""Reads the rows of new tables in blocks, as many as fit into memory."""

import logging
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_fpt.tasks.user_data import given_files, sequences
from keras_fpt.tasks.user_data.tables import (
    group_runs,
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

LOGGER = logging.getLogger(__name__)


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
    keys = table_structure.as_tuple(reader.group_column)
    if keys or reader.time_column is not None:
        advice = _in_other_order(reader, path)
        if advice is not None:
            LOGGER.warning(
                f"`{path}` is read into memory as a whole, since {advice}. "
                f"Sort the file by {' and '.join(_sorted_by(reader))} to read "
                "it in parts."
            )
            return None
    return _blocks_of_sequences(reader, path)


def _sorted_by(reader: table_reader.TableReader) -> list[str]:
    times = [] if reader.time_column is None else [reader.time_column]
    return [*table_structure.as_tuple(reader.group_column), *times]


def _in_other_order(
    reader: table_reader.TableReader, path: str | os.PathLike
) -> str | None:
    """Words on rows that are in another order than in their sequences."""
    keys = table_structure.as_tuple(reader.group_column)
    runs = group_runs.GroupRuns(given_files.Files((str(path),), (0,)), keys)
    last: Any = None
    kinds = set()
    frames = table_files.read_chunks(path, reader.header, reader.encoding)
    for frame in runs.watch(frames):
        if runs.are_scattered:
            runs.close()
            return (
                f"the rows of a group by {' and '.join(keys)} are not together"
            )
        if reader.time_column is None:
            continue
        cells = table_columns.column(frame, reader.time_column, path)
        kinds.add(times.kind_of(cells))
        if len(kinds) > 1 or None in kinds:
            return f"the times in {reader.time_column} are not in ISO 8601"
        # With the last row of the part before.
        rows = frame if last is None else _joined(last, frame)
        ordered = table_order.in_order(
            rows, keys, reader.time_column, _files(rows, path), reader.time_gap
        )
        if not np.array_equal(ordered.order, np.arange(len(rows))):
            row = int(np.argmax(np.diff(ordered.order) != 1))
            return f"its rows are not sorted, such as row {rows.index[row] + 1}"
        last = frame[-1:]
    return None


def _blocks_of_rows(
    reader: table_reader.TableReader, path: str | os.PathLike
) -> Iterator[Block]:
    for frame in table_files.read_chunks(path, reader.header, reader.encoding):
        first = int(frame.index[0]) if len(frame) else 0
        values = reader.parse(frame, path)
        if not first:
            reader.log_far(values, path)
        complete = reader.complete(values, frame, _files(frame, path))
        scaled = reader.scaled(complete, np.isnan(values), path, first)
        yield Block(
            frame,
            windows.each_row(len(frame)),
            scaled[:, :, None],
            [f"row {row + 1}" for row in frame.index.tolist()],
        )


class _Rest(NamedTuple):
    """The last rows of a part, which go on in the next one.

    Args:
        frame: `pandas.DataFrame`, from the last window that has been read, or
            else the beginning of the stretch.
        offset: int, how many rows of their group come before.
        is_read: bool, whether the window at the beginning has been read.
        first: float64 array `(columns,)`, the first row without missing
            cells.
    """

    frame: "pd.DataFrame"
    offset: int
    is_read: bool
    first: np.ndarray


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
    if rest is None:
        ordered.log_step(reader.time_column, path)
        reader.log_far(values, path)
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
        left = _Rest(frame[last:], 0, False, values[last])
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
        left = _Rest(frame[place:], offset, is_read, values[place])
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
