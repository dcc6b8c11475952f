"""Compares a frozen forecaster with controls and rivals."""

import dataclasses
import importlib.util

import numpy as np
import pytest

from keras_fpt.studies import (
    compare_forecasts,
    dlinear,
    find_season,
    fit_forecast_rivals,
    forecast_rivals,
    forecast_table,
)
from keras_fpt.tasks import forecast_errors, split_series

pytestmark = pytest.mark.backend_free
STEPS = np.arange(240)
# Two seasons of a channel, whose trend is what seasonal naive misses.
SERIES = np.stack(
    [
        100 + 0.1 * STEPS + 10 * np.sin(2 * np.pi * STEPS / 12),
        np.cos(2 * np.pi * STEPS / 12) + 0.3 * np.cos(2 * np.pi * STEPS / 6),
    ],
    axis=1,
)
SPLITS = split_series(SERIES, context=30, horizon=6)
HAS_STATSFORECAST = importlib.util.find_spec("statsforecast") is not None


@pytest.fixture(scope="module")
def rivals():
    results, not_run = fit_forecast_rivals(SPLITS)
    return {result.name: result for result in results}, not_run


def test_naive_forecasts_against_numpy(rivals):
    found, _ = rivals
    for i, origin in enumerate(SPLITS.test.origins):
        last = np.repeat(SERIES[origin - 1 : origin], 6, axis=0)
        np.testing.assert_allclose(
            found["naive"].forecast[i], last, rtol=1e-6, atol=1e-6
        )
        before = SERIES[origin - 12 : origin - 6]
        np.testing.assert_allclose(
            found["seasonal_naive"].forecast[i], before, rtol=1e-6, atol=1e-6
        )
    errors = (found["naive"].forecast - SPLITS.test.y) / SPLITS.train_scale
    assert found["naive"].mse == pytest.approx((errors**2).mean(), rel=1e-6)
    assert found["seasonal_naive"].settings == "season 12"


def test_a_season_that_is_shorter_than_the_horizon():
    forecast = forecast_rivals._one_season_before(SPLITS, 4)(SPLITS.test)
    origin = SPLITS.test.origins[0]
    expected = SPLITS.series[origin - 4 + np.array([0, 1, 2, 3, 0, 1])]
    np.testing.assert_array_equal(forecast[0], expected)


def test_dlinear_learns_what_is_linear(rivals):
    found, _ = rivals
    assert found["dlinear"].mse < 1e-3 < found["seasonal_naive"].mse
    assert found["dlinear"].settings == "ridge 0.01"


def test_trend_and_remainder_of_dlinear():
    rows = np.random.default_rng(0).normal(size=(3, 40))
    trend = dlinear._moving_average(rows)
    padded = np.concatenate(
        [np.repeat(rows[:, :1], 12, 1), rows, np.repeat(rows[:, -1:], 12, 1)], 1
    )
    expected = [padded[:, i : i + 25].mean(axis=1) for i in range(40)]
    np.testing.assert_allclose(trend, np.transpose(expected))


def test_missing_packages_are_named(rivals):
    found, not_run = rivals
    if HAS_STATSFORECAST:
        assert {"auto_ets", "auto_arima"} <= found.keys()
        return
    assert [entry.what for entry in not_run] == ["auto_ets", "auto_arima"]
    assert "pip install 'keras-fpt[compare]'" in not_run[0].reason


def test_a_season_is_not_sought_in_the_test():
    series = SERIES[:, 0].copy()
    splits = split_series(series, 30, 6)
    series[splits.test_start :] = 10 * np.sin(
        2 * np.pi * np.arange(len(series) - splits.test_start) / 5
    )
    assert find_season(split_series(series, 30, 6)) == 12
    assert find_season(split_series(np.arange(200.0), 30, 6)) is None
    _, not_run = fit_forecast_rivals(split_series(STEPS / 1.0, 30, 6))
    assert "Give the" in not_run[0].reason
    with pytest.raises(ValueError, match="a season from 2 to the 168 steps"):
        fit_forecast_rivals(splits, season=1)


def test_the_frozen_model_and_its_controls(preset):
    splits = split_series(SERIES, context=30, horizon=6, stride=10)
    results, _ = compare_forecasts(
        splits,
        preset,
        arms=("fpt", "no_blocks"),
        epochs=1,
        learning_rates=(1e-5, 1e-1),
        patch_size=6,
    )
    found = [result for result in results if result.seed is not None]
    assert [each.name for each in found] == ["fpt", "no_blocks"]
    for each in found:
        errors = forecast_errors(
            each.forecast, splits.test.y, splits.train_scale
        )
        assert each.mse == pytest.approx(errors["mse"])
        assert each.settings.startswith("learning rate")
    assert found[0].mse != found[1].mse
    again = dataclasses.replace(found[0], seed=1, mse=found[0].mse + 2)
    shown = forecast_table([*results, again])
    assert shown.mse.is_monotonic_increasing
    assert shown.loc["fpt", "mse"] == pytest.approx(found[0].mse + 1)
    assert shown.loc["fpt", "mse of seeds"].count(",") == 1


def test_what_is_known_of_the_horizon(preset, monkeypatch):
    """Each step is 10, and 4 more on holidays, which no past tells."""
    rng = np.random.default_rng(0)
    holidays = rng.integers(0, 2, 240)
    sales = 10 + 4 * holidays + 0.1 * rng.normal(size=240)
    series = np.stack([sales, holidays], axis=1)
    splits = split_series(series, 24, 6, stride=4, future_dim=1)
    results, _ = compare_forecasts(
        splits, preset, arms=("fpt",), epochs=1, season=7, patch_size=6
    )
    found = {result.name: result for result in results}
    assert found["dlinear"].mse < 0.05 < 0.5 < found["naive"].mse
    for name in ("naive", "seasonal_naive", "dlinear", "fpt"):
        assert found[name].forecast.shape == splits.test.y.shape
    np.testing.assert_array_equal(
        found["naive"].forecast[:, 0, 0],
        splits.series[splits.test.origins - 1, 0],
    )
    # The models of statsforecast read what is forecast alone, which is said.
    classical = forecast_rivals.classical
    monkeypatch.setattr(classical, "PACKAGE", "numpy")
    monkeypatch.setattr(classical, "fit", lambda name, season, train: train)
    monkeypatch.setattr(classical, "forecast", lambda chosen, *rest: rest[0])
    fitted = forecast_rivals._auto_ets(splits, None)
    assert fitted.settings == "season 1, without known channels"
    assert fitted.forecast(splits.test).shape == (240, 1)
