"""The folder of a run's checkpoints: the last two, named by their step."""

import contextlib
import logging
import pathlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_fpt import files
from keras_fpt.files import atomic, checkpoints

LOGGER = logging.getLogger(__name__)

# One more than is needed, in case the last one is damaged.
MAX_CHECKPOINTS = 2
_NAME = re.compile(r"\d{9,}\.safetensors")
_BEST = "best.safetensors"
_KEPT = re.compile(rf"{re.escape(_BEST)}(\.\w+{re.escape(atomic.SUFFIX)})?")
_TEMPORARY = re.compile(rf"{_NAME.pattern}\.\w+{re.escape(atomic.SUFFIX)}")


def write(
    folder: pathlib.Path,
    step: int,
    model: Any,
    metadata: dict[str, Any],
    metrics: bool,
) -> None:
    """Writes a checkpoint and removes older ones.

    Args:
        folder: `pathlib.Path`, created if it does not exist.
        step: int, the number of steps that the model was trained for.
        model, metadata, metrics: see `checkpoints.save_state`.
    """
    folder.mkdir(exist_ok=True)
    path = _path(folder, step)
    checkpoints.save_state(path, model, metadata, metrics)
    for old in _named(folder, _NAME)[:-MAX_CHECKPOINTS]:
        old.unlink()


def write_best(folder: pathlib.Path, step: int, model: Any) -> None:
    """Writes the state whose validation loss is the lowest so far.

    Args:
        folder: `pathlib.Path`, created if it does not exist.
        step: int, the number of steps that the model was trained for.
        model: see `checkpoints.save_state`.
    """
    folder.mkdir(exist_ok=True)
    checkpoints.save_state(folder / _BEST, model, {"step": step})


def read_best(folder: pathlib.Path, step: int) -> dict[str, np.ndarray]:
    """Reads what `write_best` has written.

    Args:
        folder: `pathlib.Path`.
        step: int, the step that it must be of.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or of another step.
    """
    arrays, metadata = checkpoints.read_arrays(folder / _BEST)
    if metadata.get("step") != step:
        raise ValueError(
            f"`{folder / _BEST}` contains the weights of step "
            f"{metadata.get('step')}, but those of step {step} are the best. "
            "Train again with --overwrite."
        )
    return arrays


def newest(
    folder: pathlib.Path,
    check: Callable[[dict[str, Any]], object] = lambda metadata: None,
    latest: int | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """Reads the newest intact checkpoint, and renames damaged ones.

    Args:
        folder: `pathlib.Path`; it need not exist.
        check: function of a checkpoint's metadata, which raises `ValueError`
            where they are damaged.
        latest: int, the last step that is read; later checkpoints are removed.
            `None` reads all.

    Returns:
        A tuple `(arrays, metadata)`, or `None` if no checkpoint is intact.

    Raises:
        ValueError: a later version of keras-fpt wrote the newest one.
    """
    for leftover in _named(folder, _TEMPORARY):
        leftover.unlink()
    for step in steps(folder):
        if latest is not None and step > latest:
            _path(folder, step).unlink()
    paths = _named(folder, _NAME)[::-1]
    for path in paths:
        try:
            arrays, metadata = checkpoints.read_arrays(path)
            check(metadata)
            return arrays, metadata
        except ValueError as error:
            if _is_of_later_version(path):
                raise ValueError(
                    f"{error} Continue the run with that version. To train "
                    "from an older checkpoint or from the beginning, move the "
                    "file away first."
                ) from error
            kept = files.set_aside(path)
            LOGGER.warning(
                f"Warning: skipping a checkpoint. {error} Renamed to `{kept}`."
            )
    if paths:
        LOGGER.warning(
            "Warning: no checkpoint is intact. Starting from the beginning."
        )
    return None


def steps(folder: pathlib.Path) -> list[int]:
    """The steps of the checkpoints in a folder, which need not exist."""
    return [int(path.stem) for path in _named(folder, _NAME)]


def _path(folder: pathlib.Path, step: int) -> pathlib.Path:
    return folder / f"{step:09d}.safetensors"


def _is_of_later_version(path: pathlib.Path) -> bool:
    try:
        return checkpoints.is_of_later_version(path)
    except ValueError:
        return False


def remove(folder: pathlib.Path) -> None:
    """Removes the checkpoints, and the folder if it contains nothing else."""
    for pattern in (_TEMPORARY, _NAME, _KEPT):
        for path in _named(folder, pattern):
            path.unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()


def _named(folder: pathlib.Path, pattern: re.Pattern) -> list[pathlib.Path]:
    """The files in a folder with names that this module gives, sorted."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if pattern.fullmatch(path.name) and not path.is_dir()
    )
