"""Folders with a subfolder a class."""

import pathlib

from rich.console import Console
from rich.progress import track

from keras_fpt.tasks.user_data import classes, splitting

SPLIT_FOLDERS = {"train", "validation", "valid", "val", "test"}


def labelled_files(folder):
    """The files of a folder, their classes and splits.

    Args:
        folder: path. It has a subfolder a class; or a subfolder a split
            (`train`, `test` and perhaps `validation`) with one a class.

    Returns:
        A tuple: list of n paths, int32 array `(n,)` of classes, tuple of
        their names, a dict from splits to places, and in words how it was
        split.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it has no classes, or a class has no file.
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
            "or one a class."
        )
    files, labels, splits = [], [], []
    for part in parts if is_split else [folder]:
        class_folders = subfolders(part)
        if not class_folders:
            raise ValueError(
                f"`{part}` has no subfolders. Expected one a class, with the "
                "class's files in it."
            )
        for class_folder in class_folders:
            nested = subfolders(class_folder)
            if nested:
                raise ValueError(
                    f"`{nested[0]}` is a folder within a class. Expected "
                    "files only."
                )
            found = visible_files(class_folder)
            if not found:
                raise ValueError(
                    f"The class '{class_folder.name}' has no file in "
                    f"`{class_folder}`."
                )
            files += found
            labels += [class_folder.name] * len(found)
            splits += [part.name] * len(found)
    y, class_names = classes.number(labels, lambda i: f"`{files[i]}`")
    if is_split:
        places = splitting.given(splits, y, lambda i: f"`{files[i]}`")
        return files, y, class_names, places, "by folder"
    places = splitting.stratified(y)
    return files, y, class_names, places, "seeded, stratified"


def new_files(path):
    """The files to predict: one, or all below a folder; and their names.

    Raises:
        FileNotFoundError: there is no such file or folder, or none in it.
    """
    path = pathlib.Path(path)
    if path.is_file():
        return [path], [path.name]
    files = visible_files(path, "**/*")
    if not files:
        raise FileNotFoundError(f"There is no file in `{path}`.")
    return files, [str(file.relative_to(path)) for file in files]


def subfolders(folder):
    """The visible folders in a folder, sorted."""
    return sorted(
        p for p in folder.iterdir() if p.is_dir() and p.name[0] != "."
    )


def visible_files(folder, pattern="*"):
    """The files in a folder, sorted; not what begins with a dot."""
    return sorted(
        path
        for path in folder.glob(pattern)
        if path.is_file()
        and not any(p[0] == "." for p in path.relative_to(folder).parts)
    )


def read_all(read, files, what):
    """Applies `read` to each file, under a progress bar on stderr."""
    return [
        read(file)
        for file in track(
            files, f"Reading {what}", console=Console(stderr=True)
        )
    ]
