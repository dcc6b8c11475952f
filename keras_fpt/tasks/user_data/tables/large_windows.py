"""Groups and windows of tables of more rows than fit into memory.

The table is parsed once, into a file of numbers. The standardized rows are a
file as well, from which sequences are cut when they are needed, so that windows
that overlap take no further space. Rows that do not follow one another in the
file as in sequences are sorted on disk; what is learned from training rows, and
the audit, read them in the order of the file. In memory are the label of each
row, in a byte or two, and where each sequence begins.
"""

import contextlib
import functools
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import (
    audit,
    build,
    sequences,
    splitting,
    targets,
)
from keras_fpt.tasks.user_data.audit import audit_tables
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables import (
    filling,
    large_cuts,
    large_files,
    large_layout,
    large_learning,
    large_order,
    large_rows,
    large_steps,
    large_targets,
    large_watch,
    large_whole_groups,
    sequence_targets,
    table_columns,
    table_reader,
    table_windows,
)
from keras_fpt.tasks.user_data.tables.large_layout import Stretches
from keras_fpt.tasks.user_data.tables.table_structure import Structure

if TYPE_CHECKING:
    import pandas as pd

AUDITED_BLOCKS, AUDITED_ROWS = 50, 2_000


def make_task(
    files: large_files.LargeFiles,
    frames: Iterable["pd.DataFrame"],
    structure: Structure,
    reading: large_rows.Reading,
    strict: bool,
    verbose: bool,
) -> Task | None:
    """Makes the task of `tables.from_csv` from groups or windows of rows.

    Args:
        files, frames, reading, strict, verbose: as for
            `large_tables.make_task`.
        structure: a `Structure` with groups or windows.

    Returns:
        A `Task`; `None` if the times cannot be parsed in parts, so that the
        table must be read as a whole.

    Raises:
        ValueError: as for `from_csv`.
    """
    unused: list[str] | None = None
    left_out: list[str] = []
    if reading.drop_missing and structure.window is None:
        files, unused, left_out = large_whole_groups.find(
            files, frames, structure, reading
        )
        frames = files.frames()
    watch = large_watch.Watch(files, structure)
    with contextlib.closing(watch):
        rows = large_rows.parse(watch, frames, reading, unused)
        order = watch.order()
        if order is None:
            return None
        stretches = large_layout.lay_out(watch, order, rows.y, rows.class_names)
        sampled = None
        if watch.times is not None:
            sampled = large_steps.sample(
                watch.times, watch.runs.starts, audited_rows(len(rows.y))
            )
    placed = rows.in_order(order)
    are_tokens = structure.keep_rest
    if are_tokens or not rows.labels.has_classes:
        sequence_targets.check_structure(structure)
    path = files.known.paths[0]
    if structure.window is None:
        each = np.arange(len(stretches.starts))
        cut = large_cuts.Cut(
            stretches.starts,
            stretches.lengths,
            each,
            each,
            placed.y[stretches.starts],
            watch.runs.names,
            [],
            [],
        )
    else:
        cut = large_cuts.cut_windows(
            placed.y, len(rows.class_names), stretches, structure, watch.runs
        )
    split_of = stretches.splits[cut.stretch]
    splits = {
        split: np.flatnonzero(split_of == number)
        for number, split in enumerate(splitting.SPLITS)
    }
    for number, split in enumerate(splitting.SPLITS):
        if structure.window is not None and not (split_of == number).any():
            lengths = stretches.lengths[stretches.splits == number]
            table_windows.refuse_empty(
                split,
                int(lengths.sum()),
                int(lengths.max(initial=0)),
                structure.window,
                path,
            )
    if structure.window is not None and placed.is_left_out is not None:
        cut = large_cuts.without(cut, placed.is_left_out)
        split_of = stretches.splits[cut.stretch]
        splits = {
            split: np.flatnonzero(split_of == number)
            for number, split in enumerate(splitting.SPLITS)
        }
    labels = targets.Labels(cut.labels, rows.class_names)
    if are_tokens:
        labels = large_targets.of_tokens(placed.labels, cut.starts, cut.lengths)
    elif not rows.labels.has_classes:
        labels = large_targets.of_sequences(
            placed.labels,
            placed.numbers,
            cut.starts,
            cut.lengths,
            structure.window is not None,
            lambda index: f"`{path}`, {cut.names[index]}",
        )
    labels.check_splits(splits)
    trained = splits["train"]
    is_train = order.restore(
        large_cuts.covered_rows(
            len(rows.y), cut.starts[trained], cut.lengths[trained]
        )
    )
    learned = large_learning.learn(
        lambda: chosen_rows(_raw(rows), is_train),
        rows,
        path,
        reading.fill,
        reading.is_plain,
    )

    filled: Callable[[], Iterator[np.ndarray]] = functools.partial(_raw, rows)
    if reading.fill == "forward":
        filled = filled_forward(rows.values, order, stretches.breaks)

    def complete() -> Iterator[np.ndarray]:
        return map(learned.complete, filled())

    def train_parts() -> Iterator[np.ndarray]:
        return map(learned.numbers, chosen_rows(complete(), is_train))

    largest = large_learning.largest(train_parts())
    table_reader.check_magnitudes(largest, rows.columns, path)
    mean, scale = sequences.streamed_statistics(train_parts)
    keys = structure.keys
    reader = table_reader.TableReader(
        rows.columns,
        tuple(mean.tolist()),
        tuple(scale.tolist()),
        keys[0] if len(keys) == 1 else keys or None,
        structure.window,
        structure.stride or structure.window,
        structure.time_column,
        stretches.time_gap,
        learned.kinds,
        reading.words or (),
        reading.fill,
        reading.header,
        reading.encoding,
        are_tokens,
    )
    groups = _groups(cut, stretches, structure)
    return build.make_task(
        pathlib.Path(path).resolve().stem,
        sequence_store.StoredWindows(
            order.sort(_channels(rows, complete, reader, path)),
            cut.starts,
            cut.lengths,
        ),
        labels,
        splits,
        stretches.split_by,
        reader,
        cut.names,
        notes=[
            f"width: the columns {table_columns.list_columns(rows.columns)}, "
            "standardized",
            *table_columns.format_notes(rows.first),
            *columns_.notes(rows.columns, learned.kinds),
            *rows.notes,
            *left_out,
            *cut.notes,
        ],
        groups=groups,
        findings=[
            *stretches.findings,
            *cut.findings,
            *watch.spellings.findings(),
            *watch.total_row(),
            *large_steps.find_telling(
                sampled, placed.y, cut, labels, splits, groups, structure
            ),
            *_audit(
                rows,
                complete,
                stretches,
                order,
                is_train,
                bool(keys),
                learned,
            ),
            *large_learning.find_in_names(rows, learned, reading),
        ],
        strict=strict,
        verbose=verbose,
    )


