"""Live progress bars on stderr."""

from collections.abc import Iterable
from typing import Any

import keras
from rich import progress
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from keras_fpt import logs


def stderr_console() -> Console:
    """A console on stderr that may be lost; see `logs.StandardStream`."""
    return Console(file=logs.StandardStream("stderr"))  # type: ignore[arg-type]


class StepProgress(keras.callbacks.Callback):
    """Shows completed steps, speed, remaining time and running metrics.

    One bar can span several calls of `fit`: use it as a context manager
    around them, and as a callback of each.

    Args:
        description: string, shown before the bar.
        total: int, the number of steps of the whole run.
        completed: int, the steps that an earlier process has completed.
        units_per_step: int, the units that one step processes.
        unit: string, the unit of the speed, e.g. `"tokens"`.
    """

    def __init__(
        self,
        description: str,
        total: int,
        completed: int = 0,
        units_per_step: int = 1,
        unit: str = "steps",
    ) -> None:
        super().__init__()
        self.units_per_step = units_per_step
        self.unit = unit
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[status]}"),
            console=stderr_console(),
        )
        self.row = self.bar.add_task(
            description, total=total, completed=completed, status=""
        )

    def __enter__(self) -> "StepProgress":
        self.bar.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.bar.stop()

    @property
    def speed(self) -> float:
        """Units per second over the last steps, 0 before the first."""
        return (self.bar.tasks[0].speed or 0.0) * self.units_per_step

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        self.bar.advance(self.row)
        metrics = [f"{k} {v:.3f}" for k, v in (logs or {}).items()]
        status = "  ".join([f"{self.speed:,.0f} {self.unit}/s", *metrics])
        self.bar.update(self.row, status=status)


class BatchProgress(keras.callbacks.Callback):
    """Shows how many batches of several evaluations and predictions are done.

    Use it as a context manager around them, and as a callback of each.

    Args:
        description: string, shown before the bar.
        total: int, the number of batches of all of them.
    """

    def __init__(self, description: str, total: int) -> None:
        super().__init__()
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=stderr_console(),
            transient=True,
        )
        self.row = self.bar.add_task(description, total=total)

    def __enter__(self) -> "BatchProgress":
        self.bar.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.bar.stop()

    def on_test_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        self.bar.advance(self.row)

    on_predict_batch_end = on_test_batch_end


def track(items: Iterable, description: str, total: int) -> Iterable:
    """Iterates over items with a progress bar.

    Args:
        items: iterable.
        description: string, shown before the bar.
        total: int, the number of items.
    """
    return progress.track(items, description, total, console=stderr_console())
