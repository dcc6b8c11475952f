"""Studies of tasks that are forecasts of a table."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from keras_fpt import studies, tasks
from keras_fpt.results import arms_table, load_runs, summarize
from keras_fpt.runs import RunConfig, resolve
from keras_fpt.studies import (
    Comparison,
    SweepConfig,
    dlinear,
    optuna_studies,
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
    monkeypatch.setattr(
        Comparison, "variants", lambda self, task: [variants[0]]
    )
    folder, found, sentence = studies.run_comparison(
        comparison, tmp_path / "compare", 600, plan=plan
    )
    assert list(found.index.get_level_values("arm")) == [
        "fpt", "naive", "seasonal naive", "ridge", "dlinear",
    ]  # fmt: skip
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
    ridge, linear = fitted
    assert (ridge.name, linear.name, missing) == ("ridge", "dlinear", [])
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
