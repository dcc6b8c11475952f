"""A lock on a folder, which one process at a time holds."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

import filelock

LOCK = ".lock"


class TakenOver(BlockingIOError):
    """Another process has taken over a folder that this one had locked."""


class FolderLock:
    """A lock that this process holds, unless another has taken it over.

    Args:
        path: `pathlib.Path` of the lock file.
        what: string, what is written to the folder, for errors.
    """

    def __init__(self, path: pathlib.Path, what: str) -> None:
        self._path, self._what = path, what
        self._identity = self._find()

    def check(self) -> None:
        """Checks, before something is written, that it is still held.

        Raises:
            TakenOver: another process holds it.
        """
        if not self.is_held():
            raise TakenOver(
                f"Another process has taken over {self._what} in "
                f"`{self._path.parent}`, since this one did not answer for a "
                "while. This one writes nothing more there."
            )

    def is_held(self) -> bool:
        """Whether it is still this process's."""
        # A process that took the folder over may have ended already, and
        # removed its file.
        found = self._find()
        return found is not None and found == self._identity

    def _find(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino


@contextlib.contextmanager
def lock(
    folder: str | os.PathLike[str],
    what: str = "a run",
    take_over: bool = False,
) -> Iterator[FolderLock]:
    """Creates a folder, and keeps other processes from writing there.

    The lock is the operating system's, which releases it however the process
    ends. The lock file is removed at the end of the block; a lock file that a
    killed process leaves behind has no effect.

    Args:
        folder: path.
        what: string, what is written there, for errors.
        take_over: bool, whether to take the lock from a process that holds it
            and is known to be silent, such as a suspended one. When that one
            wakes up, its `FolderLock.check` fails.

    Yields:
        A `FolderLock`.

    Raises:
        BlockingIOError: another process holds it.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    file_lock = filelock.FileLock(path, timeout=0)
    try:
        file_lock.acquire()
    except filelock.Timeout as error:
        if not take_over:
            raise _busy(path, what) from error
        # The holder keeps its lock on a file that has no name any more.
        path.unlink(missing_ok=True)
        file_lock = filelock.FileLock(path, timeout=0)
        try:
            file_lock.acquire()
        except filelock.Timeout as error:
            raise _busy(path, what) from error
    # Where a file system has no such locks, filelock falls back to its own
    # kind, whose file only it may write and remove.
    is_native = isinstance(file_lock, filelock.FileLock)
    held = FolderLock(path, what)
    try:
        if is_native:
            path.write_text(f"{os.getpid()}\n", encoding="utf-8")
        yield held
    finally:
        if is_native and held.is_held():
            path.unlink(missing_ok=True)
        file_lock.release()


def _busy(path: pathlib.Path, what: str) -> BlockingIOError:
    holder = ""
    with contextlib.suppress(OSError):
        holder = path.read_text(encoding="utf-8").strip()
    by = f" (pid {holder})" if holder else ""
    return BlockingIOError(
        f"Another process is writing {what} to `{path.parent}`{by}. Wait until "
        "it has ended, or choose another folder."
    )
