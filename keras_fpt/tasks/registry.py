"""Tasks by name."""

import difflib
import importlib
import inspect

from keras_fpt.tasks.user_data.paths import from_path, is_path

# A task's module has a function `task(data_dir, ...)`, and is imported when
# the task is asked for.
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


def names():
    """The names of all tasks, sorted."""
    return sorted(_MODULES)


def is_user_data(name):
    """Whether a name is the path of a person's own data, and of no task."""
    return _parse(name)[0] not in _MODULES and is_path(name)


def _parse(name):
    key, _, variant = str(name).replace("-", "_").partition(":")
    return key, variant


def get(name, data_dir=None, **options):
    """A task by its name.

    Args:
        name: string; `-` may stand for `_`. A variant follows a colon:
            `"listops:bracketless"`. Or the path of a file or folder of your
            own, see `keras_fpt.tasks.user_data.paths.from_path`.
        data_dir: folder of the task's data, for a task that reads files.
            `None` is the task's own default.
        **options: the task's own, such as `max_length` of `listops` and
            `remote_homology`, or `label_column` of a table of your own.

    Returns:
        A `Task`.

    Raises:
        ValueError: there is no such task, variant or option.
        FileNotFoundError: the task's data is not there and cannot be got;
            this comes up when the data is first asked for.

    >>> get("bit-xor").sequence_length
    10
    """
    key, variant = _parse(name)
    if is_user_data(name):
        if data_dir is not None:
            raise ValueError(f"`{name}` is read where it is: no data_dir.")
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
    unknown = options.keys() - inspect.signature(make).parameters.keys()
    if unknown:
        raise ValueError(
            f"The task '{key}' has no {', no '.join(sorted(unknown))} option."
        )
    return make(data_dir, **options)
