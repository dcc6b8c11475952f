"""What a finished run forecasts, and how it does on new files."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fpt.runs import forecast_results, target_results

if TYPE_CHECKING:
    import pandas as pd

    from keras_fpt.runs.answering import Answers

Path = str | os.PathLike[str]


def following(answers: "Answers", path: Path) -> "pd.DataFrame":
    """The rows that follow the last one of each series of a new file.

    Args:
        answers: `Answers` to the last context of each series.
        path: the new file.

    Returns:
        `pandas.DataFrame` with `example`, the series; `step`, from 1; the
        columns of groups and of time, which goes on; and those that are
        forecast, in their units, each followed by its quantiles, if the run
        forecasts any, as `<column>_quantile_0.1` and so on.
    """
    reader = answers.task.reader
    frame = _steps(answers.names, reader.horizon)
    block = answers.block
    beside = reader.following(path) if block is None else block.beside
    for name in beside:
        frame[_free_name(frame, name)] = beside[name].to_numpy()
    return _with_columns(frame, reader, answers.logits, answers.quantiles)


def beside_truth(
    reader: Any,
    names: list[str],
    answers: np.ndarray,
    labels: np.ndarray,
    quantiles: Sequence[float] = (),
) -> "pd.DataFrame":
    """Forecasts of examples whose truth is known.

    Args:
        reader: the task's reader.
        names: list of n strings.
        answers: float array `(n, horizon, columns)`, standardized, or with
            quantiles `(n, horizon, columns, quantiles)`.
        labels: float array `(n, horizon, columns)`, or flattened.
        quantiles: sequence of floats, those that are forecast.

    Returns:
        `pandas.DataFrame` with `example`; `step`, from 1; the columns that
        are forecast, in their units, and their quantiles; and each of them
        with `_actual` after its name, what came.
    """
    frame = _steps(names, reader.horizon)
    frame = _with_columns(frame, reader, answers, quantiles)
    truth = reader.in_units(labels.reshape(answers.shape[:3]))
    for index, column in enumerate(reader.columns):
        name = _free_name(frame, f"{column}_actual")
        frame[name] = truth[..., index].ravel()
    return frame


def evaluate_windows(
    reader: Any, answers: "Answers", x: Any, y: Any
) -> dict[str, Any]:
    """The errors of forecasts from every row of a new file.

    Returns:
        A dict of `examples`, `mse` and `mae`, in standard deviations of train,
        and `forecasts`, what `forecast_results.compare` found; of quantiles
        also what `target_results.measure_quantiles` returns.
    """
    levels = answers.quantiles
    found = forecast_results.compare(reader, x, y, answers.logits, levels)
    own = found[forecast_results.MODEL]
    return {
        "examples": len(y),
        "mse": own["mse"],
        "mae": own["mae"],
        **(
            target_results.measure_quantiles(answers.logits, y, levels)
            if levels
            else {}
        ),
        "forecasts": found,
    }


def _steps(names: Sequence[str], horizon: int) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(
        {
            "example": np.repeat(np.array(names, object), horizon),
            "step": np.tile(np.arange(1, horizon + 1), len(names)),
        }
    )


def _with_columns(
    frame: "pd.DataFrame",
    reader: Any,
    answers: np.ndarray,
    quantiles: Sequence[float],
) -> "pd.DataFrame":
    numbers = reader.in_units(target_results.points(answers, quantiles))
    each = [
        (level, reader.in_units(answers[..., index]))
        for index, level in enumerate(quantiles)
    ]
    for index, column in enumerate(reader.columns):
        frame[_free_name(frame, column)] = numbers[..., index].ravel()
        for level, values in each:
            name = _free_name(frame, f"{column}_quantile_{level:g}")
            frame[name] = values[..., index].ravel()
    return frame


def _free_name(frame: "pd.DataFrame", name: str) -> str:
    """The name of a column, which the frame does not have yet."""
    while name in frame:
        name += "_"
    return name
