"""Tasks from a folder of tables, each of which is a recording."""

import dataclasses
import itertools
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import build, sequences
from keras_fpt.tasks.user_data.audit import audit_properties, audit_tables
from keras_fpt.tasks.user_data.audit.findings import Finding
from keras_fpt.tasks.user_data.media import (
    folders,
    missing_in_recordings,
    recording_reader,
)
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path
from keras_fpt.tasks.user_data.tables import (
    cells,
    table_columns,
)
from keras_fpt.tasks.user_data.tables import columns as columns_

AUDITED_ROWS = 1_000_000


@prefix_errors_with_path
def from_recording_folder(
    folder: str | os.PathLike,
    window: int | None = None,
    stride: int | None = None,
    ignore_column: str | Sequence[str] = (),
    header: bool | None = None,
    verbose: bool = True,
    validation: str | os.PathLike | None = None,
    test: str | os.PathLike | None = None,
    folds: int | None = None,
    fold: int = 1,
    strict: bool = False,
    missing: str | Sequence[str] = (),
    fill: str | None = None,
    drop_missing: bool = False,
    encoding: str | None = None,
    split_group: str | Sequence[str] = (),
) -> Task:
    """Makes a task from a folder with one subfolder of tables per class.

    Each table is a recording: a sequence whose tokens are its rows, in their
    order. All have the same columns, which are standardized with the mean and
    the standard deviation of the training rows. Splits are those of
    `from_image_folder`; all windows of a recording are in one split.

    Args:
        folder: path. Tables are CSV, TSV or another format that `from_csv`
            reads, each with a header.
        window: int, that many successive rows of a recording are a sequence;
            `None` makes the whole recording one.
        stride: int, rows from one window to the next; `None` is `window`.
        ignore_column: string or strings, columns that are not used.
        header: bool, see `from_csv`.
        verbose: bool, whether to log a description of the data.
        validation: path, a folder of validation examples with one subfolder
            per class, or `None`.
        test: path, a folder of test examples, as well.
        folds: int, the number of folds of a cross-validation, or `None`.
        fold: int, from 1 to `folds`, the fold that is for testing.
        strict: bool, whether a leak that the audit finds is an error.
        missing: string, number or several, marks of missing cells in addition
            to empty cells and words such as NaN, NA and None.
        fill: `"median"` (of the training rows) or `"forward"` (from the row
            before in the recording), see `from_csv`; `None` refuses missing
            cells.
        drop_missing: bool, whether to leave out sequences with missing cells,
            unless they are filled.
        encoding: string, see `from_csv`.
        split_group: string or strings, see `from_image_folder`.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: a file is not a table, or has other columns than the
            first; a cell is not a finite number; a class is empty. The error
            names the file.
    """
    recording_reader.check_options(window, stride, fill)
    found = folders.labeled_files(
        folder, validation, test, folds, fold, split_group
    )
    return make_task(
        found,
        window,
        stride,
        ignore_column,
        header,
        strict,
        verbose,
        cells.as_words(missing),
        fill,
        drop_missing,
        encoding,
    )


def make_task(
    found: folders.LabeledFiles,
    window: int | None,
    stride: int | None,
    ignore_column: str | Sequence[str],
    header: bool | None,
    strict: bool,
    verbose: bool,
    missing: tuple[str, ...] = (),
    fill: str | None = None,
    drop_missing: bool = False,
    encoding: str | None = None,
) -> Task:
    """Makes a task from files of recordings; see `from_recording_folder`."""
    if isinstance(ignore_column, str):
        ignore_column = [ignore_column]
    first = recording_reader.read_frame(found.files[0], header, encoding)
    columns = _find_columns(first, found.files[0], ignore_column)
    reader = recording_reader.RecordingReader(
        columns,
        window=window,
        stride=stride,
        header=header,
        missing=missing,
        fill=fill,
        encoding=encoding,
    )
    may_lack = fill is not None or drop_missing
    steps: list[dict[str, float]] = []

    def load(file: pathlib.Path) -> np.ndarray:
        frame = recording_reader.read_frame(file, header, encoding)
        _check_columns(frame, file, found.files[0], columns, ignore_column)
        steps.append(_steps_of_times(frame))
        return reader.numbers(frame, file, may_lack)

    recordings = sequences.collect(
        folders.read_each(load, found.files, "tables")
    )
    train = found.splits["train"]
    if fill is not None:
        reader = missing_in_recordings.learn(reader, recordings, train)
        recordings = sequences.collect(
            map(reader.filled, sequences.each(recordings))
        )
    mean, scale = missing_in_recordings.statistics(
        recordings, train, len(columns), may_lack
    )
    reader = dataclasses.replace(
        reader, mean=tuple(mean.tolist()), scale=tuple(scale.tolist())
    )
    num_dropped = 0
    names: list[str] = []
    recording_of: list[int] = []

    def parts_of_recordings() -> Iterator[np.ndarray]:
        nonlocal num_dropped
        for i, values in enumerate(sequences.each(recordings)):
            scaled = reader.standardized(values, found.files[i])
            for name, rows in reader.parts(found.names[i], len(values)):
                if np.isnan(scaled[rows]).any():
                    num_dropped += 1
                    continue
                names.append(name)
                recording_of.append(i)
                yield scaled[rows]

    longest = sequences.longest(recordings)
    if window is not None and longest < window:
        raise ValueError(f"Every recording is shorter than {window} rows.")
    x = sequences.collect(parts_of_recordings())
    notes = [
        f"width: the columns {table_columns.list_columns(columns)}, "
        "standardized",
        *table_columns.format_notes(first),
    ]
    if num_dropped:
        what = "recordings" if window is None else "windows"
        notes.append(f"left out: {num_dropped:,} {what} with missing cells")
    if reader.flagged:
        shown = [columns[i] for i in reader.flagged]
        notes.append(
            f"filled: {table_columns.list_columns(shown)}, each with a channel "
            "that says which cells were missing"
        )
    num_short = int((sequences.lengths(recordings) < (window or 0)).sum())
    if num_short:
        notes.append(
            f"left out: {num_short:,} recordings shorter than a window of "
            f"{window}"
        )
    origin = np.array(recording_of)
    groups = found.groups
    if groups is None and window is not None:
        groups = np.arange(len(found.files))
    return build.make_task(
        found.name,
        x,
        found.labels.select(origin),
        {
            split: np.flatnonzero(np.isin(origin, indices))
            for split, indices in found.splits.items()
        },
        found.split_by,
        reader,
        names,
        notes=[*notes, *found.notes],
        groups=None if groups is None else groups[origin],
        findings=[
            *found.findings,
            *_audit(found, recordings, columns),
            *_telling_steps(found, steps),
        ],
        strict=strict,
        verbose=verbose,
    )


