# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811
"""Runs that pause at a step, and are trained further later."""

import pytest
from interrupting import result

from keras_fpt.results import load_runs, read_history
from keras_fpt.runs import (
    RunConfig,
    folder,
    folder_of,
    forget_test,
    get_or_train,
    is_tested,
    resolve,
    train,
)


@pytest.fixture(scope="module")
def config(preset, sums_file):
    return RunConfig(
        sums_file, preset, patience=0, keep="best", evaluation_steps=4
    ).with_settings(depth=1, steps=12, batch_size=20, learning_rate=3e-3)


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "whole"
    train(config, path)
    return result(path)


def test_a_paused_run_goes_on_bit_for_bit(whole, config, tmp_path):
    path = tmp_path / "run"
    metrics = train(config, path, until=3, test=False)
    assert (metrics["trained_steps"], metrics["paused"]) == (4, True)
    (row,) = read_history(path)
    assert metrics["validation_loss"] == row["validation_loss"]
    assert not folder.is_tested(metrics) and folder.finished_adapter(path)

    again = train(config, path, resume=True, until=4, test=False)
    assert again == metrics
    tested = train(config, path, resume=True, until=8)
    assert tested["trained_steps"] == 8 and folder.is_tested(tested)
    assert load_runs(path)["status"].tolist() == ["finished"]

    train(config, path, resume=True)
    assert result(path) == whole
    assert not folder.is_paused(path) and not folder.trains_on(path, None)
    assert not (path / "checkpoints").exists()


@pytest.mark.backend_free
def test_a_test_that_no_longer_counts_is_forgotten(config, tmp_path):
    path, _ = get_or_train(config, tmp_path, True, until=4)
    assert path == folder_of(config, tmp_path) and is_tested(config, tmp_path)
    forget_test(config, tmp_path)
    assert not is_tested(config, tmp_path)
    assert not (path / "test_examples.npz").exists()
    assert not load_runs(tmp_path)["final"].any()
    # It is paused all the same, and tested again if it is chosen again.
    assert folder.trains_on(path, 8) and not folder.trains_on(path, 4)
    assert folder.is_tested(get_or_train(config, tmp_path, True, until=4)[1])


@pytest.mark.backend_free
def test_evaluations_may_be_as_far_apart_as_one_likes(config):
    with pytest.raises(ValueError, match="evaluation_steps to be at least 1"):
        resolve(config.with_settings(evaluation_steps=0))
