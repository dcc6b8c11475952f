"""Cuts a long series into windows for forecasts, in the order of time."""

import dataclasses
import math
from numbers import Integral
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Windows:
    """Contexts of a series, each with the steps that follow it.

    Args:
        x: float32 array `(n, context, channels)`. With channels that are known
            in advance, `(n, context + horizon, channels + future_dim)`, as
            `keras_fpt.FPTForecaster` takes it; the steps of the horizon are 0
            in the channels that are forecast.
        y: float32 array `(n, horizon, channels)`.
        origins: int array `(n,)`, the step of the series at which each
            forecast begins.
    """

    x: np.ndarray
    y: np.ndarray
    origins: np.ndarray

    def __len__(self) -> int:
        return len(self.origins)


@dataclasses.dataclass(frozen=True)
class ForecastSplits:
    """A series, cut into windows for training, validation and test.

    Args:
        train, validation, test: `Windows`.
        series: float32 array `(time, channels + future_dim)`, all of it.
        validation_start, test_start: int, the first step of each part. No
            window of train has a step from `validation_start` on, and no
            window of validation one from `test_start` on.
        future_dim: int, how many channels, the last ones, are known in
            advance and not forecast.
    """

    train: Windows
    validation: Windows
    test: Windows
    series: np.ndarray
    validation_start: int
    test_start: int
    future_dim: int = 0

    @property
    def context(self) -> int:
        """The number of steps that a forecast is made from."""
        length = self.train.x.shape[1]
        return length - self.horizon if self.future_dim else length

    @property
    def horizon(self) -> int:
        """The number of steps that are forecast."""
        return self.train.y.shape[1]

    @property
    def channels(self) -> int:
        """The number of channels that are forecast."""
        return self.train.y.shape[2]

    @property
    def forecast_series(self) -> np.ndarray:
        """The channels that are forecast, `(time, channels)`."""
        return self.series[:, : self.channels]

    @property
    def train_scale(self) -> np.ndarray:
        """The deviation before validation of each channel that is forecast.

        It is the standard deviation, in float64. That of a constant channel is
        set to 1.
        """
        train = self.forecast_series[: self.validation_start]
        scale = train.std(axis=0, dtype="f8")
        return np.where(scale > 0, scale, 1.0)


def cut_windows(
    series: Any,
    context: int,
    horizon: int,
    stride: int = 1,
    start: int = 0,
    stop: int | None = None,
    future_dim: int = 0,
) -> Windows:
    """Cuts a series into windows of a context and the steps that follow it.

    The arrays are views of the series, so windows that overlap need no further
    memory; the contexts are copies if some channels are known in advance.

    Args:
        series: array `(time, channels)`, or `(time,)` for one channel.
        context: int, how many steps a forecast is made from.
        horizon: int, how many steps are forecast.
        stride: int, the number of steps from one window to the next. With
            `horizon`, every step is forecast once.
        start: int, the first step that may be forecast. Contexts may begin
            before it.
        stop: int, the step before which every window ends. `None` is the end
            of the series.
        future_dim: int, how many channels, the last ones, are known over the
            horizon as well, such as holidays, and are not forecast.

    Returns:
        `Windows`, of which there may be none.

    Raises:
        ValueError: the series contains values that are not finite numbers, a
            size is below 1, or no channel is left to forecast.

    Example:

    ```python
    windows = keras_fpt.tasks.cut_windows(np.arange(10.0), 4, 2)
    windows.x[0, :, 0], windows.y[0, :, 0]  # 0 to 3, and 4 and 5.
    ```
    """
    values = as_series(series)
    for name, size in (
        ("context", context),
        ("horizon", horizon),
        ("stride", stride),
    ):
        if isinstance(size, bool) or not isinstance(size, Integral) or size < 1:
            raise ValueError(
                f"Expected {name} to be an integer of at least 1 but received "
                f"{size}."
            )
    channels = values.shape[1] - future_dim
    is_integer = isinstance(future_dim, Integral)
    if isinstance(future_dim, bool) or not is_integer or future_dim < 0:
        raise ValueError(
            "Expected future_dim to be an integer of at least 0 but received "
            f"{future_dim}."
        )
    if channels < 1:
        raise ValueError(
            f"Expected more channels than the future_dim of {future_dim}, "
            "since both kinds are channels of the series, but it has "
            f"{values.shape[1]}."
        )
    stop = len(values) if stop is None else min(stop, len(values))
    first = max(start - context, 0)
    part = values[first:stop]
    length = context + horizon
    if len(part) < length:
        windows = np.empty((0, length, values.shape[1]), "float32")
    else:
        # (windows, channels, length)
        every = np.lib.stride_tricks.sliding_window_view(part, length, axis=0)
        windows = np.swapaxes(every[::stride], 1, 2)
    origins = first + context + stride * np.arange(len(windows))
    y = windows[:, context:, :channels]
    if not future_dim:
        return Windows(windows[:, :context], y, origins)
    x = windows.copy()
    x[:, context:, :channels] = 0  # What no model may see.
    return Windows(x, y, origins)


