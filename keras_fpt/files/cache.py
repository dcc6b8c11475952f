"""Arrays that take a while to make, kept on disk between runs."""

import os
import pathlib

from keras_fpt.files import checkpoints

HOME_VARIABLE = "KERAS_FPT_HOME"
DEFAULT_HOME = "~/.cache/keras_fpt"


def home():
    """The cache folder: `KERAS_FPT_HOME`, or `~/.cache/keras_fpt`."""
    folder = os.environ.get(HOME_VARIABLE) or DEFAULT_HOME
    return pathlib.Path(folder).expanduser()


def cached(name, make):
    """Arrays from the cache, or made now and put there.

    A file that was cut off or changed is noticed by its checksum, and made
    again. Processes that make the same file at once do not disturb each
    other: the file is always that of one of them.

    Args:
        name: string, the file's name without its ending. What `make` depends
            on must be in it.
        make: function without arguments that returns a dict of name to NumPy
            array.

    Returns:
        What `make` returned, now or once.

    Raises:
        PermissionError: the cache folder may not be written to.
        OSError: it cannot be written to for another reason.

    >>> cached("squares", lambda: {"x": np.arange(4) ** 2})["x"]
    array([0, 1, 4, 9])
    """
    path = home() / f"{name}.safetensors"
    if path.is_file():
        try:
            arrays, _ = checkpoints.read_arrays(path)
            return arrays
        except ValueError as error:
            print(f"Making `{path}` again: {error}")
    _make_folder(path.parent)
    arrays = make()
    _write(path, arrays)
    return arrays


def _make_folder(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        # Before the arrays are made, which takes a while.
        raise _cannot_write(folder, PermissionError("Permission denied"))


def _write(path, arrays):
    try:
        checkpoints.write_arrays(path, arrays, {})
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path, error):
    kind = PermissionError if isinstance(error, PermissionError) else OSError
    return kind(
        f"Cannot write `{path}`: {error}. Set {HOME_VARIABLE} to a folder "
        "that can be written to."
    )
