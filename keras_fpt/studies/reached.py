"""What runs of a search had reached at a step, by their histories."""

import math
import pathlib

from keras_fpt.runs import folder, measures, recorder


def trained_steps(path: pathlib.Path) -> int:
    """How many steps a run has been trained and evaluated.

    Args:
        path: the folder of the run, which may not have begun.
    """
    rows = _history(path)
    return int(rows[-1]["step"]) if rows else 0


def score_at(
    path: pathlib.Path, step: int, measure: measures.Measure
) -> tuple[float, float]:
    """What a run had reached at a step, to compare it with others.

    That is what its weights of the lowest validation loss reach, which it
    keeps. One that diverged has the worst score, however far it came.

    Args:
        path: the folder of the run, which may not have begun.
        step: int.
        measure: the `Measure` of the run's task.
    """
    rows = [row for row in _history(path) if row["step"] <= step]
    if not rows or folder.has_diverged(path):
        return measure.worst_score, -math.inf
    kept = min(rows, key=lambda row: row["validation_loss"])
    value = kept[f"validation_{measure.name}"]
    return measure.score(value), -kept["validation_loss"]


def _history(path: pathlib.Path) -> list[dict]:
    if not (path / folder.HISTORY).is_file():
        return []
    return recorder.read_history(path)
