"""How often a run saves a checkpoint."""

import contextlib
import time
from collections.abc import Iterator

# Writing checkpoints takes at most this share of the time, however large they
# are.
LARGEST_SHARE = 1 / 20


class CheckpointInterval:
    """Decides when a checkpoint is due, by how long writing the last one took.

    Args:
        seconds: float, the minimum time from the end of one to the next.
    """

    def __init__(self, seconds: float) -> None:
        if not seconds >= 0:
            raise ValueError(
                "Expected at least 0 seconds between checkpoints but received "
                f"{seconds}."
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
