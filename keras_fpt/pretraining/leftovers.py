"""Removes what killed processes left in the folder of a pretraining run."""

import pathlib
import re

from keras_fpt.files import atomic
from keras_fpt.pretraining import token_files

WORK_FOLDER = "training"
CONFIG = "config.json"
STATE = "state.safetensors"
_WRITTEN = (*token_files.FILES, token_files.MANIFEST, CONFIG, STATE)
_STARTED = re.compile(rf"{WORK_FOLDER}\.\w+\{atomic.SUFFIX}")
_TEMPORARY = re.compile(
    rf"({'|'.join(map(re.escape, _WRITTEN))})\.[0-9a-f]{{8}}\{atomic.SUFFIX}"
)


def is_start(name: str) -> bool:
    """Whether a folder is named like that of a run that is being started."""
    return _STARTED.fullmatch(name) is not None


def remove(output: str) -> None:
    """Removes leftovers of processes that were killed.

    Those are files that were being written, and folders of runs that were being
    started. A folder that holds anything else is kept.

    Args:
        output: path of the run's folder, which is locked.
    """
    folder = pathlib.Path(output)
    for path in folder.glob(f"{WORK_FOLDER}/*{atomic.SUFFIX}"):
        if _TEMPORARY.fullmatch(path.name):
            path.unlink()
    for started in filter(lambda path: is_start(path.name), folder.iterdir()):
        if started.is_dir() and _is_ours(started):
            for path in started.glob(f"{WORK_FOLDER}/*"):
                path.unlink()
            for path in (*started.iterdir(), started):
                path.rmdir()


def _is_ours(started: pathlib.Path) -> bool:
    """Whether a folder contains only what the start of a run writes there."""
    work = started / WORK_FOLDER
    return not any(path.is_symlink() for path in (started, work)) and all(
        path == work or (path.parent == work and _is_written(path))
        for path in started.rglob("*")
    )


def _is_written(path: pathlib.Path) -> bool:
    name = path.name
    is_named = name in _WRITTEN or _TEMPORARY.fullmatch(name) is not None
    return is_named and path.is_file() and not path.is_symlink()
