"""Studies of tasks that are forecasts of a table."""

import dataclasses
import importlib.util
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from keras_fpt import studies, tasks
from keras_fpt.results import arms_table, load_runs, not_run, summarize
from keras_fpt.runs import RunConfig, resolve
from keras_fpt.studies import (
    Comparison,
    SweepConfig,
    dlinear,
    optuna_studies,
    rival_models,
    rivals,
    sweep_worker,
)
from keras_fpt.studies.deadline import Deadline

pytestmark = pytest.mark.backend_free


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    noise = np.random.default_rng(0).normal(size=150)
    season = np.sin(np.arange(150) / 12 * 2 * np.pi)
    path = tmp_path_factory.mktemp("data") / "months.csv"
    pd.DataFrame({"sun": 100 + 30 * season + 3 * noise}).to_csv(
        path, index=False
    )
    return path


@pytest.fixture(scope="module")
def config(preset, table):
    options = {
        "task_type": "forecast",
        "target_column": ["sun"],
        "context": 24,
        "horizon": 6,
    }
    return RunConfig(str(table), preset, options=options).with_settings(
        depth=1, steps=4, batch_size=20
    )


@pytest.mark.slow
def test_a_sweep_takes_the_rate_with_the_lowest_error(config, tmp_path):
    sweep = SweepConfig(
        config, ("fpt",), {"learning_rate": (1e-6, 1e-2)}, seeds=2, extensions=0
    )
    (tmp_path / sweep_worker.CONFIG).write_text(sweep.to_json())
    storage = optuna_studies.open_storage(f"sqlite:///{tmp_path}/study.db", 60)
    sweep_worker.work(sweep, tmp_path, storage)
    runs = load_runs(tmp_path / "runs")
    searched = runs[~runs["final"]].set_index("learning_rate")
    best = searched["validation_mse"].idxmin()
    assert set(runs[runs["final"]]["learning_rate"]) == {best} == {1e-2}
    found = arms_table.with_floors(summarize(runs), runs)
    assert list(found.index.get_level_values("arm"))[1:] == [
        "naive", "seasonal naive",
    ]  # fmt: skip
    task = resolve(config).task
    floors = task.floors("test")
    assert found["test_mse"].iloc[1] == pytest.approx(-floors["naive"].mean())
    row = found.iloc[0]
    finals = runs[runs["final"]]["test_mse"]
    assert row["test_mse"] == pytest.approx(finals.mean(), rel=1e-4)


def test_a_comparison_of_forecasts(config, tmp_path, monkeypatch):
    plan = studies.compare.Plan((1e-2,), 1, 4, shares_seed=True)
    comparison = Comparison(config)
    variants = comparison.variants(resolve(config).task)
    assert not any(each.cache_features for each in variants)
    assert [each.arm for each in variants] == [
        "fpt", "random", "no_blocks", "lstm", "fpt",
    ]  # fmt: skip
    assert resolve(variants[2]).model.depth == 0
    monkeypatch.setattr(
        Comparison, "variants", lambda self, task: [variants[0]]
    )
    folder, found, sentence = studies.run_comparison(
        comparison, tmp_path / "compare", 600, plan=plan
    )
    names = list(found.index.get_level_values("arm"))
    assert names[:5] == ["fpt", "naive", "seasonal naive", "ridge", "dlinear"]
    skipped = [each.what for each in not_run.read(folder)]
    assert {*names[5:], *skipped} >= {"auto_ets", "auto_arima"}
    assert sentence.startswith("A frozen ") and "test MSE of" in sentence
    page = (folder / "report.html").read_text()
    assert "<h3>Forecasts</h3>" in page


def test_rivals_of_forecasts(config):
    """They see the numbers that the model sees, and are what they say."""
    task = resolve(config).task
    train, test = (task.data.splits[name] for name in ("train", "test"))
    naive, seasonal = rivals.simple_rules(task)
    assert (naive.name, seasonal.name) == ("naive", "seasonal_naive")
    error = test.x[:, -1:] - test.y
    assert naive.values["test_mse"] == pytest.approx((error**2).mean())
    assert naive.values["test_mae"] == pytest.approx(np.abs(error).mean())
    assert naive.measure.name == "mse"
    # Six rows ahead, a year before.
    error = test.x[:, -12:-6] - test.y
    assert seasonal.values["test_mse"] == pytest.approx((error**2).mean())
    fitted, missing = rivals.fit_all(task, Deadline(60), 30)
    ridge, linear = fitted[:2]
    assert (ridge.name, linear.name) == ("ridge", "dlinear")
    if importlib.util.find_spec("statsforecast") is None:
        assert [each.what for each in missing] == ["auto_ets", "auto_arima"]
        assert "pip install 'keras-fpt[compare]'" in missing[0].reason
    assert linear.values["test_mse"] < naive.values["test_mse"]
    # Trend and remainder are a linear map of the context, so that with
    # hardly any penalty both are the same regression.
    model = dlinear.DLinear(1, 1e-9)
    model.fit(train.x, train.y)
    flat = Ridge(1e-9).fit(train.x[..., 0], train.y[..., 0])
    np.testing.assert_allclose(
        model.predict(test.x), flat.predict(test.x[..., 0]), atol=1e-4
    )


