"""Rivals for forecasts: common models without a language model.

Each is a function of `ForecastSplits` and the length of a season that returns
what validation chose, its validation error, and a function that forecasts
`Windows`. Naive and DLinear see what the frozen model sees, the contexts.
Seasonal naive and the classical models see all of the series before each
origin, which is known at that time. Of them all, only DLinear sees the channels
that are known over the horizon.
"""

import importlib.util
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from keras_fpt.results import NotRun, baselines
from keras_fpt.studies import classical
from keras_fpt.studies.classical import CannotBeFitted
from keras_fpt.studies.deadline import Deadline, OutOfTime
from keras_fpt.studies.dlinear import DLinear
from keras_fpt.studies.forecast_results import ForecastResult
from keras_fpt.studies.rival_models import EXTRA
from keras_fpt.tasks import (
    ForecastSplits,
    Windows,
    forecast_errors,
    seasons,
)

_RIDGE_STRENGTHS = tuple(10.0**k for k in range(-2, 6))

Forecast = Callable[[Windows], np.ndarray]


class Fitted(NamedTuple):
    """A rival that was fitted.

    Args:
        settings: string, what validation chose.
        validation_mse: float, or `None`.
        forecast: function from `Windows` to a float array
            `(n, horizon, channels)`.
    """

    settings: str
    validation_mse: float | None
    forecast: Forecast


def fit_forecast_rivals(
    splits: ForecastSplits,
    season: int | None = None,
    seconds: float = 60.0,
) -> tuple[list[ForecastResult], list[NotRun]]:
    """Fits and tests the models to try before a frozen language model.

    These are the last value (`naive`), the value one season before
    (`seasonal_naive`), `dlinear`, and `auto_ets` and `auto_arima` of the
    package statsforecast, where it is installed.

    Args:
        splits: `keras_fpt.tasks.ForecastSplits`.
        season: int, the number of steps of a season. `None` finds it,
            see `find_season`.
        seconds: float, what each rival may take.

    Returns:
        Tuple of a list of `ForecastResult` and a list of `NotRun`.

    Raises:
        ValueError: the season is not an integer from 2 to the length of
            train.

    Source: Zeng et al., 2023, "Are Transformers Effective for Time Series
    Forecasting?", arXiv 2205.13504 (DLinear); Hyndman and Khandakar, 2008,
    "Automatic Time Series Forecasting" (AutoETS, AutoARIMA).
    """
    if season is not None and not 2 <= season <= splits.validation_start:
        raise ValueError(
            "Expected a season from 2 to the "
            f"{splits.validation_start} steps of train but received {season}."
        )
    found = season or find_season(splits)
    rivals: dict[str, Callable[[ForecastSplits, int | None], Fitted]] = {
        "naive": _naive,
        "seasonal_naive": _seasonal_naive,
        "dlinear": _dlinear,
        "auto_ets": _auto_ets,
        "auto_arima": _auto_arima,
    }
    results, not_run = [], []
    for name, fit in rivals.items():
        began = time.monotonic()
        try:
            with Deadline().enforced(most=seconds):
                fitted = fit(splits, found)
                forecast = fitted.forecast(splits.test)
        except CannotBeFitted as error:
            not_run.append(NotRun("forecast", name, str(error)))
            continue
        except OutOfTime:
            reason = (
                f"It did not finish within {seconds:.0f} s. Give it more time."
            )
            not_run.append(NotRun("forecast", name, reason))
            continue
        results.append(
            ForecastResult.of(
                name,
                splits,
                forecast,
                time.monotonic() - began,
                fitted.settings,
                validation_mse=fitted.validation_mse,
            )
        )
    return results, not_run


def find_season(splits: ForecastSplits) -> int | None:
    """The length of a season, from the training part only.

    Args:
        splits: `ForecastSplits`.

    Returns:
        The shortest lag at which the autocorrelation of train, without its
        linear trend, has a peak of at least 0.9 of its highest one, since
        whole multiples of a season peak as well; `None` if it has no peak
        above 0.1.
    """
    train = splits.forecast_series[: splits.validation_start]
    return seasons.find([train], splits.train_scale)


