"""Lists of dataclasses, saved in a file with a study's runs."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from keras_fpt import files
from keras_fpt.files import json_files

Record = TypeVar("Record")


def write(entries: Sequence[Any], path: str | os.PathLike[str]) -> None:
    """Writes a list of dataclasses as JSON.

    Args:
        entries: list of instances of a dataclass.
        path: the file.
    """
    rows = [dataclasses.asdict(entry) for entry in entries]
    files.write_text(path, json.dumps({"entries": rows}, indent=2) + "\n")


def paths(
    name: str, folders: Iterable[str | os.PathLike[str]]
) -> list[pathlib.Path]:
    """The files of a name in some folders, and in folders within them."""
    return sorted(
        {p for folder in folders for p in pathlib.Path(folder).rglob(name)}
    )


def read(cls: type[Record], path: pathlib.Path) -> list[Record]:
    """Reads the list that `write` has saved in a file.

    Args:
        cls: the dataclass.
        path: the file.

    Raises:
        ValueError: the file is damaged.
    """
    return [
        json_files.from_dict(cls, entry, f"`{path}`")
        for entry in json_files.read_object(path).get("entries", [])
    ]
