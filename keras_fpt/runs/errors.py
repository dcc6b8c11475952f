"""What goes wrong outside of the program, said in words that help."""

import contextlib
import errno
import os
import re

# Keras prints the first error in bold within its own.
_TERMINAL_CODES = re.compile(r"\x1b\[\d+m")
# Libraries that are not Python's own, such as safetensors and TensorFlow,
# which writes the TensorBoard logs, give the system's words alone.
_DISK_FULL = tuple(
    os.strerror(number).lower()
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
)
# Each backend has exceptions of its own, and Keras may raise them anew as
# others, with the first text within.
_OUT_OF_MEMORY = (
    "out of memory",  # PyTorch on a GPU, JAX
    "can't allocate memory",  # PyTorch on a CPU
    "oom when allocating",  # TensorFlow
    "resource_exhausted",  # JAX
    "failed to allocate memory",  # TensorFlow, within a graph
)


@contextlib.contextmanager
def memory_explained():
    """Turns every backend's lack of memory into one `MemoryError`."""
    try:
        yield
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        raise MemoryError(
            f"Out of memory: {_line(error, _OUT_OF_MEMORY)}. Try a smaller "
            "--batch-size, --dtype mixed_bfloat16, fewer blocks with --depth, "
            "--quantize int8, a policy that trains less, or a smaller preset."
        ) from error


@contextlib.contextmanager
def full_disk_explained(folder, kept_state):
    """Turns every library's lack of disk space into one `OSError`.

    Args:
        folder: path of the run's folder.
        kept_state: function without arguments that says where a resumed run
            would begin.
    """
    try:
        yield
    except Exception as error:
        if not _is_disk_full(error):
            raise
        raise OSError(
            f"No space to write the run in `{folder}`: "
            f"{_line(error, _DISK_FULL)}. "
            "Free some and go on with --resume, which begins from "
            f"{kept_state()}."
        ) from error


def _is_out_of_memory(error):
    if isinstance(error, MemoryError):
        return True
    return not _is_disk_full(error) and _has(error, _OUT_OF_MEMORY)


def _is_disk_full(error):
    return _has(error, _DISK_FULL)


def _has(error, words):
    return any(word in str(error).lower() for word in words)


def _line(error, words):
    """The line of an error's text that has one of the words, in short."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    telling = (line for line in lines if any(w in line.lower() for w in words))
    line = _TERMINAL_CODES.sub("", next(telling, lines[0]))
    return line.rstrip(".")[:200]