def _validation_mse(splits: ForecastSplits, forecast: Forecast) -> float:
    windows = splits.validation
    errors = forecast_errors(forecast(windows), windows.y, splits.train_scale)
    return errors["mse"]


def _naive(splits: ForecastSplits, season: int | None) -> Fitted:
    def forecast(windows: Windows) -> np.ndarray:
        last = splits.forecast_series[windows.origins - 1]
        return np.repeat(last[:, None], splits.horizon, axis=1)

    return Fitted("", None, forecast)


def _seasonal_naive(splits: ForecastSplits, season: int | None) -> Fitted:
    if season is None:
        raise CannotBeFitted(
            "The autocorrelation of train has no peak above 0.1. Give the "
            "season."
        )
    forecast = _one_season_before(splits, season)
    mse = _validation_mse(splits, forecast)
    return Fitted(f"season {season}", mse, forecast)


def _one_season_before(splits: ForecastSplits, season: int) -> Forecast:
    """Each step is what it was in the last whole season before the origin."""
    offsets = seasons.one_before(season, splits.horizon)

    def forecast(windows: Windows) -> np.ndarray:
        # The first origin of validation may be within the first season.
        steps = np.maximum(windows.origins[:, None] + offsets, 0)
        return splits.forecast_series[steps]

    return forecast


def _dlinear(splits: ForecastSplits, season: int | None) -> Fitted:
    """DLinear, whose strength validation chooses."""
    train_part = splits.series[: splits.validation_start]
    # Of x, whose last channels may be known in advance, and of y.
    means = train_part.mean(axis=0, dtype="f8")
    scales = train_part.std(axis=0, dtype="f8")
    scales = np.where(scales > 0, scales, 1.0)
    mean, scale = means[: splits.channels], scales[: splits.channels]
    shape = (-1, splits.horizon, splits.channels)

    def forecast_of(strength: float) -> Forecast:
        model = DLinear(
            splits.channels, strength, splits.horizon, splits.future_dim
        )
        train = splits.train
        model.fit((train.x - means) / scales, (train.y - mean) / scale)

        def forecast(windows: Windows) -> np.ndarray:
            rows = model.predict((windows.x - means) / scales)
            return rows.reshape(shape) * scale + mean

        return forecast

    best = None
    for strength in _RIDGE_STRENGTHS:
        forecast = forecast_of(strength)
        mse = _validation_mse(splits, forecast)
        if best is None or mse < best[0]:
            best = mse, strength, forecast
    assert best is not None
    return Fitted(f"ridge {best[1]:g}", best[0], best[2])


def _auto_ets(splits: ForecastSplits, season: int | None) -> Fitted:
    if season is None or season > classical.LONGEST_ETS_SEASON:
        season = 1
    return _classical(splits, baselines.AUTO_ETS, season)


def _auto_arima(splits: ForecastSplits, season: int | None) -> Fitted:
    return _classical(splits, baselines.AUTO_ARIMA, season or 1)


def _classical(splits: ForecastSplits, name: str, season: int) -> Fitted:
    """A model of statsforecast, one for each channel, chosen on train."""
    if importlib.util.find_spec(classical.PACKAGE) is None:
        raise CannotBeFitted(
            f"The package '{classical.PACKAGE}' is not installed. Install it "
            f"with {EXTRA} and repeat the command."
        )
    series = splits.forecast_series
    train = series[: splits.validation_start]
    chosen = classical.fit(name, season, train)

    def forecast(windows: Windows) -> np.ndarray:
        return classical.forecast(
            chosen, series, windows.origins, splits.horizon
        )

    unseen = ", without known channels" if splits.future_dim else ""
    return Fitted(f"season {season}{unseen}", None, forecast)
