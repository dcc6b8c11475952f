"""Folders with one subfolder per class."""

import os
import pathlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_fpt import progress
from keras_fpt.tasks.user_data import classes, given_files, splitting
from keras_fpt.tasks.user_data.audit.findings import Finding
from keras_fpt.tasks.user_data.media import folder_findings
from keras_fpt.tasks.user_data.targets import Labels

# What operating systems and archives leave in folders, in lower case. Names
# that begin with a dot are left out as well.
SYSTEM_NAMES = {
    "thumbs.db",
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "desktop.ini",
    "picasa.ini",
    "icon\r",
    "__macosx",
    "@eadir",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "__pycache__",
}


class LabeledFiles(NamedTuple):
    """Files, each of which is an example, with their classes and splits.

    Args:
        name: string, the name of the data.
        files: list of n paths.
        names: list of n strings, the files' names in descriptions.
        labels: `Labels` of the n files.
        splits: dict from splits to int arrays of indices.
        split_by: string, how the files were split, in words.
        notes: strings, what else the user should know.
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
) -> LabeledFiles:
    """Finds the files of a folder, their classes and their splits.

    Files in subfolders of a class are files of the class. If each class has
    several subfolders, such as people or recordings, the files of each stay
    in one split.

    Args:
        folder: path. It has one subfolder per class; or one per split
            (`train`, `test` and perhaps `validation`, in any usual spelling),
            each with one per class; or one per class, each with one per split.
        validation: path, a folder of validation examples, which has one
            subfolder per class, or `None`.
        test: path, as well.
        folds: int or `None`, see `splitting.SplitRequest`.
        fold: int.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: it has no classes, or a class has no files.
    """
    parts, given = given_files.read_each(folder, validation, test, _find)
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
    groups, findings = folder_findings.group_by_subfolder(labels, subfolder)
    if groups is not None:
        notes.append("subfolders of classes stay together")
    splits, split_by = splitting.split_examples(
        y,
        where,
        splitting.SplitRequest(
            names=None if "" in split_names else split_names,
            names_from=given.words or "by folder",
            groups=groups,
            groups_from="subfolder",
            folds=folds,
            fold=fold,
        ),
    )
    return LabeledFiles(
        folder.resolve().name,
        files,
        names,
        Labels(y, class_names),
        splits,
        split_by,
        notes,
        [*folder_findings.find_in_names(class_names), *findings],
        None
        if groups is None
        else np.unique(np.array(groups, str), return_inverse=True)[1],
    )


# Split (or an empty string), class, the subfolder within the class's folder
# and the file.
_Found = tuple[str, str, str, pathlib.Path]


def _find(folder: str | os.PathLike) -> list[_Found]:
    """The files of a folder, with their splits and classes.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: it has no classes, or a class has no files.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder `{folder}`.")
    return _split_outside(folder) or _split_inside(folder)


def _split_outside(folder: pathlib.Path) -> list[_Found] | None:
    """The files of a folder with a subfolder per split, if it is one."""
    parts = subfolders(folder)
    split_of = dict(
        zip(parts, _splits_of([part.name for part in parts]), strict=True)
    )
    splits = {split for split in split_of.values() if split is not None}
    is_split = None not in split_of.values() and {"train"} < splits
    if not is_split:
        names = {part.name for part in parts}
        # A train is a vehicle, too.
        is_class = not any(map(subfolders, parts)) and len(parts) > 1
        if not is_class and names & {"train", "test"} or len(splits) > 1:
            raise ValueError(
                f"`{folder}` has the subfolders {', '.join(sorted(names))}. "
                "Expected train and test (and perhaps validation) and no "
                "others, or one subfolder per class."
            )
        return None
    return [
        (split or "", *entry)
        for part, split in split_of.items()
        for entry in _class_files(part, split or "")
    ]


