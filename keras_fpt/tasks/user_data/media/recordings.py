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
from keras_fpt.tasks.user_data.audit import audit_tables
from keras_fpt.tasks.user_data.audit.findings import Finding
from keras_fpt.tasks.user_data.media import (
    file_kinds,
    folders,
    missing_in_recordings,
)
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path
from keras_fpt.tasks.user_data.tables import (
    cells,
    filling,
    missing_rows,
    table_columns,
    table_files,
)
from keras_fpt.tasks.user_data.tables import columns as columns_

AUDITED_ROWS = 1_000_000


@dataclasses.dataclass(frozen=True)
class RecordingReader:
    """How tables become sequences of standardized rows.

    Args:
        columns: tuple of strings, the columns that are read.
        mean: tuple of floats, the mean of each column in the training rows.
        scale: tuple of floats, the standard deviation of each column.
        window: int or `None`, see `from_recording_folder`.
        stride: int or `None`.
        header: bool or `None`, see `from_csv`.
        missing: tuple of strings, what marks missing cells.
        fill: string or `None`, see `from_recording_folder`.
        median: tuple of floats, the median of each column in the training
            rows, if missing cells are filled; otherwise empty.
        flagged: tuple of ints, the columns of which a further channel says
            where cells were missing: those where any was in training.
        encoding: string or `None`, see `from_csv`.
    """

    columns: tuple[str, ...]
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    window: int | None = None
    stride: int | None = None
    header: bool | None = None
    missing: tuple[str, ...] = ()
    fill: str | None = None
    median: tuple[float, ...] = ()
    flagged: tuple[int, ...] = ()
    encoding: str | None = None

    def __post_init__(self) -> None:
        check_options(self.window, self.stride, self.fill)

    def read(self, path: str | os.PathLike) -> tuple[Any, list[str]]:
        """Reads the sequences of one table or of all in a folder.

        Returns:
            A tuple: tokens, and the names of the sequences.

        Raises:
            ValueError: a file is not a table with the columns of training, or
                is shorter than a window.
        """
        return self.read_files(*folders.new_files(path))

    def read_files(
        self, files: list[pathlib.Path], names: list[str]
    ) -> tuple[Any, list[str]]:
        """Reads the sequences of some tables; see `read`."""
        part_names: list[str] = []

        def parts_of_files() -> Iterator[np.ndarray]:
            for file, name in zip(files, names, strict=True):
                values = self.load(file)
                parts = self.parts(name, len(values))
                if not parts:
                    raise ValueError(
                        f"`{file}` has {len(values):,} rows, fewer than a "
                        f"window of {self.window}."
                    )
                scaled = self.standardized(self.filled(values), file)
                part_names.extend(part for part, _ in parts)
                yield from (scaled[rows] for _, rows in parts)

        return sequences.collect(parts_of_files()), part_names

    def load(self, file: str | os.PathLike) -> np.ndarray:
        """Reads the numbers of one table, float64 `(rows, columns)`."""
        frame = _read_frame(file, self.header, self.encoding)
        return self.numbers(frame, file, self.fill is not None)

    def numbers(
        self, frame: Any, file: str | os.PathLike, may_lack: bool
    ) -> np.ndarray:
        """The numbers of a table.

        Args:
            frame: what `table_files.read_table` returned.
            file: the table's file, for errors.
            may_lack: bool, whether cells may be missing.

        Returns:
            float64 array `(rows, columns)`, NaN where a cell is missing.
        """
        where = table_columns.where_in(frame, file)
        for name in self.columns:
            table_columns.column(frame, name, file)
        kinds = [columns_.Column()] * len(self.columns)
        values = columns_.parse_columns(
            frame, self.columns, kinds, where, self.missing
        )
        if not may_lack:
            columns_.check_no_missing(values, frame, self.columns, where)
        return values

    def filled(self, values: np.ndarray) -> np.ndarray:
        """Fills the missing cells of one recording.

        Args:
            values: float64 array `(rows, columns)`, NaN for missing cells.

        Returns:
            float64 array `(rows, channels)`.
        """
        if self.fill is None:
            return values
        is_missing = np.isnan(values)
        if self.fill == "forward":
            values = filling.fill_forward(values, None)
        values = np.where(np.isnan(values), self.median, values)
        return np.concatenate([values, is_missing[:, self.flagged]], axis=1)

    def parts(self, name: str, size: int) -> list[tuple[str, slice]]:
        """Names and rows of the sequences of a recording of some rows."""
        if self.window is None:
            return [(name, slice(0, size))]
        step = self.stride or self.window
        return [
            (
                f"{name}, rows {start + 1}-{start + self.window}",
                slice(start, start + self.window),
            )
            for start in range(0, size - self.window + 1, step)
        ]

    def standardized(
        self, values: np.ndarray, file: str | os.PathLike
    ) -> np.ndarray:
        """Scales rows `(rows, columns)` as the training rows were scaled.

        Raises:
            ValueError: a number is too far from those of training.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = sequences.standardized(values, self.mean, self.scale)
        wrong = np.argwhere(~np.isfinite(scaled) & ~np.isnan(values))
        if len(wrong):
            row, index = wrong[0]
            # A channel of zeros and ones is always finite.
            raise ValueError(
                f"`{file}`, row {row + 1}, column '{self.columns[index]}': "
                f"{values[row, index]:g} is too large."
            )
        return scaled


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
        missing: string, number or several, what marks missing cells beside
            empty cells and words such as NaN, NA and None.
        fill: `"median"` (of the training rows) or `"forward"` (from the row
            before in the recording), see `from_csv`; `None` refuses missing
            cells.
        drop_missing: bool, whether to leave out sequences with missing cells,
            unless they are filled.
        encoding: string, see `from_csv`.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: a file is not a table, or has other columns than the
            first; a cell is not a finite number; a class is empty. The error
            names the file.
    """
    check_options(window, stride, fill)
    found = folders.labeled_files(folder, validation, test, folds, fold)
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
    first = _read_frame(found.files[0], header, encoding)
    columns = _find_columns(first, found.files[0], ignore_column)
    reader = RecordingReader(
        columns,
        window=window,
        stride=stride,
        header=header,
        missing=missing,
        fill=fill,
        encoding=encoding,
    )
    may_lack = fill is not None or drop_missing

    def load(file: pathlib.Path) -> np.ndarray:
        frame = _read_frame(file, header, encoding)
        _check_columns(frame, file, found.files[0], columns, ignore_column)
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
        findings=[*found.findings, *_audit(found, recordings, columns)],
        strict=strict,
        verbose=verbose,
    )


def _audit(
    found: folders.LabeledFiles, recordings: Any, columns: Sequence[str]
) -> list[Finding]:
    """What is suspicious about the columns of recordings.

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
        )
    )


def _read_frame(
    file: str | os.PathLike, header: bool | None, encoding: str | None
) -> Any:
    if file_kinds.kind_of(file) != file_kinds.TABLES:
        raise file_kinds.unreadable(file, "a table")
    return table_files.read_table(file, header, encoding)


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
            f"one of them alone.{columns_.IGNORE_ADVICE}"
        )


def check_options(
    window: int | None, stride: int | None, fill: str | None = None
) -> None:
    """Checks the options of recordings before any table is read.

    Raises:
        ValueError: one of them cannot be used.
    """
    for name, value in (("window", window), ("stride", stride)):
        if value is not None and value < 1:
            raise ValueError(
                f"Expected {name} to be at least 1 but received {value}."
            )
    if stride is not None and window is None:
        raise ValueError("A stride needs a window.")
    missing_rows.check_fill(fill)
