"""Signals that ask a run to stop."""

import contextlib
import signal
import threading


class Preempted(BaseException):
    """The machine asked the process to end (SIGTERM), as schedulers do.

    Like `KeyboardInterrupt` it is no `Exception`, so that nothing on its way
    takes it for an error of its own.
    """


_RAISED = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Preempted}


class Stopping:
    """Turns SIGINT and SIGTERM into exceptions, at a good moment.

    While they are held back, the first one waits until it is let through, so
    that a checkpoint can be written; a second one, from somebody who does not
    want to wait, is raised at once.
    """

    def __init__(self):
        self.waiting = None
        self._held_back = False

    @contextlib.contextmanager
    def watching(self):
        """Handles the signals within the block.

        Python hands signals to the main thread alone. One that the process
        was started to ignore stays ignored.
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

    def hold_back(self):
        """Lets the next signal wait."""
        self._held_back = True

    def let_through(self):
        """Raises for a signal that waits, and for later ones at once."""
        self._held_back = False
        if self.waiting is not None:
            raise self.waiting

    def _handle(self, number, frame):
        if self._held_back and self.waiting is None:
            self.waiting = _RAISED[number]
        else:
            raise _RAISED[number]
