"""A live progress bar over training steps."""

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


class StepProgress(keras.callbacks.Callback):
    """Shows steps done, speed, time left and the running metrics.

    One bar can run over several calls of `fit`. Use it as a context manager
    around them, and as a callback within.

    Args:
        description: string before the bar.
        total: int, the number of steps of the whole run.
        completed: int, the steps that an earlier process has done.
        units_per_step: int, how many units one step handles.
        unit: string, what the speed counts, e.g. `"tokens"`.
    """

    def __init__(
        self, description, total, completed=0, units_per_step=1, unit="steps"
    ):
        super().__init__()
        self.units_per_step = units_per_step
        self.unit = unit
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[status]}"),
            console=Console(stderr=True),
        )
        self.row = self.bar.add_task(
            description, total=total, completed=completed, status=""
        )

    def __enter__(self):
        self.bar.start()
        return self

    def __exit__(self, *_):
        self.bar.stop()

    @property
    def speed(self):
        """Units a second over the last steps, or 0 before any is known."""
        return (self.bar.tasks[0].speed or 0.0) * self.units_per_step

    def on_train_batch_end(self, batch, logs=None):
        self.bar.advance(self.row)
        metrics = [f"{k} {v:.3f}" for k, v in (logs or {}).items()]
        status = "  ".join([f"{self.speed:,.0f} {self.unit}/s", *metrics])
        self.bar.update(self.row, status=status)


def track(items, description, total):
    """Goes through items, and shows how many are done.

    Args:
        items: iterable.
        description: string before the bar.
        total: int, how many there are.
    """
    console = Console(stderr=True)
    return progress.track(items, description, total, console=console)
