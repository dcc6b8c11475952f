"""Tasks from a table that names files and their labels."""

import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import splitting, targets
from keras_fpt.tasks.user_data.media import (
    file_index,
    file_kinds,
    folder_findings,
    folders,
    image_folders,
    recordings,
    sound_folders,
)
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path
from keras_fpt.tasks.user_data.tables import cells, table_columns, table_files

if TYPE_CHECKING:
    import pandas as pd

# The options of each kind of file, and their defaults.
OPTIONS: dict[str, dict[str, Any]] = {
    file_kinds.IMAGES: {
        "image_size": None,
        "patch_size": image_folders.PATCH_SIZE,
        "background": image_folders.BACKGROUND,
    },
    file_kinds.SOUNDS: {
        "max_seconds": sound_folders.MAX_SECONDS,
        "max_hertz": sound_folders.HIGHEST_HERTZ,
    },
    file_kinds.TABLES: {
        "window": None,
        "stride": None,
        "ignore_column": (),
        "header": None,
    },
}
MODULES: dict[str, Any] = {
    file_kinds.IMAGES: image_folders,
    file_kinds.SOUNDS: sound_folders,
    file_kinds.TABLES: recordings,
}


@prefix_errors_with_path
def from_file_table(
    path: str | os.PathLike,
    label_column: str,
    file_column: str,
    split_column: str | None = None,
    split_group: str | Sequence[str] = (),
    header: bool | None = None,
    missing: str | Sequence[str] = (),
    drop_missing: bool = False,
    image_size: int | None = None,
    patch_size: int | None = None,
    background: str | None = None,
    max_seconds: float | None = None,
    max_hertz: float | None = None,
    window: int | None = None,
    stride: int | None = None,
    ignore_column: str | Sequence[str] | None = None,
    verbose: bool = True,
    folds: int | None = None,
    fold: int = 1,
    strict: bool = False,
    task_type: str | None = None,
) -> Task:
    """Makes a task from a table of files and their labels.

    The files are images, sounds, or tables that are recordings. A cell names
    a file by its path from the table's folder; or by its name or the end of
    its path, if one file alone below the table's folder has it; the suffix
    may be left out. Where several files have the name, the row's other cells
    may tell: that of the column `fold` is 1, and the file is in a folder
    `fold1`. The files of a table in a folder `metadata`, `meta`, `labels`,
    `annotations` or `csv` may be in the folders beside that one.

    Args:
        path: a table with a header, in a format that `from_csv` reads.
        label_column: string.
        file_column: string.
        split_column: string, a column that holds `train`, `validation` or
            `test`; `None` splits as `from_image_folder` does.
        split_group: string or strings, columns of groups, such as people,
            that stay in one split.
        header: bool, see `from_csv`.
        missing: string or strings, cells that mark a missing label.
        drop_missing: bool, whether rows without a label or a file are left
            out; otherwise they are errors.
        image_size: int, see `from_image_folder`.
        patch_size: int, as well.
        background: string, as well.
        max_seconds: float, see `from_sound_folder`.
        max_hertz: float, as well.
        window: int, see `from_recording_folder`.
        stride: int, as well.
        ignore_column: string or strings, as well.
        verbose: bool, whether to log a description of the data.
        folds: int, the number of folds of a cross-validation, or `None`.
        fold: int, from 1 to `folds`, the fold that is for testing.
        strict: bool, whether a leak that the audit finds is an error.
        task_type: as for `from_arrays`.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: the table does not exist.
        ValueError: a row names no file, or several; a label is missing; a
            file cannot be read. The error names the row or the file.
    """
    options = {
        "image_size": image_size,
        "patch_size": patch_size,
        "background": background,
        "max_seconds": max_seconds,
        "max_hertz": max_hertz,
        "window": window,
        "stride": stride,
        "ignore_column": ignore_column,
    }
    split_group = _as_list(split_group)
    found = _find_files(
        pathlib.Path(path),
        label_column,
        file_column,
        split_column,
        split_group,
        header,
        [*cells.as_words(missing)],
        drop_missing,
        folds,
        fold,
        task_type,
    )
    kind = file_kinds.most_common_kind(found.files)
    if kind is None:
        raise file_kinds.unreadable(found.files[0], "a file")
    given = {k: v for k, v in options.items() if v not in (None, (), [])}
    other = [name for name in given if name not in OPTIONS[kind]]
    if other:
        flag = "--" + other[0].replace("_", "-")
        raise ValueError(f"The option {flag} does not apply to {kind}.")
    chosen = OPTIONS[kind] | given
    if kind == file_kinds.TABLES:
        recordings.check_options(chosen["window"], chosen["stride"])
    else:
        MODULES[kind].check_options(*chosen.values())
    return MODULES[kind].make_task(
        found, **chosen, strict=strict, verbose=verbose
    )


