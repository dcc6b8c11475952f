"""Runs and rivals of forecasts with columns that are known in advance."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

from keras_fpt import cli
from keras_fpt.runs import (
    RunConfig,
    evaluate,
    evaluate_file,
    predict,
    predict_split,
    resolve,
    train,
)
from keras_fpt.studies import rival_models, rivals
from keras_fpt.studies.deadline import Deadline

pytestmark = pytest.mark.backend_free

CONTEXT, HORIZON = 12, 3
OPTIONS = {
    "task_type": "forecast",
    "target_column": ["sales"],
    "future_column": ["holiday"],
    "time_column": "day",
    "context": CONTEXT,
    "horizon": HORIZON,
}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Sales of 100, and 30 more on holidays; the last three are to come."""
    rng = np.random.default_rng(0)
    holiday = rng.integers(0, 2, 150)
    sales = 100 + 30 * holiday + rng.normal(0, 2, 150)
    sales[-HORIZON:] = np.nan
    path = tmp_path_factory.mktemp("data") / "sales.csv"
    days = pd.date_range("2020-01-01", periods=150)
    pd.DataFrame({"day": days, "sales": sales, "holiday": holiday}).to_csv(
        path, index=False
    )
    return path


@pytest.fixture(scope="module")
def config(preset, table):
    return RunConfig(str(table), preset, options=OPTIONS).with_settings(
        depth=1, steps=60, batch_size=20, learning_rate=1e-2
    )


def test_a_run_forecasts_what_is_known_to_matter(config, table, tmp_path):
    run = tmp_path / "run"
    metrics = train(config, run)
    # Without holidays, half of the variance at least is left.
    assert metrics["test_mse"] < 0.4 < 1 < metrics["test_floor_mse"]
    assert evaluate(run)["mse"] == pytest.approx(metrics["test_mse"], rel=1e-4)
    drawn = metrics["test_forecast_example"]["columns"]["sales"]
    assert len(drawn["context"]) == CONTEXT
    found = predict(run, table)
    assert list(found) == ["example", "step", "day", "sales"]
    assert list(found["day"]) == ["2020-05-27", "2020-05-28", "2020-05-29"]
    frame = pd.read_csv(table)
    is_holiday = frame["holiday"][-HORIZON:].to_numpy() == 1
    assert np.array_equal(found["sales"] > 115, is_holiday)
    # Other holidays have another forecast.
    frame.loc[147:, "holiday"] = 1 - frame["holiday"][147:]
    frame.to_csv(tmp_path / "other.csv", index=False)
    other = predict(run, tmp_path / "other.csv")
    assert np.array_equal(other["sales"] > 115, ~is_holiday)
    # Every row that has come is scored, also of a file that has none to come.
    frame = pd.read_csv(table)
    frame[:-HORIZON].to_csv(tmp_path / "past.csv", index=False)
    scores = [
        evaluate_file(run, path) for path in (table, tmp_path / "past.csv")
    ]
    assert scores[0]["examples"] == 147 - CONTEXT - HORIZON + 1
    assert scores[0]["mse"] == pytest.approx(scores[1]["mse"], rel=1e-5)
    with pytest.raises(ValueError, match=r"\(holiday\) is needed for the 3"):
        predict(run, tmp_path / "past.csv")
    assert "sales_actual" in predict_split(run)
    assert json.loads((run / "data.json").read_text())["future_dim"] == 1


def test_rivals_have_the_same_known_values(config):
    task = resolve(config).task
    known = [*rival_models.classical.MODELS]
    (ridge, linear), _ = rivals.fit_all(task, Deadline(), 60.0, known=known)
    (naive,) = rivals.simple_rules(task)[:1]
    assert naive.values["test_mse"] > 1
    assert max(r.values["test_mse"] for r in (ridge, linear)) < 0.1
    # The models of whole series do not, which is said.
    series = rival_models.Rival(
        "auto_ets",
        [{"season": 1}],
        lambda task, setting: LastKnown(task),
        lambda task, train: lambda rows: rows.origins,
        of_series=True,
    )
    data = rivals.rival_data.read_splits(task)
    found = rivals._fit(task, series, data, Deadline(), 60.0)
    assert found.settings == "season 1, without future columns"
    assert found.values["test_mse"] == pytest.approx(naive.values["test_mse"])


class LastKnown:
    """The last value of the history before each origin."""

    def __init__(self, task):
        self.values = task.history.values

    def fit(self, x, y):
        pass

    def predict(self, origins):
        return np.repeat(self.values[origins - 1], HORIZON, axis=1)


def test_the_command_line_takes_the_column(
    table, capsys, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)  # It draws examples.
    arguments = ["tasks", "show", str(table), "--task-type", "forecast"]
    arguments += ["--target-column", "sales", "--future-column", "holiday"]
    arguments += ["--horizon", "3", "--context", "12"]
    monkeypatch.setattr(sys, "argv", ["keras-fpt", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    output = capsys.readouterr().out
    assert stop.value.code == 0, output
    assert "of which holiday is known" in " ".join(output.split())
