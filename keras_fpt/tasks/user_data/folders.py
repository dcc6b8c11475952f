"""Folders with one subfolder per class."""

import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_fpt import progress
from keras_fpt.tasks.user_data import classes, splitting

SPLIT_FOLDERS = {"train", "validation", "valid", "val", "test"}


def labeled_files(
    folder: str | os.PathLike,
) -> tuple[
    list[pathlib.Path], np.ndarray, tuple[str, ...], dict[str, np.ndarray], str
]:
    """Finds the files of a folder, their classes and their splits.

    Args:
        folder: path. It has one subfolder per class; or one per split
            (`train`, `test` and perhaps `validation`), each with one per
            class.

    Returns:
        A tuple: list of n paths, int32 array `(n,)` of classes, tuple of the
        classes' names, dict from splits to int arrays of indices, and a
        string that says how the files were split.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: it has no classes, or a class has no files.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder `{folder}`.")
    parts = subfolders(folder)
    names = {part.name for part in parts}
    is_split = {"train", "test"} <= names <= SPLIT_FOLDERS
    if names & {"train", "test"} and not is_split:
        raise ValueError(
            f"`{folder}` has the subfolders {', '.join(sorted(names))}. "
            "Expected train and test (and perhaps validation) and no others, "
            "or one subfolder per class."
        )
    files: list[pathlib.Path] = []
    labels: list[str] = []
    split_names: list[str] = []
    for part in parts if is_split else [folder]:
        class_folders = subfolders(part)
        if not class_folders:
            raise ValueError(
                f"`{part}` has no subfolders. Expected one per class, with the "
                "class's files in it."
            )
        for class_folder in class_folders:
            nested = subfolders(class_folder)
            if nested:
                raise ValueError(
                    f"`{nested[0]}` is a folder within the folder of a class. "
                    "Expected only files there."
                )
            class_files = visible_files(class_folder)
            if not class_files:
                raise ValueError(
                    f"The class '{class_folder.name}' has no file in "
                    f"`{class_folder}`."
                )
            files += class_files
            labels += [class_folder.name] * len(class_files)
            split_names += [part.name] * len(class_files)
    y, class_names = classes.encode_labels(labels, lambda i: f"`{files[i]}`")
    if is_split:
        splits = splitting.from_names(split_names, y, lambda i: f"`{files[i]}`")
        return files, y, class_names, splits, "by folder"
    splits = splitting.stratified(y)
    return files, y, class_names, splits, "seeded, stratified"


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
    files = visible_files(path, "**/*")
    if not files:
        raise FileNotFoundError(f"There is no file in `{path}`.")
    return files, [str(file.relative_to(path)) for file in files]


def subfolders(folder: pathlib.Path) -> list[pathlib.Path]:
    """The visible folders in a folder, sorted."""
    return sorted(
        p for p in folder.iterdir() if p.is_dir() and p.name[0] != "."
    )


def visible_files(
    folder: pathlib.Path, pattern: str = "*"
) -> list[pathlib.Path]:
    """The files in a folder, sorted, without those that begin with a dot."""
    return sorted(
        path
        for path in folder.glob(pattern)
        if path.is_file()
        and not any(p[0] == "." for p in path.relative_to(folder).parts)
    )


def read_all(
    read: Callable, files: Sequence[pathlib.Path], what: str
) -> list[Any]:
    """Applies `read` to each file, with a progress bar on stderr."""
    return [
        read(file)
        for file in progress.track(files, f"Reading {what}", len(files))
    ]