def split_series(
    series: Any,
    context: int,
    horizon: int,
    validation: float = 0.1,
    test: float = 0.2,
    stride: int = 1,
    test_stride: int = 1,
    future_dim: int = 0,
) -> ForecastSplits:
    """Splits a series by time, and cuts each part into windows.

    The last steps are the test, those before them validation. What is
    forecast in a part lies within it, while its first contexts reach back into
    the part before, which is known by then. So no step that is forecast in
    validation or test is seen in an earlier part, neither as context nor as
    what is forecast.

    Args:
        series: array `(time, channels)`, or `(time,)` for one channel, in the
            order of time, in any unit.
        context: int, how many steps a forecast is made from.
        horizon: int, how many steps are forecast.
        validation, test: floats, the shares of the steps of these parts.
        stride: int, the number of steps from one window of train to the next.
        test_stride: int, the number of steps from one forecast of validation
            and test to the next: with 1, a rolling evaluation from every
            origin.
        future_dim: int, as of `cut_windows` and `keras_fpt.FPTForecaster`.

    Returns:
        `ForecastSplits`.

    Raises:
        ValueError: the series contains values that are not finite numbers, a
            share is not between 0 and 1, the series is too short for a
            window of each part, or no channel is left to forecast.

    Example:

    ```python
    series = np.sin(np.arange(1000) / 10)
    splits = keras_fpt.tasks.split_series(
        series, context=96, horizon=24, stride=8
    )
    model = keras_fpt.FPTForecaster.from_preset(
        "gpt2_tiny_en", horizon=24, patch_size=8
    )
    validation = splits.validation
    model.fit(
        splits.train.x,
        splits.train.y,
        validation_data=(validation.x, validation.y),
    )
    model.evaluate(splits.test.x, splits.test.y)
    ```

    Source: Zhou et al., 2021, "Informer", arXiv 2012.07436, for parts by time
    whose contexts reach back.
    """
    values = as_series(series)
    shares = {"validation": validation, "test": test}
    for name, share in shares.items():
        if not 0 < share < 1:
            raise ValueError(
                f"Expected {name} to be a share between 0 and 1 but received "
                f"{share}."
            )
    test_start = len(values) - math.ceil(test * len(values))
    validation_start = test_start - math.ceil(validation * len(values))
    parts = {
        "train": (stride, context, validation_start),
        "validation": (test_stride, validation_start, test_start),
        "test": (test_stride, test_start, len(values)),
    }
    cut = {}
    for name, (step, start, stop) in parts.items():
        cut[name] = cut_windows(
            values, context, horizon, step, start, stop, future_dim
        )
        if not len(cut[name]):
            raise ValueError(
                f"Expected at least one window of {context} + {horizon} steps "
                f"in each part, but {name}, of {max(stop - start, 0)} steps "
                f"to forecast out of {len(values)}, has none. Give a longer "
                "series or larger shares, or use a shorter context or horizon."
            )
    return ForecastSplits(
        **cut,
        series=values,
        validation_start=validation_start,
        test_start=test_start,
        future_dim=future_dim,
    )


def as_series(series: Any) -> np.ndarray:
    """A series as a float32 array `(time, channels)`.

    Raises:
        ValueError: it is not one array of finite numbers.
    """
    try:
        values = np.asarray(series, "float64")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Expected a series of numbers but received {error}."
        ) from None
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or not values.shape[1]:
        raise ValueError(
            "Expected one series of shape (time, channels) or (time,) but "
            f"received shape {values.shape}. For several series, cut each and "
            "concatenate their windows."
        )
    with np.errstate(over="ignore"):
        values = values.astype("float32")
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        step, channel = wrong[0]
        raise ValueError(
            f"Expected finite numbers but the series has "
            f"{values[step, channel]} at step {step} of channel {channel}, "
            f"and {len(wrong) - 1} more. Fill them first, for instance with "
            "pandas.Series.interpolate."
        )
    return values


def forecast_errors(forecast: Any, y: Any, scale: Any = 1.0) -> dict[str, Any]:
    """The errors of forecasts, over all and by how far ahead they are.

    Args:
        forecast: array `(n, horizon, channels)`.
        y: array of the same shape, the true values.
        scale: float, or array `(channels,)`: errors are in multiples of it,
            such as the `train_scale` of `ForecastSplits`, which makes the
            mean squared error the one that papers report.

    Returns:
        A dict of floats `mse` and `mae`, and of float64 arrays `(horizon,)`
        `mse_by_step` and `mae_by_step`.

    Raises:
        ValueError: the shapes differ.
    """
    forecast, y = np.asarray(forecast, "f8"), np.asarray(y, "f8")
    if forecast.shape != y.shape or y.ndim != 3:
        raise ValueError(
            "Expected forecasts and true values of one shape (n, horizon, "
            f"channels) but received {forecast.shape} and {y.shape}."
        )
    error = (forecast - y) / np.asarray(scale, "f8")
    square, size = (error**2).mean(axis=(0, 2)), np.abs(error).mean(axis=(0, 2))
    return {
        "mse": float(square.mean()),
        "mae": float(size.mean()),
        "mse_by_step": square,
        "mae_by_step": size,
    }
