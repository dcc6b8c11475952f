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
from keras_fpt.tasks.user_data import build, classes, sequences, splitting
from keras_fpt.tasks.user_data.audit import audit_tables
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables import (
    large_splits,
    table_columns,
    table_reader,
)

if TYPE_CHECKING:
    import pandas as pd

MAX_LABELS = 2**16


def make_task(
    path: str | os.PathLike,
    frames: Iterable["pd.DataFrame"],
    label_column: str,
    ignored: Sequence[str],
    header: bool | None,
    strict: bool,
    verbose: bool,
    encoding: str | None = None,
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

    Raises:
        ValueError: as for `from_csv`.
    """
    rows = parse_rows(
        frames, label_column, ignored, path, columns_.IGNORE_ADVICE
    )
    split = large_splits.stratified(rows.y, len(rows.class_names))
    check_split(rows, split)
    parts = train_parts(rows, split)
    table_reader.check_magnitudes(largest(parts()), rows.columns, path)
    mean, scale = sequences.streamed_statistics(parts)
    reader = table_reader.TableReader(
        rows.columns,
        tuple(mean.tolist()),
        tuple(scale.tolist()),
        header=header,
        encoding=encoding,
    )
    examples = make_examples(
        rows,
        split,
        lambda values, first: reader.standardized(values, path, first),
    )
    size = len(rows.first)
    labels = rows.y[:size].astype(np.int32)
    findings = audit_tables.audit_table(
        rows.first,
        rows.values[:size][:, 0],
        rows.columns,
        labels,
        rows.class_names,
        np.flatnonzero(split[:size] == large_splits.TRAIN),
        np.flatnonzero(split[:size] == large_splits.TEST),
        kept_together=[label_column],
    )
    return build.task_of_examples(
        pathlib.Path(path).resolve().stem,
        examples["train"].x,
        examples,
        rows.class_names,
        "seeded, stratified",
        reader,
        notes=[
            f"tokens: the columns {table_columns.list_columns(rows.columns)}, "
            "standardized",
            *table_columns.format_notes(rows.first),
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
    """

    columns: tuple[str, ...]
    values: sequence_store.SequenceStore
    y: np.ndarray
    class_names: tuple[str, ...]
    first: "pd.DataFrame"


def are_numbers(frame: "pd.DataFrame", others: Sequence[str]) -> bool:
    """Whether all cells but those of some columns are finite numbers."""
    columns = [name for name in frame.columns if name not in others]
    return bool(np.isfinite(table_columns.parse(frame, columns, "")).all())


def parse_rows(
    frames: Iterable["pd.DataFrame"],
    label_column: str,
    ignored: Sequence[str],
    path: str | os.PathLike,
    advice: str,
) -> Rows:
    """Parses a table.

    Args:
        frames: iterable of parts of the table.
        label_column: string.
        ignored: strings, columns that are not used.
        path: the table's file, for errors.
        advice: string, added to the error about a cell.

    Returns:
        `Rows`.

    Raises:
        ValueError: as for `from_csv`.
    """
    columns: tuple[str, ...] = ()
    first = None
    labels = Labels(path)
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
            values = table_columns.numbers(frame, columns, path, advice)
            writer.extend(values[:, None, :])
            labels.add(table_columns.column(frame, label_column, path))
        y, class_names = labels.encode()
        return Rows(columns, writer.finish(), y, class_names, first)


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


class Labels:
    """Collects labels as small numbers, in the order of first appearance.

    Args:
        path: the table's file, for errors.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self._path = path
        self._code_of: dict[str, int] = {}
        self._first: list[int] = []
        self._codes: list[np.ndarray] = []
        self._count = 0

    def add(self, cells: "pd.Series", rows: np.ndarray | None = None) -> None:
        """Adds the labels of some rows.

        Args:
            cells: `pandas.Series` of texts.
            rows: int array of their rows, from 0; `None` if none is left out.
        """
        import pandas as pd

        codes, distinct = pd.factorize(cells.to_numpy(object))
        for text in distinct:
            if text not in self._code_of:
                self._code_of[text] = len(self._code_of)
                is_first = codes == list(distinct).index(text)
                place = int(np.argmax(is_first))
                self._first.append(
                    self._count + place if rows is None else int(rows[place])
                )
        if len(self._code_of) > MAX_LABELS:
            raise ValueError(
                f"`{self._path}` has more than {MAX_LABELS:,} different labels "
                f"in its first {self._count + len(cells):,} rows. To predict "
                "numbers, use task_type='regression' (--task-type regression)."
            )
        code_of = np.array([self._code_of[text] for text in distinct])
        small = np.min_scalar_type(len(self._code_of))
        self._codes.append(code_of[codes].astype(small))
        self._count += len(cells)

    def encode(self) -> tuple[np.ndarray, tuple[str, ...]]:
        """The class of each row, and the names of classes."""
        # Twice, since labels that all differ are not classes.
        class_of, class_names = classes.encode_labels(
            np.array([*self._code_of] * 2, str),
            lambda i: (
                f"`{self._path}`, row {self._first[i % len(self._first)] + 1}"
            ),
        )
        small = np.min_scalar_type(len(class_names))
        class_of = class_of[: len(self._first)].astype(small)
        for i, codes in enumerate(self._codes):
            self._codes[i] = class_of[codes]
        return np.concatenate(self._codes), class_names


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
