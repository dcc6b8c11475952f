"""Advice on sequences with more tokens than a backbone has positions."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks import Task, sequences

# By the name of the reader of the user's own data.
_ADVICE = {
    "TableReader": "Join more rows into one token (--patch-size), cut them "
    "into windows (--window, --stride), or leave out rows, e.g. every second "
    "one (down-sampling).",
    "RecordingReader": "Join more rows into one token (--patch-size), cut them "
    "into windows (--window, --stride), or leave out rows, e.g. every second "
    "one (down-sampling).",
    "SeriesReader": "Join more rows into one token (--patch-size), or use a "
    "shorter context (--context).",
    "ArrayReader": "Join more steps into one token (--patch-size, patch_size), "
    "cut them into windows, or leave out steps, e.g. every second one "
    "(down-sampling).",
    "StringReader": "Leave out longer strings with --max-length, or cut them.",
    "FastaReader": "Leave out longer sequences with --max-length, or cut them.",
    "ImageReader": "Use smaller images (--image-size) or larger patches "
    "(--patch-size).",
    "SoundReader": "Join more tokens into one (--patch-size), or cut the "
    "sounds with --max-seconds: a second has 100 tokens.",
}


def advice(task: Task) -> str:
    """What users can do, by the kind of the task's data."""
    by_row = getattr(task.reader, "is_by_row", False)
    if by_row:
        return (
            "Leave out columns (--ignore-column), or use a preset with more "
            "positions (--preset)."
        )
    shorter = _ADVICE.get(
        type(task.reader).__name__, "Put more into each token."
    )
    return f"{shorter} A preset with more positions (--preset) reads them all."


def check(
    task: Task,
    x: Any,
    names: Sequence[str],
    limit: int | None,
    path: str | os.PathLike[str],
) -> None:
    """Checks that no new sequence has more tokens than a model has positions.

    Args:
        task: the run's `Task`.
        x: the sequences, as its reader reads them.
        names: strings, their names, one after the other.
        limit: int, the positions; `None` for any number.
        path: the file that they are from.

    Raises:
        ValueError: one has.
    """
    found = sequences.lengths(x)
    longest = int(np.argmax(found))
    if limit is not None and found[longest] > limit:
        raise ValueError(
            f"`{path}`, {names[longest]}: {found[longest]:,} tokens are more "
            f"than the {limit:,} positions of the run's preset. "
            f"{advice(task)}"
        )
