"""How often a run checkpoints."""

import contextlib
import time
from collections.abc import Iterator

# Writing may take this share of the time, however large a state is.
LARGEST_SHARE = 1 / 20


class CheckpointInterval:
    """Says when a checkpoint is due, from how long the last one took.

    Args:
        seconds: float, the least time from the end of one to the next.
    """

    def __init__(self, seconds: float) -> None:
        if not seconds >= 0:
            raise ValueError(
                "Expected seconds between checkpoints of at least 0 but "
                f"received {seconds}."
            )
        self.seconds = seconds
        self.due = time.monotonic() + seconds

    def is_due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return time.monotonic() >= self.due

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Measures the writing of a checkpoint within the block."""
        started = time.monotonic()
        yield
        ended = time.monotonic()
        pause = (ended - started) * (1 / LARGEST_SHARE - 1)
        self.due = ended + max(self.seconds, pause)
