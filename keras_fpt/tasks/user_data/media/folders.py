"""Folders with one subfolder per class."""

import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_fpt import progress
from keras_fpt.tasks.user_data import classes, given_files, splitting
from keras_fpt.tasks.user_data.audit.findings import Finding
from keras_fpt.tasks.user_data.media import (
    class_folders,
    file_kinds,
    file_names,
    folder_findings,
    visible,
)
from keras_fpt.tasks.user_data.tables import table_structure
from keras_fpt.tasks.user_data.targets import Labels


class LabeledFiles(NamedTuple):
    """Files, each of which is an example, with their classes and splits.

    Args:
        name: string, the name of the data.
        files: list of n paths.
        names: list of n strings, the files' names in descriptions.
        labels: `Labels` of the n files.
        splits: dict from splits to int arrays of indices.
        split_by: string, how the files were split, in words.
        notes: strings, further notes for the user.
        findings: what is suspicious.
        groups: int array `(n,)`, or `None`, see `Examples`.
    """

    name: str
    files: list[pathlib.Path]
    names: list[str]
    labels: Labels
    splits: dict[str, np.ndarray]
    split_by: str
    notes: Sequence[str] = ()
    findings: Sequence[Finding] = ()
    groups: Any = None

    @property
    def y(self) -> np.ndarray:
        """The class of each file, or the tenth of its number."""
        return self.labels.y

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of classes or of tenths."""
        return self.labels.class_names

    @property
    def train_files(self) -> list[pathlib.Path]:
        """The files of the train split."""
        return [self.files[i] for i in self.splits["train"]]


def labeled_files(
    folder: str | os.PathLike,
    validation: str | os.PathLike | None = None,
    test: str | os.PathLike | None = None,
    folds: int | None = None,
    fold: int = 1,
    split_group: str | Sequence[str] = (),
) -> LabeledFiles:
    """Finds the files of a folder, their classes and their splits.

    Files in subfolders of a class are files of the class. If each class has
    several subfolders, such as people or recordings, the files of each stay
    in one split; those of one name in several classes are one.

    A folder that contains nothing but another one, as archives unpack to,
    stands for that one. A folder next to those of splits whose name says that
    its examples have no labels, such as `seg_pred`, is left out.

    Args:
        folder: path. It has one subfolder per class; or one per split
            (`train`, `test` and perhaps `validation`, in any usual spelling),
            each with one per class; or one per class, each with one per split.
        validation: path, a folder of validation examples, which has one
            subfolder per class, or `None`.
        test: path, as well.
        folds: int or `None`, see `splitting.SplitRequest`.
        fold: int.
        split_group: string or strings, parts of the files' names, such as
            `part_1`, see `file_names`. The files of which they are equal stay
            in one split, and subfolders do not matter.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: it has no classes, or a class has no files; or a file's
            name has no such part.
    """
    parts, given = given_files.read_each(
        folder, validation, test, class_folders.find_class_files
    )
    if given.splits is not None:
        parts = [
            [(split, *entry[1:]) for entry in part]
            for split, part in zip(given.splits, parts, strict=True)
        ]
    found = [entry for part in parts for entry in part]
    folder = pathlib.Path(folder)
    split_names = [split for split, *_ in found]
    labels = [label for _, label, *_ in found]
    subfolder = [within for _, _, within, _ in found]
    files = [file for *_, file in found]

    def where(i: int) -> str:
        return f"`{files[i]}`"

    names = [
        f"{given.names[i]}/{file.relative_to(root)}"
        if given.names
        else str(file.relative_to(root))
        for i, (root, part) in enumerate(zip(given.paths, parts, strict=True))
        for *_, file in part
    ]
    if len({*labels}) == 1:
        _check_tables(given.paths, labels[0])
    y, class_names = classes.encode_labels(labels, where, are_names=True)
    notes = [
        note
        for root in given.paths
        for note in _notes_on_other_files(pathlib.Path(root), files)
    ]
    if "" not in split_names and "test" not in split_names:
        # As in many published sets, which keep the test labels to themselves.
        split_names = ["test" if s == "validation" else s for s in split_names]
        notes.append(
            "test: the folder of validation examples, since there is none of "
            "test examples"
        )
    groups: Any
    findings: list[Finding] = []
    groups_from = "subfolder"
    parts_of_names = table_structure.as_tuple(split_group)
    if parts_of_names:
        groups = file_names.group_numbers(files, parts_of_names)
        groups_from = " and ".join(parts_of_names)
    else:
        groups, findings, group_notes = folder_findings.group_by_subfolder(
            labels, subfolder
        )
        notes += group_notes
    splits, split_by = splitting.split_examples(
        y,
        where,
        splitting.SplitRequest(
            names=None if "" in split_names else split_names,
            names_from=given.words or "by folder",
            groups=groups,
            groups_from=groups_from,
            folds=folds,
            fold=fold,
        ),
    )
    found_labels = Labels(y, class_names)
    findings += folder_findings.find_masks(names)
    if groups is None:
        findings += file_names.find_groups(files, found_labels, splits)
    return LabeledFiles(
        folder.resolve().name,
        files,
        names,
        found_labels,
        splits,
        split_by,
        notes,
        [*folder_findings.find_in_names(class_names), *findings],
        None
        if groups is None
        else np.unique(np.asarray(groups), return_inverse=True)[1],
    )


def new_files(
    path: str | os.PathLike,
) -> tuple[list[pathlib.Path], list[str]]:
    """Finds the files to predict: a single one, or all below a folder.

    Returns:
        A tuple: list of paths and list of names.

    Raises:
        FileNotFoundError: the path does not exist, or the folder is empty.
    """
    path = pathlib.Path(path)
    if path.is_file():
        return [path], [path.name]
    files = visible.visible_files(path, "**/*")
    if not files:
        raise FileNotFoundError(f"There is no file in `{path}`.")
    return files, [str(file.relative_to(path)) for file in files]


def _check_tables(paths: Sequence[str | os.PathLike], only_class: str) -> None:
    """Raises `ValueError` if the labels seem to be in a table beside files."""
    for path in paths:
        for file in visible.visible_files(pathlib.Path(path), "*"):
            if file_kinds.kind_of(file) == file_kinds.TABLES:
                advice = folder_findings.TABLE_ADVICE.replace(
                    "labels.csv", str(file)
                )
                raise ValueError(
                    f"Every file is in the folder '{only_class}', so there are "
                    f"no two classes. If the labels are in `{file}`, type "
                    f"`{advice}` with the names of its columns."
                )


def _notes_on_other_files(
    folder: pathlib.Path, files: Sequence[pathlib.Path]
) -> list[str]:
    """Notes on skipped files: system files, and files outside of classes."""
    read = set(files)
    system: list[str] = []
    others: list[str] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path not in read:
            parts = path.relative_to(folder).parts
            is_system = any(map(visible.is_system_name, parts))
            (system if is_system else others).append("/".join(parts))
    return [
        f"skipped: {len(names):,} {what.format('s' * (len(names) > 1))}, such "
        f"as {names[0]}"
        for what, names in (
            ("system file{}", system),
            ("file{} outside the folders of classes", others),
        )
        if names
    ]


def read_each(
    read: Callable, files: Sequence[pathlib.Path], what: str
) -> Iterator[Any]:
    """Yields `read(file)` for each file, with a progress bar on stderr."""
    return map(read, progress.track(files, f"Reading {what}", len(files)))
