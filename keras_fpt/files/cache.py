"""A cache on disk for arrays that take long to compute."""

import logging
import os
import pathlib
from collections.abc import Callable

import numpy as np

from keras_fpt.files import atomic, checkpoints

LOGGER = logging.getLogger(__name__)
HOME_VARIABLE = "KERAS_FPT_HOME"
DEFAULT_HOME = "~/.cache/keras_fpt"


def home() -> pathlib.Path:
    """The cache folder: `KERAS_FPT_HOME`, or `~/.cache/keras_fpt`."""
    folder = os.environ.get(HOME_VARIABLE) or DEFAULT_HOME
    return pathlib.Path(folder).expanduser()


def cached(
    name: str, make: Callable[[], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Reads arrays from the cache, or makes them and adds them.

    A damaged file is recognized by its checksum, renamed, and made again.
    Several processes may make the same file at the same time: the file is
    always complete.

    Args:
        name: string, the file's name without its extension. It must contain
            everything that `make` depends on.
        make: function without arguments that returns a dict of name to NumPy
            array.

    Returns:
        What `make` returned, now or earlier.

    Raises:
        PermissionError: the cache folder is not writable.
        OSError: the file cannot be written for another reason.

    >>> cached("squares", lambda: {"x": np.arange(4) ** 2})["x"]
    array([0, 1, 4, 9])
    """
    path = home() / f"{name}.safetensors"
    if path.is_file():
        try:
            arrays, _ = checkpoints.read_arrays(path)
            return arrays
        except ValueError as error:
            kept = atomic.set_aside(path)
            LOGGER.warning(
                f"Making `{path}` again: {error} The damaged file "
                f"is kept as `{kept}`."
            )
    make_folder(path.parent)
    arrays = make()
    _write(path, arrays)
    return arrays


def make_folder(folder: pathlib.Path) -> None:
    """Makes a folder of the cache, before what it is for is made.

    Raises:
        OSError: it cannot be made or written to; the error names the variable
            that moves the cache.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        # Checked before the arrays are made, which takes long.
        raise _cannot_write(folder, PermissionError("Permission denied"))


def _write(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
    try:
        checkpoints.write_arrays(path, arrays, {})
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: pathlib.Path, error: OSError) -> OSError:
    kind = PermissionError if isinstance(error, PermissionError) else OSError
    return kind(
        f"Cannot write `{path}`: {error}. Set {HOME_VARIABLE} to a "
        "writable folder."
    )
