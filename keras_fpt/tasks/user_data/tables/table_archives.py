"""Opens the file of a table, which may be compressed."""

import bz2
import contextlib
import dataclasses
import gzip
import io
import lzma
import os
import pathlib
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, BinaryIO, cast

from keras_fpt.files import unpacking

COMPRESSED: dict[str, Callable] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
# What Python raises for files that are damaged or cut off.
UNREADABLE = (
    EOFError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,  # a kind of compression
    RuntimeError,  # encryption
)


@dataclasses.dataclass(frozen=True)
class Source:
    """A file that can be opened any number of times.

    Args:
        path: the file of the user, for errors.
        name: string, its name without the suffix of a compression.
        open: function that opens the unpacked bytes.
    """

    path: pathlib.Path
    name: str
    open: Callable[[], BinaryIO]

    @property
    def suffix(self) -> str:
        """The suffix of the unpacked file, in lower case."""
        return pathlib.PurePath(self.name).suffix.lower()


def unpacked_name(path: str | os.PathLike) -> str:
    """The name of a file without the suffix of a compression.

    For a `.zip` archive, it is the name of the only file in it.

    Raises:
        ValueError: an archive is damaged or contains several files.
    """
    path = pathlib.Path(path)
    if path.suffix.lower() in COMPRESSED:
        return path.stem
    if path.suffix.lower() == ".zip" and path.is_file():
        with _damage_named(path), zipfile.ZipFile(path) as archive:
            return pathlib.PurePosixPath(_only_entry(archive, path)).name
    return path.name


def find_source(path: str | os.PathLike) -> Source:
    """Makes the `Source` of a table's file.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: an archive is damaged or contains several files.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file `{path}`.")
    name = unpacked_name(path)
    suffix = path.suffix.lower()
    if suffix in COMPRESSED:
        return Source(
            path, name, lambda: _counted(COMPRESSED[suffix](path, "rb"), path)
        )
    if suffix == ".zip":
        return Source(path, name, lambda: _open_entry(path))
    return Source(path, name, lambda: open(path, "rb"))


@contextlib.contextmanager
def _damage_named(path: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise _damaged(path, error) from error


def _damaged(path: pathlib.Path, error: Exception) -> ValueError:
    return ValueError(f"`{path}` cannot be unpacked: {error}")


def _only_entry(archive: zipfile.ZipFile, path: pathlib.Path) -> str:
    names = [
        name
        for name in archive.namelist()
        if not name.endswith("/")
        and not name.startswith("__MACOSX/")
        and not pathlib.PurePosixPath(name).name.startswith(".")
    ]
    if len(names) != 1:
        shown = ", ".join(names[:8]) or "none"
        raise ValueError(
            f"`{path}`: expected one file in the archive but found "
            f"{len(names)}: {shown}. Unpack it and give one of them."
        )
    return names[0]


def _open_entry(path: pathlib.Path) -> BinaryIO:
    with _damage_named(path):
        archive = zipfile.ZipFile(path)
        entry = archive.getinfo(_only_entry(archive, path))
        unpacking.check_size(entry.compress_size, entry.file_size, path)
        return _counted(archive.open(entry), path)


class _Counted(io.RawIOBase):
    """Unpacked bytes, limited in number."""

    def __init__(self, file: IO[bytes], path: pathlib.Path) -> None:
        self._file = file
        self._path = path
        self._packed = path.stat().st_size
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            content = self._file.read(len(buffer))
        except (OSError, *UNREADABLE) as error:
            raise _damaged(self._path, error) from error
        buffer[: len(content)] = content
        self._size += len(content)
        unpacking.check_size(self._packed, self._size, self._path)
        return len(content)

    def close(self) -> None:
        self._file.close()
        super().close()


def _counted(file: IO[bytes], path: pathlib.Path) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(_Counted(file, path), 2**16))
