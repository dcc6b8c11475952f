"""The folder of a run: its files, its lock, and what may be written there.

Folders of runs in a study are named by `run_store.run_name`.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import filelock

from keras_fpt import files
from keras_fpt.files import atomic
from keras_fpt.runs.config import RunConfig
from keras_fpt.runs.resolved import ResolvedRun

Path = str | os.PathLike[str]

CONFIG = "config.json"
HISTORY = "history.csv"
METRICS = "metrics.json"
DIVERGED = "diverged.json"  # Written in place of the metrics.
ADAPTER = "adapter.safetensors"
CURVES = "curves.png"
CHECKPOINTS = "checkpoints"
FEATURES = "features.npy"
DATA = "data.json"
TENSORBOARD = "tensorboard"
LOCK = ".lock"
# When a run is removed, the metrics are removed first, since they show that it
# is finished, and the configuration last: as long as it exists, the folder is
# known to hold a run.
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


def new_folder(task: str, arm: str) -> pathlib.Path:
    """Makes `runs/<task>-<arm>-<n>`, with the first n that is free."""
    # Without characters that some file systems refuse or that separate folders.
    name = re.sub(r"[^\w.-]", "-", task)
    number = 1
    while True:
        folder = pathlib.Path("runs", f"{name}-{arm}-{number}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1


def check_output(folder: Path, resume: bool, overwrite: bool) -> None:
    """Checks, before any work is done, that a run may be written to a folder.

    Args:
        folder: path.
        resume: bool, whether an existing run is to be resumed.
        overwrite: bool, whether an existing run is to be replaced.

    Raises:
        FileExistsError: the folder holds something that must not be touched.
        BlockingIOError: another process is writing to it.
        PermissionError: the folder cannot be written to.
    """
    folder = pathlib.Path(folder)
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"The output `{folder}` is a file, not a folder.")
    _check_writable(folder)
    if (folder / LOCK).exists():
        with lock(folder):
            pass
    _check_content(folder, resume, overwrite)


def _check_writable(folder: pathlib.Path) -> None:
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


def _check_content(folder: pathlib.Path, resume: bool, overwrite: bool) -> None:
    if not folder.exists() or all(map(_is_leftover, folder.iterdir())):
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
            "--resume to continue it, --overwrite to replace it, or another "
            "folder."
        )


def _is_leftover(path: pathlib.Path) -> bool:
    """Whether a path was left by a run that was killed as it started."""
    return path.name == LOCK or path.match(f"{CONFIG}.*{atomic.SUFFIX}")


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Creates a folder, and keeps other processes from writing a run there.

    The lock is the operating system's, which releases it however the process
    ends. The lock file is removed at the end of the block; a lock file that a
    killed process leaves behind has no effect.

    Raises:
        BlockingIOError: another process holds it.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    file_lock = filelock.FileLock(path, timeout=0)
    try:
        file_lock.acquire()
    except filelock.Timeout as error:
        raise BlockingIOError(
            f"Another process is writing a run to `{folder}` (pid "
            f"{path.read_text().strip()}). Wait until it has ended, or choose "
            "another folder."
        ) from error
    # Where a file system has no such locks, filelock falls back to its own
    # kind, whose file only it may write and remove.
    is_native = isinstance(file_lock, filelock.FileLock)
    try:
        if is_native:
            path.write_text(f"{os.getpid()}\n")
        yield
    finally:
        if is_native:
            path.unlink(missing_ok=True)
        file_lock.release()


def initialize(
    folder: Path, run: ResolvedRun, resume: bool, overwrite: bool
) -> None:
    """Writes a run's configuration into a folder that `lock` has created.

    Raises:
        FileExistsError: as `check_output` does.
        ValueError: the run to resume has another configuration.
    """
    folder = pathlib.Path(folder)
    _check_content(folder, resume, overwrite)
    if overwrite and not resume:
        clear(folder)
    _clear_leftovers(folder)
    if (folder / CONFIG).exists():
        check_same_config(folder, run)
    else:
        files.write_text(folder / CONFIG, run.to_json())


def remove_checkpoints(folder: Path) -> None:
    """Removes the checkpoints, which a finished run no longer needs."""
    shutil.rmtree(pathlib.Path(folder, CHECKPOINTS), ignore_errors=True)


def _clear_leftovers(folder: pathlib.Path) -> None:
    """Removes files that a killed process was writing."""
    for name in _ALL:
        for path in folder.glob(f"{name}.*{atomic.SUFFIX}"):
            path.unlink()


def clear(folder: Path) -> None:
    """Removes a run's files and nothing else."""
    for name in _ALL:
        path = pathlib.Path(folder, name)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def read_config(folder: Path) -> RunConfig:
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


def finished_adapter(folder: Path) -> pathlib.Path:
    """The path of a finished run's adapter.

    Raises:
        FileNotFoundError: the run is not finished.
    """
    path = pathlib.Path(folder, ADAPTER)
    if not path.is_file():
        raise FileNotFoundError(
            f"The run in `{folder}` is not finished: it has no {ADAPTER}. "
            "Continue it with --resume."
        )
    return path


def is_finished(folder: Path) -> bool:
    """Whether the run in a folder is finished; its metrics come last."""
    return pathlib.Path(folder, METRICS).is_file()


def read_metrics(folder: Path) -> dict[str, Any]:
    """The dict in a run's `metrics.json`."""
    return json.loads(pathlib.Path(folder, METRICS).read_text())


def check_same_config(folder: Path, run: ResolvedRun) -> None:
    """Checks that the run in a folder has the same configuration as another.

    The paths of the data may differ.

    Raises:
        ValueError: it has another configuration.
    """
    saved = read_config(folder).settings()
    for name, value in run.settings().items():
        if name not in ("data_dir", "source") and saved[name] != value:
            raise ValueError(
                f"The run in `{folder}` has {name}={saved[name]} but received "
                f"{name}={value}. Resume it with the same settings, or choose "
                "another folder."
            )
