"""The season of a series, found in its training part, and simple forecasts."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from scipy import signal

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.task_floors import NAIVE, SEASONAL_NAIVE

# The least autocorrelation at the lag of a season.
_LEAST_CORRELATION = 0.1


def find(stretches: Iterable[np.ndarray], scale: Any) -> int | None:
    """The length of a season.

    Args:
        stretches: iterable of float arrays `(time, channels)`, the parts of
            train without a gap.
        scale: float array `(channels,)`, the deviation of each channel.

    Returns:
        The shortest lag at which the autocorrelation of train, without the
        linear trend of each part, has a peak of at least 0.9 of its highest
        one, since whole multiples of a season peak as well; `None` if it has
        no peak above 0.1.
    """
    total, rows = np.zeros(0), 0
    for stretch in stretches:
        rows += len(stretch)
        if len(stretch) > len(total):
            total = np.pad(total, (0, len(stretch) - len(total)))
        values = signal.detrend(stretch.astype("float64"), axis=0) / scale
        for channel in values.T:
            found = signal.correlate(channel, channel, method="fft")
            total[: len(channel)] += found[len(channel) - 1 :]
    if not rows:
        return None
    # What is left of a straight line is rounding.
    least = 1e-6 * rows
    correlation = total / max(total[0], least)
    peaks, found = signal.find_peaks(
        correlation[: len(total) // 2], height=_LEAST_CORRELATION
    )
    heights = np.where(peaks >= 2, found["peak_heights"], 0.0)
    if not heights.any():
        return None
    return int(peaks[np.argmax(heights >= 0.9 * heights.max())])


def one_before(season: int, horizon: int) -> np.ndarray:
    """Where each step of a forecast was in the last season before it.

    Args:
        season: int, the number of steps of a season.
        horizon: int, how many steps are forecast.

    Returns:
        int array `(horizon,)` of places, negative, counted from the first
        step of the forecast.
    """
    ahead = np.arange(horizon)
    return ahead - season * (1 + ahead // season)


def rules(
    context: int,
    horizon: int,
    season: int | None,
    unknown_rows: int,
    columns: int,
) -> dict[str, Callable[[Any], np.ndarray]]:
    """Simple ways to forecast, as functions of a model's inputs.

    Args:
        context: int, how many steps a forecast is made from.
        horizon: int, how many steps are forecast.
        season: int, the number of steps of a season, or `None`.
        unknown_rows: int, how many of the last steps of inputs are forecast.
        columns: int, how many of the columns, the first ones, are forecast.

    Returns:
        Dict from names to functions of arrays `(n, steps, columns)`: the last
        value, and the value one season before, if contexts hold a season.
    """
    places = {NAIVE: np.full(horizon, -1)}
    if season is not None and season <= context:
        places[SEASONAL_NAIVE] = one_before(season, horizon)
    return {
        name: functools.partial(_rows_before, found - unknown_rows, columns)
        for name, found in places.items()
    }


def _rows_before(places: np.ndarray, columns: int, x: Any) -> np.ndarray:
    """The first columns of rows at places that count from the end."""
    if sequence_store.is_on_disk(x):
        parts = sequence_store.chunks(x)
        return np.concatenate([each[:, places, :columns] for each in parts])
    return np.asarray(x)[:, places, :columns]
