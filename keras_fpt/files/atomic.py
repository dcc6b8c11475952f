"""Atomic writes: a file is replaced completely or not at all."""

import contextlib
import os
import pathlib
import secrets
import stat
from collections.abc import Iterator

SUFFIX = ".tmp"
# The suffix of files that are set aside.
DAMAGED = ".damaged"
# File systems allow names of 255 bytes, which are at least 63 characters.
_MAX_BYTES = 240
_MAX_CHARACTERS = 60


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[str]:
    """Replaces a file with what is written to a temporary path.

    The temporary file is flushed to disk and renamed, and the rename is
    flushed too, so that readers, even after a loss of power, see either the
    old file or the new one and never a part. If the block raises an error,
    the old file stays. A process that is killed leaves the temporary file,
    `<name>.*.tmp`.

    A new file has the permissions that the process's umask leaves, and one
    that is replaced keeps its own. A link is replaced, not what it leads to.

    Args:
        path: the file to replace; its folder must exist.

    Yields:
        The temporary path.
    """
    folder, name = os.path.split(os.path.abspath(path))
    temporary = _create(folder, name)
    try:
        permissions = _permissions(path, temporary)
        yield temporary
        _flush(temporary)
        # The block may have replaced the file by one of other permissions.
        os.chmod(temporary, permissions)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _flush(folder)


def _create(folder: str, name: str) -> str:
    """Makes an empty file with a new name; the umask decides who reads it."""
    if len(os.fsencode(name)) > _MAX_BYTES:
        name = name[:_MAX_CHARACTERS]
    while True:
        ending = f"{secrets.token_hex(4)}{SUFFIX}"
        path = os.path.join(folder, f"{name}.{ending}")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            return path
        except FileExistsError:
            continue


def _permissions(path: str | os.PathLike, new: str) -> int:
    """The permissions of an existing file, or those of a new one."""
    with contextlib.suppress(FileNotFoundError):
        mode = os.lstat(path).st_mode
        if stat.S_ISREG(mode):
            return mode & 0o777
    return os.stat(new).st_mode & 0o777


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Writes a file atomically."""
    with replacing(path) as temporary:
        pathlib.Path(temporary).write_bytes(content)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a text file atomically, as UTF-8 in every locale."""
    write_bytes(path, encode(text))


def encode(text: str) -> bytes:
    r"""Text as UTF-8.

    Bytes of a file's name that are not UTF-8, which Python holds as lone
    surrogates, are written as escapes such as `\udce9`.
    """
    return text.encode("utf-8", "backslashreplace")


def set_aside(path: str | os.PathLike) -> pathlib.Path:
    """Renames a file that is damaged or of unknown origin, and keeps it.

    Args:
        path: the file.

    Returns:
        Its new path, `<name>.damaged-<random>`.
    """
    path = pathlib.Path(path)
    new = path.with_name(f"{path.name}{DAMAGED}-{secrets.token_hex(4)}")
    os.rename(path, new)
    return new


def _flush(path: str | os.PathLike) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
