"""Tables of more rows than fit into memory: each row is a sequence.

The table is parsed once, into a file of numbers; what is learned from all
training rows, such as their mean, is computed from that file, part by part;
and the standardized rows of each split are a file as well. In memory are the
label and the split of each row, in a byte or two.
"""

import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.stored import Examples
from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import (
    build,
    given_files,
    sequences,
    splitting,
)
from keras_fpt.tasks.user_data.audit import audit_tables
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables import (
    large_files,
    large_layout,
    large_learning,
    large_rows,
    large_splits,
    table_columns,
    table_reader,
)
from keras_fpt.tasks.user_data.tables.table_structure import Structure

if TYPE_CHECKING:
    import pandas as pd


def make_task(
    files: large_files.LargeFiles,
    frames: Iterable["pd.DataFrame"],
    structure: Structure,
    reading: large_rows.Reading,
    strict: bool,
    verbose: bool,
) -> Task:
    """Makes the task of `tables.from_csv` from a table of numbers.

    Args:
        files: the `LargeFiles`.
        frames: iterable of parts of the table.
        structure: a `Structure` in which each row is a sequence.
        reading: `large_rows.Reading`.
        strict: as for `from_csv`.
        verbose: as for `from_csv`.

    Raises:
        ValueError: as for `from_csv`.
    """
    watch = large_layout.Watch(files, structure)
    rows = large_rows.parse(watch, frames, reading)
    names = watch.names
    together = None if watch.together is None else watch.together.numbers()
    split, split_by = large_splits.split(
        rows.y,
        len(rows.class_names),
        splitting.SplitRequest(
            groups=together,
            groups_from=" and ".join(structure.split_group),
            folds=structure.folds,
            fold=structure.fold,
        ),
        files.where,
        watch.split_names(),
        files.where if names is None else names.first_of,
    )
    path = files.known.paths[0]
    check_split(rows, split)
    present = train_parts(rows, split)
    learned = large_learning.learn(present, rows, path, reading.fill)

    def parts() -> Iterator[np.ndarray]:
        return (learned.numbers(learned.complete(part)) for part in present())

    largest = large_learning.largest(parts())
    table_reader.check_magnitudes(largest, rows.columns, path)
    mean, scale = sequences.streamed_statistics(parts)
    reader = table_reader.TableReader(
        rows.columns,
        tuple(mean.tolist()),
        tuple(scale.tolist()),
        kinds=learned.kinds,
        missing=reading.words or (),
        fill=reading.fill,
        header=reading.header,
        encoding=reading.encoding,
    )

    def channels(values: np.ndarray, first: int) -> np.ndarray:
        complete = learned.complete(values)
        return reader.scaled(complete, np.isnan(values), path, first)

    examples = make_examples(rows, split, channels, files.known, together)
    audited = learned.complete(rows.values[rows.first_rows][:, 0])
    is_category = np.isin(np.arange(len(rows.columns)), [*learned.places])
    labels = rows.y[rows.first_rows].astype(np.int32)
    split_of = split[rows.first_rows]
    findings = audit_tables.audit_table(
        rows.first,
        # A category that is missing is one more.
        np.nan_to_num(audited, nan=-1.0) if is_category.any() else audited,
        rows.columns,
        labels,
        rows.class_names,
        np.flatnonzero(split_of == large_splits.TRAIN),
        np.flatnonzero(split_of == large_splits.TEST),
        kept_together=[reading.label_column, *structure.columns],
        is_category=is_category,
    )
    findings += large_learning.find_in_names(rows, learned, reading)
    of_each = " of the files" if files.known.splits else ""
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
            *columns_.notes(rows.columns, learned.kinds),
            *rows.notes,
            "kept on disk while the process runs; audited: the first "
            f"{len(labels):,} rows{of_each}",
        ],
        findings=findings,
        strict=strict,
        verbose=verbose,
    )


class RowNames:
    """The names of a split's rows, which are made when they are needed.

    Args:
        split: uint8 array `(n,)`, the split of each row of the table.
        code: int, the split whose rows are named.
        files: the `Files` of the rows.
    """

    def __init__(
        self, split: np.ndarray, code: int, files: given_files.Files
    ) -> None:
        self._split = split
        self._code = code
        self._sizes = files.sizes
        self._before = [f"{name}, " for name in files.names or ()] or [""]

    def __iter__(self) -> Iterator[str]:
        ends = np.cumsum(self._sizes)
        for part in large_splits.slices(len(self._split)):
            rows = np.flatnonzero(self._split[part] == self._code) + part.start
            numbers = np.searchsorted(ends, rows, side="right")
            own = rows - ends[numbers] + np.array(self._sizes)[numbers]
            for number, row in zip(numbers.tolist(), own.tolist(), strict=True):
                yield f"{self._before[number]}row {row + 1}"


def check_split(rows: large_rows.Rows, split: np.ndarray) -> None:
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
    rows: large_rows.Rows, split: np.ndarray
) -> Callable[[], Iterator[np.ndarray]]:
    """Training rows, some at a time, for `sequences.streamed_statistics`."""

    def parts() -> Iterator[np.ndarray]:
        start = 0
        for values in sequence_store.chunks(rows.values):
            end = start + len(values)
            yield values[split[start:end] == large_splits.TRAIN, 0]
            start = end

    return parts


def make_examples(
    rows: large_rows.Rows,
    split: np.ndarray,
    standardized: Callable[[np.ndarray, int], np.ndarray],
    files: given_files.Files,
    together: np.ndarray | None,
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
                writer.finish(),
                rows.y[split == code],
                RowNames(split, code, files),
                None if together is None else together[split == code],
            )
            for code, (name, writer) in enumerate(
                zip(splitting.SPLITS, writers, strict=True)
            )
        }
    finally:
        for writer in writers:
            writer.close()
