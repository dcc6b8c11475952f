"""Compares the frozen model with controls and rivals on one series."""

import logging
import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_fpt.models import FPTForecaster, default_dropout, paper_optimizer
from keras_fpt.presets import Preset
from keras_fpt.random_weights import Draw
from keras_fpt.results import NotRun
from keras_fpt.runs import arms as known_arms
from keras_fpt.runs import target_results
from keras_fpt.studies.forecast_results import ForecastResult
from keras_fpt.studies.forecast_rivals import fit_forecast_rivals
from keras_fpt.tasks import ForecastSplits, forecast_errors

LOGGER = logging.getLogger(__name__)
# Epochs without a better validation error after which training stops.
_PATIENCE = 3


def compare_forecasts(
    splits: ForecastSplits,
    preset: str = "gpt2_tiny_en",
    arms: Sequence[str] = ("fpt", "random", "no_blocks"),
    seeds: Sequence[int] = (0,),
    epochs: int = 20,
    batch_size: int = 32,
    learning_rates: Sequence[float] = (1e-3,),
    season: int | None = None,
    rival_seconds: float = 60.0,
    **settings: Any,
) -> tuple[list[ForecastResult], list[NotRun]]:
    """Forecasts a series with a frozen model, its controls and its rivals.

    All forecast the same windows. The epoch and the learning rate of each
    model are those with the smallest validation error; test is read once.

    Args:
        splits: `keras_fpt.tasks.ForecastSplits`. The frozen model, its
            controls and DLinear also see channels that are known in advance.
            The models do not standardize those: give them at a scale of
            about 1.
        preset: string, as of `FPTForecaster.from_preset`.
        arms: names of arms, see docs/arms.md.
        seeds: ints, for the new layers, the order of the windows, and the
            weights of arms that draw them.
        epochs: int, the most passes over train. Training stops after three
            without a better validation error.
        batch_size: int.
        learning_rates: floats, of which validation chooses.
        season: int, as of `fit_forecast_rivals`.
        rival_seconds: float, what each rival may take.
        **settings: arguments of `FPTForecaster`, such as `patch_size`.

    Returns:
        Tuple of a list of `ForecastResult`, rivals first, and a list of
        `NotRun`.

    Raises:
        ValueError: an arm or a preset is unknown, or the settings do not fit.

    Example:

    ```python
    series = np.sin(np.arange(600) / 5)
    splits = keras_fpt.tasks.split_series(
        series, context=48, horizon=12, stride=10
    )
    results, not_run = keras_fpt.studies.compare_forecasts(
        splits, arms=("fpt", "no_blocks"), epochs=2, patch_size=8
    )
    print(keras_fpt.studies.forecast_table(results))
    ```
    """
    chosen = [known_arms.get(name) for name in arms]
    results, not_run = fit_forecast_rivals(splits, season, rival_seconds)
    for arm in chosen:
        for seed in seeds:
            began = time.monotonic()
            tried = []
            for rate in learning_rates:
                model = _make(splits, preset, arm, seed, settings)
                _train(model, splits, rate, epochs, batch_size)
                validation = splits.validation
                forecast = _points(model, validation.x)
                mse = forecast_errors(
                    forecast, validation.y, splits.train_scale
                )["mse"]
                tried.append((mse, rate, model.get_weights()))
            mse, rate, weights = min(tried, key=lambda each: each[0])
            model.set_weights(weights)
            results.append(
                ForecastResult.of(
                    arm.name,
                    splits,
                    _points(model, splits.test.x),
                    time.monotonic() - began,
                    f"learning rate {rate:g}",
                    seed,
                    mse,
                )
            )
            LOGGER.info(
                f"{arm.name}, seed {seed}, learning rate {rate:g}: validation "
                f"MSE {mse:.3f}"
            )
            keras.utils.clear_session()
    return results, not_run


def _points(model: FPTForecaster, x: np.ndarray) -> np.ndarray:
    """Forecasts `(n, horizon, channels)`, of quantiles the middle one."""
    answers = model.predict(x, verbose=0)
    return target_results.points(answers, model.quantiles or ())


def _make(
    splits: ForecastSplits,
    preset: str,
    arm: known_arms.Arm,
    seed: int,
    settings: dict[str, Any],
) -> FPTForecaster:
    keras.utils.set_random_seed(seed)
    task: Any = None  # Only deep LSTMs have as many positions as a task.
    backbone = arm.make_backbone(Preset.parse(preset), task, Draw(seed), None)
    own = {"policy": arm.policy, "depth": arm.depth}
    rate = default_dropout(backbone)
    return FPTForecaster(
        backbone,
        splits.horizon,
        splits.series.shape[1],
        future_dim=splits.future_dim,
        **{**own, "dropout": rate, **settings},
    )


def _train(
    model: FPTForecaster,
    splits: ForecastSplits,
    rate: float,
    epochs: int,
    batch_size: int,
) -> None:
    train, validation = splits.train, splits.validation
    model.compile(paper_optimizer(rate))
    model.fit(
        np.ascontiguousarray(train.x),
        np.ascontiguousarray(train.y),
        validation_data=(validation.x, validation.y),
        epochs=epochs,
        batch_size=batch_size,
        verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping(
                patience=_PATIENCE, restore_best_weights=True
            )
        ],
    )
