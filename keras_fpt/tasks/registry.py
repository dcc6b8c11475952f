"""Finds tasks by name."""

import difflib
import importlib
import inspect
import os
from typing import Any

from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import from_path, is_path, path_takes_option

# A task's module has a function `task(data_dir, ...)`, and is imported when
# the task is needed.
_MODULES = {
    name: f"keras_fpt.tasks.{name}"
    for name in (
        "bit_memory",
        "bit_xor",
        "cifar10",
        "cifar10_lra",
        "digits",
        "listops",
        "mnist",
        "remote_homology",
    )
}


def names() -> list[str]:
    """The names of all tasks, sorted."""
    return sorted(_MODULES)


def is_user_data(name: str | os.PathLike) -> bool:
    """Whether a name is the path of the user's data, rather than a task."""
    return _parse(name)[0] not in _MODULES and is_path(name)


def _parse(name: str | os.PathLike) -> tuple[str, str]:
    """The key in `_MODULES`, and the variant or an empty string."""
    key, _, variant = str(name).replace("-", "_").partition(":")
    return key, variant


def takes_option(
    name: str | os.PathLike, option: str, others: dict[str, Any]
) -> bool:
    """Whether the user's data is read with an option; see `get`.

    Args:
        name: string, a task or a path.
        option: string, the name of an option.
        others: dict of further options, which say how a file is read.
    """
    return is_user_data(name) and path_takes_option(name, option, others)


def get(
    name: str | os.PathLike,
    data_dir: str | os.PathLike | None = None,
    **options: Any,
) -> Task:
    """Finds a task by its name, or creates one from your own data.

    Args:
        name: string; `-` may stand for `_`. A variant follows a colon:
            `"listops:bracketless"`, or `"mnist:reference"` for the encoding
            of the reference code of Lu et al. Or the path of your own file or
            folder, see `keras_fpt.tasks.user_data.from_path`.
        data_dir: folder of the task's data, for tasks that read files.
            `None` is the task's default folder.
        **options: options of the task, such as `max_length` of `listops` and
            `remote_homology`, or `label_column` of your own table.

    Returns:
        A `Task`.

    Raises:
        ValueError: the task, variant or option is unknown.
        FileNotFoundError: the task's data does not exist and cannot be
            downloaded. Tasks read their data when it is first needed.

    >>> get("bit-xor").sequence_length
    10
    """
    key, variant = _parse(name)
    if is_user_data(name):
        if data_dir is not None:
            raise ValueError(f"`{name}` is a path, so data_dir does not apply.")
        return from_path(name, **options)
    if key not in _MODULES:
        close = difflib.get_close_matches(key, names(), n=1, cutoff=0.4)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise ValueError(
            f"Unknown task '{name}'.{hint} Expected one of "
            f"{', '.join(names())}, or a file or folder of your own."
        )
    make = importlib.import_module(_MODULES[key]).task
    if variant:
        options["variant"] = variant
    if options.get("variant") == "reference":
        from keras_fpt.tasks import reference

        del options["variant"]
        return reference.make(key, get, data_dir, options)
    unknown = options.keys() - inspect.signature(make).parameters.keys()
    if unknown:
        raise ValueError(
            f"The task '{key}' has no {', no '.join(sorted(unknown))} option."
        )
    return make(data_dir, **options)
