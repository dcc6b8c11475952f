"""Cross-validation: a run for each fold, and what studies do of folds."""

import dataclasses
import itertools
import json
import shutil
import sys

import numpy as np
import pandas as pd
import pytest

from keras_fpt import cli, runs, studies
from keras_fpt.results import baselines
from keras_fpt.runs import RunConfig
from keras_fpt.studies import compare, rivals
from keras_fpt.studies import sweep as sweeps


@pytest.fixture
def config(tmp_path, preset):
    """30 rows of 10 people, of whom each is tested in one of 2 folds."""
    path = tmp_path / "people.csv"
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.normal(size=(30, 2)), columns=["a", "b"])
    frame["who"] = np.arange(30) % 10
    frame["y"] = np.where(frame["a"] > 0, "high", "low")
    frame.to_csv(path, index=False)
    options = {"label_column": "y", "split_group": ["who"], "folds": 2}
    return RunConfig(str(path), preset, options=options).with_settings(
        steps=1, batch_size=8
    )


def test_each_example_is_tested_by_the_run_of_one_fold(
    config, tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "out"
    found = studies.train_folds(config, folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "fold-1", "fold-2", "folds.json",
    ]  # fmt: skip
    right = [runs.test_examples.read(folder / f"fold-{n}").run for n in (1, 2)]
    assert sum(map(len, right)) == 30
    pooled = np.concatenate(right).mean()
    np.testing.assert_allclose(found.pooled_accuracy, pooled)
    means = [part.mean() for part in right]
    np.testing.assert_allclose(
        found.mean_and_deviation("test_accuracy"),
        (np.mean(means), np.std(means, ddof=1)),
    )
    summary = json.loads((folder / "folds.json").read_text())
    np.testing.assert_allclose(summary["pooled_test_accuracy"], pooled)
    tested = [
        set(runs.resolve(runs.folder.read_config(folder / f"fold-{n}"))
            .task.data.splits["test"].names)
        for n in (1, 2)
    ]  # fmt: skip
    assert len(tested[0] | tested[1]) == 30
    # What is finished is not trained again.
    before = (folder / "fold-1" / "metrics.json").stat().st_mtime_ns
    again = studies.train_folds(config, folder, resume=True)
    assert again.metrics == found.metrics
    assert (folder / "fold-1" / "metrics.json").stat().st_mtime_ns == before
    with pytest.raises(FileExistsError):
        studies.train_folds(config, folder)
    flags = ["--label-column", "y", "--split-group", "who", "--folds", 2]
    flags += ["--preset", config.preset, "--steps", 1, "--batch-size", 8]
    flags += ["--output", folder, "--resume"]
    arguments = ["keras-fpt", "train", config.task, *flags]
    monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert f"each tested in one fold: {pooled:.2%}" in out
    assert f"{np.mean(means):.2%}" in out


@pytest.mark.backend_free
def test_a_study_takes_one_fold(config, tmp_path):
    sweep = studies.SweepConfig(config, ("fpt",))
    comparison = studies.Comparison(config)
    for call in (
        lambda: studies.run_sweep(sweep, tmp_path / "s"),
        lambda: studies.run_comparison(comparison, tmp_path / "c", 60),
    ):
        with pytest.raises(ValueError, match="give fold as well as folds"):
            call()
    assert not (tmp_path / "s").exists()


@pytest.fixture
def trained(monkeypatch):
    """Trains each arm with two seeds in this process, as studies do."""

    def run_sweep(sweep, folder, **_):
        for arm, seed in itertools.product(("fpt", "random"), (1, 2)):
            each = sweep.run.with_settings(arm=arm, seed=seed)
            runs.get_or_train(each, folder / "runs", True)

    def run_comparison(comparison, folder, seconds, plan=None, budget=0):
        of_sweep = folder.parents[1] / "s" / folder.name
        shutil.copytree(of_sweep / "runs", folder / "runs")
        task = runs.resolve(comparison.run).task
        baselines.write([rivals.simple_rule(task)], folder)
        shares.append(seconds)
        plans.append(plan)
        plan = plan or compare.Plan((1e-3,), 2, 1)
        text = json.dumps(dataclasses.asdict(plan))
        (folder / compare.PLAN).write_text(text)

    shares, plans = [], []
    monkeypatch.setattr(sweeps, "run_sweep", run_sweep)
    monkeypatch.setattr(compare, "run_comparison", run_comparison)
    return shares, plans


@pytest.mark.backend_free
def test_studies_of_folds_test_each_example_once(
    config, tmp_path, trained, monkeypatch, capsys
):
    shares, plans = trained
    flags = ["--label-column", "y", "--split-group", "who", "--folds", 2]
    flags += ["--preset", config.preset]

    def call(command, folder, *more):
        arguments = ["keras-fpt", command, config.task, *flags, *more]
        arguments += ["--output", folder]
        monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert stop.value.code == 0
        return capsys.readouterr().out

    out = call("sweep", tmp_path / "s", "--set", "steps=1")
    assert "fpt is above random" in out
    table = pd.read_csv(tmp_path / "s" / "arms.csv").set_index("arm")
    for arm in ("fpt", "random"):
        right = [
            runs.test_examples.read(folder).run
            for folder in (tmp_path / "s").glob("fold-*/runs/*")
            if runs.folder.read_config(folder).arm == arm
        ]
        assert len(right) == 4
        pooled = np.concatenate(right).mean()
        np.testing.assert_allclose(table.loc[arm, "test_accuracy"], pooled)
        assert table.loc[arm, "n"] == 4
    # A comparison has one plan, and each fold its share of the time.
    out = call("compare", tmp_path / "c", "--budget", "100s")
    assert "fold-*/report.html" in out and "on people" in out
    assert plans == [None, compare.Plan((1e-3,), 2, 1)]
    assert 30 < shares[0] < 50 and shares[0] < shares[1] < 100
    with pytest.raises(FileExistsError, match="other settings"):
        studies.sweep_folds(
            studies.SweepConfig(config, ("random",)), tmp_path / "s"
        )
