"""How often a run checkpoints."""

import contextlib
import time

# Writing may take this part of the time, however large a state is.
LARGEST_SHARE = 1 / 20


class Interval:
    """Says when a checkpoint is due, from how long the last one took.

    Args:
        seconds: float, the least time from the end of one to the next.
    """

    def __init__(self, seconds):
        if not seconds >= 0:
            raise ValueError(
                "Expected seconds between checkpoints of at least 0 but "
                f"received {seconds}."
            )
        self.seconds = seconds
        self.due = time.monotonic() + seconds

    def is_due(self):
        """Whether it is time for a checkpoint."""
        return time.monotonic() >= self.due

    @contextlib.contextmanager
    def writing(self):
        """Wraps the writing of a checkpoint, whether or not it was due."""
        started = time.monotonic()
        yield
        ended = time.monotonic()
        pause = (ended - started) * (1 / LARGEST_SHARE - 1)
        self.due = ended + max(self.seconds, pause)
