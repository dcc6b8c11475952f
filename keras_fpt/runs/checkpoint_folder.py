"""The folder of a run's checkpoints: the last two, named by their step."""

import logging
import pathlib
from typing import Any

import numpy as np

from keras_fpt.files import atomic, checkpoints

LOGGER = logging.getLogger(__name__)

# One more than is needed, in case the last one is damaged.
MAX_CHECKPOINTS = 2
_PATTERN = "*.safetensors"


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
    path = folder / f"{step:09d}.safetensors"
    checkpoints.save_state(path, model, metadata, metrics)
    for old in sorted(folder.glob(_PATTERN))[:-MAX_CHECKPOINTS]:
        old.unlink()


def newest(
    folder: pathlib.Path,
) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """Reads the newest intact checkpoint, and removes damaged ones.

    Args:
        folder: `pathlib.Path`; it need not exist.

    Returns:
        A tuple `(arrays, metadata)`, or `None` if no checkpoint is intact.
    """
    for leftover in folder.glob(f"*{atomic.SUFFIX}"):
        leftover.unlink()
    paths = sorted(folder.glob(_PATTERN), reverse=True)
    for path in paths:
        try:
            return checkpoints.read_arrays(path)
        except ValueError as error:
            LOGGER.warning(f"Warning: skipping a checkpoint. {error}")
            path.unlink()
    if paths:
        LOGGER.warning(
            "Warning: no checkpoint is intact. Starting from the beginning."
        )
    return None
