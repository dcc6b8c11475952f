"""Tables of more rows than fit into memory: each row is a sequence.

The table is parsed once, into a file of numbers; what is learned from all
training rows, such as their mean, is computed from that file, part by part;
and the standardized rows of each split are a file as well. In memory are the
label and the split of each row, in a byte or two.
"""

import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.stored import Examples
from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import build, sequences, splitting
from keras_fpt.tasks.user_data.audit import audit_tables
from keras_fpt.tasks.user_data.tables import cells as cells_
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables import (
    dates,
    filling,
    large_labels,
    large_medians,
    large_splits,
    missing_rows,
    table_columns,
    table_reader,
)

if TYPE_CHECKING:
    import pandas as pd


def make_task(
    path: str | os.PathLike,
    frames: Iterable["pd.DataFrame"],
    label_column: str,
    ignored: Sequence[str],
    header: bool | None,
    strict: bool,
    verbose: bool,
    encoding: str | None = None,
    split_column: str | None = None,
    words: Sequence[str] = (),
    fill: str | None = None,
) -> Task:
    """Makes the task of `tables.from_csv` from a table of numbers.

    Args:
        path: the table's file or folder.
        frames: iterable of parts of the table.
        label_column: string.
        ignored: strings, columns that are not used.
        header: as for `from_csv`.
        strict: as for `from_csv`.
        verbose: as for `from_csv`.
        encoding: as for `from_csv`.
        split_column: as for `from_csv`.
        words: sequence of strings, what marks missing cells, if they are
            filled.
        fill: `"median"`, or `None` if no cell may be missing.

    Raises:
        ValueError: as for `from_csv`.
    """
    names = large_labels.Labels(path)
    unused = [*words]

    def watched() -> Iterator["pd.DataFrame"]:
        for frame in frames:
            if split_column is not None:
                cells = table_columns.column(frame, split_column, path)
                names.add(cells)
            unused[:] = missing_rows.unused_words(
                frame,
                [c for c in frame.columns if c not in (*ignored, split_column)],
                unused,
            )
            yield frame

    not_values = (*ignored, *([split_column] if split_column else ()))
    rows = parse_rows(
        watched(),
        label_column,
        not_values,
        path,
        columns_.IGNORE_ADVICE,
        None if fill is None else words,
    )
    if split_column is None:
        split_by = "seeded, stratified"
        split = large_splits.stratified(rows.y, len(rows.class_names))
    else:
        split_by = f"column {split_column}"
        split = large_splits.from_names(
            names.codes(),
            names.distinct,
            rows.y,
            len(rows.class_names),
            splitting.SplitRequest(names_from=split_by),
            names.where,
        )
    check_split(rows, split)
    present = train_parts(rows, split)
    kinds = () if fill is None else _learn(present, rows.columns, path)

    def parts() -> Iterator[np.ndarray]:
        return (filling.fill_rest(values, kinds) for values in present())

    if not kinds:
        parts = present
    table_reader.check_magnitudes(largest(parts()), rows.columns, path)
    mean, scale = sequences.streamed_statistics(parts)
    reader = table_reader.TableReader(
        rows.columns,
        tuple(mean.tolist()),
        tuple(scale.tolist()),
        kinds=kinds,
        missing=tuple(words),
        fill=fill,
        header=header,
        encoding=encoding,
    )

    def channels(values: np.ndarray, first: int) -> np.ndarray:
        if not kinds:
            return reader.standardized(values, path, first)
        filled = filling.fill_rest(values, kinds)
        scaled = reader.standardized(filled, path, first)
        return columns_.to_channels(scaled, filled, np.isnan(values), kinds)

    examples = make_examples(rows, split, channels)
    size = len(rows.first)
    labels = rows.y[:size].astype(np.int32)
    audited = rows.values[:size][:, 0]
    findings = audit_tables.audit_table(
        rows.first,
        filling.fill_rest(audited, kinds) if kinds else audited,
        rows.columns,
        labels,
        rows.class_names,
        np.flatnonzero(split[:size] == large_splits.TRAIN),
        np.flatnonzero(split[:size] == large_splits.TEST),
        kept_together=[label_column, *([split_column] if split_column else ())],
    )
    return build.task_of_examples(
        pathlib.Path(path).resolve().stem,
        examples["train"].x,
        examples,
        rows.class_names,
        split_by,
        reader,
        notes=[
            f"tokens: the columns {table_columns.list_columns(rows.columns)}, "
            "standardized",
            *table_columns.format_notes(rows.first),
            *columns_.notes(rows.columns, kinds),
            *missing_rows.words_notes(unused),
            *rows.notes,
            "kept on disk while the process runs; audited: the first "
            f"{size:,} rows",
        ],
        findings=findings,
        strict=strict,
        verbose=verbose,
    )


class Rows(NamedTuple):
    """The rows of a table.

    Args:
        columns: tuple of strings, the columns of numbers.
        values: a `SequenceStore` of float64 rows `(1, columns)`.
        y: int array `(rows,)` of classes, of the smallest dtype.
        class_names: tuple of strings.
        first: the first part of the table.
        notes: list of strings, what the user should know of the labels.
    """

    columns: tuple[str, ...]
    values: sequence_store.SequenceStore
    y: np.ndarray
    class_names: tuple[str, ...]
    first: "pd.DataFrame"
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


