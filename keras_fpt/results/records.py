"""Lists of dataclasses, kept in a file beside an experiment's runs."""

import dataclasses
import json
import pathlib

from keras_fpt import files
from keras_fpt.files import json_files


def write(entries, path):
    """Writes a list of dataclasses as JSON.

    Args:
        entries: list of instances of a dataclass.
        path: the file.
    """
    rows = [dataclasses.asdict(entry) for entry in entries]
    text = json.dumps({"entries": rows}, indent=2) + "\n"
    files.write_text(pathlib.Path(path), text)


def read(cls, name, folders):
    """All that `write` has kept under a name, in some folders and below.

    Args:
        cls: the dataclass.
        name: string, the files' name.
        folders: list of paths.

    Raises:
        ValueError: a file is damaged.
    """
    paths = {p for folder in folders for p in pathlib.Path(folder).rglob(name)}
    return [
        json_files.from_dict(cls, entry, f"`{path}`")
        for path in sorted(paths)
        for entry in json_files.read_object(path).get("entries", [])
    ]
