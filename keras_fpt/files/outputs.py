"""Output files of the user: which files may be replaced."""

import contextlib
import dataclasses
import os
import pathlib
import re
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence

from keras_fpt.files import atomic

Path = str | os.PathLike[str]

# Marks keras-fpt's pictures.
SOFTWARE = "keras-fpt"
PNG_MARK = rb"Software\x00keras-fpt"
# A file's beginning, in which its mark is looked for.
_HEAD_BYTES = 4096


@dataclasses.dataclass(frozen=True)
class Output:
    """A file to write, and what it may replace.

    `check` is called before any work is done, and `write` at its end. An
    existing file is replaced if keras-fpt wrote it, which its mark tells, if
    it is empty, or with `overwrite`; never if it is one of the inputs. A link
    is followed, and a pipe, a terminal or the null device is written to as a
    stream. Other devices are refused.

    Args:
        path: the file's path.
        mark: bytes, a regular expression that the first 4096 bytes of such
            files contain.
        inputs: paths of files and folders that are read.
        overwrite: bool, whether a file of other origin may be replaced.
    """

    path: Path
    mark: bytes
    inputs: Sequence[Path] = ()
    overwrite: bool = False

    def check(self) -> None:
        """Checks that the file may be written.

        Raises:
            FileExistsError: another file exists.
            IsADirectoryError: the path is a folder.
            FileNotFoundError: the folder for the file does not exist.
            PermissionError: the folder cannot be written to.
        """
        refuse_dash(self.path)
        path = pathlib.Path(self.path)
        if path.is_dir():
            raise IsADirectoryError(
                f"The output `{path}` is a folder. Give the path of a file."
            )
        if path.exists():
            if _is_stream(path):
                return
            self._check_existing(path)
        folder = pathlib.Path(os.path.realpath(path)).parent
        if not folder.is_dir():
            raise FileNotFoundError(
                f"There is no folder `{folder}` for the output `{path}`."
            )
        check_writable(folder)

    def _check_existing(self, path: pathlib.Path) -> None:
        if not path.is_file():
            raise FileExistsError(
                f"The output `{path}` is a device, not a file. Choose another "
                "output."
            )
        is_ours = self._has_mark(path)
        for entry in self.inputs:
            is_within = not is_ours and _is_within(path, entry)
            is_same = os.path.exists(entry) and os.path.samefile(path, entry)
            if is_within or is_same:
                raise FileExistsError(
                    f"The output `{path}` would replace the input `{entry}`"
                    f"{' or a part of it' if is_within else ''}. Choose "
                    "another output."
                )
        if not (is_ours or self.overwrite or not path.stat().st_size):
            raise FileExistsError(
                f"The output `{path}` exists, and keras-fpt did not write it. "
                "Choose another output, or replace it with --overwrite (in "
                "Python, overwrite=True)."
            )

    def _has_mark(self, path: pathlib.Path) -> bool:
        with path.open("rb") as file:
            return re.search(self.mark, file.read(_HEAD_BYTES)) is not None

    def write(self, content: str | bytes) -> None:
        """Writes the file, completely or not at all.

        Args:
            content: string, which is written as UTF-8, or bytes.

        Raises:
            OSError: as `check` does, or the disk is full.
        """
        with self.writing() as write:
            write(content)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Callable[[str | bytes], object]]:
        """Writes the file part by part, completely or not at all.

        Yields:
            A function that writes a part, as `write` does the whole.

        Raises:
            OSError: as `check` does, or the disk is full.
        """
        self.check()
        path = pathlib.Path(self.path)
        with contextlib.ExitStack() as stack:
            target: Path = path
            if not _is_stream(path):
                real = os.path.realpath(path)
                target = stack.enter_context(atomic.replacing(real))
            file = stack.enter_context(open(target, "wb"))
            yield lambda content: file.write(
                atomic.encode(content) if isinstance(content, str) else content
            )


def refuse_dash(path: Path) -> None:
    """Refuses `-`, which would be a file or folder of that name.

    Raises:
        ValueError: the path is `-`.
    """
    if str(path) == "-":
        raise ValueError(
            "The output `-` would be a file or folder of that name. Give "
            "another name; for standard output, where a file is written, "
            "/dev/stdout."
        )


def _is_stream(path: pathlib.Path) -> bool:
    """Whether a path is a pipe, a terminal or the null device."""
    if not path.exists():
        return False
    status = path.stat()
    if stat.S_ISCHR(status.st_mode):
        if status.st_rdev == os.stat(os.devnull).st_rdev:
            return True
        descriptor = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            return os.isatty(descriptor)
        finally:
            os.close(descriptor)
    return stat.S_ISFIFO(status.st_mode)


def _is_within(path: pathlib.Path, folder: Path) -> bool:
    return os.path.isdir(folder) and pathlib.Path(
        os.path.realpath(path)
    ).is_relative_to(os.path.realpath(folder))


def check_writable(folder: Path) -> None:
    """Checks, before any work is done, that files can be made in a folder.

    Args:
        folder: path. If it does not exist yet, the nearest one above counts.

    Raises:
        PermissionError: they cannot.
    """
    nearest = pathlib.Path(folder).absolute()
    while not nearest.exists():
        nearest = nearest.parent
    try:
        # Asking for permissions is not enough: root has them on a disk that
        # is mounted read-only.
        tempfile.TemporaryFile(dir=nearest).close()
    except OSError as error:
        raise PermissionError(
            f"Cannot write to the output folder `{folder}`: "
            f"{error.strerror or error}."
        ) from error
