"""How forecasts do, beside those of simple rules."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.runs import target_results

# The name of the run's own forecasts, among those of simple rules.
MODEL = "model"


def compare(
    reader: Any, x: Any, y: Any, answers: np.ndarray
) -> dict[str, dict[str, Any]]:
    """The errors of forecasts, and of each simple rule.

    Args:
        reader: the task's reader.
        x: float array `(n, rows, columns)`, the task's inputs, standardized,
            which may be on disk.
        y: float array `(n, horizon, columns)`, standardized, likewise.
        answers: float array of that shape, what the run forecasts.

    Returns:
        A dict from `model` and the names of the rules to dicts of `mse` and
        `mae`, in standard deviations of train; `mae_by_step`, a list of the
        latter by how far ahead a step is; and `mae_in_units`, a dict from
        columns to the mean absolute error in their own unit.
    """
    y, forecasts = np.asarray(y), {MODEL: answers}
    forecasts |= {name: rule(x) for name, rule in reader.rules.items()}
    return {
        name: _errors(reader, forecast, y)
        for name, forecast in forecasts.items()
    }


def measure(answers: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """The `mse` and `mae` of forecasts.

    Args:
        answers, y: float arrays of as many numbers, in the same order.
    """
    error = answers.reshape(len(y), -1) - y.reshape(len(y), -1).astype(float)
    return {
        "mse": float((error**2).mean()),
        "mae": float(np.abs(error).mean()),
    }


def _errors(reader: Any, forecast: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    size = np.abs(forecast - y.astype(float))
    in_units = size.mean(axis=(0, 1)) * reader.scale
    return {
        **measure(forecast, y),
        "mae_by_step": [float(f"{v:.6g}") for v in size.mean(axis=(0, 2))],
        "mae_in_units": dict(zip(reader.columns, in_units, strict=True)),
    }


def typical_example(
    reader: Any,
    x: Any,
    y: Any,
    answers: np.ndarray,
    names: Any,
    quantiles: Sequence[float] = (),
) -> dict[str, Any]:
    """The example whose squared error is the median one, to be drawn.

    Args:
        reader, x, y: as for `compare`.
        answers: as there, or with quantiles
            `(n, horizon, columns, quantiles)`.
        names: sequence of n strings, or `None`.
        quantiles: sequence of floats, those that are forecast.

    Returns:
        A dict of `name` and `columns`, a dict from columns to dicts of lists
        `context`, `truth` and `forecast`, in the unit of the column; and of
        at least two quantiles, of lists `low` and `high`, the outer ones.
    """
    points = target_results.points(answers, quantiles)
    errors = ((points - y) ** 2).mean(axis=(1, 2))
    place = int(np.argsort(errors, kind="stable")[len(errors) // 2])
    context = reader.past(x[place])
    parts = {"context": context, "truth": y[place], "forecast": points[place]}
    if len(quantiles) > 1:
        parts["low"] = answers[place, ..., 0]
        parts["high"] = answers[place, ..., -1]
    in_units = {name: reader.in_units(part) for name, part in parts.items()}
    return {
        "name": names[place] if names is not None else f"test {place + 1}",
        "columns": {
            column: {
                name: [float(f"{v:.6g}") for v in part[:, index]]
                for name, part in in_units.items()
            }
            for index, column in enumerate(reader.columns)
        },
    }


def words(values: dict[str, float]) -> str:
    """Errors in words: `MSE 0.31, MAE 0.42 standard deviations of train`."""
    return (
        f"MSE {values['mse']:.4g}, MAE {values['mae']:.4g}, in standard "
        f"deviations of train{target_results.quantile_words(values)}"
    )
