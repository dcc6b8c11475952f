"""Studies of tasks whose labels are numbers."""

import json
import logging

import numpy as np
import pandas as pd
import pytest

from keras_fpt import studies, tasks
from keras_fpt.reports import write_report
from keras_fpt.results import arms_table, load_runs, summarize
from keras_fpt.runs import RunConfig, resolve
from keras_fpt.studies import (
    Comparison,
    SweepConfig,
    optuna_studies,
    rival_data,
    rivals,
    small_cnn,
    sweep_verdicts,
    sweep_worker,
    train_folds,
)
from keras_fpt.studies.deadline import Deadline

pytestmark = pytest.mark.backend_free


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Rows whose number is a linear function of two others."""
    x = np.random.default_rng(0).normal(size=(120, 2))
    y = 1000 + 50 * x[:, 0] - 20 * x[:, 1]
    path = tmp_path_factory.mktemp("data") / "prices.csv"
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "price": y.round(3)})
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def config(preset, table):
    return RunConfig(
        str(table), preset, options={"label_column": "price"}
    ).with_settings(depth=1, steps=4, batch_size=20)


def test_a_sweep_takes_the_rate_with_the_lowest_error(config, tmp_path):
    sweep = SweepConfig(
        config, ("fpt",), {"learning_rate": (1e-6, 1e-2)}, seeds=2, extensions=0
    )
    path = tmp_path / sweep_worker.CONFIG
    path.write_text(sweep.to_json())
    storage = optuna_studies.open_storage(f"sqlite:///{tmp_path}/study.db", 60)
    sweep_worker.work(sweep, tmp_path, storage)
    runs = load_runs(tmp_path / "runs")
    searched = runs[~runs["final"]].set_index("learning_rate")
    best = searched["validation_rmse"].idxmin()
    assert set(runs[runs["final"]]["learning_rate"]) == {best} == {1e-2}
    found = arms_table.with_floors(summarize(runs), runs)
    assert list(found.index.get_level_values("arm"))[1:] == [
        "mean of train", "median of train",
    ]  # fmt: skip
    assert found["edge"].iloc[0] == "highest"
    assert sweep_verdicts(tmp_path) == []
    # The mean is what it is by hand.
    prices = {
        split: resolve(config).task.data.labels(split)
        for split in ("train", "test")
    }
    errors = prices["test"] - prices["train"].mean()
    rmse = np.sqrt((errors**2).mean())
    assert found["test_rmse"].iloc[1] == pytest.approx(rmse, rel=1e-6)
    write_report([tmp_path], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "test RMSE" in page and "validation RMSE" in page


def test_folds_have_errors(config, tmp_path):
    folds = config.with_settings(options={**config.options, "folds": 2})
    found = train_folds(folds, tmp_path / "folds")
    summary = json.loads((tmp_path / "folds" / "folds.json").read_text())
    pooled = np.sqrt(np.mean(np.square(summary["test_rmse"])))  # Of equal size.
    assert summary["pooled_test_rmse"] == pytest.approx(pooled)
    assert found.pooled == summary["pooled_test_rmse"]


def test_rivals_find_a_linear_function(table):
    task = tasks.get(str(table), label_column="price")
    mean = rivals.simple_rule(task)
    found, missing = rivals.fit_all(task, Deadline(), 60.0)
    assert [each.name for each in found] == ["ridge", "gradient_boosting"]
    assert not missing
    ridge, boosting = (each.values["test_rmse"] for each in found)
    assert ridge < 1 < boosting < mean.values["test_rmse"]
    assert found[0].values["test_r2"] > 0.999
    assert np.sqrt(-found[0].right.mean()) == pytest.approx(ridge)


def test_rivals_for_numbers_of_series_and_strings():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(90, 30, 1)).astype("float32")
    y = x[:, :, 0].max(axis=1) * 1.5 + 0.25
    series = tasks.from_arrays(x, y, verbose=False)
    found, missing = rivals.fit_all(series, Deadline(), 60.0)
    names = [each.name for each in found]
    assert names[:4] == [
        "ridge", "gradient_boosting", "minirocket", "nearest_neighbor",
    ]  # fmt: skip
    assert found[3].values["train_rmse"] == 0 < found[3].values["test_rmse"]
    words = ["".join(generator.choice(list("ABC"), 12)) for _ in range(120)]
    counts = [word.count("A") + word.count("BC") / 2 for word in words]
    task = tasks.from_strings(
        words, counts, task_type="regression", verbose=False
    )
    found, _ = rivals.fit_all(task, Deadline(), 60.0)
    errors = {each.name: each.values["test_rmse"] for each in found}
    assert (
        errors["n_grams"] < 0.5 < rivals.simple_rule(task).values["test_rmse"]
    )


def test_a_small_network_sees_images():
    """Whether a bright square is on the left, and how bright it is."""
    generator = np.random.default_rng(0)
    images = generator.normal(0, 0.1, size=(128, 8, 8, 1)).astype("float32")
    y = np.arange(128) % 2
    brightness = generator.uniform(1, 2, 128)
    for image, side, light in zip(images, y, brightness, strict=True):
        image[2:5, 4 * side : 4 * side + 3] += light
    model = small_cnn.SmallCNN(12, num_classes=2).fit(images[:96], y[:96, None])
    assert np.mean(model.predict(images[96:]) == y[96:, None]) > 0.9


def digits_of_the_network(size):
    """The task, some of its training examples, and the rival."""
    digits = tasks.get("digits")
    (rival,) = [
        each
        for each in studies.rival_models.of_task(digits)
        if each.name == "small_cnn"
    ]
    rows = rival_data.read_splits(digits)["train"].part(slice(size))
    return digits, rows, rival


def test_a_small_network_of_few_steps_knows_the_mean_of_its_layers():
    """With a memory longer than the training, it saw its training examples as
    if the initial mean and variance were theirs, and guessed.
    """
    digits, rows, rival = digits_of_the_network(640)
    images = rival.prepare(digits, rows)(rows)
    model = small_cnn.SmallCNN(8, num_classes=10).fit(images, rows.y)
    assert np.mean(model.predict(images) == rows.y) > 0.9


def test_images_as_the_network_takes_them():
    digits, rows, rival = digits_of_the_network(3)
    images = rival.prepare(digits, rows)(rows)
    assert images.shape[0] == 3 and images.shape[-1] == 1
    np.testing.assert_array_equal(
        images[0, ..., 0], digits.picture(rows.tokens[0])
    )


def test_a_comparison_of_numbers(config, tmp_path, monkeypatch, caplog):
    plan = studies.compare.Plan((1e-2,), 2, 4, shares_seed=False)
    comparison = Comparison(config)
    variants = comparison.variants(resolve(config).task)
    assert [each.arm for each in variants] == ["fpt", "random", "fpt"]
    assert [each.cache_features for each in variants] == [False, False, True]
    monkeypatch.setattr(
        Comparison, "variants", lambda self, task: [variants[0]]
    )
    with caplog.at_level(logging.INFO):
        folder, found, sentence = studies.run_comparison(
            comparison, tmp_path / "compare", 600, plan=plan
        )
    arms = list(found.index.get_level_values("arm"))
    assert arms == [
        "fpt", "mean of train", "median of train", "ridge",
        "gradient_boosting", "linear_probe", "linear_probe_of_random",
    ]  # fmt: skip
    assert sentence.startswith("A frozen ") and "test RMSE of" in sentence
    assert "ridge, alpha" in caplog.text and "validation RMSE" in caplog.text
    assert (folder / "report.html").is_file()
