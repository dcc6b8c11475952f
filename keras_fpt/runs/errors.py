"""Turns out-of-memory and full-disk errors of any library into clear ones."""

import contextlib
import errno
import logging
import os
import pathlib
import re
from collections.abc import Callable, Iterator

LOGGER = logging.getLogger(__name__)
# Keras prints the first error in bold within its own.
_TERMINAL_CODES = re.compile(r"\x1b\[\d+m")
# Libraries that are not Python's own, such as safetensors and TensorFlow,
# which writes the TensorBoard logs, give only the system's message.
_DISK_FULL = tuple(
    os.strerror(number).lower()
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
)
# Each backend has its own exceptions, and Keras may raise others in their
# place, whose text contains the original one.
_OUT_OF_MEMORY = (
    "out of memory",  # PyTorch on a GPU, JAX
    "can't allocate memory",  # PyTorch on a CPU
    "oom when allocating",  # TensorFlow
    "resource_exhausted",  # JAX
    "failed to allocate memory",  # TensorFlow, within a graph
)


@contextlib.contextmanager
def translate_out_of_memory() -> Iterator[None]:
    """Turns every backend's out-of-memory error into a `MemoryError`."""
    try:
        yield
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        raise MemoryError(
            f"Out of memory: {_line(error, _OUT_OF_MEMORY)}. Try a smaller "
            "--batch-size, --dtype mixed_bfloat16, fewer blocks with --depth, "
            "--quantize int8, a policy that trains fewer weights, or a smaller "
            "preset."
        ) from error


@contextlib.contextmanager
def warn_instead(what: str) -> Iterator[None]:
    """Turns an error about something that a run does not need into a warning.

    Args:
        what: string, what could not be done, for the message.
    """
    try:
        yield
    except Exception as error:
        LOGGER.warning(f"Warning: could not {what}: {error}")


@contextlib.contextmanager
def translate_disk_errors(
    folder: pathlib.Path, describe_saved_state: Callable[[], str]
) -> Iterator[None]:
    """Adds to file errors how to continue the run.

    Every library's full-disk error becomes an `OSError`.

    Args:
        folder: path of the run's folder.
        describe_saved_state: function without arguments that tells where a
            resumed run would start.
    """
    try:
        yield
    except Exception as error:
        if _is_disk_full(error):
            what = f"No space to write the run in `{folder}`"
            remedy = "Free some space and continue"
        elif (
            type(error) is OSError
        ):  # Other errors, e.g. of a network, are clear.
            what = f"Could not use the files of the run in `{folder}`"
            remedy = "Continue"
        else:
            raise
        raise OSError(
            f"{what}: {_line(error, _DISK_FULL)}. {remedy} with --resume, "
            f"which starts from {describe_saved_state()}."
        ) from error


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError):
        return True
    return not _is_disk_full(error) and _mentions(error, _OUT_OF_MEMORY)


def _is_disk_full(error: Exception) -> bool:
    return _mentions(error, _DISK_FULL)


def _mentions(error: Exception, words: tuple[str, ...]) -> bool:
    return any(word in str(error).lower() for word in words)


def _line(error: Exception, words: tuple[str, ...]) -> str:
    """The line of an error's text that contains one of the words, shortened."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    matching = (line for line in lines if any(w in line.lower() for w in words))
    line = _TERMINAL_CODES.sub("", next(matching, lines[0]))
    return line.rstrip(".")[:200]