def _audit(
    found: folders.LabeledFiles, recordings: Any, columns: Sequence[str]
) -> list[Finding]:
    """Audits the columns of recordings.

    Of more rows than fit into memory, some recordings are looked at.
    """
    sizes = sequences.lengths(recordings)
    step = -(-int(sizes.sum()) // AUDITED_ROWS)
    chosen = np.arange(0, len(sizes), step)
    recording_of = np.repeat(chosen, sizes[chosen])
    values = np.concatenate(
        [*itertools.islice(sequences.each(recordings), 0, None, step)]
    )[:, : len(columns)]
    is_known = ~np.isnan(values).any(axis=1)
    recording_of = recording_of[is_known]
    return audit_tables.find_in_table(
        audit_tables.Table(
            values[is_known],
            columns,
            found.y[recording_of],
            found.class_names,
            np.flatnonzero(np.isin(recording_of, found.splits["train"])),
            np.flatnonzero(np.isin(recording_of, found.splits["test"])),
            recording_of,
            is_series=True,
            are_files=True,
        )
    )


def _steps_of_times(frame: Any) -> dict[str, float]:
    """The median step of each column that only grows, as times do."""
    import pandas as pd

    found = {}
    for name in frame.columns:
        numbers = pd.to_numeric(frame[name], errors="coerce").to_numpy(float)
        steps = np.diff(numbers)
        if len(steps) and (steps > 0).all():
            (found[name],) = audit_properties.rounded([np.median(steps)])
    return found


def _telling_steps(
    found: folders.LabeledFiles, steps: Sequence[dict[str, float]]
) -> list[Finding]:
    """Whether the class follows from the sampling rate, even if not read."""
    common = set(steps[0]).intersection(*steps)
    properties = {
        f"step of the column '{name}'": audit_properties.Property(
            [each[name] for each in steps],
            audit_properties.RATE_ADVICE,
        )
        for name in sorted(common)
    }
    return audit_properties.find_telling(
        properties, found.labels.compared, found.splits, found.groups
    )


def _find_columns(
    frame: Any, file: pathlib.Path, ignored: Sequence[str]
) -> tuple[str, ...]:
    """The columns of the first table that are read."""
    for name in ignored:
        table_columns.column(frame, name, file)
    columns = tuple(name for name in frame.columns if name not in ignored)
    if not columns:
        raise ValueError(f"`{file}` has no columns other than {ignored}.")
    return columns


def _check_columns(
    frame: Any,
    file: pathlib.Path,
    first: pathlib.Path,
    columns: Sequence[str],
    ignored: Sequence[str],
) -> None:
    """Checks that a table has the columns of the first one.

    Raises:
        ValueError: it lacks one, or has another.
    """
    others = set(frame.columns) - set(ignored)
    if others != set(columns):
        different = sorted(others ^ set(columns))
        raise ValueError(
            f"`{file}` has the columns "
            f"{table_columns.list_columns(sorted(others))}, but `{first}` has "
            f"{table_columns.list_columns(columns)}. '{different[0]}' is in "
            f"only one of them.{columns_.IGNORE_ADVICE}"
        )