def _as_list(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _find_files(
    path: pathlib.Path,
    label_column: str,
    file_column: str,
    split_column: str | None,
    split_group: list[str],
    header: bool | None,
    missing: list[str],
    drop_missing: bool,
    folds: int | None,
    fold: int,
    task_type: str | None,
) -> folders.LabeledFiles:
    """Finds the files that a table names, their classes and their splits."""
    frame = table_files.read_table(path, header)
    notes = table_columns.format_notes(frame)
    used = [label_column, file_column, *split_group]
    used += [] if split_column is None else [split_column]
    frame = frame.assign(
        **{name: table_columns.column(frame, name, path) for name in used}
    )
    rows = np.arange(len(frame))
    if drop_missing:
        is_missing = cells.is_missing(
            frame[label_column], missing
        ) | cells.is_missing(frame[file_column], missing)
        rows = rows[~is_missing]
        if is_missing.any():
            notes.append(
                f"left out: {is_missing.sum():,} rows without a label or a file"
            )
    index = file_index.FileIndex(path, frame, [*split_group, split_column])
    files: dict[pathlib.Path, int] = {}
    not_found = []
    num_repeated = 0
    for row in rows.tolist():
        file = index.find(row, file_column)
        if file is None:
            not_found.append(row)
        elif file in files:
            _check_repeated(frame, path, used, file, files[file], row)
            num_repeated += 1
        else:
            files[file] = row
    if not_found and not drop_missing:
        cell = frame[file_column].iloc[not_found[0]]
        raise ValueError(
            f"`{path}`, row {not_found[0] + 1}, column '{file_column}': there "
            f"is no file '{cell}' in `{index.root.resolve()}` or below it "
            f"({len(not_found):,} of {len(frame):,} rows name no file). Put "
            "the table beside the files or above them, or leave such rows out "
            "with drop_missing (--drop-missing)."
        )
    if not_found:
        notes.append(f"left out: {len(not_found):,} rows whose file is missing")
    if num_repeated:
        notes.append(f"listed again: {num_repeated:,} rows, read once")
    if not files:
        raise ValueError(f"`{path}` names no file that exists.")
    notes += index.note_unlisted(files)
    kept = list(files.values())

    def where(i: int) -> str:
        return f"`{path}`, row {kept[i] + 1}"

    labels = frame[label_column].to_numpy(str)[kept]
    encoded = targets.encode(labels, where, task_type, missing=missing)
    groups = None
    if split_group:
        keys = frame[split_group].iloc[kept]
        groups = [
            "" if cells.is_missing(key).any() else " | ".join(key)
            for key in keys.to_numpy(str).tolist()
        ]
    splits, split_by = splitting.split_examples(
        encoded.y,
        where,
        splitting.SplitRequest(
            names=None
            if split_column is None
            else frame[split_column].iloc[kept].tolist(),
            names_from=f"column {split_column}",
            groups=groups,
            groups_from=" and ".join(split_group),
            folds=folds,
            fold=fold,
        ),
    )
    return folders.LabeledFiles(
        path.resolve().stem,
        list(files),
        [os.path.relpath(file, index.root) for file in files],
        encoded,
        splits,
        split_by,
        notes,
        []
        if encoded.is_regression
        else folder_findings.find_in_names(encoded.class_names),
        None if groups is None else np.unique(groups, return_inverse=True)[1],
    )


def _check_repeated(
    frame: "pd.DataFrame",
    path: pathlib.Path,
    columns: list[str],
    file: pathlib.Path,
    first: int,
    row: int,
) -> None:
    """Checks that two rows that name a file say the same of it.

    Raises:
        ValueError: they do not.
    """
    for name in columns[:1] + columns[2:]:
        before, now = frame[name].iloc[first], frame[name].iloc[row]
        if before != now:
            raise ValueError(
                f"`{path}`, row {row + 1}: '{now}' in '{name}' contradicts "
                f"'{before}' in row {first + 1}, which names the same file, "
                f"`{file}`."
            )
