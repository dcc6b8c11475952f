"""Tasks from a table that names files and their labels."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import given_files, splitting, targets
from keras_fpt.tasks.user_data.audit import audit_groups
from keras_fpt.tasks.user_data.media import (
    file_kinds,
    file_names,
    folder_findings,
    folders,
    image_folders,
    listed_files,
    recording_reader,
    recordings,
    sound_folders,
)
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path
from keras_fpt.tasks.user_data.tables import cells, table_structure

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
        "fill": None,
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
    label_column: str | Sequence[str],
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
    validation: str | os.PathLike | None = None,
    test: str | os.PathLike | None = None,
    encoding: str | None = None,
    fill: str | None = None,
    label_separator: str | None = None,
) -> Task:
    """Makes a task from a table of files and their labels.

    The files are images, sounds, or tables that are recordings. A cell names
    a file by its path from the table's folder; or by its name or the end of its
    path, if only one file below the table's folder has it; the suffix may be
    left out. Where several files have the name, the row's other cells
    may tell: that of the column `fold` is 1, and the file is in a folder
    `fold1`. The files of a table in a folder `metadata`, `meta`, `labels`,
    `annotations` or `csv` may be in the neighboring folders.

    Args:
        path: a table with a header, in a format that `from_csv` reads.
        label_column: string or strings, see `from_csv`.
        file_column: string.
        split_column: string, a column that holds `train`, `validation` or
            `test`; `None` splits as `from_image_folder` does.
        split_group: string or strings, columns of groups, such as people,
            that stay in one split.
        header: bool, see `from_csv`.
        missing: string or strings, cells that mark a missing label, and in
            recordings a missing number.
        drop_missing: bool, whether rows without a label or a file are left
            out, and sequences of recordings with a missing number; otherwise
            they are errors.
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
        validation: path of a table of the validation examples, or `None`.
        test: path of a table of the test examples, or `None`.
        encoding: string, that of the tables, see `from_csv`.
        label_separator: string, as well.
        fill: string, see `from_recording_folder`.

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
        "fill": fill,
    }
    targets.refuse_tokens(task_type, "files")
    split_group = _as_list(split_group)
    found = _find_files(
        pathlib.Path(path),
        table_structure.as_tuple(label_column),
        label_separator,
        file_column,
        split_column,
        split_group,
        header,
        [*cells.as_words(missing)],
        drop_missing,
        folds,
        fold,
        task_type,
        validation,
        test,
        encoding,
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
        recording_reader.check_options(
            chosen["window"], chosen["stride"], chosen["fill"]
        )
        chosen["missing"] = cells.as_words(missing)
        chosen["drop_missing"] = drop_missing
        chosen["encoding"] = encoding
    else:
        MODULES[kind].check_options(*chosen.values())
    return MODULES[kind].make_task(
        found, **chosen, strict=strict, verbose=verbose
    )


def _as_list(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _find_files(
    path: pathlib.Path,
    label_columns: tuple[str, ...],
    label_separator: str | None,
    file_column: str,
    split_column: str | None,
    split_group: list[str],
    header: bool | None,
    missing: list[str],
    drop_missing: bool,
    folds: int | None,
    fold: int,
    task_type: str | None,
    validation: str | os.PathLike | None,
    test: str | os.PathLike | None,
    encoding: str | None,
) -> folders.LabeledFiles:
    """Finds the files that tables name, their classes and their splits."""
    import pandas as pd

    if split_column is not None and (validation or test):
        raise ValueError(
            f"`{path}`: give split_column (--split-column), or validation and "
            "test tables, not both."
        )
    wanted = listed_files.Wanted(
        file_column,
        label_columns,
        [*split_group, *([split_column] if split_column else [])],
        missing,
        drop_missing,
        header,
        encoding,
    )
    parts, given = given_files.read_each(
        path,
        validation,
        test,
        lambda file: listed_files.find_listed(pathlib.Path(file), wanted),
        lambda part: len(part.files),
    )
    listed_files.check_apart(parts)
    places = [(part, row) for part in parts for row in range(len(part.files))]

    def where(i: int) -> str:
        part, row = places[i]
        return part.where(row)

    def column(name: str) -> list[str]:
        return [text for part in parts for text in part.cells[name]]

    texts = [np.array(column(name), str) for name in label_columns]
    encoded = targets.encode(
        texts[0] if len(texts) == 1 else np.stack(texts, axis=1),
        where,
        task_type,
        missing=missing,
        columns=label_columns,
        separator=label_separator,
    )
    groups = None
    if split_group:
        keys = zip(*map(column, split_group), strict=True)
        groups = [
            "" if cells.is_missing(key).any() else " | ".join(key)
            for key in keys
        ]
    splits, split_by = splitting.split_examples(
        encoded.y,
        where,
        splitting.SplitRequest(
            names=column(split_column) if split_column else given.split_names,
            names_from=given.words or f"column {split_column}",
            groups=groups,
            groups_from=" and ".join(split_group),
            folds=folds,
            fold=fold,
        ),
    )
    known = {file_column, split_column, *label_columns, *split_group}
    findings = audit_groups.find_beside(
        pd.concat([part.beside for part in parts], join="inner"),
        known,
        encoded,
        splits,
    )
    files = [file for part in parts for file in part.files]
    if groups is None and not findings:
        findings += file_names.find_groups(
            files,
            encoded,
            splits,
            "write that part into a column of the table, and name it with "
            "--split-group",
        )
    if encoded.has_classes:
        findings += folder_findings.find_in_names(encoded.class_names)
    prefixes = given.names or [""]
    return folders.LabeledFiles(
        path.resolve().stem,
        files,
        [
            f"{prefix}, {name}" if prefix else name
            for prefix, part in zip(prefixes, parts, strict=True)
            for name in part.names
        ],
        encoded,
        splits,
        split_by,
        [
            f"{prefix}: {note}" if prefix else note
            for prefix, part in zip(prefixes, parts, strict=True)
            for note in part.notes
        ],
        findings,
        None if groups is None else np.unique(groups, return_inverse=True)[1],
    )
