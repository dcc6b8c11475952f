"""Runs that predict numbers."""

# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811
import json

import numpy as np
import pandas as pd
import pytest
from interrupting import fail_at, make_small, result, small_evaluations
from sklearn.metrics import mean_pinball_loss

from keras_fpt.reports import write_report
from keras_fpt.runs import (
    RunConfig,
    checkpoint_folder,
    evaluate,
    evaluate_file,
    predict,
    test_examples,
    train,
)


def write(path, seed=0):
    """Rows whose number is a linear function of two others."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(120, 2))
    y = 1000 + 50 * x[:, 0] - 20 * x[:, 1]
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "price": y.round(3)})
    frame.to_csv(path, index=False)
    return frame


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "prices.csv"
    write(path)
    return path


@pytest.fixture(scope="module")
def config(preset, table):
    """A run of ten steps: evaluated after four, eight and ten."""
    return RunConfig(
        str(table), preset, options={"label_column": "price"}
    ).with_settings(depth=1, steps=10, batch_size=20, learning_rate=1e-2)


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    train(config, folder)
    return folder


def test_what_a_run_measures(finished, table):
    metrics = json.loads((finished / "metrics.json").read_text())
    for split in ("train", "validation", "test"):
        assert metrics[f"{split}_rmse"] >= metrics[f"{split}_mae"] > 0
        assert metrics[f"{split}_r2"] <= 1
    assert 30 < metrics["test_floor_rmse"] < 80
    assert 20 < metrics["test_floor_mae"] < metrics["test_floor_rmse"]
    assert not any("accuracy" in name for name in metrics)
    history = pd.read_csv(finished / "history.csv")
    assert {"train_rmse", "validation_rmse"} <= set(history)
    assert (finished / "curves.png").is_file()
    again = evaluate(finished)
    assert again["rmse"] == pytest.approx(metrics["test_rmse"], rel=1e-5)


def test_predictions_are_in_the_unit_of_the_labels(finished, tmp_path):
    frame = write(tmp_path / "new.csv", seed=1)
    frame[["a", "b"]].to_csv(tmp_path / "bare.csv", index=False)
    bare = predict(finished, tmp_path / "bare.csv", tmp_path / "out.csv")
    assert list(bare) == ["example", "prediction"]
    assert 800 < bare["prediction"].min() <= bare["prediction"].max() < 1200
    read = pd.read_csv(tmp_path / "out.csv")
    np.testing.assert_allclose(read["prediction"], bare["prediction"])
    predict(finished, tmp_path / "new.csv", tmp_path / "out.csv")  # Replaced.
    labeled = pd.read_csv(tmp_path / "out.csv")
    np.testing.assert_allclose(labeled["label"], frame["price"])
    scores = evaluate_file(finished, tmp_path / "new.csv")
    error = bare["prediction"] - frame["price"]
    assert scores["examples"] == 120
    assert scores["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-5)
    frame.assign(price="dear").to_csv(tmp_path / "wrong.csv", index=False)
    with pytest.raises(ValueError, match="'dear' is not a number"):
        evaluate_file(finished, tmp_path / "wrong.csv")


@pytest.mark.parametrize("call", [3, 4])  # In a segment, and at its end.
def test_a_killed_run_ends_as_if_nothing_had_happened(
    call, config, finished, tmp_path, monkeypatch
):
    class Killed(BaseException):
        pass

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        fail_at(patch, checkpoint_folder, "write", call, Killed, False)
        with pytest.raises(Killed):
            train(config, folder)
    train(config, folder, resume=True)
    assert result(folder) == result(finished)


@pytest.mark.backend_free
def test_what_a_regression_refuses(config, tmp_path):
    for settings, message in (
        ({"loss": "cosine"}, "to be mse or huber but received 'cosine'"),
        ({"quantiles": "0.9,0.1"}, "that increase, such as 0.1,0.5,0.9"),
        (
            {"quantiles": "0.1,0.9", "loss": "huber"},
            "the pinball loss: leave out",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            train(config.with_settings(**settings), tmp_path / "run")
    classes = RunConfig("digits", quantiles="0.5")
    with pytest.raises(ValueError, match="is for a regression"):
        train(classes, tmp_path / "run")
    assert not any(tmp_path.iterdir())


def test_a_run_that_predicts_quantiles(config, tmp_path):
    run = tmp_path / "run"
    metrics = train(config.with_settings(quantiles="0.1,0.5,0.9"), run)
    frame = write(tmp_path / "new.csv", seed=1)
    found = predict(run, tmp_path / "new.csv", tmp_path / "out.csv")
    names = ["example", "prediction", "quantile_0.1", "quantile_0.5"]
    assert list(found) == [*names, "quantile_0.9", "label"]
    low, high = found["quantile_0.1"], found["quantile_0.9"]
    assert (low <= found["prediction"]).all()
    assert (found["prediction"] <= high).all()
    predict(run, tmp_path / "new.csv", tmp_path / "out.csv")  # Replaced.
    scores = evaluate_file(run, tmp_path / "new.csv")
    is_inside = (low <= frame["price"]) & (frame["price"] <= high)
    assert scores["coverage"] == pytest.approx(is_inside.mean())
    assert scores["nominal_coverage"] == pytest.approx(0.8)
    levels = (0.1, 0.5, 0.9)
    losses = [
        mean_pinball_loss(
            frame["price"], found[f"quantile_{level}"], alpha=level
        )
        for level in levels
    ]
    assert scores["pinball"] == pytest.approx(np.mean(losses), rel=1e-5)
    write_report([run], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<h3>Quantiles</h3>" in page
    assert f"{metrics['test_pinball']:.4g}" in page
    again = evaluate(run)
    assert again["pinball"] == pytest.approx(metrics["test_pinball"], rel=1e-5)
    # The scores of the test examples are of the median.
    kept = test_examples.read(run)
    rmse = np.sqrt(-kept.run.mean())
    assert rmse == pytest.approx(metrics["test_rmse"], rel=1e-5)
    rule = np.sqrt(-kept.rules["mean of train"].mean())
    assert rule == pytest.approx(metrics["test_floor_rmse"])
    assert rule == pytest.approx(metrics["test_floors"]["mean of train"])


@pytest.mark.parametrize("quantiles", [None, "0.1,0.9"])
def test_a_run_on_features_ends_as_the_run_without(quantiles, config, tmp_path):
    config = config.with_settings(
        policy="output_only", dropout=0.0, quantiles=quantiles
    )
    plain = train(config, tmp_path / "plain")
    cached = train(config.with_settings(cache_features=True), tmp_path / "run")
    for name in ("train_loss", "validation_rmse", "test_mae"):
        assert cached[name] == pytest.approx(plain[name], rel=1e-4)
    assert evaluate(tmp_path / "run")["rmse"] == pytest.approx(
        cached["test_rmse"], rel=1e-5
    )
