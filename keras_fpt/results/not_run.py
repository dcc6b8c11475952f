"""The parts of a study that could not be run, saved with its runs."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

from keras_fpt.results import records

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


def write(entries: Sequence[NotRun], folder: str | os.PathLike[str]) -> None:
    """Saves a list of `NotRun` in a folder."""
    records.write(entries, pathlib.Path(folder, FILE))


def read(*folders: str | os.PathLike[str]) -> list[NotRun]:
    """Every `NotRun` in some folders, and in folders within them."""
    return [
        entry
        for path in records.paths(FILE, folders)
        for entry in records.read(NotRun, path)
    ]
