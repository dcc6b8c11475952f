"""Metrics of a regression: errors in the unit of the targets."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn import metrics as sk

from keras_fpt.tasks import pairwise, sequence_store


def measure(answers: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """The errors of predictions.

    Args:
        answers: float array `(examples, targets)`.
        targets: float array of the same shape.

    Returns:
        A dict of `mae`, `rmse` and `r2`, as `keras_fpt.FPTRegressor` has
        them: `r2` is NaN for less than two examples.
    """
    squared = (answers - targets) ** 2
    several = len(targets) > 1
    return {
        "mae": float(np.abs(answers - targets).mean()),
        "rmse": float(np.sqrt(squared.mean())),
        "r2": float(sk.r2_score(targets, answers)) if several else np.nan,
    }


def parse_quantiles(text: str | None) -> tuple[float, ...]:
    """Quantiles from text such as `0.1,0.5,0.9`; an empty tuple for `None`.

    Raises:
        ValueError: they are not numbers between 0 and 1 that increase.
    """
    if text is None:
        return ()
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    bounds = (0.0, *found, 1.0)
    if not found or any(b <= a for a, b in itertools.pairwise(bounds)):
        raise ValueError(
            "Expected quantiles between 0 and 1 that increase, such as "
            f"0.1,0.5,0.9, but received {text!r}."
        )
    return found


def points(answers: np.ndarray, quantiles: Sequence[float]) -> np.ndarray:
    """The predicted number for each target: with quantiles, the middle one.

    Args:
        answers: float array `(examples, targets)`, or with quantiles
            `(examples, targets, quantiles)`; of forecasts
            `(examples, horizon, columns)`, and likewise.
        quantiles: sequence of floats, which may be empty.

    Returns:
        Float array `(examples, targets)`, or `(examples, horizon, columns)`.
    """
    if not len(quantiles):
        return answers
    return answers[..., np.argmin(np.abs(np.asarray(quantiles) - 0.5))]


def measure_quantiles(
    answers: Any, targets: Any, quantiles: Sequence[float]
) -> dict[str, float]:
    """Metrics of predicted quantiles.

    Args:
        answers: float array `(examples, targets, quantiles)`, or of forecasts
            `(examples, horizon, columns, quantiles)`. Like the targets, it may
            be on disk.
        targets: float array of as many numbers without the last axis, in the
            same order.
        quantiles: sequence of floats, at least one.

    Returns:
        A dict of `pinball`, the mean pinball loss in the unit of the targets;
        and, of at least two quantiles, `coverage`, the share of targets
        between the lowest and the highest, and `nominal_coverage`, the share
        that should lie there.
    """
    levels = np.asarray(quantiles, float)
    count, num_inside = math.prod(answers.shape), 0

    def parts() -> Iterator[np.ndarray]:
        nonlocal num_inside
        for found, truth in sequence_store.chunks_of(answers, targets):
            truth = truth.reshape(found.shape[:-1])
            error = truth[..., None].astype(float) - found
            is_inside = (error[..., 0] >= 0) & (error[..., -1] <= 0)
            num_inside += int(is_inside.sum())
            losses = np.maximum(levels * error, (levels - 1) * error)
            yield losses.reshape(-1, 1)

    total = pairwise.sum_of_columns(parts(), count)[0]
    result = {"pinball": float(total / count)}
    if len(levels) > 1:
        result["coverage"] = num_inside / (count // len(levels))
        result["nominal_coverage"] = float(levels[-1] - levels[0])
    return result


def words(values: dict[str, float]) -> str:
    """Errors in words: `RMSE 0.1234, MAE 0.09, R2 0.95`."""
    text = (
        f"RMSE {values['rmse']:.4g}, MAE {values['mae']:.4g}, "
        f"R2 {values['r2']:.4f}"
    )
    return text + quantile_words(values)


def quantile_words(values: Mapping[str, float]) -> str:
    """What `measure_quantiles` returned, as the end of a sentence.

    Args:
        values: dict, which may be without it.
    """
    text = ""
    if "pinball" in values:
        text += f", pinball loss {values['pinball']:.4g}"
    if "coverage" in values:
        text += (
            f", {values['coverage']:.1%} within the outer quantiles (nominal "
            f"{values['nominal_coverage']:.0%})"
        )
    return text
