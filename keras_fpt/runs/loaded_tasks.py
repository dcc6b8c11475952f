"""Cache of the tasks of this process: data is read once, not per run."""

import json
import os
from typing import Any, NamedTuple

from keras_fpt import tasks
from keras_fpt.runs.config import CHECKS, without_checks
from keras_fpt.tasks import Task

_Stamp = list[tuple[str, int, int]]


class _Loaded(NamedTuple):
    """A task, the state of its data's files when it was loaded, and the same
    task with fewer training examples, by their number.
    """

    stamp: _Stamp
    task: Task
    smaller: dict[int, Task]


# By the arguments of `load_task`, as text; the one used last is at the end.
_loaded: dict[str, _Loaded] = {}
# How many tasks are cached; large data takes memory.
_MOST = 4


def load_task(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    options: dict[str, Any] | None = None,
    source: str | None = None,
    train_examples: int | None = None,
) -> Task:
    """A task, from memory if this process has loaded it before.

    Files are read again if they have changed since.

    Args:
        name: string, as for `keras_fpt.tasks.get`.
        data_dir: path, likewise.
        options: dict of the task's own options, and of those that only
            check its data.
        source: string, path of the user's own data; `None` for a task of the
            package.
        train_examples: int, see `keras_fpt.tasks.with_train_examples`; `None`
            for all of them.

    Raises:
        ValueError, FileNotFoundError: see `keras_fpt.tasks.get`, and
            `with_train_examples`.
        ValueError: `strict` is among the options, and a leak was found.
    """
    checks = {k: v for k, v in (options or {}).items() if k in CHECKS}
    options = without_checks(options or {})
    source, data_dir = _absolute(source), _absolute(data_dir)
    key = json.dumps([source or name, data_dir, options], sort_keys=True)
    paths = [source, data_dir, *map(options.get, sorted(tasks.PATH_OPTIONS))]
    stamp = [entry for path in paths if path for entry in _stamp(path)]
    loaded = _loaded.pop(key, None)
    if loaded is None or loaded.stamp != stamp:
        task = tasks.get(source or name, data_dir, **options)
        loaded = _Loaded(stamp, task, {})
    _loaded[key] = loaded
    if len(_loaded) > _MOST:
        del _loaded[next(iter(_loaded))]
    if checks:
        tasks.check_findings(loaded.task.findings, **checks)
    if train_examples is None:
        return loaded.task
    if train_examples not in loaded.smaller:
        loaded.smaller[train_examples] = tasks.with_train_examples(
            loaded.task, train_examples
        )
    return loaded.smaller[train_examples]


def _absolute(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else os.path.abspath(path)


def _stamp(path: str) -> _Stamp:
    """A value that changes when a file, or one in a folder, changes."""
    paths = [path] if os.path.isfile(path) else []
    for folder, _, names in os.walk(path, followlinks=True):
        paths += [os.path.join(folder, name) for name in names]
    return [
        (path, status.st_mtime_ns, status.st_size)
        for path in sorted(paths)
        if os.path.exists(path) and (status := os.stat(path))
    ]
