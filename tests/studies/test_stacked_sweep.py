"""Sweeps whose runs train in one step."""

import dataclasses
import json
import pathlib

import pytest

from keras_fpt import distribution
from keras_fpt.results import load_runs, read_history
from keras_fpt.runs import RunConfig, manifest, recorder
from keras_fpt.studies import (
    arm_costs,
    cost,
    database_address,
    optuna_studies,
    stack_size,
    sweep_worker,
)
from keras_fpt.studies import sweep as sweeps
from keras_fpt.studies.sweep_config import SweepConfig, study_name

# The work is divided in the same way on every backend.
pytestmark = pytest.mark.backend_free


@pytest.fixture
def config(sums_file, preset):
    """Two arms at two rates, then two seeds each: eight runs."""
    run = RunConfig(sums_file, preset, evaluation_steps=4).with_settings(
        depth=1, steps=8, batch_size=20, dropout=0.0
    )
    return SweepConfig(
        run,
        search={"learning_rate": (1e-3, 1e-2)},
        seeds=2,
        extensions=0,
        stack="8",
    )


def work(config, folder):
    """A sweep's only worker, in this process; returns the finished runs."""
    folder.mkdir(exist_ok=True)
    path = folder / sweep_worker.CONFIG
    path.write_text(config.to_json())
    url = database_address.of_file(folder / sweeps.DATABASE)
    storage = optuna_studies.open_storage(url, 60)
    sweep_worker.work(config, folder, storage, is_alone=True)
    for studies in (
        optuna_studies.search_studies(study_name(path), config, storage),
        optuna_studies.seed_studies(study_name(path), config, storage),
    ):
        for study in studies.values():
            assert optuna_studies.completed_trials(study)
            assert not sweep_worker.is_unfinished(study)
    return load_runs(folder / sweep_worker.RUNS)


def losses(runs):
    """The last validation loss of each run, by arm, rate and seed."""
    return {
        (row.arm, row.learning_rate, row.seed): read_history(row.folder)[-1][
            "validation_loss"
        ]
        for row in runs.itertuples()
    }


def test_runs_of_one_study_train_together(config, tmp_path):
    stacked = work(config, tmp_path / "stacked")
    one_by_one = dataclasses.replace(config, arms=("fpt",), stack="off")
    alone = work(one_by_one, tmp_path / "alone")
    assert (stacked["status"] == "finished").all() and len(stacked) == 8
    pretrained = losses(stacked[stacked["arm"] == "fpt"])
    assert pretrained == pytest.approx(losses(alone), abs=1e-5)
    final = stacked[stacked["final"]]
    assert sorted(final["seed"]) == [1, 1, 2, 2]
    for row in stacked.itertuples():
        together = len(manifest.read(row.folder).stack)
        # Random weights differ by seed.
        assert together == (0 if row.final and row.arm == "random" else 2)
    for row in alone.itertuples():
        text = pathlib.Path(row.folder, "manifest.json").read_text()
        assert "stack" not in json.loads(text)


def test_an_interrupted_sweep_resumes_its_stacks(config, tmp_path, monkeypatch):
    run = config.run.with_settings(dropout=0.1)
    config = dataclasses.replace(config, run=run, arms=("fpt",), seeds=1)
    whole = work(config, tmp_path / "whole")
    with monkeypatch.context() as patch:
        original = recorder.Recorder.advance

        def advance(self, logs):
            if self.step == 5:
                raise KeyboardInterrupt
            return original(self, logs)

        patch.setattr(recorder.Recorder, "advance", advance)
        with pytest.raises(KeyboardInterrupt):
            work(config, tmp_path / "interrupted")
    resumed = work(config, tmp_path / "interrupted")
    assert losses(resumed) == losses(whole)


def test_stacks_are_for_a_single_worker(config, tmp_path):
    for options in ({"workers": 2}, {"storage_url": "sqlite:///x.db"}):
        with pytest.raises(ValueError, match="a sweep with one worker"):
            sweeps.run_sweep(config, tmp_path / "sweep", **options)
    assert not list(tmp_path.iterdir())


def test_how_many_runs_train_together(monkeypatch):
    for choice, expected in (("off", 1), ("3", 3)):
        assert stack_size.largest(choice) == expected
    for is_there, expected in ((True, stack_size.MOST), (False, 1)):
        monkeypatch.setattr(
            distribution, "has_accelerator", lambda found=is_there: found
        )
        assert stack_size.largest("auto") == expected
    # On a CPU, small batches train together: 56 tokens, 300 and 1,500.
    assert [stack_size.largest("auto", n) for n in (56, 300, 1500)] == [
        stack_size.MOST, 6, 1,
    ]  # fmt: skip
    assert stack_size.largest("off", 56) == 1
    monkeypatch.setattr(distribution, "has_accelerator", lambda: True)
    assert stack_size.largest("auto", 10**6) == stack_size.MOST


@pytest.mark.parametrize(("step", "together"), [(0.01, 2), (0.03, 0)])
def test_auto_stacks_where_that_was_measured_to_be_faster(
    config, tmp_path, monkeypatch, step, together
):
    measured = []

    def measure_stack(run, single, size):
        measured.append((run.arm.name, size))
        stack = cost.StackCost(size, cost.Cost(0.0, step, 0.0), True)
        return dataclasses.replace(single, stack=stack)

    monkeypatch.setattr(distribution, "has_accelerator", lambda: True)
    monkeypatch.setattr(cost, "measure", lambda run: cost.Cost(0.0, 0.01, 0.0))
    monkeypatch.setattr(cost, "measure_stack", measure_stack)
    config = dataclasses.replace(config, arms=("fpt",), stack="auto")
    runs = work(config, tmp_path)
    counts = {len(manifest.read(path).stack) for path in runs["folder"]}
    assert counts == {together} and measured == [("fpt", 2)]
    # What has begun goes on as it is.
    configs = [
        config.configs({"learning_rate": rate, "seed": 0})["fpt"]
        for rate in (1e-3, 1e-2)
    ]
    found = arm_costs.is_faster_stacked(configs, tmp_path / "runs", 8)
    assert found == bool(together) and len(measured) == 1
