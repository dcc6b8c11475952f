"""Atomic writes: a file is replaced completely or not at all."""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator

SUFFIX = ".tmp"


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[str]:
    """Replaces a file with what is written to a temporary path.

    The temporary file is flushed to disk and renamed, and the rename is
    flushed too, so that readers, even after a loss of power, see either the
    old file or the new one and never a part. If the block raises an error,
    the old file stays. A process that is killed leaves the temporary file,
    `<name>.*.tmp`.

    Args:
        path: the file to replace; its folder must exist.

    Yields:
        The temporary path.
    """
    folder, name = os.path.split(os.path.abspath(path))
    descriptor, temporary = tempfile.mkstemp(SUFFIX, f"{name}.", folder)
    os.close(descriptor)
    try:
        yield temporary
        _flush(temporary)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _flush(folder)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a text file atomically."""
    with replacing(path) as temporary:
        pathlib.Path(temporary).write_text(text)


def _flush(path: str | os.PathLike) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
