# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811
"""Early stopping, the best weights, and the weights of classes."""

import json

import numpy as np
import pytest
from interrupting import fail_at, result, small_evaluations

from keras_fpt.runs import (
    RunConfig,
    checkpoint_folder,
    recorder,
    resolve,
    train,
)
from keras_fpt.runs.run_store import run_name
from keras_fpt.runs.training import _class_weight
from keras_fpt.studies.sweep_config import SweepConfig


class Killed(BaseException):
    """Ends a run as a kill would, but within the process."""


@pytest.fixture(scope="module")
def config(preset, sums_file):
    """A run whose loss rises soon: its learning rate is much too high."""
    return RunConfig(sums_file, preset).with_settings(
        depth=1, steps=40, batch_size=20, learning_rate=0.3, patience=2
    )


@pytest.fixture(scope="module")
def stopped(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "stopped"
    train(config, folder)
    return result(folder)


def test_a_run_stops_and_keeps_its_best_weights(stopped, config, tmp_path):
    metrics, rows, arrays, _ = stopped
    losses = [float(row["validation_loss"]) for row in rows]
    steps = [int(row["step"]) for row in rows]
    best = int(np.argmin(losses))
    assert metrics["kept_step"] == steps[best]
    assert metrics["trained_steps"] == steps[-1] < 40
    assert len(losses) - 1 - best == 2
    # All of the validation split is evaluated while training, too.
    assert metrics["validation_loss"] == pytest.approx(losses[best], rel=1e-4)


@pytest.mark.parametrize("place", ["write", "write_best", "write_history"])
def test_resumed_it_is_the_same_bit_for_bit(
    stopped, config, tmp_path, monkeypatch, place
):
    owner = recorder if place == "write_history" else checkpoint_folder
    calls = (1, 2) if place != "write" else (3, 6)
    for call, before in zip(calls, (False, True), strict=True):
        with monkeypatch.context() as patch:
            fail_at(patch, owner, place, call, Killed, before)
            try:
                train(config, tmp_path, resume=True)
            except Killed:
                continue
    train(config, tmp_path, resume=True)
    assert result(tmp_path) == stopped
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.backend_free
def test_it_is_on_for_own_data_alone(sums_file, preset):
    def stopping(config):
        run = resolve(config).config
        return run.patience, run.keep

    assert stopping(RunConfig("bit_xor")) == (0, "last")
    assert stopping(RunConfig(sums_file)) == (5, "best")
    assert stopping(RunConfig(sums_file, patience=0)) == (0, "best")
    assert stopping(RunConfig("bit_xor", keep="best")) == (0, "best")
    with pytest.raises(ValueError, match="keep to be best or last"):
        resolve(RunConfig("bit_xor", keep="first"))
    with pytest.raises(ValueError, match="patience of 0 or more"):
        resolve(RunConfig("bit_xor", patience=-1))


@pytest.mark.backend_free
def test_runs_of_earlier_versions_stay_as_they_were(
    sums_file, preset, tmp_path
):
    config = RunConfig(sums_file, preset)
    names = ("patience", "keep", "class_weight")
    settings = {k: v for k, v in config.settings().items() if k not in names}
    (tmp_path / "old.json").write_text(json.dumps(settings))
    before = RunConfig.read(tmp_path / "old.json")
    assert (before.patience, before.keep) == (0, "last")
    assert not {*names} & before.identity().keys()
    # The names of runs in studies, and the names of studies.
    study = SweepConfig(config)
    assert study.to_json() == SweepConfig(before).to_json()
    assert run_name(resolve(before)) == run_name(
        resolve(config.with_former_defaults())
    )
    assert run_name(resolve(config)) != run_name(resolve(before))
    # A run that an earlier version has started continues without stopping.
    folder = tmp_path / "begun"
    folder.mkdir()
    text = json.loads(resolve(before).to_json())
    for name in names:
        del text[name]
    (folder / "config.json").write_text(json.dumps(text))
    from keras_fpt.runs.folder import as_started

    assert as_started(folder, config).keep == "last"
    assert as_started(tmp_path, config).keep is None


@pytest.mark.backend_free
def test_balanced_weights_of_classes(tmp_path):
    path = tmp_path / "few.npz"
    y = np.repeat([0, 1], [30, 10])
    np.savez(path, x=np.random.default_rng(0).normal(size=(40, 2, 3)), y=y)
    run = resolve(RunConfig(str(path), class_weight="balanced"))
    weights = _class_weight(run)
    counts = run.task.class_counts("train")
    assert weights[1] > 2 * weights[0]
    assert weights[0] * counts[0] == pytest.approx(weights[1] * counts[1])
    assert np.dot(list(weights.values()), counts) == pytest.approx(counts.sum())
    with pytest.raises(ValueError, match="generates its examples"):
        _class_weight(resolve(RunConfig("bit_xor", class_weight="balanced")))


def test_a_run_with_weights_of_classes_trains(config, tmp_path):
    weighted = config.with_settings(
        class_weight="balanced", steps=4, learning_rate=1e-3
    )
    metrics = train(weighted, tmp_path / "run")
    assert metrics["class_weight"] == "balanced"
