"""How forecasts do, beside those of simple rules."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keras_fpt.runs import target_results
from keras_fpt.tasks import pairwise, sequence_store

# The name of the run's own forecasts, among those of simple rules.
MODEL = "model"


def compare(
    reader: Any, x: Any, y: Any, answers: Any, quantiles: Sequence[float] = ()
) -> dict[str, dict[str, Any]]:
    """The errors of forecasts, and of each simple rule.

    They are of a few examples at a time, and their sums are those of NumPy to
    the last bit, however many examples are read together.

    Args:
        reader: the task's reader.
        x: float array `(n, rows, columns)`, the task's inputs, standardized,
            which may be on disk.
        y: float array `(n, horizon, columns)`, standardized, likewise.
        answers: float array of that shape, what the run forecasts, likewise;
            or with quantiles `(n, horizon, columns, quantiles)`.
        quantiles: sequence of floats, those that are forecast.

    Returns:
        A dict from `model` and the names of the rules to dicts of `mse` and
        `mae`, in standard deviations of train; `mae_by_step`, a list of the
        latter by how far ahead a step is; and `mae_in_units`, a dict from
        columns to the mean absolute error in their own unit.
    """
    rules = reader.rules
    sums = {name: _Sums(*y.shape[1:]) for name in (MODEL, *rules)}

    def parts() -> Iterator[np.ndarray]:
        for inputs, truth, found in sequence_store.chunks_of(x, y, answers):
            forecasts = [target_results.points(found, quantiles)]
            forecasts += [rule(inputs) for rule in rules.values()]
            columns = []
            for total, forecast in zip(sums.values(), forecasts, strict=True):
                error = forecast - truth.astype(float)
                size = np.abs(error)
                total.add(size)
                columns += [(error**2).ravel(), size.ravel()]
            yield np.stack(columns, axis=1)

    count = math.prod(y.shape)
    totals = pairwise.sum_of_columns(parts(), count).reshape(-1, 2)
    result = {}
    for (name, each), (squared, absolute) in zip(
        sums.items(), totals, strict=True
    ):
        by_step, by_column = each.result(len(y), absolute)
        in_units = by_column * reader.scale
        result[name] = {
            "mse": float(squared / count),
            "mae": float(absolute / count),
            "mae_by_step": [float(f"{v:.6g}") for v in by_step],
            "mae_in_units": dict(zip(reader.columns, in_units, strict=True)),
        }
    return result


class _Sums:
    """Sums of sizes of errors `(n, horizon, columns)` by step and by column.

    NumPy adds up one row after the other where several sums are made side by
    side, and by halves, as `pairwise` does, where there is one.
    """

    def __init__(self, horizon: int, columns: int) -> None:
        self._by_step = np.zeros((1, horizon))
        self._by_column = np.zeros((1, columns))

    def add(self, size: np.ndarray) -> None:
        rows = np.concatenate([self._by_step, size.sum(axis=2)])
        self._by_step = rows.sum(axis=0, keepdims=True)
        rows = size.reshape(-1, size.shape[2])
        rows = np.concatenate([self._by_column, rows])
        self._by_column = rows.sum(axis=0, keepdims=True)

    def result(
        self, count: int, total: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The means of `count` examples, whose sum by `pairwise` is `total`."""
        found = []
        for sums, other in (
            (self._by_step, self._by_column),
            (self._by_column, self._by_step),
        ):
            sums = sums[0] if sums.size > 1 else np.reshape(total, 1)
            found.append(sums / (count * other.size))
        return found[0], found[1]


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
        answers, quantiles: as there.
        names: sequence of n strings, or `None`.

    Returns:
        A dict of `name` and `columns`, a dict from columns to dicts of lists
        `context`, `truth` and `forecast`, in the unit of the column; and of
        at least two quantiles, of lists `low` and `high`, the outer ones.
    """
    errors = np.concatenate(
        [
            ((target_results.points(found, quantiles) - truth) ** 2).mean(
                axis=(1, 2)
            )
            for found, truth in sequence_store.chunks_of(answers, y)
        ]
    )
    place = int(np.argsort(errors, kind="stable")[len(errors) // 2])
    # Arrays on disk are read by lists of places.
    inputs, truth, answer = (each[[place]][0] for each in (x, y, answers))
    parts = {
        "context": reader.past(inputs),
        "truth": truth,
        "forecast": target_results.points(answer, quantiles),
    }
    if len(quantiles) > 1:
        parts["low"], parts["high"] = answer[..., 0], answer[..., -1]
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
