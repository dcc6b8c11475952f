import dataclasses
import json
import threading

import pytest

from keras_fpt.files.folder_lock import TakenOver, process_name
from keras_fpt.results import load_runs, read_history
from keras_fpt.runs import (
    RunConfig,
    evaluate,
    get_or_train,
    recorder,
    resolve,
    run_store,
    train,
)
from keras_fpt.runs import (
    folder as run_folder,
)

pytestmark = [
    pytest.mark.backend_free,
    pytest.mark.usefixtures("small_evaluations"),
]


@pytest.fixture(scope="module")
def config(preset):
    return RunConfig("bit_xor", preset).with_settings(
        depth=1, steps=6, batch_size=20
    )


@pytest.fixture(scope="module")
def searched(config, tmp_path_factory):
    """A folder of runs with one that has not read the test split."""
    runs = tmp_path_factory.mktemp("runs")
    folder, _ = get_or_train(config, runs, test=False)
    return runs, folder, (folder / "metrics.json").read_text()


@pytest.fixture
def no_training(monkeypatch):
    def train(*args, **kwargs):
        raise AssertionError("A run that exists was run again.")

    monkeypatch.setattr(run_store, "train", train)


def test_the_test_split_is_not_read_in_a_search(searched):
    _, _, text = searched
    metrics = json.loads(text)
    assert "validation_accuracy" in metrics
    assert not [name for name in metrics if name.startswith("test_acc")]
    assert "test_loss" not in metrics


def test_a_run_that_exists_is_not_run_again(config, searched, no_training):
    runs, folder, text = searched
    again = get_or_train(config, runs, test=False)
    assert again == (folder, json.loads(text))


def test_the_test_split_is_read_when_it_is_asked_for(
    config, searched, no_training, tmp_path
):
    runs, folder, text = searched
    _, metrics = get_or_train(config, runs, test=True)
    accuracy = evaluate(folder, "test")["accuracy"]
    assert metrics["test_accuracy"] == pytest.approx(accuracy)
    assert json.loads(text).items() <= metrics.items()
    (row,) = load_runs(runs).to_dict("records")
    assert row["final"] and row["test_accuracy"] == metrics["test_accuracy"]
    assert [each["step"] for each in read_history(folder)][-1] == 6


def test_each_setting_has_a_run_of_its_own(config):
    names = {
        run_store.run_name(resolve(config.with_settings(**changes)))
        for changes in (
            {},
            {"seed": 1},
            {"learning_rate": 2e-3},
            {"arm": "random"},
            {"dropout": 0.2},
        )
    }
    assert len(names) == 5
    # The default, given explicitly.
    same = dataclasses.replace(config, learning_rate=1e-3)
    assert run_store.run_name(resolve(same)) in names


def test_a_run_that_is_being_trained_is_waited_for(
    config, searched, no_training, monkeypatch
):
    runs, folder, _ = searched
    waited = threading.Event()
    held = run_folder.lock(folder)
    metrics = folder / "metrics.json"
    hidden = folder / "hidden.json"
    held.__enter__()
    metrics.rename(hidden)

    def busy(config, folder, **kwargs):
        with run_folder.lock(folder):
            pass

    def sleep(seconds):
        waited.set()
        hidden.rename(metrics)
        held.__exit__(None, None, None)

    monkeypatch.setattr(run_store, "train", busy)
    monkeypatch.setattr(run_store.time, "sleep", sleep)
    found, _ = get_or_train(config, runs, test=False)
    assert found == folder and waited.is_set()


def test_a_run_of_a_silent_process_is_taken_over(
    config, searched, tmp_path, monkeypatch
):
    asked = []

    def may_take_over(holder):
        asked.append(holder)
        return len(asked) == 2

    def train(config, folder, take_over, **kwargs):
        with run_folder.lock(folder, take_over=take_over):
            (folder / "metrics.json").write_text(searched[2])

    monkeypatch.setattr(run_store, "BUSY_SECONDS", 0.0)
    monkeypatch.setattr(run_store, "train", train)
    folder = tmp_path / run_store.run_name(resolve(config))
    with run_folder.lock(folder) as suspended:
        _, metrics = get_or_train(config, tmp_path, False, may_take_over)
        assert asked == [process_name()] * 2
        assert metrics == json.loads(searched[2])
        with run_folder.lock(folder), pytest.raises(TakenOver):
            suspended.check()


def test_a_resumed_process_writes_nothing_to_a_run_that_was_taken_over(
    config, tmp_path, monkeypatch
):
    monkeypatch.setattr(recorder.CheckpointInterval, "is_due", lambda _: True)
    write, written = recorder.checkpoint_folder.write, []

    def lose_the_lock(folder, step, *arguments, **keywords):
        write(folder, step, *arguments, **keywords)
        written.append(step)
        if step == 2:
            lock = tmp_path / run_folder.LOCK
            lock.rename(tmp_path / "suspended")
            lock.write_text("1\n")

    monkeypatch.setattr(recorder.checkpoint_folder, "write", lose_the_lock)
    with pytest.raises(TakenOver, match="taken over a run"):
        train(config, tmp_path)
    assert written == [1, 2]
    assert not (tmp_path / "history.csv").exists()
    assert (tmp_path / run_folder.LOCK).read_text() == "1\n"


def test_a_run_that_diverges_stays_as_it_is(config, tmp_path, no_training):
    def diverge(config, folder, **kwargs):
        run_folder.initialize(folder, config, False, False)
        raise FloatingPointError("The loss became inf at step 3.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_store, "train", diverge)
        patch.setattr(
            run_folder, "_check_content", lambda folder, *_: folder.mkdir()
        )
        folder, metrics = get_or_train(config, tmp_path, False)
    assert metrics is None
    assert get_or_train(config, tmp_path, True)[1] is None
    (row,) = load_runs(tmp_path).to_dict("records")
    assert row["status"] == "diverged" and row["final"]
    assert row["error"] == "The loss became inf at step 3."
