"""Runs of every head, killed and resumed, with all that stands around them."""

# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811
import numpy as np
import pandas as pd
import pytest
from interrupting import fail_at, result, small_evaluations

from keras_fpt.models import FPTModel
from keras_fpt.runs import RunConfig, checkpoint_folder, load_trained, train

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 8, 2)).astype("float32")
SERIES = {
    "patch_size": 3,
    "patch_stride": 2,
    "instance_norm": True,
    "readout": "last+mean",
    "output_norm": "batch",
}
QUANTILES = {"quantiles": "0.1,0.5,0.9"}
# The labels of each case, how its data is read, and its settings.
ARRAYS = {
    "classifier": ((X.mean((1, 2)) > 0).astype(int), {}, SERIES),
    "multi_label": ((X.mean(1) > 0).astype(int), {}, SERIES),
    "token": (
        (X[..., 0] > 0).astype(int),
        {"task_type": "tokens"},
        {"instance_norm": True, "output_norm": "layer"},
    ),
    "regressor": (50 + 10 * X.mean((1, 2)), {}, {**SERIES, **QUANTILES}),
}
FORECAST = {
    "task_type": "forecast",
    "target_column": ["sales"],
    "context": 12,
    "horizon": 3,
}
TABLES = {
    "forecaster": (FORECAST, {"channel_independent": "each"}),
    "forecaster_future": (
        {**FORECAST, "future_column": ["holiday"]},
        {**QUANTILES, "patch_size": 4, "patch_stride": 2},
    ),
}

# The other heads resume at their defaults every day, in the tests of their
# runs, and a batch norm does in test_series.py.
EVERY_DAY = ("token", "regressor", "forecaster_future")
CASES = [
    pytest.param(name, marks=[pytest.mark.slow] * (name not in EVERY_DAY))
    for name in [*ARRAYS, *TABLES]
]


def case(name, folder):
    """The file, the options and the settings of a case."""
    if name in ARRAYS:
        path = folder / "own.npz"
        y, options, settings = ARRAYS[name]
        np.savez(path, x=X, y=y)
        return path, options, settings
    path = folder / "own.csv"
    holiday = RNG.integers(0, 2, 90)
    sales = 100 + 30 * holiday + RNG.normal(size=90)
    pd.DataFrame({"sales": sales, "holiday": holiday}).to_csv(path, index=False)
    return path, *TABLES[name]


class Killed(BaseException):
    pass


@pytest.mark.backend_free
@pytest.mark.parametrize("name", CASES)
def test_a_killed_run_of_any_head_ends_as_the_whole(
    name, preset, tmp_path, monkeypatch
):
    path, options, settings = case(name, tmp_path)
    config = RunConfig(str(path), preset, options=options).with_settings(
        depth=1, steps=5, batch_size=20, dropout=0.1, **settings
    )
    train(config, tmp_path / "whole")
    with monkeypatch.context() as patch:
        fail_at(patch, checkpoint_folder, "write", 3, Killed, False)
        with pytest.raises(Killed):
            train(config, tmp_path / "run")
    train(config, tmp_path / "run", resume=True)
    assert result(tmp_path / "run") == result(tmp_path / "whole")
    _, model = load_trained(tmp_path / "run")
    assert isinstance(model, FPTModel) and name.startswith(model.head[:5])
