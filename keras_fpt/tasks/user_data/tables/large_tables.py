"""Tables of more rows than fit into memory: each row is a sequence.

The table is parsed once, into a file of numbers; what is learned from all
training rows, such as their mean, is computed from that file, part by part;
and the standardized rows of each split are a file as well. In memory are the
label and the split of each row, in a byte or two.
"""

import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.stored import Examples
from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import (
    build,
    given_files,
    sequences,
    splitting,
    targets,
)
from keras_fpt.tasks.user_data.audit import (
    audit_examples,
    audit_tables,
    streamed_groups,
)
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables import (
    large_files,
    large_learning,
    large_rows,
    large_splits,
    large_watch,
    table_columns,
    table_ids,
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
    watch = large_watch.Watch(files, structure, reading.drop_missing)
    known = {*reading.label_columns, *structure.columns}
    with streamed_groups.StreamedGroups(known) as named:
        rows = large_rows.parse(watch, named.watch(frames), reading)
        together = None
        if watch.together is not None:
            watch.together.check(rows.is_left_out, files.where)
            together = watch.together.numbers()
        split, split_by = _split(watch, rows, together)
        groups_found = named.find(split)
    path = files.known.paths[0]
    check_split(rows, split)
    present = train_parts(rows, split)
    learned = large_learning.learn(
        present, rows, path, reading.fill, reading.is_plain
    )

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

    examples = make_examples(
        rows, split, channels, reader.mean, files.known, together
    )
    is_first = split[rows.first_rows] != large_splits.LEFT_OUT
    first_rows = rows.first_rows[is_first]
    audited = learned.complete(rows.values[first_rows][:, 0])
    is_category = np.isin(np.arange(len(rows.columns)), [*learned.places])
    labels = rows.y[first_rows].astype(np.int32)
    split_of = split[first_rows]
    findings = watch.spellings.findings()
    findings += audit_tables.find_in_table(
        audit_tables.Table(
            # A category that is missing is one more.
            np.nan_to_num(audited, nan=-1.0) if is_category.any() else audited,
            rows.columns,
            labels,
            rows.class_names,
            np.flatnonzero(split_of == large_splits.TRAIN),
            np.flatnonzero(split_of == large_splits.TEST),
            categories=tuple(np.array(rows.columns)[is_category]),
        ).labeled()
    )
    findings += watch.total_row()
    findings += groups_found
    if not (structure.split_group or findings):
        findings += table_ids.find_in_columns(
            rows.first[is_first],
            reading.ignored,
            rows.labels.select(first_rows),
            {
                name: np.flatnonzero(split_of == code)
                for code, name in enumerate(splitting.SPLITS)
            },
        )
    findings += large_learning.find_in_names(rows, learned, reading)
    if together is not None:
        is_kept = split != large_splits.LEFT_OUT
        findings += audit_examples.groups_across_splits(
            together[is_kept],
            {
                name: split[is_kept] == code
                for code, name in enumerate(splitting.SPLITS)
            },
        )
    of_each = " of the files" if files.known.splits else ""
    return build.task_of_examples(
        pathlib.Path(path).resolve().stem,
        examples["train"].x,
        examples,
        rows.labels.names_of_answers,
        split_by,
        reader,
        notes=[
            *rows.labels.notes,
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
        is_multilabel=rows.labels.kind == targets.MULTILABEL,
    )


def _split(
    watch: large_watch.Watch, rows: large_rows.Rows, together: Any
) -> tuple[np.ndarray, str]:
    """The split of each row, uint8 array `(rows,)`, and words."""
    structure, given = watch.structure, watch.split_names()
    y, kept = rows.y, np.arange(0)
    if rows.is_left_out is not None:
        kept = np.flatnonzero(~rows.is_left_out)
        y = y[kept]
        if together is not None:  # Numbered as if the others never were.
            import pandas as pd

            together = pd.factorize(together[kept])[0]
        if given is not None:
            codes, distinct, words = given
            codes = codes[kept]
            known = np.flatnonzero(np.bincount(codes, minlength=len(distinct)))
            number = np.zeros(len(distinct), codes.dtype)
            number[known] = np.arange(len(known))
            given = number[codes], [distinct[code] for code in known], words

    def where(index: int) -> str:
        row = index if rows.is_left_out is None else int(kept[index])
        return watch.files.where(row)

    def first_of(code: int) -> str:
        assert given is not None
        return where(int(np.argmax(given[0] == code)))

    split, words = large_splits.split(
        y,
        len(rows.class_names),
        splitting.SplitRequest(
            groups=together,
            groups_from=" and ".join(structure.split_group),
            folds=structure.folds,
            fold=structure.fold,
        ),
        where,
        given,
        first_of,
    )
    if rows.is_left_out is None:
        return split, words
    found = np.full(len(rows.y), large_splits.LEFT_OUT, np.uint8)
    found[kept] = split
    return found, words


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
    names = rows.class_names if rows.labels.has_classes else ("",)
    labels = np.arange(len(names))
    counts = np.zeros((len(splitting.SPLITS) + 1, len(names)), int)
    for part in large_splits.slices(len(rows.y)):
        pairs = split[part].astype(int) * len(names)
        if rows.labels.has_classes:
            pairs += rows.y[part]
        counts += np.bincount(pairs, minlength=counts.size).reshape(
            counts.shape
        )
    found = dict(zip(splitting.SPLITS, counts, strict=False))
    splitting.check_splits(
        {name: labels[each > 0] for name, each in found.items()},
        labels,
        names,
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
    unused: Sequence[float],
    files: given_files.Files,
    together: np.ndarray | None,
) -> dict[str, Examples]:
    """The examples of each split, whose tokens are cells.

    Args:
        rows: `Rows`.
        split: what `large_splits.stratified` returned.
        standardized: function of float64 `(rows, columns)` and the number of
            the first of them, from 0, that returns float32 values.
        unused: sequence of floats, a row in the place of those left out.
        files: the `Files` of the rows.
        together: int array `(rows,)`, the group of each row, or `None`.
    """
    start, answers = 0, rows.labels.answers_of_kind
    writers = [sequence_store.SequenceWriter() for _ in splitting.SPLITS]
    try:
        for values in sequence_store.chunks(rows.values):
            end = start + len(values)
            # Any usable numbers, since they are in no split.
            is_out = split[start:end] == large_splits.LEFT_OUT
            values[is_out, 0] = unused
            tokens = standardized(values[:, 0], start)[:, :, None]
            for code, writer in enumerate(writers):
                writer.extend(tokens[split[start:end] == code])
            start = end
        return {
            name: Examples(
                writer.finish(),
                answers[split == code],
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
