"""The wall time of a run, where that of a stack is divided among its runs."""

import os
import time
from typing import TYPE_CHECKING

from keras_fpt.runs import manifest

if TYPE_CHECKING:
    from keras_fpt.runs.saved_progress import SavedProgress


class ShareOfTime:
    """The seconds of a run so far.

    Args:
        seconds: float, the wall time of its earlier parts.
        share: float, its share of them, or `None` for a run that has only
            trained alone.
    """

    def __init__(self, seconds: float, share: float | None) -> None:
        self.is_shared = share is not None
        self._before, self._runs = seconds if share is None else share, 1
        self._since = time.perf_counter()

    @classmethod
    def of(
        cls, saved: "SavedProgress", folder: str | os.PathLike[str]
    ) -> "ShareOfTime":
        """The share of a run that goes on.

        Stacks of earlier versions did not save it: their runs had equal ones.
        """
        share = saved.share_seconds
        made = manifest.read(folder) if share is None else None
        if made is not None and made.stack:
            share = saved.seconds / len(made.stack)
        return cls(saved.seconds, share)

    @property
    def seconds(self) -> float:
        """The run's share of the time until now."""
        return self._before + (time.perf_counter() - self._since) / self._runs

    def among(self, runs: int) -> None:
        """Divides the time from now on among so many runs in one step."""
        self._before, self._since = self.seconds, time.perf_counter()
        self._runs = runs
        self.is_shared = self.is_shared or runs > 1

    def described(self, seconds: float) -> dict[str, float]:
        """What files say of such a share; nothing of a run that was alone."""
        return {"share_seconds": seconds} if self.is_shared else {}