def _splits_of(names: Sequence[str]) -> list[str | None]:
    """The splits that the names of folders mean, or `None` for those of none.

    Names such as `training_set` and `test_set` mean splits if they differ in
    the word for the split alone.
    """
    exact = [splitting.split_name(name) for name in names]
    others, splits = set(), []
    for name in names:
        words = re.split(r"[\W_]+", name.strip().lower())
        found = [splitting.split_name(word) for word in words]
        splits += [split for split in found if split is not None]
        others.add(
            tuple(
                word if split is None else ""
                for word, split in zip(words, found, strict=True)
            )
        )
    is_said = len(others) == 1 and len({*splits}) == len(splits) == len(names)
    return [*splits] if is_said and "train" in splits else exact


def _split_inside(folder: pathlib.Path) -> list[_Found]:
    """The files of a folder with a subfolder per class."""
    found = _class_files(folder, "")
    tops = [within.partition("/")[0] for _, within, _ in found]
    names = sorted({*tops})
    split_of = dict(zip(names, _splits_of(names), strict=True))
    splits = [split_of[top] for top in tops]
    if None in splits or not {"train"} < {*splits}:
        return [("", *entry) for entry in found]
    return [
        (split or "", label, within.partition("/")[2], file)
        for split, (label, within, file) in zip(splits, found, strict=True)
    ]


def _class_files(
    folder: pathlib.Path, split: str
) -> list[tuple[str, str, pathlib.Path]]:
    """Class, subfolder and path of each file in the folders of classes."""
    class_folders = subfolders(folder)
    if not class_folders:
        advice = (
            f" For labels in a table, type `{folder_findings.TABLE_ADVICE}`."
        )
        if split == "test":
            advice = (
                " If these examples have no labels, move the folder elsewhere "
                "and give it to `keras-fpt predict`."
            )
        raise ValueError(
            f"`{folder}` has no subfolders. Expected one per class, with the "
            f"class's files in it.{advice}"
        )
    found = []
    for class_folder in class_folders:
        files = visible_files(class_folder, "**/*")
        if not files:
            raise ValueError(
                f"The class '{class_folder.name}' has no file in "
                f"`{class_folder}`."
            )
        for nested in subfolders(class_folder):
            if not visible_files(nested, "**/*"):
                raise ValueError(
                    f"`{nested}` is a folder within the folder of a class, "
                    "and it has no files. Remove it, or put files there."
                )
        for file in files:
            within = file.parent.relative_to(class_folder).as_posix()
            within = "" if within == "." else within
            found.append((class_folder.name, within, file))
    return found


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
        p for p in folder.iterdir() if p.is_dir() and not is_system_name(p.name)
    )


def visible_files(
    folder: pathlib.Path, pattern: str = "*"
) -> list[pathlib.Path]:
    """The files in a folder, sorted, without hidden and system files."""
    return sorted(
        path
        for path in folder.glob(pattern)
        if path.is_file()
        and not any(map(is_system_name, path.relative_to(folder).parts))
    )


def is_system_name(name: str) -> bool:
    """Whether a file or folder is hidden, or a system's or archive's own."""
    name = name.lower()
    is_hidden = name.startswith((".", "~$"))
    # Where Windows keeps what it knows of a download.
    return (
        is_hidden or name in SYSTEM_NAMES or name.endswith(":zone.identifier")
    )


def _notes_on_other_files(
    folder: pathlib.Path, files: Sequence[pathlib.Path]
) -> list[str]:
    """What was left out: system files, and files beside those of classes."""
    read = set(files)
    system: list[str] = []
    others: list[str] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path not in read:
            parts = path.relative_to(folder).parts
            is_system = any(map(is_system_name, parts))
            (system if is_system else others).append("/".join(parts))
    return [
        f"skipped: {len(names):,} {what}{'s' * (len(names) > 1)}, such as "
        f"{names[0]}"
        for what, names in (
            ("system file", system),
            ("file outside the folders of classes", others),
        )
        if names
    ]


def read_each(
    read: Callable, files: Sequence[pathlib.Path], what: str
) -> Iterator[Any]:
    """Yields `read(file)` for each file, with a progress bar on stderr."""
    return map(read, progress.track(files, f"Reading {what}", len(files)))
