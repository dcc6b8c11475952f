"""Windows of tables of more rows than fit into memory.

The table is parsed once, into a file of numbers. The standardized rows are a
file as well, from which windows are cut when they are needed, so that windows
that overlap take no further space. In memory are the label of each row, in a
byte or two, and where each window begins.
"""

import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import (
    build,
    sequences,
    splitting,
    targets,
)
from keras_fpt.tasks.user_data.audit import audit_tables
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables import (
    group_runs,
    large_tables,
    table_columns,
    table_reader,
    table_windows,
    windows,
)
from keras_fpt.tasks.user_data.tables.table_structure import Structure

if TYPE_CHECKING:
    import pandas as pd

# The number of labels that are processed at a time.
AT_ONCE = 2**22
AUDITED_BLOCKS, AUDITED_ROWS = 50, 2_000


class Stretches(NamedTuple):
    """Successive rows that windows are cut from.

    Args:
        starts: int array `(n,)`, the first row of each.
        lengths: int array `(n,)`.
        groups: int array `(n,)`, the number of the group of each.
        splits: int array `(n,)`, the index in `splitting.SPLITS` of each.
    """

    starts: np.ndarray
    lengths: np.ndarray
    groups: np.ndarray
    splits: np.ndarray


def applies_to(structure: Structure) -> bool:
    """Whether windows or groups need only the order of rows in the file."""
    return not (
        structure.is_by_row
        or structure.window is None
        or structure.time_column
        or structure.split_column
        or structure.split_group
        or structure.folds
    )


def make_task(
    path: str | os.PathLike,
    frames: Iterable["pd.DataFrame"],
    label_column: str,
    ignored: Sequence[str],
    structure: Structure,
    header: bool | None,
    strict: bool,
    verbose: bool,
    encoding: str | None = None,
) -> Task | None:
    """Makes the task of `tables.from_csv` from windows of a table of numbers.

    Args:
        path, frames, label_column, ignored, header, strict, verbose, encoding:
            as for `large_tables.make_task`.
        structure: a `Structure` to which `applies_to` applies.

    Returns:
        A `Task`; `None` if the rows of a group do not follow one another, or
        there are too few groups, so that the table must be read as a whole.

    Raises:
        ValueError: as for `from_csv`.
    """
    runs = group_runs.GroupRuns(path, structure.keys)
    rows = large_tables.parse_rows(
        runs.watch(frames),
        label_column,
        (*ignored, *structure.keys),
        path,
        columns_.IGNORE_ADVICE,
    )
    found = _stretches(rows.y, len(rows.class_names), runs, structure)
    if found is None:
        return None
    stretches, words = found
    window = structure.window or 1
    stride = structure.stride or window
    starts, of_stretch = _starts(stretches, window, stride)
    most = majority(rows.y, starts, window, len(rows.class_names))
    least = (structure.min_label_share or 0) * window
    is_kept = ~most.is_tie & (most.counts >= least)
    notes = table_windows.left_out(
        stretches.lengths, most, is_kept, structure, len(runs.names)
    )
    findings = table_windows.mixed_windows(most, is_kept, window, structure)
    starts, of_stretch = starts[is_kept], of_stretch[is_kept]
    split_of = stretches.splits[of_stretch]
    splits = {}
    for number, split in enumerate(splitting.SPLITS):
        splits[split] = np.flatnonzero(split_of == number)
        if not len(splits[split]):
            lengths = stretches.lengths[stretches.splits == number]
            table_windows.refuse_empty(
                split,
                int(lengths.sum()),
                int(lengths.max(initial=0)),
                window,
                path,
            )
    is_train = _covered(len(rows.y), starts[splits["train"]], window)

    def train_parts() -> Iterator[np.ndarray]:
        first = 0
        for values in sequence_store.chunks(rows.values):
            part = values[is_train[first : first + len(values)], 0]
            first += len(values)
            if len(part):
                yield part

    largest = large_tables.largest(train_parts())
    table_reader.check_magnitudes(largest, rows.columns, path)
    mean, scale = sequences.streamed_statistics(train_parts)
    keys = structure.keys
    reader = table_reader.TableReader(
        rows.columns,
        tuple(mean.tolist()),
        tuple(scale.tolist()),
        keys[0] if len(keys) == 1 else keys or None,
        window,
        stride,
        header=header,
        encoding=encoding,
    )
    return build.make_task(
        pathlib.Path(path).resolve().stem,
        sequence_store.StoredWindows(
            _standardized(rows, reader, path), starts, window
        ),
        targets.Labels(most.labels[is_kept], rows.class_names),
        splits,
        words,
        reader,
        group_runs.WindowNames(
            runs, stretches.groups[of_stretch], starts, window
        ),
        notes=[
            f"width: the columns {table_columns.list_columns(rows.columns)}, "
            "standardized",
            *table_columns.format_notes(rows.first),
            *notes,
        ],
        groups=_window_groups(
            stretches.groups[of_stretch], runs, window, stride
        ),
        findings=[*findings, *_audit(rows, stretches, is_train)],
        strict=strict,
        verbose=verbose,
    )


