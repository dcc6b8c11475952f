"""Finds the files of folders with one subfolder per class or per split."""

import os
import pathlib
import re
from collections.abc import Sequence

from keras_fpt.tasks.user_data import splitting
from keras_fpt.tasks.user_data.media import folder_findings, visible

# In the names of folders of examples without labels.
UNLABELED = {
    *("pred", "predict", "prediction", "predictions"),
    *("unlabeled", "unlabelled", "unsup", "unlab"),
}
# Split (or an empty string), class, the subfolder within the class's folder
# and the file.
Found = tuple[str, str, str, pathlib.Path]


def find_class_files(folder: str | os.PathLike) -> list[Found]:
    """The files of a folder, with their splits and classes.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: it has no classes, or a class has no files.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder `{folder}`.")
    folder = _unwrapped(folder)
    return _split_outside(folder) or _split_inside(folder)


def _unwrapped(folder: pathlib.Path) -> pathlib.Path:
    """The folder within, as long as it is the only entry."""
    while True:
        inner = visible.subfolders(folder)
        if (
            len(inner) != 1
            or visible.visible_files(folder)
            or not visible.subfolders(inner[0])
            or _splits_of([inner[0].name]) != [None]
        ):
            return folder
        folder = inner[0]


def _split_outside(folder: pathlib.Path) -> list[Found] | None:
    """The files of a folder with a subfolder per split, if it is one."""
    parts = _with_labels(visible.subfolders(folder))
    split_of = dict(
        zip(parts, _splits_of([part.name for part in parts]), strict=True)
    )
    splits = {split for split in split_of.values() if split is not None}
    is_split = None not in split_of.values() and {"train"} < splits
    if not is_split:
        names = {part.name for part in parts}
        # A train is a vehicle, too.
        is_class = not any(map(visible.subfolders, parts)) and len(parts) > 1
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
        for entry in _class_files(_unwrapped_split(part), split or "")
    ]


def _unwrapped_split(folder: pathlib.Path) -> pathlib.Path:
    """The folder of a split, or a folder of the same name within it."""
    inner = visible.subfolders(folder)
    is_again = len(inner) == 1 and inner[0].name == folder.name
    return inner[0] if is_again else folder


def _with_labels(parts: Sequence[pathlib.Path]) -> list[pathlib.Path]:
    """Folders of splits, without folders of examples without labels."""
    kept = [
        part
        for part in parts
        if not UNLABELED & {*re.split(r"[\W_]+", part.name.strip().lower())}
    ]
    splits = _splits_of([part.name for part in kept])
    return kept if kept and None not in splits else [*parts]


def _splits_of(names: Sequence[str]) -> list[str | None]:
    """The splits that the names of folders mean, or `None` for those of none.

    Names such as `training_set` and `test_set` mean splits if they differ only
    in the word for the split.
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


def _split_inside(folder: pathlib.Path) -> list[Found]:
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
    class_folders = visible.subfolders(folder)
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
        files = visible.visible_files(class_folder, "**/*")
        if not files:
            raise ValueError(
                f"The class '{class_folder.name}' has no file in "
                f"`{class_folder}`."
            )
        for nested in visible.subfolders(class_folder):
            if not visible.visible_files(nested, "**/*"):
                raise ValueError(
                    f"`{nested}` is a folder within the folder of a class, "
                    "and it has no files. Remove it, or put files there."
                )
        for file in files:
            within = file.parent.relative_to(class_folder).as_posix()
            within = "" if within == "." else within
            found.append((class_folder.name, within, file))
    return found
