"""Files that are written whole or not at all."""

import contextlib
import os
import pathlib
import tempfile

SUFFIX = ".tmp"


@contextlib.contextmanager
def replacing(path):
    """Gives a temporary path; what is written there takes `path`'s place.

    The file is flushed to disk and renamed, and the rename flushed too, so a
    reader, now or after a loss of power, sees the old file or the new one
    and never a part of one. If the block raises, the old file stays. A
    process that is killed leaves the temporary file, `<name>.*.tmp`.

    Args:
        path: the file's path; its folder must exist.
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


def write_text(path, text):
    """Writes a text file, all or nothing."""
    with replacing(path) as temporary:
        pathlib.Path(temporary).write_text(text)


def _flush(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
