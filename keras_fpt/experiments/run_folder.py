"""The folder that a run leaves behind."""

import itertools
import os
import pathlib
import shutil
import tempfile

from keras_fpt.experiments.run_config import RunConfig

CONFIG = "config.json"
HISTORY = "history.csv"
METRICS = "metrics.json"
ADAPTER = "adapter.safetensors"
CURVES = "curves.png"
STATE = "state.safetensors"
DATA = "data.json"
TENSORBOARD = "tensorboard"
# The configuration goes last when a run is removed: while it is there, the
# folder is known to hold a run.
_ALL = (HISTORY, METRICS, ADAPTER, CURVES, STATE, DATA, TENSORBOARD, CONFIG)


def new_folder(task, arm):
    """Makes `runs/<task>-<arm>-<n>`, with the first n that is not taken."""
    name = task.replace(":", "-")  # which some file systems refuse
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
        PermissionError: the folder cannot be written to.
    """
    folder = pathlib.Path(folder)
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"The output `{folder}` is a file, not a folder.")
    if folder.exists() and any(folder.iterdir()):
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


def claim(folder, config, resume, overwrite):
    """Makes the folder and writes the configuration into it.

    Raises:
        FileExistsError: as `check` does.
        ValueError: the run to resume has another configuration.
    """
    check(folder, resume, overwrite)
    folder = pathlib.Path(folder)
    if overwrite and not resume:
        clear(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / CONFIG).exists():
        _check_same(folder, config)
    else:
        write_text(folder / CONFIG, config.to_json())


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
    return RunConfig.from_json(path.read_text())


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


def write_text(path, text):
    """Writes a text file, all or nothing."""
    temporary = f"{path}.tmp"
    with open(temporary, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _check_same(folder, config):
    saved = read_config(folder)
    for name in RunConfig.__dataclass_fields__:
        ours, theirs = getattr(config, name), getattr(saved, name)
        if name not in ("data_dir", "source") and ours != theirs:
            raise ValueError(
                f"The run in `{folder}` has {name}={theirs} but received "
                f"{name}={ours}. Resume it with the same settings, or choose "
                "another folder."
            )
