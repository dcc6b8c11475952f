"""The folder that a run leaves behind."""

import contextlib
import itertools
import os
import pathlib
import re
import shutil
import tempfile

import filelock

from keras_fpt import files
from keras_fpt.files import (atomic)
from keras_fpt.runs.config import (RunConfig)

CONFIG = "config.json"
HISTORY = "history.csv"
METRICS = "metrics.json"
DIVERGED = "diverged.json"  # In place of the metrics.
ADAPTER = "adapter.safetensors"
CURVES = "curves.png"
CHECKPOINTS = "checkpoints"
FEATURES = "features.npy"
DATA = "data.json"
TENSORBOARD = "tensorboard"
LOCK = ".lock"
# When a run is removed, the metrics go first, since they say that it is
# finished, and the configuration last: while it is there, the folder is known
# to hold a run.
_ALL = (
    METRICS,
    DIVERGED,
    HISTORY,
    ADAPTER,
    CURVES,
    CHECKPOINTS,
    FEATURES,
    DATA,
    TENSORBOARD,
    CONFIG,
)


def new_folder(task, arm):
    """Makes `runs/<task>-<arm>-<n>`, with the first n that is not taken."""
    # Without what some file systems refuse, or take for a folder.
    name = re.sub(r"[^\w.-]", "-", task)
    for number in itertools.count(1):
        folder = pathlib.Path("runs", f"{name}-{arm}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder


def check(folder, resume, overwrite):
    """Checks, before any work is done, that a run may be written to a folder.

    Args:
        folder: path.
        resume: bool, whether a run that is there is to go on.
        overwrite: bool, whether a run that is there is to be replaced.

    Raises:
        FileExistsError: something is there that must not be touched.
        BlockingIOError: another process is writing there.
        PermissionError: the folder cannot be written to.
    """
    folder = pathlib.Path(folder)
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"The output `{folder}` is a file, not a folder.")
    _check_writable(folder)
    if (folder / LOCK).exists():
        with hold(folder):
            pass
    _check_content(folder, resume, overwrite)


def _check_writable(folder):
    nearest = folder.absolute()
    while not nearest.exists():
        nearest = nearest.parent
    try:
        # Asking for permissions is not enough: root has them on a disk that
        # is mounted read-only.
        tempfile.TemporaryFile(dir=nearest).close()
    except OSError as error:
        raise PermissionError(
            f"Cannot write to the output folder `{folder}`: "
            f"{error.strerror or error}."
        ) from error


def _check_content(folder, resume, overwrite):
    if not folder.exists() or all(map(_is_of_a_beginning, folder.iterdir())):
        return
    try:
        read_config(folder)
    except (FileNotFoundError, ValueError) as error:
        raise FileExistsError(
            f"The output folder `{folder}` is not empty and holds no run. "
            "Choose another one."
        ) from error
    if not (resume or overwrite):
        raise FileExistsError(
            f"The output folder `{folder}` already holds a run. Use "
            "--resume to go on with it, --overwrite to replace it, or "
            "another folder."
        )


def _is_of_a_beginning(path):
    """Whether a path is what is left of a run killed as it began."""
    return path.name == LOCK or path.match(f"{CONFIG}.*{atomic.SUFFIX}")


@contextlib.contextmanager
def hold(folder):
    """Makes a folder, and keeps other processes from writing a run there.

    The lock is the operating system's, which lets go of it whatever way a
    process ends. The file goes when the block does; one that is left by a
    killed process locks nothing.

    Raises:
        BlockingIOError: another process holds it.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    lock = filelock.FileLock(path, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise BlockingIOError(
            f"Another process is writing a run to `{folder}` (pid "
            f"{path.read_text().strip()}). Wait until it has ended, or choose "
            "another folder."
        ) from error
    # Where a file system has no such locks, filelock becomes one of its own
    # making, whose file it alone may write and remove.
    is_native = isinstance(lock, filelock.FileLock)
    try:
        if is_native:
            path.write_text(f"{os.getpid()}\n")
        yield
    finally:
        if is_native:
            path.unlink(missing_ok=True)
        lock.release()


def claim(folder, config, resume, overwrite):
    """Writes a run's configuration into a folder that `hold` has made.

    Raises:
        FileExistsError: as `check` does.
        ValueError: the run to resume has another configuration.
    """
    folder = pathlib.Path(folder)
    _check_content(folder, resume, overwrite)
    if overwrite and not resume:
        clear(folder)
    _clear_leftovers(folder)
    if (folder / CONFIG).exists():
        check_same(folder, config)
    else:
        files.write_text(folder / CONFIG, config.to_json())


def claim_for(folder, name, text, what):
    """Writes what an experiment is into its folder, a new or empty one.

    Where the folder holds the same experiment, nothing is done.

    Args:
        folder: path.
        name: string, the file that says what the experiment is.
        text: string, what it says.
        what: string, the kind of experiment, for errors.

    Raises:
        FileExistsError: the folder holds another one, or something else.
    """
    folder = pathlib.Path(folder)
    path = folder / name
    if path.is_file():
        if path.read_text() != text:
            raise FileExistsError(
                f"The folder `{folder}` holds a {what} with other settings "
                f"(see {name}). Choose another folder."
            )
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(
            f"The output folder `{folder}` is not empty and holds no {what}. "
            "Choose another one."
        )
    folder.mkdir(parents=True, exist_ok=True)
    files.write_text(path, text)


def remove_checkpoints(folder):
    """Removes what a finished run needs no more."""
    shutil.rmtree(pathlib.Path(folder, CHECKPOINTS), ignore_errors=True)


def _clear_leftovers(folder):
    """Removes files that a killed process was writing."""
    for name in _ALL:
        for path in folder.glob(f"{name}.*{atomic.SUFFIX}"):
            path.unlink()


def clear(folder):
    """Removes a run's files, and no others."""
    for name in _ALL:
        path = pathlib.Path(folder, name)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def read_config(folder):
    """The `RunConfig` of the run in a folder.

    Raises:
        FileNotFoundError: the folder holds no run.
    """
    path = pathlib.Path(folder, CONFIG)
    if not path.is_file():
        raise FileNotFoundError(
            f"The folder `{folder}` holds no run: it has no {CONFIG}."
        )
    return RunConfig.read(path)


def finished_adapter(folder):
    """The path of a finished run's adapter.

    Raises:
        FileNotFoundError: the run is not finished.
    """
    path = pathlib.Path(folder, ADAPTER)
    if not path.is_file():
        raise FileNotFoundError(
            f"The run in `{folder}` is not finished: it has no {ADAPTER}. Go "
            "on with it with --resume."
        )
    return path


def is_finished(folder):
    """Whether the run in a folder has ended; its metrics come last."""
    return pathlib.Path(folder, METRICS).is_file()


def check_same(folder, config):
    """Checks that the run in a folder has a configuration.

    Raises:
        ValueError: it has another one.
    """
    saved = read_config(folder)
    for name in RunConfig.__dataclass_fields__:
        ours, theirs = getattr(config, name), getattr(saved, name)
        if name not in ("data_dir", "source") and ours != theirs:
            raise ValueError(
                f"The run in `{folder}` has {name}={theirs} but received "
                f"{name}={ours}. Resume it with the same settings, or choose "
                "another folder."
            )
