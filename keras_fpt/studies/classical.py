"""AutoETS and AutoARIMA of statsforecast, carried on along whole series.

A model is chosen and fitted once for each column of a series, on its training
rows. To forecast, it is carried on, with the same parameters, over all rows
before the origin, which are known at that time.
"""

import functools
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_fpt.results import baselines
from keras_fpt.tasks import Stretch, Task

PACKAGE = "statsforecast"
MODELS = {baselines.AUTO_ETS: "AutoETS", baselines.AUTO_ARIMA: "AutoARIMA"}
# The longest season that statsforecast's exponential smoothing takes.
LONGEST_ETS_SEASON = 24
# The most rows of train that a model is fitted to, the last ones.
MAX_ROWS = 1000


class CannotBeFitted(Exception):
    """A rival cannot be fitted; the message says why."""


def fit(name: str, season: int, series: np.ndarray) -> list[Any]:
    """A model for each channel of a series, chosen and fitted.

    Args:
        name: string, a key of `MODELS`.
        season: int, the number of steps of a season; 1 is none.
        series: float array `(time, channels)`, for training.

    Raises:
        CannotBeFitted: statsforecast has failed.
    """
    from statsforecast import models

    found = []
    for channel in series.T.astype("float64"):
        model = getattr(models, MODELS[name])(season_length=season)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found.append(model.fit(channel))
        except Exception as error:  # It raises nothing more specific.
            raise CannotBeFitted(
                f"{MODELS[name]} of {PACKAGE} cannot be fitted to "
                f"{len(channel):,} rows with a season of {season}: {error}"
            ) from error
    return found


def forecast(
    models: list[Any], series: np.ndarray, origins: Any, horizon: int
) -> np.ndarray:
    """Forecasts of a series from some origins.

    Args:
        models: list that `fit` returned.
        series: float array `(time, channels)`, from the first step that the
            models were fitted to.
        origins: int array `(n,)`, the first steps that are forecast.
        horizon: int, how many steps are forecast.

    Returns:
        Float array `(n, horizon, channels)`.
    """
    channels = series.T.astype("float64")
    found = np.empty((len(origins), horizon, len(channels)))
    for index, (model, channel) in enumerate(
        zip(models, channels, strict=True)
    ):
        for row, origin in enumerate(origins):
            known = channel[:origin]
            found[row, :, index] = model.forward(known, horizon)["mean"]
    return found


class Classical:
    """A rival whose models are fitted to the series of a task, in its units.

    Args:
        name: string, a key of `MODELS`.
        task: a `Task` with a `history`.
        season: int, the number of rows of a season; 1 is none.
    """

    def __init__(self, name: str, task: Task, season: int) -> None:
        self.name, self.season = name, season
        self.horizon: Any = task.horizon
        self.history: Any = task.history
        self.reader = task.reader
        self.fitted: dict[int, tuple[int, list[Any]]] = {}

    def fit(self, x: Any, y: np.ndarray) -> None:
        """Fits a model to each stretch of which rows are forecast."""
        origins = self.history.origins
        held_out = np.concatenate([origins["validation"], origins["test"]])
        for number in np.unique(self.history.stretch_numbers(held_out)):
            start, stop = self._fitted_rows(self.history.stretches[number])
            models = fit(self.name, self.season, self._rows(start, stop))
            self.fitted[number] = start, models

    def predict(self, origins: np.ndarray) -> np.ndarray:
        """Standardized forecasts, `(n, horizon * columns)`."""
        numbers = self.history.stretch_numbers(origins)
        columns = self.history.values.shape[1]
        found = np.empty((len(origins), self.horizon, columns))
        for number in np.unique(numbers):
            is_here = numbers == number
            start, models = self.fitted[number]
            series = self._rows(start, self.history.stretches[number].stop)
            found[is_here] = forecast(
                models, series, origins[is_here] - start, self.horizon
            )
        scaled = (found - self.reader.mean) / self.reader.scale
        return scaled.reshape(len(origins), -1)

    def _fitted_rows(self, stretch: Stretch) -> tuple[int, int]:
        # After a gap a stretch may have few rows of train, or none. No row of
        # its first context is forecast.
        stop = max(stretch.train_stop, stretch.start + self.reader.context)
        return max(stretch.start, stop - MAX_ROWS), stop

    def _rows(self, start: int, stop: int) -> np.ndarray:
        # Some models are only for numbers above 0.
        return self.reader.in_units(self.history.values[start:stop])


def settings(name: str, season: int | None) -> tuple[Mapping[str, int], ...]:
    """The settings of which validation chooses, the fastest first."""
    longest = LONGEST_ETS_SEASON if name == baselines.AUTO_ETS else np.inf
    plain = {"season": 1}
    if season is None or not 1 < season <= longest:
        return (plain,)
    return plain, {"season": season}


def maker(name: str) -> Any:
    """A function of a task and a setting that returns a `Classical`."""
    return functools.partial(_make, name)


def _make(name: str, task: Task, setting: Mapping[str, int]) -> Classical:
    return Classical(name, task, setting["season"])