def _learn(
    parts: Callable[[], Iterator[np.ndarray]],
    columns: Sequence[str],
    path: str | os.PathLike,
) -> tuple[columns_.Column, ...]:
    """What fills the missing cells of each column, as `columns.learn`."""
    fillers, num_missing = large_medians.medians(parts)
    empty = np.flatnonzero(np.isnan(fillers))
    if len(empty):
        raise columns_.all_missing(path, columns[empty[0]])
    return tuple(
        columns_.Column(filler=float(filler), says_missing=bool(count))
        for filler, count in zip(fillers, num_missing, strict=True)
    )


def parse_rows(
    frames: Iterable["pd.DataFrame"],
    label_column: str,
    ignored: Sequence[str],
    path: str | os.PathLike,
    advice: str,
    words: Sequence[str] | None = None,
) -> Rows:
    """Parses a table.

    Args:
        frames: iterable of parts of the table.
        label_column: string.
        ignored: strings, columns that are not used.
        path: the table's file, for errors.
        advice: string, added to the error about a cell.
        words: sequence of strings that mark missing cells, which become NaN;
            `None` if no cell may be missing.

    Returns:
        `Rows`.

    Raises:
        ValueError: as for `from_csv`.
    """
    import pandas as pd

    columns: tuple[str, ...] = ()
    first = None
    labels = large_labels.Labels(path)
    with sequence_store.SequenceWriter() as writer:
        for frame in frames:
            first = frame if first is None else first
            for name in (label_column, *ignored):
                table_columns.column(frame, name, path)
            columns = columns or tuple(
                name
                for name in frame.columns
                if name not in (label_column, *ignored)
            )
            if not columns:
                raise ValueError(
                    f"`{path}` has no columns other than "
                    f"{[label_column, *ignored]}."
                )
            if words is None:
                values = table_columns.numbers(frame, columns, path, advice)
            else:
                values = columns_.parse_columns(
                    frame,
                    columns,
                    [columns_.Column()] * len(columns),
                    table_columns.where_in(frame, path),
                    words,
                    advice,
                )
            writer.extend(values[:, None, :])
            labels.add(table_columns.column(frame, label_column, path))
        distinct = pd.Series(labels.distinct, dtype=object)
        of_labels, notes = missing_rows.label_words(distinct, words or ())
        y, class_names = labels.encode(of_labels)
        return Rows(columns, writer.finish(), y, class_names, first, notes)


class RowNames:
    """The names of a split's rows, which are made when they are needed.

    Args:
        split: uint8 array `(n,)`, the split of each row of the table.
        code: int, the split whose rows are named.
    """

    def __init__(self, split: np.ndarray, code: int) -> None:
        self._split = split
        self._code = code

    def __iter__(self) -> Iterator[str]:
        for part in large_splits.slices(len(self._split)):
            rows = np.flatnonzero(self._split[part] == self._code)
            yield from (f"row {part.start + row + 1}" for row in rows.tolist())


def check_split(rows: Rows, split: np.ndarray) -> None:
    """Checks that each split has examples, and training those of all classes.

    Args:
        rows: `Rows`.
        split: what `large_splits.stratified` returned.

    Raises:
        ValueError: as for `splitting.check_splits`.
    """
    num_classes = len(rows.class_names)
    labels = np.arange(num_classes)
    counts = np.zeros((len(splitting.SPLITS), num_classes), int)
    for part in large_splits.slices(len(rows.y)):
        pairs = split[part].astype(int) * num_classes + rows.y[part]
        counts += np.bincount(pairs, minlength=counts.size).reshape(
            counts.shape
        )
    found = dict(zip(splitting.SPLITS, counts > 0, strict=True))
    splitting.check_splits(
        {name: labels[is_there] for name, is_there in found.items()},
        labels,
        rows.class_names,
    )


def train_parts(
    rows: Rows, split: np.ndarray
) -> Callable[[], Iterator[np.ndarray]]:
    """Training rows, some at a time, for `sequences.streamed_statistics`."""

    def parts() -> Iterator[np.ndarray]:
        start = 0
        for values in sequence_store.chunks(rows.values):
            end = start + len(values)
            yield values[split[start:end] == large_splits.TRAIN, 0]
            start = end

    return parts


def largest(parts: Iterable[np.ndarray]) -> np.ndarray:
    """The largest magnitude in each column, float64 `(1, columns)`."""
    found: Any = 0
    for values in parts:
        if len(values):
            found = np.maximum(found, np.abs(values).max(axis=0))
    return np.atleast_2d(found)


def make_examples(
    rows: Rows,
    split: np.ndarray,
    standardized: Callable[[np.ndarray, int], np.ndarray],
) -> dict[str, Examples]:
    """The examples of each split, whose tokens are cells.

    Args:
        rows: `Rows`.
        split: what `large_splits.stratified` returned.
        standardized: function of float64 `(rows, columns)` and the number of
            the first of them, from 0, that returns float32 values.
    """
    start = 0
    writers = [sequence_store.SequenceWriter() for _ in splitting.SPLITS]
    try:
        for values in sequence_store.chunks(rows.values):
            end = start + len(values)
            tokens = standardized(values[:, 0], start)[:, :, None]
            for code, writer in enumerate(writers):
                writer.extend(tokens[split[start:end] == code])
            start = end
        return {
            name: Examples(
                writer.finish(), rows.y[split == code], RowNames(split, code)
            )
            for code, (name, writer) in enumerate(
                zip(splitting.SPLITS, writers, strict=True)
            )
        }
    finally:
        for writer in writers:
            writer.close()
