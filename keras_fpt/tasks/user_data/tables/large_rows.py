"""Parses tables of more rows than fit into memory into a file of numbers."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data.tables import cells as cells_
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables import (
    dates,
    large_files,
    large_labels,
    large_layout,
    large_medians,
    missing_rows,
    table_columns,
)

if TYPE_CHECKING:
    import pandas as pd


class Reading(NamedTuple):
    """How the cells of a table are read; see `tables.from_csv`.

    Args:
        label_column: string.
        ignored: tuple of strings, columns that are not used.
        words: tuple of strings, what marks missing cells; `None` if no cell
            may be missing.
        fill: string, or `None`.
        header: bool, or `None`.
        encoding: string, or `None`.
    """

    label_column: str
    ignored: tuple[str, ...] = ()
    words: tuple[str, ...] | None = None
    fill: str | None = None
    header: bool | None = None
    encoding: str | None = None


class Rows(NamedTuple):
    """The rows of a table.

    Args:
        columns: tuple of strings, the columns of numbers.
        values: a `SequenceStore` of float64 rows `(1, columns)`, NaN where a
            cell is missing.
        y: int array `(rows,)` of classes, of the smallest dtype.
        class_names: tuple of strings.
        first: the first part of the table; of several files, of each.
        first_rows: int array, the rows that `first` has.
        notes: list of strings, what the user should know.
    """

    columns: tuple[str, ...]
    values: sequence_store.SequenceStore
    y: np.ndarray
    class_names: tuple[str, ...]
    first: "pd.DataFrame"
    first_rows: np.ndarray
    notes: list[str]


def are_numbers(
    frame: "pd.DataFrame",
    others: Sequence[str],
    words: Sequence[str] | None = None,
) -> bool:
    """Whether all cells but those of some columns are finite numbers.

    Args:
        frame: a part of a table.
        others: sequence of strings, the columns that are not looked at.
        words: sequence of strings that mark missing cells; `None` if no cell
            may be missing.
    """
    columns = [name for name in frame.columns if name not in others]
    values = table_columns.parse(frame, columns, "")
    for name, numbers in zip(columns, values.T, strict=True):
        is_number = np.isfinite(numbers)
        if words is not None and not is_number.all():
            texts = table_columns.column(frame, name, "")
            is_number |= cells_.is_missing(texts, words)
        if not is_number.all() or dates.are_compact(numbers):
            return False
    return True


def parse(
    watch: large_layout.Watch,
    frames: Iterable["pd.DataFrame"],
    reading: Reading,
) -> Rows:
    """Parses a table.

    Args:
        watch: a `Watch`, which notes the structure of the rows.
        frames: iterable of parts of the table.
        reading: `Reading`.

    Returns:
        `Rows`.

    Raises:
        ValueError: as for `from_csv`.
    """
    import pandas as pd

    columns: tuple[str, ...] = ()
    label_column = reading.label_column
    not_values = (
        label_column,
        *reading.ignored,
        *watch.structure.columns,
    )
    unused = [*(reading.words or ())]
    first: dict[str, tuple[int, pd.DataFrame]] = {}
    count = 0
    labels = large_labels.Labels(watch.files.where)
    with sequence_store.SequenceWriter() as writer:
        for frame in watch.frames(frames):
            path = large_files.path_of(frame)
            if path not in first:
                first[path] = (count, frame)
            count += len(frame)
            for name in not_values:
                table_columns.column(frame, name, path)
            columns = columns or tuple(
                name for name in frame.columns if name not in not_values
            )
            if not columns:
                raise ValueError(
                    f"`{path}` has no columns other than {[*not_values]}."
                )
            unused = missing_rows.unused_words(
                frame, (*columns, label_column), unused
            )
            writer.extend(_values(frame, columns, reading)[:, None, :])
            labels.add(table_columns.column(frame, label_column, path))
        distinct = pd.Series(labels.distinct, dtype=object)
        of_labels, notes = missing_rows.label_words(
            distinct, reading.words or ()
        )
        y, class_names = labels.encode(of_labels)
        frames = [frame for _, frame in first.values()]
        rows = [start + np.arange(len(each)) for start, each in first.values()]
        return Rows(
            columns,
            writer.finish(),
            y,
            class_names,
            frames[0] if len(frames) == 1 else pd.concat(frames),
            np.concatenate(rows),
            [*missing_rows.words_notes(unused), *notes],
        )


def _values(
    frame: "pd.DataFrame", columns: Sequence[str], reading: Reading
) -> np.ndarray:
    """The numbers of a part of a table, NaN where a cell is missing."""
    path, advice = large_files.path_of(frame), columns_.IGNORE_ADVICE
    if reading.words is None:
        return table_columns.numbers(frame, columns, path, advice)
    for name in columns:
        table_columns.column(frame, name, path)
    return columns_.parse_columns(
        frame,
        columns,
        [columns_.Column()] * len(columns),
        table_columns.where_in(frame, path),
        reading.words,
        advice,
    )


def learn(
    parts: Callable[[], Iterator[np.ndarray]],
    columns: Sequence[str],
    path: str | os.PathLike,
) -> tuple[columns_.Column, ...]:
    """What fills the missing cells of each column, as `columns.learn`.

    Args:
        parts: function that returns an iterator over training rows, float64
            `(rows, columns)`, NaN where a cell is missing.
        columns: sequence of strings.
        path: the table's file, for errors.
    """
    fillers, num_missing = large_medians.medians(parts)
    empty = np.flatnonzero(np.isnan(fillers))
    if len(empty):
        raise columns_.all_missing(path, columns[empty[0]])
    return tuple(
        columns_.Column(filler=float(filler), says_missing=bool(count))
        for filler, count in zip(fillers, num_missing, strict=True)
    )


def largest(parts: Iterable[np.ndarray]) -> np.ndarray:
    """The largest magnitude in each column, float64 `(1, columns)`."""
    found: Any = 0
    for values in parts:
        if len(values):
            found = np.maximum(found, np.abs(values).max(axis=0))
    return np.atleast_2d(found)
