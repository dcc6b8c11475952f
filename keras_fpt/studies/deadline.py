"""Deadlines: points in time at which a block of code is interrupted."""

import _thread
import contextlib
import math
import signal
import threading
import time
from collections.abc import Iterator

from keras_fpt.runs import Preempted, StopSignals

# How long work may continue after an interruption, to save a checkpoint.
_AGAIN_SECONDS = 20.0


class OutOfTime(Exception):
    """The time for a block of code is over."""


class Deadline:
    """A point in wall time by which something must end, if there is one.

    Args:
        seconds: float, time from `began`; `None` means no deadline.
        began: float, of `time.monotonic()`; `None` means now.
    """

    def __init__(
        self, seconds: float | None = None, began: float | None = None
    ) -> None:
        began = time.monotonic() if began is None else began
        self.end = math.inf if seconds is None else began + seconds

    @property
    def left(self) -> float:
        """Seconds until the deadline; infinite if there is none."""
        return self.end - time.monotonic()

    def earlier(self, seconds: float) -> "Deadline":
        """A deadline that is this many seconds before this one."""
        return Deadline(self.left - seconds)

    @contextlib.contextmanager
    def enforced(
        self, reserve: float = 0.0, most: float = math.inf
    ) -> Iterator[None]:
        """Interrupts the block when time is up, as SIGTERM would.

        A run that trains within it saves a checkpoint first and can be resumed.
        Code that runs outside of Python is interrupted when it returns.

        Args:
            reserve: float, seconds to leave before the deadline.
            most: float, seconds that the block may take at most.

        Raises:
            OutOfTime: it was interrupted, or no time was left for it.
            Preempted: the process received SIGTERM.
        """
        seconds = min(self.left - reserve, most)
        if seconds <= 0:
            raise OutOfTime("There is no time left.")
        if seconds == math.inf:
            yield
            return
        is_up, has_ended = threading.Event(), threading.Event()

        def interrupt() -> None:
            wait = seconds
            while not has_ended.wait(wait):
                is_up.set()
                _thread.interrupt_main(signal.SIGTERM)
                # It is lost if Python is within a destructor just then.
                wait = _AGAIN_SECONDS

        timer = threading.Thread(target=interrupt, daemon=True)
        try:
            with StopSignals().watched():
                timer.start()
                try:
                    yield
                finally:
                    has_ended.set()
                    timer.join()
        except Preempted:
            if not is_up.is_set():
                raise
            raise OutOfTime(f"{seconds:.0f} seconds have passed.") from None


def parse_seconds(text: str) -> float:
    """Seconds, from text such as `90s`, `10m` or `2h`.

    Raises:
        ValueError: the text is something else, or not above 0.

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


def duration(seconds: float) -> str:
    """A time in words.

    >>> duration(90), duration(540), duration(36000)
    ('90 seconds', '9.0 minutes', '10.0 hours')
    """
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def minutes(seconds: float) -> str:
    """A time in words, rounded up."""
    count = math.ceil(seconds / 60)
    return f"{count} minute{'s' * (count != 1)}"
