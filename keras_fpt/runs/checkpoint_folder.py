"""The folder of a run's checkpoints: the last two, named by their step."""

from keras_fpt.files import (atomic, checkpoints)

# One more than is needed, for the day that the last one is damaged.
KEPT = 2
_PATTERN = "*.safetensors"


def write(folder, step, model, metadata, metrics):
    """Writes a checkpoint and removes older ones.

    Args:
        folder: `pathlib.Path`, made if need be.
        step: int, the step after which it is taken.
        model, metadata, metrics: see `checkpoints.save_state`.
    """
    folder.mkdir(exist_ok=True)
    path = folder / f"{step:09d}.safetensors"
    checkpoints.save_state(path, model, metadata, metrics)
    for old in sorted(folder.glob(_PATTERN))[:-KEPT]:
        old.unlink()


def newest(folder, log):
    """Reads the newest checkpoint that is good, and removes damaged ones.

    Args:
        folder: `pathlib.Path`; it need not exist.
        log: function that takes a line of text.

    Returns:
        A tuple `(arrays, metadata)`, or `None` if there is no good one.
    """
    for leftover in folder.glob(f"*{atomic.SUFFIX}"):
        leftover.unlink()
    paths = sorted(folder.glob(_PATTERN), reverse=True)
    for path in paths:
        try:
            return checkpoints.read_arrays(path)
        except ValueError as error:
            log(f"Warning: passing over a checkpoint. {error}")
            path.unlink()
    if paths:
        log("Warning: no checkpoint is good. Beginning from the start.")
    return None
