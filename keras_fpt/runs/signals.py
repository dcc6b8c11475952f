"""Signals that ask a process to stop, raised where it can checkpoint."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Preempted(BaseException):
    """The machine asked the process to end (SIGTERM), as schedulers do.

    Like `KeyboardInterrupt`, it is not an `Exception`, so that no code
    on the way handles it as an error of its own.
    """


_RAISED: dict[int, type[BaseException]] = {
    signal.SIGINT: KeyboardInterrupt,
    signal.SIGTERM: Preempted,
}


class StopSignals:
    """Turns SIGINT and SIGTERM into exceptions, at a safe moment.

    While they are deferred, the first one waits until it is delivered, so
    that a checkpoint can be written; a second one, from somebody who does not
    want to wait, is raised at once.
    """

    def __init__(self) -> None:
        self.pending: type[BaseException] | None = None
        self._is_deferring = False

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Handles the signals within the block.

        Python delivers signals only to the main thread. A signal that the
        process was started to ignore stays ignored.
        """
        before = {}
        if threading.current_thread() is threading.main_thread():
            for number in _RAISED:
                if signal.getsignal(number) != signal.SIG_IGN:
                    before[number] = signal.signal(number, self._handle)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def defer(self) -> None:
        """Defers the next signal."""
        self._is_deferring = True

    def deliver(self) -> None:
        """Raises for a deferred signal, if any, and at once for later ones."""
        self._is_deferring = False
        if self.pending is not None:
            raise self.pending

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._is_deferring and self.pending is None:
            self.pending = _RAISED[number]
        else:
            raise _RAISED[number]
