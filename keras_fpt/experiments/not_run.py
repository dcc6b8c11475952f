"""What of an experiment could not be run, kept beside its runs."""

import dataclasses
import json
import pathlib

from keras_fpt import json_files
from keras_fpt.experiments import run_folder

FILE = "not_run.json"


@dataclasses.dataclass(frozen=True)
class NotRun:
    """Something that could not be run.

    Args:
        task: string.
        what: string, e.g. an arm and its settings.
        reason: string, why, and what to do.
    """

    task: str
    what: str
    reason: str


def write(entries, folder):
    """Keeps a list of `NotRun` in a folder."""
    entries = [dataclasses.asdict(entry) for entry in entries]
    run_folder.write_text(
        pathlib.Path(folder, FILE),
        json.dumps({"not_run": entries}, indent=2) + "\n",
    )


def read(*folders):
    """The `NotRun`s in some folders, and in folders within them.

    Raises:
        ValueError: a file is damaged.
    """
    paths = {p for folder in folders for p in pathlib.Path(folder).rglob(FILE)}
    return [
        json_files.make(NotRun, entry, f"`{path}`")
        for path in sorted(paths)
        for entry in json_files.read_object(path).get("not_run", [])
    ]
