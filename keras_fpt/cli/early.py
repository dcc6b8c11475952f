"""What can be checked before Keras is imported, which takes seconds.

The library checks it again, and everything else.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from keras_fpt import files

# The file that every folder of a run has.
_CONFIG = "config.json"
_SCHEME = "gguf:"


def require_task(text: str) -> None:
    """Checks that a task that is written as a path exists.

    Raises:
        FileNotFoundError: it does not.
    """
    if files.looks_like_path(text) and ":" not in text:
        require_path(text)


def require_path(path: str | os.PathLike[str] | None) -> None:
    """Checks that a file or folder exists; `None` is none.

    Raises:
        FileNotFoundError: it does not.
    """
    if path is not None and not os.path.exists(os.path.expanduser(path)):
        raise FileNotFoundError(f"There is no file or folder `{path}`.")


def require_preset(text: str | None) -> None:
    """Checks that a preset that is written as a path exists.

    Raises:
        FileNotFoundError: it does not.
    """
    if text is not None and "://" not in text:
        path = text.removeprefix(_SCHEME)
        if path != text or os.sep in path:
            require_path(path)


# Options that name files or folders, besides those with rules of their own.
_PATHS = ("data_dir", "validation", "test", "labels")


def require_inputs(values: Mapping[str, Any]) -> None:
    """Checks that the files and folders exist that options name.

    Args:
        values: dict from names of options to values.

    Raises:
        FileNotFoundError: one does not exist.
    """
    for name in _PATHS:
        require_path(values.get(name))
    require_preset(values.get("preset"))


def require_run(folder: Path) -> None:
    """Checks that a folder holds a run, or does not exist.

    Raises:
        FileNotFoundError: the folder does not exist.
    """
    if not Path(folder).exists():
        raise FileNotFoundError(
            f"The folder `{folder}` holds no run: it does not exist."
        )


def require_runs(folders: Iterable[Path]) -> None:
    """Checks that folders of runs exist.

    Raises:
        FileNotFoundError: one does not.
    """
    for folder in folders:
        if not folder.exists():
            raise FileNotFoundError(
                f"There is no run in `{folder}`, which does not exist."
            )


def is_run(path: str | os.PathLike[str]) -> bool:
    """Whether a path is that of a run's folder."""
    return Path(path, _CONFIG).is_file()