def _groups(
    cut: large_cuts.Cut, stretches: Stretches, structure: Structure
) -> np.ndarray | None:
    """Numbers of the sequences that belong together; see `Layout`."""
    if structure.window is None:
        if not structure.split_group:
            return None
        found = stretches.groups
        return found if stretches.together is None else stretches.together
    if structure.keys:
        found = stretches.groups
        if stretches.together is not None:
            found = stretches.together
        return found[cut.stretch]
    together = -(-structure.window // (structure.stride or structure.window))
    if together < 2:
        return None
    return cut.numbers // together


def chosen_rows(
    parts: Iterator[np.ndarray], is_chosen: np.ndarray
) -> Iterator[np.ndarray]:
    """Some of the rows, float64 arrays `(rows, columns)`."""
    first = 0
    for values in parts:
        part = values[is_chosen[first : first + len(values)]]
        first += len(values)
        if len(part):
            yield part


def _raw(rows: large_rows.Rows) -> Iterator[np.ndarray]:
    """All rows `(rows, columns)`, NaN where a cell is missing."""
    parts = _parts(rows.values)
    if rows.is_left_out is None or rows.is_filled:
        return parts
    return (np.nan_to_num(part, nan=0.0) for part in parts)  # in no sequence


def filled_forward(
    values: sequence_store.SequenceStore,
    order: large_order.Order,
    breaks: np.ndarray,
) -> Callable[[], Iterator[np.ndarray]]:
    """A function that yields all rows, with missing cells filled forward.

    Args:
        values: a `SequenceStore` of rows `(1, columns)`, in the order of the
            file, NaN where a cell is missing.
        order: the rows' `Order`.
        breaks: int array, the places that nothing is filled from before.

    Returns:
        A function that returns an iterator over arrays `(rows, columns)`, in
        the order of the file.
    """

    def filled(store: sequence_store.SequenceStore) -> Iterator[np.ndarray]:
        return filling.fill_forward_in_parts(_parts(store), breaks)

    if order.rows is None:
        return lambda: filled(values)
    with sequence_store.SequenceWriter() as writer:
        for part in filled(order.sort(values)):
            writer.extend(part[:, None])
        stored = order.unsort(writer.finish())
    return lambda: _parts(stored)


def _parts(store: sequence_store.SequenceStore) -> Iterator[np.ndarray]:
    return (part[:, 0] for part in sequence_store.chunks(store))


def _channels(
    rows: large_rows.Rows,
    complete: Callable[[], Iterator[np.ndarray]],
    reader: table_reader.TableReader,
    path: str,
) -> sequence_store.SequenceStore:
    first = 0
    with sequence_store.SequenceWriter() as writer:
        for raw, values in zip(_raw(rows), complete(), strict=True):
            scaled = reader.scaled(values, np.isnan(raw), path, first)
            writer.extend(scaled[:, None, :])
            first += len(values)
        return writer.finish()


def _audit(
    rows: large_rows.Rows,
    complete: Callable[[], Iterator[np.ndarray]],
    stretches: Stretches,
    order: large_order.Order,
    is_train: np.ndarray,
    has_groups: bool,
    learned: large_learning.Learned,
) -> list[audit.Finding]:
    """Audits some blocks of rows."""
    size = len(rows.y)
    chosen = audited_rows(size)
    is_chosen = np.zeros(size, bool)
    is_chosen[chosen] = True
    places = order.places_of(chosen)
    stretch = np.searchsorted(stretches.starts, places, side="right") - 1
    is_test = stretches.splits[stretch] == splitting.SPLITS.index("test")
    values = np.concatenate([*chosen_rows(complete(), is_chosen)])
    labels = rows.labels.y[chosen].astype(np.int32)
    labels[rows.y[chosen] < 0] = targets.UNLABELED
    return audit_tables.find_in_table(
        audit_tables.Table(
            # A category that is missing is one more.
            np.nan_to_num(values, nan=-1.0) if learned.places else values,
            rows.columns,
            labels,
            rows.labels.class_names,
            np.flatnonzero(is_train[chosen]),
            np.flatnonzero(is_test),
            stretches.groups[stretch] if has_groups else None,
            is_series=True,
            categories=tuple(rows.columns[index] for index in learned.places),
        ).labeled()
    )


def audited_rows(size: int) -> np.ndarray:
    """Some blocks of rows, which are audited, as a sorted int array."""
    blocks = np.linspace(0, max(0, size - AUDITED_ROWS), AUDITED_BLOCKS)
    rows = blocks.astype(int)[:, None] + np.arange(AUDITED_ROWS)
    return np.unique(rows[rows < size])
