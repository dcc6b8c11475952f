"""Tasks by name."""

import difflib
import importlib

# A task's module has a function `task(data_dir)`, and is imported when the
# task is asked for.
_MODULES = {
    "bit_memory": "keras_fpt.tasks.bit_memory",
    "bit_xor": "keras_fpt.tasks.bit_xor",
    "digits": "keras_fpt.tasks.digits",
    "mnist": "keras_fpt.tasks.mnist",
}


def names():
    """The names of all tasks, sorted."""
    return sorted(_MODULES)


def get(name, data_dir=None):
    """A task by its name.

    Args:
        name: string; `-` may stand for `_`.
        data_dir: folder of the task's data, for a task that reads files.
            `None` is the task's own default.

    Returns:
        A `Task`.

    Raises:
        ValueError: there is no such task.
        FileNotFoundError: the task's data is not there and cannot be got.

    >>> get("bit-xor").sequence_length
    10
    """
    key = str(name).replace("-", "_")
    if key not in _MODULES:
        close = difflib.get_close_matches(key, names(), n=1, cutoff=0.4)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise ValueError(
            f"Unknown task '{name}'.{hint} Expected one of "
            f"{', '.join(names())}."
        )
    return importlib.import_module(_MODULES[key]).task(data_dir)
