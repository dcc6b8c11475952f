"""The results of a forecasting model on the windows that all models receive."""

import dataclasses
from collections.abc import Iterable

import numpy as np
import pandas as pd

from keras_fpt.tasks import ForecastSplits, forecast_errors


@dataclasses.dataclass(frozen=True)
class ForecastResult:
    """A model's errors, in multiples of each channel's deviation in train.

    Args:
        name: string.
        settings: string, what validation chose.
        seed: int, or `None` where nothing is drawn.
        validation_mse: float, or `None` where nothing is chosen.
        mse, mae: floats, of the test.
        mse_by_step: float array `(horizon,)`, of the test, by how far ahead a
            step is.
        seconds: float, of the whole search, with the test.
        forecast: float array `(n, horizon, channels)`, of the test, in the
            unit of the series.
    """

    name: str
    settings: str
    seed: int | None
    validation_mse: float | None
    mse: float
    mae: float
    mse_by_step: np.ndarray
    seconds: float
    forecast: np.ndarray

    @classmethod
    def of(
        cls,
        name: str,
        splits: ForecastSplits,
        forecast: np.ndarray,
        seconds: float,
        settings: str = "",
        seed: int | None = None,
        validation_mse: float | None = None,
    ) -> "ForecastResult":
        """The result of a forecast of the test windows."""
        errors = forecast_errors(forecast, splits.test.y, splits.train_scale)
        return cls(
            name,
            settings,
            seed,
            validation_mse,
            errors["mse"],
            errors["mae"],
            errors["mse_by_step"],
            seconds,
            np.asarray(forecast),
        )


def forecast_table(results: Iterable[ForecastResult]) -> pd.DataFrame:
    """Results as a table with one row per model, best first.

    Seeds are averaged; `mse of seeds` lists each.
    """
    rows = []
    by_name: dict[str, list[ForecastResult]] = {}
    for result in results:
        by_name.setdefault(result.name, []).append(result)
    for name, found in by_name.items():
        rows.append(
            {
                "model": name,
                "mse": np.mean([each.mse for each in found]),
                "mae": np.mean([each.mae for each in found]),
                "mse of seeds": ", ".join(f"{each.mse:.3f}" for each in found),
                "seconds": np.mean([each.seconds for each in found]),
                "settings": "; ".join(dict.fromkeys(e.settings for e in found)),
            }
        )
    frame = pd.DataFrame(rows).set_index("model")
    return frame.sort_values("mse", kind="stable")
