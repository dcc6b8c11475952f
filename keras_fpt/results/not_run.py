"""What of an experiment could not be run, kept beside its runs."""

import dataclasses
import pathlib

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


def write(entries, folder):
    """Keeps a list of `NotRun` in a folder."""
    records.write(entries, pathlib.Path(folder, FILE))


def read(*folders):
    """The `NotRun`s in some folders, and in folders within them."""
    return records.read(NotRun, FILE, folders)
