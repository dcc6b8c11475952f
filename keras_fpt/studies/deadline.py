"""Wall time that is kept."""

import _thread
import contextlib
import math
import signal
import threading
import time

from keras_fpt.runs.signals import Preempted, Stopping


class OutOfTime(Exception):
    """The time for something is over."""


class Deadline:
    """An end of wall time, or none.

    Args:
        seconds: float, how long from `began`; `None` is without end.
        began: float, of `time.monotonic()`; `None` is now.
    """

    def __init__(self, seconds=None, began=None):
        began = time.monotonic() if began is None else began
        self.end = math.inf if seconds is None else began + seconds

    @property
    def left(self):
        """Seconds until the end; infinite where there is none."""
        return self.end - time.monotonic()

    def earlier(self, seconds):
        """A deadline some seconds before this one."""
        return Deadline(self.left - seconds)

    @contextlib.contextmanager
    def kept(self, reserve=0.0, most=math.inf):
        """Breaks the block off when time is up, as SIGTERM would.

        So a run that trains within it checkpoints first, and can go on. What
        computes outside of Python is broken off when it comes back.

        Args:
            reserve: float, seconds to stay clear of the end.
            most: float, seconds that the block may take in any case.

        Raises:
            OutOfTime: it was broken off, or there was no time to begin with.
            Preempted: SIGTERM itself came.
        """
        seconds = min(self.left - reserve, most)
        if seconds <= 0:
            raise OutOfTime("There is no time left.")
        if seconds == math.inf:
            yield
            return
        is_up = threading.Event()

        def interrupt():
            is_up.set()
            _thread.interrupt_main(signal.SIGTERM)

        timer = threading.Timer(seconds, interrupt)
        timer.daemon = True
        try:
            with Stopping().watching():
                timer.start()
                try:
                    yield
                finally:
                    timer.cancel()
        except Preempted:
            if not is_up.is_set():
                raise
            raise OutOfTime(f"{seconds:.0f} seconds were over.") from None


def parse_seconds(text):
    """Seconds, from text such as `90s`, `10m` or `2h`.

    Raises:
        ValueError: it is something else, or not above 0.

    >>> parse_seconds("1.5m")
    90.0
    """
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = text[:-1], text[-1:]
    try:
        seconds = float(number) * units[unit]
    except (KeyError, ValueError):
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(
            f"Expected a time such as 90s, 10m or 2h but received {text!r}."
        )
    return seconds