def test_dlinear_has_one_map_for_all_channels():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 8, 2))
    y = np.stack([x[:, -1], x[:, -1] + x[:, -2]], axis=1)
    model = dlinear.DLinear(2, 1e-6)
    model.fit(x, y)
    found = model.predict(x[:5].reshape(5, -1)).reshape(5, 2, 2)
    np.testing.assert_allclose(found, y[:5], atol=1e-4)
    assert len(model.model.coef_) == 2  # Steps, not steps and channels.


def test_fewer_training_examples(config):
    task = resolve(config).task
    fewer = tasks.with_train_examples(task, 7)
    assert fewer.data.size("train") == 7
    assert fewer.data.labels("train").shape == (7, 6, 1)
    assert fewer.data.size("test") == task.data.size("test")
    ets = rival_models.of_task(fewer)[2]
    assert ets.name == "auto_ets"
    installed = dataclasses.replace(ets, package=None)
    assert "whole series" in installed.reason_against(fewer)
    assert installed.reason_against(task) is None


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """A `statsforecast` whose models forecast the value of a season before."""
    (tmp_path / "statsforecast").mkdir()
    (tmp_path / "statsforecast" / "__init__.py").touch()
    (tmp_path / "statsforecast" / "models.py").write_text(
        """
import numpy as np

fitted = []


class AutoETS:
    def __init__(self, season_length):
        self.season = season_length

    def fit(self, y):
        fitted.append((self.season, y))
        return self

    def forward(self, y, h):
        ahead = np.arange(h)
        back = ahead - self.season * (1 + ahead // self.season)
        return {"mean": y[np.maximum(back, -len(y))]}


class AutoARIMA(AutoETS):
    def fit(self, y):
        if self.season > 1:
            raise Exception("too short")
        return super().fit(y)
"""
    )
    for name in ("statsforecast", "statsforecast.models"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda: sys.modules["statsforecast.models"].fitted
    for name in ("statsforecast", "statsforecast.models"):
        sys.modules.pop(name, None)


def _fit_classical(task):
    fitted, missing = rivals.fit_all(
        task, Deadline(60), 30, known=("ridge", "dlinear")
    )
    assert not missing
    return fitted


def test_models_of_whole_series_know_all_before_each_origin(stub, config):
    """A model that repeats a season has the errors of that rule."""
    task = resolve(config).task
    naive, seasonal = rivals.simple_rules(task)
    ets, arima = _fit_classical(task)
    assert (ets.name, ets.settings) == ("auto_ets", "season 12")
    # What cannot be fitted leaves the setting that could.
    assert (arima.name, arima.settings) == ("auto_arima", "season 1")
    for found, rule in ((ets, seasonal), (arima, naive)):
        for split in ("validation", "test"):
            expected = rule.values[f"{split}_mse"]
            assert found.values[f"{split}_mse"] == pytest.approx(
                expected, rel=1e-4
            )
        np.testing.assert_allclose(found.right, rule.right, rtol=1e-3)
        assert "train_mse" not in found.values
    # In the unit of the series, and of train alone.
    values = pd.read_csv(config.task)["sun"]
    for _, y in stub():
        np.testing.assert_allclose(y, values[: len(y)], rtol=1e-5)
        assert len(y) == task.history.stretches[0].train_stop == 108


def test_series_with_gaps_have_a_model_for_each_stretch(stub, tmp_path):
    """Stations, a missing cell, and a gap in time within the test."""
    generator = np.random.default_rng(0)
    rows = [
        (name, time + 30 * (time >= 85), 10 + generator.random())
        for name in "ab"
        for time in range(100)
    ]
    frame = pd.DataFrame(rows, columns=["station", "time", "x"])
    frame.loc[20, "x"] = np.nan
    frame.to_csv(tmp_path / "stations.csv", index=False)
    task = tasks.from_series(
        tmp_path / "stations.csv",
        "x",
        horizon=2,
        context=4,
        group_column="station",
        time_column="time",
        drop_missing=True,
        verbose=False,
    )
    found = _fit_classical(task)[-1]
    naive = rivals.simple_rules(task)[0]
    assert found.values["test_mse"] == pytest.approx(
        naive.values["test_mse"], rel=1e-4
    )
    # Of a stretch within the test, what its first forecast is made from.
    lengths = [len(y) for season, y in stub() if season == 1]
    assert lengths[-4:] == [51, 4, 72, 4]


def test_few_of_many_test_examples_are_forecast(stub, config, monkeypatch):
    monkeypatch.setattr(rival_models, "MAX_ORIGINS", 7)
    task = resolve(config).task
    for found in _fit_classical(task):
        assert found.test_examples == 7
        assert found.settings.endswith("7 of 25 test examples")
        assert found.right.shape == (7,)
