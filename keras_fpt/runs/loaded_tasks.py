"""Tasks that were loaded in this process: data is read once, not per run."""

import json
import os
import pathlib
from typing import Any

from keras_fpt import tasks
from keras_fpt.tasks import Task

_Stamp = list[tuple[str, int, int]]
# From the arguments of `load_task`, as text, to the state of the user's files
# at that time and the task.
_loaded: dict[str, tuple[_Stamp, Task]] = {}


def load_task(
    name: str,
    data_dir: str | None = None,
    options: dict[str, Any] | None = None,
    source: str | None = None,
) -> Task:
    """A task, from memory if this process has loaded it before.

    The user's own files are read again if they have changed since.

    Args:
        name: string, as for `keras_fpt.tasks.get`.
        data_dir: string, likewise.
        options: dict of the task's own options.
        source: string, path of the user's own data; `None` for a task of the
            package.

    Raises:
        ValueError, FileNotFoundError: see `keras_fpt.tasks.get`.
    """
    options = options or {}
    key = json.dumps([source or name, data_dir, options], sort_keys=True)
    stamp: _Stamp = []
    if source is not None:
        stamp = _stamp(source)
        if "labels" in options:
            stamp += _stamp(options["labels"])
    loaded = _loaded.get(key)
    if loaded is not None and loaded[0] == stamp:
        return loaded[1]
    task = tasks.get(source or name, data_dir, **options)
    _loaded[key] = stamp, task
    return task


def _stamp(path: str) -> _Stamp:
    """What tells whether a file, or one in a folder, has changed."""
    root = pathlib.Path(path)
    files = sorted(root.rglob("*")) if root.is_dir() else [root]
    return [
        (str(file), status.st_mtime_ns, status.st_size)
        for file in files
        if os.path.exists(file) and (status := os.stat(file))
    ]