def _stretches(
    y: np.ndarray,
    num_classes: int,
    runs: group_runs.GroupRuns,
    structure: Structure,
) -> tuple[Stretches, str] | None:
    """Stretches of one group, split and perhaps label; and words."""
    size = len(y)
    if structure.keys:
        if runs.are_scattered:
            return None
        starts = np.array(runs.starts)
        ends = np.append(starts[1:], size)
        most = np.array(
            [
                np.bincount(y[a:b], minlength=num_classes).argmax()
                for a, b in zip(starts, ends, strict=True)
            ]
        )
        splits = splitting.stratified(most)
        if not all(map(len, splits.values())):
            return None
        split_of = np.empty(len(most), int)
        for number, indices in enumerate(splits.values()):
            split_of[indices] = number
        groups = np.arange(len(starts))
        words = f"seeded, by {' and '.join(structure.keys)}"
    else:
        test = size - size // splitting.TEST_PART
        starts = np.array([0, test - test // splitting.VALIDATION_PART, test])
        split_of, groups = np.arange(3), np.zeros(3, int)
        words = "in the order of the file"
    if structure.within_label:
        changes = np.flatnonzero(y[1:] != y[:-1]) + 1
        cut = np.union1d(starts, changes)
        origin = np.searchsorted(starts, cut, side="right") - 1
        starts, split_of, groups = cut, split_of[origin], groups[origin]
    lengths = np.diff(np.append(starts, size))
    return Stretches(starts, lengths, groups, split_of), words


def _starts(
    stretches: Stretches, window: int, stride: int
) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each window, and the stretch that it is from."""
    counts = np.maximum((stretches.lengths - window) // stride + 1, 0)
    origin = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    number = np.arange(len(origin))
    number -= np.repeat(np.cumsum(counts) - counts, counts)
    number *= stride
    number += stretches.starts[origin]
    return number, origin


def majority(
    y: np.ndarray, starts: np.ndarray, window: int, num_classes: int
) -> windows.Majority:
    """The most common label of each window, as `windows.majority`.

    Args:
        y: int array `(rows,)` of classes.
        starts: int array `(n,)`, the first row of each window.
        window: int.
        num_classes: int.
    """
    labels = np.zeros(len(starts), y.dtype)
    most = np.zeros(len(starts), np.min_scalar_type(window))
    is_tie = np.zeros(len(starts), bool)
    step = max(1, AT_ONCE // window)
    for first in range(0, len(starts), step):
        part = slice(first, first + step)
        seen = y[starts[part, None] + np.arange(window)]
        counts = np.zeros((len(seen), num_classes), most.dtype)
        for label in np.unique(seen):
            counts[:, label] = (seen == label).sum(axis=1)
        labels[part] = counts.argmax(axis=1)
        most[part] = counts.max(axis=1)
        is_tie[part] = (counts == most[part, None]).sum(axis=1) > 1
    return windows.Majority(labels, most, is_tie)


def _covered(size: int, starts: np.ndarray, window: int) -> np.ndarray:
    """Which rows are in one of some windows, bool array `(rows,)`."""
    is_covered = np.zeros(size, bool)
    step = max(1, AT_ONCE // window)
    for first in range(0, len(starts), step):
        part = starts[first : first + step, None]
        is_covered[part + np.arange(window)] = True
    return is_covered


def _standardized(
    rows: large_tables.Rows,
    reader: table_reader.TableReader,
    path: str | os.PathLike,
) -> sequence_store.SequenceStore:
    first = 0
    with sequence_store.SequenceWriter() as writer:
        for values in sequence_store.chunks(rows.values):
            scaled = reader.standardized(values[:, 0], path, first)
            writer.extend(scaled[:, None, :])
            first += len(values)
        return writer.finish()


def _window_groups(
    groups: np.ndarray, runs: group_runs.GroupRuns, window: int, stride: int
) -> np.ndarray | None:
    """Numbers of the windows that belong together, as in `table_windows`."""
    if runs.names != ["series"]:
        return groups
    together = -(-window // stride)
    if together < 2:
        return None
    return np.arange(len(groups)) // together


def _audit(
    rows: large_tables.Rows, stretches: Stretches, is_train: np.ndarray
) -> list[Any]:
    """Audits some blocks of rows."""
    size = len(rows.y)
    blocks = np.linspace(0, max(0, size - AUDITED_ROWS), AUDITED_BLOCKS)
    chosen = blocks.astype(int)[:, None] + np.arange(AUDITED_ROWS)
    chosen = np.unique(chosen[chosen < size])
    stretch = np.searchsorted(stretches.starts, chosen, side="right") - 1
    is_test = stretches.splits[stretch] == splitting.SPLITS.index("test")
    groups = stretches.groups[stretch]
    return audit_tables.find_in_table(
        audit_tables.Table(
            rows.values[chosen][:, 0],
            rows.columns,
            rows.y[chosen].astype(np.int32),
            rows.class_names,
            np.flatnonzero(is_train[chosen]),
            np.flatnonzero(is_test),
            groups if (groups != groups[0]).any() else None,
            is_series=True,
        )
    )
