"""A lock on a folder, held by one process at a time."""

import contextlib
import os
import pathlib
import socket
from collections.abc import Iterator

import filelock

LOCK = ".lock"
# Held while the lock is taken from an unresponsive process.
TAKING = ".lock.taking"
FILES = (LOCK, TAKING)


class Busy(BlockingIOError):
    """Another process holds the lock on a folder.

    Args:
        message: string.
        holder: string, that process, as `process_name` names it there.
    """

    def __init__(self, message: str, holder: str) -> None:
        super().__init__(message)
        self.holder = holder


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
                f"`{self._path.parent}`, since this process did not respond "
                "for a while. It writes nothing more there."
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
    take_over: str | None = None,
) -> Iterator[FolderLock]:
    """Creates a folder, and keeps other processes from writing there.

    The lock is the operating system's, which releases it however the process
    ends. The lock file is removed at the end of the block; a lock file that a
    killed process leaves behind has no effect.

    Args:
        folder: path.
        what: string, what is written there, for errors.
        take_over: string, the `Busy.holder` of a process that is known to be
            unresponsive, such as a suspended one, from which to take the lock.
            Of several processes that try, one gets it. When the suspended one
            resumes, its `FolderLock.check` fails.

    Yields:
        A `FolderLock`.

    Raises:
        Busy: another process holds it.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    file_lock: filelock.BaseFileLock = filelock.FileLock(path, timeout=0)
    try:
        file_lock.acquire()
    except filelock.Timeout as error:
        if not take_over:
            raise _busy(path, what) from error
        file_lock = _take_over(path, what, take_over)
    # Where a file system has no such locks, filelock falls back to its own
    # kind, whose file only it may write and remove.
    is_native = isinstance(file_lock, filelock.FileLock)
    held = FolderLock(path, what)
    try:
        if is_native:
            path.write_text(f"{process_name()}\n", encoding="utf-8")
        yield held
    finally:
        if is_native and held.is_held():
            path.unlink(missing_ok=True)
        file_lock.release()


def process_name() -> str:
    """The name of this process in lock files: its pid and its machine."""
    return f"{os.getpid()}\n{socket.gethostname()}"


def _take_over(
    path: pathlib.Path, what: str, holder: str
) -> filelock.BaseFileLock:
    """Takes a lock from a process, unless another one was faster."""
    taking = path.with_name(TAKING)
    try:
        with filelock.FileLock(taking, timeout=0):
            try:
                if _holder(path) != holder:
                    raise _busy(path, what)
                # The holder keeps its lock on a file that has no name any more.
                path.unlink(missing_ok=True)
                file_lock = filelock.FileLock(path, timeout=0)
                file_lock.acquire()
                return file_lock
            finally:
                taking.unlink(missing_ok=True)
    except filelock.Timeout as error:
        raise _busy(path, what) from error


def _holder(path: pathlib.Path) -> str:
    """The holder that a lock file names, or "" if it names none."""
    with contextlib.suppress(OSError, ValueError):
        # A file system without locks has a third line, of filelock's own.
        lines = path.read_text(encoding="utf-8").splitlines()
        return "\n".join(lines[:2])
    return ""


def _busy(path: pathlib.Path, what: str) -> Busy:
    holder = _holder(path)
    by = f" (pid {holder.splitlines()[0]})" if holder else ""
    return Busy(
        f"Another process is writing {what} to `{path.parent}`{by}. Wait until "
        "it has ended, or choose another folder.",
        holder,
    )
