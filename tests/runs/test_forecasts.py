"""Runs that forecast the next rows of a table."""

# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811
import json

import numpy as np
import pandas as pd
import pytest
from interrupting import fail_at, make_small, result, small_evaluations
from sklearn.metrics import mean_pinball_loss

from keras_fpt.cli.app import app
from keras_fpt.reports import write_report
from keras_fpt.runs import (
    RunConfig,
    checkpoint_folder,
    evaluate,
    evaluate_file,
    folder,
    measures,
    predict,
    predict_split,
    test_examples,
    train,
)

OPTIONS = {
    "task_type": "forecast",
    "target_column": ["sun", "sea"],
    "time_column": "month",
    "context": 24,
    "horizon": 6,
}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Two columns with a season of a year, at other levels and scales."""
    path = tmp_path_factory.mktemp("data") / "months.csv"
    noise = np.random.default_rng(0).normal(size=(140, 2))
    season = np.sin(np.arange(140) / 12 * 2 * np.pi)
    pd.DataFrame(
        {
            "month": pd.date_range("2000-01-01", periods=140, freq="MS"),
            "sun": (1000 + 300 * season + 30 * noise[:, 0]).round(3),
            "sea": (season + 0.1 * noise[:, 1]).round(4),
        }
    ).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def config(preset, table):
    """A run of ten steps: evaluated after four, eight and ten."""
    return RunConfig(str(table), preset, options=OPTIONS).with_settings(
        depth=1, steps=10, batch_size=20, learning_rate=1e-2
    )


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "run"
    train(config, run)
    return run


def test_what_a_run_measures(finished, table):
    metrics = json.loads((finished / "metrics.json").read_text())
    assert (metrics["readout"], metrics["patch_size"]) == ("flatten", 2)
    assert metrics["instance_norm"] is True
    assert folder.is_tested(metrics)
    assert not any("accuracy" in name for name in metrics)
    history = pd.read_csv(finished / "history.csv")
    assert {"train_mse", "validation_mse"} <= set(history)
    assert measures.of_metrics(metrics) is measures.MSE

    # Against the table itself.
    frame = pd.read_csv(table)
    scale = frame[["sun", "sea"]][:101].std(ddof=0)
    answers = predict_split(finished)
    assert len(answers) == 6 * (28 - 6 + 1)
    assert answers["example"].iloc[0] == "series, rows 89-118"
    np.testing.assert_allclose(
        answers["sun_actual"][:6], frame["sun"][112:118], rtol=1e-4
    )
    error = np.stack(
        [
            (answers[name] - answers[f"{name}_actual"]) / scale[name]
            for name in scale.index
        ]
    )
    assert metrics["test_mse"] == pytest.approx((error**2).mean(), rel=1e-4)
    assert metrics["test_mae"] == pytest.approx(np.abs(error).mean(), rel=1e-4)
    own = metrics["test_forecasts"]["model"]
    assert own["mse"] == pytest.approx(metrics["test_mse"], rel=1e-4)
    assert own["mae_in_units"]["sun"] == pytest.approx(
        np.abs(answers["sun"] - answers["sun_actual"]).mean(), rel=1e-4
    )
    assert own["mae_by_step"] == pytest.approx(
        np.abs(error).reshape(2, -1, 6).mean(axis=(0, 1)), rel=1e-4
    )
    naive = metrics["test_forecasts"]["naive"]
    assert naive["mse"] == pytest.approx(metrics["test_floor_mse"])
    assert metrics["test_floors"]["naive"] == pytest.approx(naive["mse"])
    assert metrics["test_forecasts"]["seasonal naive"]["mse"] < naive["mse"]
    scores = test_examples.read(finished)
    assert -scores.run.mean() == pytest.approx(metrics["test_mse"], rel=1e-4)
    # Windows that share rows hang together.
    assert 1 < len(set(scores.groups)) < len(scores.groups)
    drawn = metrics["test_forecast_example"]["columns"]["sun"]
    assert (len(drawn["context"]), len(drawn["forecast"])) == (24, 6)
    again = evaluate(finished)
    assert again["mse"] == pytest.approx(metrics["test_mse"], rel=1e-5)
    assert again["forecasts"]["naive"]["mae"] == pytest.approx(naive["mae"])


def test_a_forecast_follows_the_last_row(finished, table, tmp_path):
    found = predict(finished, table, tmp_path / "out.csv")
    assert list(found) == ["example", "step", "month", "sun", "sea"]
    assert list(found["month"]) == [f"2011-{m:02}-01" for m in range(9, 13)] + [
        "2012-01-01",
        "2012-02-01",
    ]
    assert 500 < found["sun"].min() <= found["sun"].max() < 1500
    predict(finished, table, tmp_path / "out.csv")  # Replaced.
    read = pd.read_csv(tmp_path / "out.csv")
    np.testing.assert_allclose(read["sea"], found["sea"], rtol=1e-6)
    # The same numbers at another length: the last context alone counts.
    frame = pd.read_csv(table)
    frame[-24:].to_csv(tmp_path / "short.csv", index=False)
    short = predict(finished, tmp_path / "short.csv")
    np.testing.assert_allclose(short["sun"], found["sun"], rtol=1e-5)


def test_a_new_file_is_scored_from_every_row(finished, table, tmp_path):
    frame = pd.read_csv(table)
    # The test windows, since their first context reaches back.
    frame[88:].to_csv(tmp_path / "test.csv", index=False)
    scores = evaluate_file(finished, tmp_path / "test.csv")
    metrics = json.loads((finished / "metrics.json").read_text())
    assert scores["examples"] == metrics["test_examples"]
    assert scores["mse"] == pytest.approx(metrics["test_mse"], rel=1e-4)
    seasonal = metrics["test_forecasts"]["seasonal naive"]["mae"]
    assert scores["forecasts"]["seasonal naive"]["mae"] == pytest.approx(
        seasonal, rel=1e-4
    )
    with pytest.raises(ValueError, match="leave out labels"):
        evaluate_file(finished, tmp_path / "test.csv", label_column="sun")


def test_a_killed_run_ends_as_if_nothing_had_happened(
    config, finished, tmp_path, monkeypatch
):
    class Killed(BaseException):
        pass

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        fail_at(patch, checkpoint_folder, "write", 3, Killed, False)
        with pytest.raises(Killed):
            train(config, run)
    train(config, run, resume=True)
    assert result(run) == result(finished)


def test_a_run_that_forecasts_quantiles(config, table, tmp_path, capsys):
    run, levels = tmp_path / "run", (0.1, 0.5, 0.9)
    metrics = train(config.with_settings(quantiles="0.1,0.5,0.9"), run)
    found = predict_split(run, output=tmp_path / "test.csv")
    predict_split(run, output=tmp_path / "test.csv")  # Replaced.
    assert list(found)[2:7] == [
        "sun", "sun_quantile_0.1", "sun_quantile_0.5", "sun_quantile_0.9",
        "sea",
    ]  # fmt: skip
    np.testing.assert_array_equal(found["sun"], found["sun_quantile_0.5"])
    scale = pd.read_csv(table)[["sun", "sea"]][:101].std(ddof=0)
    losses, inside = [], []
    for name in ("sun", "sea"):
        truth = found[f"{name}_actual"] / scale[name]
        answers = {
            level: found[f"{name}_quantile_{level}"] / scale[name]
            for level in levels
        }
        assert (answers[0.1] <= answers[0.5]).all()
        assert (answers[0.5] <= answers[0.9]).all()
        losses += [
            mean_pinball_loss(truth, answers[level], alpha=level)
            for level in levels
        ]
        inside += [(answers[0.1] <= truth) & (truth <= answers[0.9])]
    assert metrics["test_pinball"] == pytest.approx(np.mean(losses), rel=1e-4)
    assert metrics["test_coverage"] == pytest.approx(np.mean(inside))
    assert metrics["test_nominal_coverage"] == pytest.approx(0.8)
    again = evaluate(run)
    assert again["pinball"] == pytest.approx(metrics["test_pinball"], rel=1e-5)
    own = again["forecasts"]["model"]
    assert own["mse"] == pytest.approx(metrics["test_mse"], rel=1e-4)
    pd.read_csv(table)[88:].to_csv(tmp_path / "new.csv", index=False)
    scores = evaluate_file(run, tmp_path / "new.csv")
    assert scores["pinball"] == pytest.approx(metrics["test_pinball"], rel=1e-4)
    following = predict(run, table)
    assert (following["sea_quantile_0.1"] <= following["sea"]).all()
    app(["evaluate", str(run)], standalone_mode=False)
    shown = " ".join(capsys.readouterr().out.split())
    assert "pinball loss" in shown and "(nominal 80%)" in shown
    write_report([run], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<h3>Quantiles</h3>" in page and "outer quantiles" in page
    assert f"{metrics['test_pinball']:.4g}" in page


@pytest.mark.backend_free
def test_what_a_run_of_a_forecast_refuses(config, tmp_path):
    for settings, message in (
        ({"quantiles": "0.9,0.1"}, "that increase, such as 0.1,0.5,0.9"),
        ({"loss": "cosine"}, "to be mse or huber but received 'cosine'"),
        (
            {"cache_features": True, "policy": "output_only", "dropout": 0.0},
            "is a forecast, for which features cannot be cached",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            train(config.with_settings(**settings), tmp_path / "run")


@pytest.mark.backend_free
def test_the_terminal_and_the_page_show_forecasts(finished, tmp_path, capsys):
    def say(*arguments):
        app(list(map(str, arguments)), standalone_mode=False)
        return capsys.readouterr().out

    metrics = json.loads((finished / "metrics.json").read_text())
    value = f"{metrics['test_mse']:.4g}"
    assert f"MSE {value}" in say("runs", "list", finished)
    shown = say("runs", "show", finished)
    assert "seasonal naive" in shown and "MAE of sun" in shown
    listed = json.loads(say("runs", "best", finished.parent, "--json"))
    assert listed[0]["metrics"]["test_mse"] == metrics["test_mse"]
    table = write_report([finished], tmp_path / "page.html")
    assert {"fpt", "naive", "seasonal naive"} <= set(
        table.index.get_level_values("arm")
    )
    page = (tmp_path / "page.html").read_text()
    assert "<h3>Forecasts</h3>" in page and ">test MSE<" in page
    assert page.count("rows ahead\nforecast") == 12


@pytest.mark.backend_free
def test_a_score_of_a_mean_squared_error():
    measure = measures.MSE
    assert measure.score(0.25) == -0.25 and measure.value(-0.25) == 0.25
    assert measure.unit(-1.0, -4.0) == 1.0
    assert measure.floor_rule == "naive"
    assert measures.RMSE.score(0.5) == -0.25
    assert measures.in_words({"test_mse": 0.5}, "test") == "MSE 0.5"
    assert measures.in_words({"test_accuracy": 0.5}, "test") == "50.00%"
    assert measures.in_words({"test_rmse": float("nan")}, "test") == ""
