"""What a checkpoint says about a run, beside the arrays."""

import dataclasses
import itertools
import math
from collections.abc import Mapping
from typing import Any, Self

from keras_fpt.files import json_files

_ROW = {"step", "validation_accuracy"}
_TRAIN_LOGS = {"loss", "accuracy"}


@dataclasses.dataclass(frozen=True)
class SavedProgress:
    """How far a run had come when it saved a checkpoint.

    Args:
        step: int, the number of steps trained.
        backend: string.
        processes: int, how many there were. `None` is unknown.
        seconds: float, wall time.
        history: tuple of dicts, the rows of `history.csv`.
        train_logs: dict of a segment's means, if it has ended and is not
            evaluated yet.
    """

    step: int
    backend: str
    processes: int | None = None
    seconds: float = 0.0
    history: tuple[dict[str, float], ...] = ()
    train_logs: dict[str, float] | None = None

    @classmethod
    def of(cls, metadata: Mapping[str, Any], steps: int) -> Self:
        """Reads a checkpoint's metadata.

        Args:
            metadata: dict.
            steps: int, the number of steps of the run.

        Raises:
            ValueError: it is none of such a run.
        """
        where = "Its header does not fit the run"
        names = [field.name for field in dataclasses.fields(cls)]
        known = {name: metadata[name] for name in names if name in metadata}
        progress = json_files.from_dict(cls, known, where)
        rows, logs = progress.history, progress.train_logs
        is_complete = all(row.keys() >= _ROW for row in rows)
        is_complete &= logs is None or logs.keys() >= _TRAIN_LOGS
        trained = [0, *(row.get("step", 0) for row in rows), progress.step]
        values = [progress.seconds, *(logs or {}).values()]
        values += itertools.chain(*(row.values() for row in rows))
        if not (
            is_complete
            and trained == sorted(trained)
            and 0 < progress.step <= steps
            and all(map(math.isfinite, values))
        ):
            raise ValueError(
                f"{where}: expected a step from 1 to {steps:,}, after the "
                "steps of its history, and finite numbers."
            )
        return progress
