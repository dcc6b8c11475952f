"""Checks that run before Keras is imported, which takes seconds.

The library repeats them, and checks everything else.
"""

import csv
import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from keras_fpt import files

# The file that every folder of a run has.
_CONFIG = "config.json"
_SCHEME = "gguf:"
# The number of bytes of a table that are read.
_HEAD_BYTES = 2**16


def require_task(text: str) -> None:
    """Checks that a task that is written as a path exists.

    Raises:
        FileNotFoundError: it does not.
    """
    if files.looks_like_path(text) and ":" not in text:
        require_path(text)


def require_path(path: str | os.PathLike[str] | None) -> None:
    """Checks that a file or folder exists, unless it is `None`.

    Raises:
        FileNotFoundError: it does not.
    """
    if path is None or os.path.exists(os.path.expanduser(path)):
        return
    folder, name = os.path.split(os.path.expanduser(path))
    beside = os.listdir(folder or ".") if os.path.isdir(folder or ".") else []
    alike = difflib.get_close_matches(name, beside, 1)
    raise FileNotFoundError(
        f"There is no file or folder `{path}`."
        + "".join(
            f" Did you mean `{os.path.join(folder, each)}`?" for each in alike
        )
    )


def require_preset(text: str | None) -> None:
    """Checks that a preset that is written as a path exists.

    Raises:
        FileNotFoundError: it does not.
    """
    if text is not None and "://" not in text:
        path = text.removeprefix(_SCHEME)
        if path != text or os.sep in path:
            require_path(path)


# Options that name files or folders, except those with separate rules.
_PATHS = ("data_dir", "validation", "test", "labels")


def require_inputs(values: Mapping[str, Any]) -> None:
    """Checks that the files and folders that options name exist.

    Args:
        values: dict from names of options to values.

    Raises:
        FileNotFoundError: one does not exist.
    """
    for name in _PATHS:
        require_path(values.get(name))
    require_preset(values.get("preset"))


# Options that name columns of a table.
_COLUMNS = (
    "label_column",
    "target_column",
    "future_column",
    "group_column",
    "time_column",
    "ignore_column",
    "category_column",
    "split_column",
    "split_group",
    "text_column",
    "file_column",
)


def require_columns(task: str, options: Mapping[str, Any]) -> None:
    """Checks that a text table has the columns that options name.

    A name is certainly missing if the beginning of the file holds it nowhere,
    and the column of labels if no option describes the table.

    Args:
        task: string, the task or its file.
        options: dict from names of options to values.

    Raises:
        ValueError: one is missing, or none is named.
    """
    text = head(Path(task).expanduser())
    names = columns(text)
    if len(names) < 2 or options.get("header") is False:
        return
    if not any(options.values()):
        raise ValueError(
            f"`{task}`: choose the column of labels with --label-column. Its "
            f"columns are {', '.join(names)}."
        )
    for option in _COLUMNS:
        value = options.get(option) or []
        for name in [value] if isinstance(value, str) else value:
            # `column_1` is one where there is no header.
            may_be_spelled_otherwise = (
                not name.isascii() or '"' in name or name.startswith("column_")
            )
            if name not in text and not may_be_spelled_otherwise:
                alike = difflib.get_close_matches(name, names, 1)
                raise ValueError(
                    f"`{task}` has no column '{name}'. Its columns are "
                    f"{', '.join(names)}."
                    + "".join(f" Did you mean '{each}'?" for each in alike)
                )


def columns(text: str) -> list[str]:
    """The names in the first line of a text table, maybe a header."""
    line = text.partition("\n")[0]
    delimiter = max(",;\t|", key=line.count)
    return next(csv.reader([line], delimiter=delimiter), [])


def head(path: Path) -> str:
    """The beginning of a text table in UTF-8; empty for other files."""
    if path.suffix.lower() not in (".csv", ".tsv") or not path.is_file():
        return ""
    with path.open("rb") as file:
        read = file.read(_HEAD_BYTES)
    text = read.decode("utf-8-sig", "replace")
    is_text = "\0" not in text and not text.startswith("#")
    return text.replace("\r", "") if is_text else ""


def require_run(folder: Path) -> None:
    """Checks that a folder contains a run, or does not exist.

    Raises:
        FileNotFoundError: the folder does not exist.
    """
    if not Path(folder).exists():
        raise FileNotFoundError(
            f"The folder `{folder}` contains no run: it does not exist."
        )


def require_runs(folders: Iterable[Path]) -> None:
    """Checks that folders of runs exist.

    Raises:
        FileNotFoundError: one does not.
    """
    for folder in folders:
        if not folder.exists():
            raise FileNotFoundError(
                f"There is no run in `{folder}`, which does not exist."
            )


def is_run(path: str | os.PathLike[str]) -> bool:
    """Whether a path is that of a run's folder."""
    return Path(path, _CONFIG).is_file()
