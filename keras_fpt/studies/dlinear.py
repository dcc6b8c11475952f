"""DLinear in closed form: one linear map of trend and remainder."""

import numpy as np
from sklearn.linear_model import Ridge

# The steps of the moving average.
_TREND_STEPS = 25


class DLinear:
    """One linear map of trend and remainder, the same for all channels.

    DLinear trains it by gradient steps; as a ridge regression it has a closed
    form.

    Args:
        channels: int, the numbers of a step.
        alpha: float, the strength of the ridge regression.
        horizon: int, how many of the last steps hold only what is known in
            advance, if anything is.
        future_dim: int, how many further numbers of a step are known in
            advance. They are further inputs of the linear map.

    Source: Zeng et al., 2023, "Are Transformers Effective for Time Series
    Forecasting?", arXiv 2205.13504.
    """

    def __init__(
        self,
        channels: int,
        alpha: float,
        horizon: int = 0,
        future_dim: int = 0,
    ) -> None:
        self.channels = channels
        self.horizon, self.future_dim = horizon, future_dim
        self.model = Ridge(alpha)

    def fit(self, x: np.ndarray, y: np.ndarray) -> None:
        """Fits the map to standardized windows.

        Args:
            x: float array `(n, context, channels)`, or flattened; or with what
                is known in advance
                `(n, context + horizon, channels + future_dim)`.
            y: float array `(n, horizon, channels)`, or flattened.
        """
        self.model.fit(self._features(x), self._by_channel(y))

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Forecasts windows; `(n, horizon * channels)`, steps first."""
        rows = self.model.predict(self._features(x))
        rows = rows.reshape(len(x), self.channels, -1)
        return np.swapaxes(rows, 1, 2).reshape(len(x), -1)

    def _by_channel(self, steps: np.ndarray) -> np.ndarray:
        """A row for each channel of each window."""
        steps = steps.reshape(len(steps), -1, self.channels)
        return np.swapaxes(steps, 1, 2).reshape(
            len(steps) * self.channels, steps.shape[1]
        )

    def _features(self, x: np.ndarray) -> np.ndarray:
        known = []
        if self.future_dim:
            steps = x.reshape(len(x), -1, self.channels + self.future_dim)
            x = steps[:, : -self.horizon, : self.channels]
            further = steps[..., self.channels :].reshape(len(steps), -1)
            known = [np.repeat(further, self.channels, axis=0)]
        rows = self._by_channel(x)
        trend = _moving_average(rows)
        return np.concatenate([trend, rows - trend, *known], axis=1)


def _moving_average(rows: np.ndarray) -> np.ndarray:
    """The mean around each step, where the ends are repeated."""
    before = (_TREND_STEPS - 1) // 2
    widths = ((0, 0), (before, _TREND_STEPS - 1 - before))
    padded = np.pad(rows, widths, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(
        padded, _TREND_STEPS, axis=1
    )
    return around.mean(axis=-1)
