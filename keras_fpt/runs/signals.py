"""Signals that ask a process to stop, raised where it can checkpoint."""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from types import FrameType


class Preempted(BaseException):
    """The process is to end: SIGTERM, as of schedulers, or SIGHUP.

    SIGHUP comes when the terminal is closed.

    Like `KeyboardInterrupt`, it is not an `Exception`, so that no code in
    between handles it as its own error.
    """


PREEMPTED_STATUS = 75  # EX_TEMPFAIL of sysexits.h: try again later.
# How long processes that train together may take to agree on a step.
AGREEMENT_SECONDS = 60.0
_RAISED: dict[int, type[BaseException]] = {
    signal.SIGINT: KeyboardInterrupt,
    signal.SIGTERM: Preempted,
}
if hasattr(signal, "SIGHUP"):  # Windows has none.
    _RAISED[signal.SIGHUP] = Preempted


class StopSignals:
    """Turns SIGINT, SIGTERM and SIGHUP into exceptions, at a safe moment.

    While they are deferred, the first one waits until it is delivered, so
    that a checkpoint can be written; a second one, from a user who does not
    want to wait, is raised immediately.

    Args:
        patience: float, the seconds after which the process is ended if a
            signal has not stopped it, since it waits for another process.
            `None` waits without limit.
    """

    def __init__(self, patience: float | None = None) -> None:
        self.patience = patience
        self.pending: type[BaseException] | None = None
        self._is_deferring = False

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Handles the signals within the block.

        Python delivers signals only to the main thread. A signal that the
        process was started to ignore stays ignored.
        """
        before = {}
        with contextlib.ExitStack() as stack:
            if threading.current_thread() is threading.main_thread():
                for number in _RAISED:
                    if signal.getsignal(number) != signal.SIG_IGN:
                        before[number] = signal.signal(number, self._handle)
                if self.patience is not None:
                    stack.enter_context(_bounded(self.patience))
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

    def defer(self) -> None:
        """Defers the next signal."""
        self._is_deferring = True

    def deliver(self) -> None:
        """Raises for a deferred signal, if any, and from now on for others."""
        self._is_deferring = False
        if self.pending is not None:
            raise self.pending

    def stop(self) -> None:
        """Raises for a signal that this process, or another one, received."""
        self.pending = self.pending or Preempted
        self.deliver()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._is_deferring and self.pending is None:
            self.pending = _RAISED[number]
        else:
            raise _RAISED[number]


@contextlib.contextmanager
def _bounded(seconds: float) -> Iterator[None]:
    """Ends the process some time after a signal, if the block has not ended.

    Python handles signals when its main thread comes back to it, which does
    not happen while that waits in an engine for another process. The number of
    a signal can be read from another thread immediately.
    """
    read, write = socket.socketpair()
    write.setblocking(False)
    before = signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
    has_ended = threading.Event()

    def wait() -> None:
        while number := read.recv(1):
            if number[0] in _RAISED and not has_ended.wait(seconds):
                sys.stderr.write(
                    f"The process was asked to stop {seconds:g} seconds ago, "
                    "but waits for another one. It ends now; start all "
                    "processes again with --resume to continue from the last "
                    "checkpoint.\n"
                )
                sys.stderr.flush()
                os._exit(PREEMPTED_STATUS)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    try:
        yield
    finally:
        has_ended.set()
        signal.set_wakeup_fd(before)
        write.close()
        thread.join()
        read.close()
