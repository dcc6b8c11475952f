"""Windows of a series, split by time."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_fpt.tasks import cut_windows, forecast_errors, split_series

pytestmark = pytest.mark.backend_free
STEPS = np.arange(100.0)


@given(
    time=st.integers(1, 60),
    context=st.integers(1, 20),
    horizon=st.integers(1, 10),
    stride=st.integers(1, 7),
)
def test_windows_are_steps_that_follow_one_another(
    time, context, horizon, stride
):
    series = np.stack([np.arange(time), -np.arange(time)], axis=1)
    windows = cut_windows(series, context, horizon, stride)
    count = max(0, (time - context - horizon) // stride + 1)
    assert windows.x.shape == (count, context, 2)
    assert windows.y.shape == (count, horizon, 2)
    joined = np.concatenate([windows.x, windows.y], axis=1)
    for i, origin in enumerate(windows.origins):
        assert origin == context + i * stride
        expected = series[origin - context : origin + horizon]
        np.testing.assert_array_equal(joined[i], expected)


def test_windows_are_those_of_keras():
    series = np.random.default_rng(0).normal(size=(40, 2)).astype("float32")
    windows = cut_windows(series, 5, 3, stride=2)
    expected = keras.utils.timeseries_dataset_from_array(
        series, None, sequence_length=8, sequence_stride=2, batch_size=100
    )
    (batch,) = expected.as_numpy_iterator()
    np.testing.assert_array_equal(windows.x, batch[:, :5])
    np.testing.assert_array_equal(windows.y, batch[:, 5:])
    assert np.shares_memory(windows.x, windows.y)


@given(
    time=st.integers(100, 300),  # Each part has room for a window.
    context=st.integers(1, 12),
    horizon=st.integers(1, 6),
    shares=st.tuples(st.floats(0.1, 0.4), st.floats(0.1, 0.4)),
    stride=st.integers(1, 5),
)
def test_nothing_of_a_later_part_is_in_an_earlier_one(
    time, context, horizon, shares, stride
):
    splits = split_series(np.arange(time), context, horizon, *shares, stride)
    train, validation, test = splits.train, splits.validation, splits.test
    assert max(train.x.max(), train.y.max()) < splits.validation_start
    assert validation.y.min() == splits.validation_start
    assert max(validation.x.max(), validation.y.max()) < splits.test_start
    assert test.y.min() == splits.test_start
    assert test.y.max() == time - 1
    # Every forecast is made from the steps before it.
    for part in (train, validation, test):
        np.testing.assert_array_equal(part.x[:, -1, 0] + 1, part.y[:, 0, 0])
    assert (np.diff(train.origins) == stride).all()


def test_a_rolling_evaluation_with_a_stride():
    splits = split_series(STEPS, 10, 5, test_stride=5)
    assert splits.test.origins.tolist() == [80, 85, 90, 95]
    np.testing.assert_array_equal(splits.test.y.ravel(), STEPS[80:])
    assert splits.validation.origins.tolist() == [70, 75]
    assert (splits.context, splits.horizon, splits.channels) == (10, 5, 1)
    np.testing.assert_allclose(splits.train_scale, STEPS[:70].std())


def test_channels_that_are_known_are_of_the_horizon_as_well():
    series = np.stack([STEPS, 2 * STEPS, -STEPS], axis=1)
    splits = split_series(series, 10, 5, stride=3, future_dim=1)
    plain = split_series(series, 10, 5, stride=3)
    for name in ("train", "validation", "test"):
        part, without = getattr(splits, name), getattr(plain, name)
        np.testing.assert_array_equal(part.origins, without.origins)
        np.testing.assert_array_equal(part.x[:, :10], without.x)
        np.testing.assert_array_equal(part.x[:, 10:, 2], without.y[..., 2])
        assert not part.x[:, 10:, :2].any()
        np.testing.assert_array_equal(part.y, without.y[..., :2])
    assert (splits.context, splits.horizon, splits.channels) == (10, 5, 2)
    np.testing.assert_allclose(splits.train_scale, plain.train_scale[:2])
    # The series itself is not changed.
    np.testing.assert_array_equal(splits.series, series)
    assert len(cut_windows(series[:9], 5, 5, future_dim=1)) == 0


def test_errors_by_step():
    y = np.zeros((4, 2, 3))
    forecast = y + np.array([1.0, -3.0])[:, None]
    errors = forecast_errors(forecast, y, scale=[1.0, 2.0, 4.0])
    squares = (1 + 1 / 4 + 1 / 16) / 3
    np.testing.assert_allclose(errors["mse_by_step"], [squares, 9 * squares])
    sizes = (1 + 1 / 2 + 1 / 4) / 3
    np.testing.assert_allclose(errors["mae_by_step"], [sizes, 3 * sizes])
    assert errors["mse"] == pytest.approx(5 * squares)
    assert errors["mae"] == pytest.approx(2 * sizes)
    with pytest.raises(ValueError, match="of one shape"):
        forecast_errors(forecast[..., 0], y)


@pytest.mark.parametrize(
    ("series", "arguments", "words"),
    [
        (np.where(STEPS == 7, np.nan, STEPS), {}, "nan at step 7 of channel 0"),
        (STEPS * 1e40, {}, "inf at step 1 of channel 0, and 98 more"),
        (STEPS.reshape(10, 2, 5), {}, "For several series"),
        (STEPS.astype(str), {"context": 0}, "context to be an integer"),
        (["a", "b"], {}, "series of numbers"),
        (STEPS, {"context": 70}, "train, of 0 steps to forecast out of 100"),
        (STEPS, {"horizon": 15}, "but validation, of 10 steps"),
        (STEPS, {"test": 1.0}, "test to be a share"),
        (STEPS, {"stride": 0}, "stride to be an integer of at least 1"),
        (STEPS, {"future_dim": 1}, "more channels than the future_dim of 1"),
        (STEPS, {"future_dim": -1}, "future_dim to be an integer of at least"),
    ],
)
def test_what_cannot_be_cut(series, arguments, words):
    with pytest.raises(ValueError, match=words):
        split_series(series, **{"context": 10, "horizon": 5, **arguments})
