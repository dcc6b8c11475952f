"""The metadata of a run's checkpoint."""

import dataclasses
import itertools
import math
from collections.abc import Mapping
from typing import Any, Self

from keras_fpt.files import json_files

# Of classes, of numbers, and of forecasts.
METRICS = ("validation_accuracy", "validation_rmse", "validation_mse")


@dataclasses.dataclass(frozen=True)
class SavedProgress:
    """The progress of a run when it saved a checkpoint.

    Args:
        step: int, the number of steps trained.
        backend: string.
        processes: int, how many there were. `None` is unknown.
        seconds: float, wall time.
        history: tuple of dicts, the rows of `history.csv`.
        train_logs: dict of a segment's means, if it has ended and is not
            evaluated yet.
        share_seconds: float, see `ShareOfTime`; `None` for a run that has
            only trained alone.
    """

    step: int
    backend: str
    processes: int | None = None
    seconds: float = 0.0
    history: tuple[dict[str, float], ...] = ()
    train_logs: dict[str, float] | None = None
    share_seconds: float | None = None

    @classmethod
    def of(
        cls, metadata: Mapping[str, Any], steps: int, steps_per_row: int
    ) -> Self:
        """Reads a checkpoint's metadata.

        Args:
            metadata: dict.
            steps: int, the number of steps of the run.
            steps_per_row: int, how many of them each row of its history is of.

        Raises:
            ValueError: it does not belong to such a run.
        """
        where = "Its header does not fit the run"
        names = [field.name for field in dataclasses.fields(cls)]
        known = {name: metadata[name] for name in names if name in metadata}
        progress = json_files.from_dict(cls, known, where)
        rows, logs = progress.history, progress.train_logs
        is_complete = any(
            all(row.keys() >= {"step", name} for row in rows)
            and (logs is None or logs.keys() >= {"loss", _of_train(name)})
            for name in METRICS
        )
        ended = (progress.step - (logs is not None)) // steps_per_row
        expected = [steps_per_row * (i + 1) for i in range(min(ended, steps))]
        values = [progress.seconds, progress.share_seconds or 0.0]
        values += (logs or {}).values()
        values += itertools.chain(*(row.values() for row in rows))
        if not (
            is_complete
            and 0 < progress.step <= steps
            and [row["step"] for row in rows] == expected
            and all(map(math.isfinite, values))
        ):
            raise ValueError(
                f"{where}: expected a step from 1 to {steps:,}, the history "
                "before it, and finite numbers."
            )
        return progress


def _of_train(name: str) -> str:
    return name.removeprefix("validation_")
