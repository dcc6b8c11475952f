import csv
import json
import shutil

import keras
import numpy as np
import pytest

from keras_fpt import tasks
from keras_fpt.files import checkpoints
from keras_fpt.runs import (
    RunConfig,
    StopSignals,
    evaluate,
    finishing,
    load_trained,
    recorder,
    resolve,
    test_examples,
    train,
)
from keras_fpt.runs import folder as run_folder

pytestmark = pytest.mark.usefixtures("small_evaluations")


@pytest.fixture(scope="module")
def config(preset):
    return RunConfig("bit_xor", preset).with_settings(
        depth=1, steps=60, batch_size=100, dropout=0.1
    )


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory):
    """A run's folder, which tests only read, and its metrics."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return folder, train(config, folder)


def changed(config, **changes):
    return config.with_settings(**changes)


def test_a_run_leaves_its_record(finished, preset):
    folder, metrics = finished
    assert sorted(p.name for p in folder.iterdir()) == [
        "adapter.safetensors",
        "config.json",
        "curves.png",
        "history.csv",
        "manifest.json",
        "metrics.json",
        "tensorboard",
        "test_examples.npz",
    ]
    assert json.loads((folder / "metrics.json").read_text()) == metrics
    assert {
        "task", "arm", "policy", "preset", "backend", "seed", "learning_rate",
        "batch_size", "steps", "train_loss", "train_accuracy",
        "validation_loss", "validation_accuracy", "test_loss",
        "test_accuracy", "trainable_parameters", "total_parameters",
        "steps_to_accuracy", "wall_seconds", "versions",
    } <= metrics.keys()  # fmt: skip
    assert metrics["learning_rate"] == 1e-3  # the task's recipe
    assert metrics["backend"] == keras.backend.backend()
    rows = list(csv.DictReader((folder / "history.csv").open()))
    assert [int(row["step"]) for row in rows] == [25, 50, 60]
    assert (folder / "curves.png").read_bytes()[:4] == b"\x89PNG"
    assert any((folder / "tensorboard").iterdir())


@pytest.mark.backend_free
def test_a_run_keeps_which_test_examples_were_right(finished):
    folder, metrics = finished
    kept = test_examples.read(folder)
    assert kept.run.mean() == pytest.approx(metrics["test_accuracy"])
    task = resolve(run_folder.read_config(folder)).task
    assert len(kept.run) == metrics["test_examples"] == task.data.size("test")
    assert kept.groups is None
    floors = {name: right.mean() for name, right in kept.rules.items()}
    assert floors == pytest.approx(metrics["test_floors"])
    majority = metrics["test_majority_accuracy"]
    assert floors == pytest.approx({"majority class": majority})
    # In the order of the test split.
    (batch,) = task.held_out("test", len(kept.run)).as_numpy_iterator()
    model = load_trained(folder)[1]
    answers = model.predict(batch[0], verbose=0).argmax(axis=-1)
    right = (answers == batch[1]).mean(axis=1)
    np.testing.assert_allclose(kept.run, right, atol=1e-6)


def test_predictions_that_are_not_those_of_the_test_split_are_not_kept(
    finished,
):
    """As where processes share the batches, or in another order."""
    task = resolve(run_folder.read_config(finished[0])).task
    labels = task.test_labels()
    logits = np.eye(2)[labels]

    class Model:
        def predict(self, x, **options):
            return self.logits

    model = Model()
    for model.logits, accuracy, is_kept in (
        (logits, 1.0, True),
        (logits[::2], 1.0, False),
        (logits[::-1], 1.0, False),
    ):
        found = test_examples.predict(task, model, 50, accuracy)
        assert (found is not None) == is_kept


def test_a_damaged_file_of_test_examples_is_named(finished, tmp_path):
    content = (finished[0] / "test_examples.npz").read_bytes()
    (tmp_path / "test_examples.npz").write_bytes(content[:200])
    with pytest.raises(ValueError, match=r"test_examples.npz` is damaged"):
        test_examples.read(tmp_path)
    assert test_examples.read(tmp_path / "none") is None


def test_train_is_evaluated_no_more_than_once(monkeypatch):
    digits, endless = tasks.get("digits"), tasks.get("bit_xor")
    monkeypatch.setattr(finishing, "TRAIN_SUBSET_SIZE", 2048)
    subset = finishing.train_subset_size(digits)
    assert subset == len(digits.data.labels("train"))
    assert finishing.train_subset_size(endless) == 2048


def test_evaluate_repeats_the_metrics(finished):
    folder, metrics = finished
    result = evaluate(folder, "test")
    assert result["accuracy"] == pytest.approx(metrics["test_accuracy"])
    assert result["loss"] == pytest.approx(metrics["test_loss"], rel=1e-5)
    assert evaluate(folder, "validation")["loss"] == pytest.approx(
        metrics["validation_loss"], rel=1e-5
    )


@pytest.mark.backend_free
def test_same_seed_gives_the_same_metrics(finished, config, tmp_path):
    again = train(config, tmp_path / "again")
    assert again | {"wall_seconds": 0} == finished[1] | {"wall_seconds": 0}


@pytest.mark.backend_free
def test_interrupted_run_goes_on_as_if_nothing_had_happened(
    finished, config, tmp_path, monkeypatch, messages
):
    folder = tmp_path / "interrupted"
    write = recorder.write_history

    def interrupt(folder, rows):
        write(folder, rows)
        raise KeyboardInterrupt

    monkeypatch.setattr(recorder, "write_history", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(config, folder)
    assert (folder / "checkpoints" / "000000025.safetensors").exists()
    assert not run_folder.is_finished(folder)
    with pytest.raises(FileNotFoundError, match="is not finished"):
        evaluate(folder)
    monkeypatch.undo()
    messages.clear()
    metrics = train(config, folder, resume=True)
    assert "Resuming after step 25." in messages
    assert metrics | {"wall_seconds": 0} == finished[1] | {"wall_seconds": 0}


@pytest.mark.backend_free
def test_resume_of_a_finished_run_does_nothing(finished, config, messages):
    folder, metrics = finished
    again = train(config, folder, resume=True)
    assert again == metrics
    assert "is finished" in messages[0]


@pytest.mark.backend_free
def test_resume_starts_where_there_is_nothing(config, tmp_path):
    short = changed(config, steps=1)
    metrics = train(short, tmp_path / "new", resume=True)
    assert metrics["steps"] == 1


@pytest.mark.backend_free
def test_a_run_is_not_touched_unless_told(finished, config, tmp_path):
    folder = shutil.copytree(finished[0], tmp_path / "run")
    before = (folder / "metrics.json").read_bytes()
    with pytest.raises(FileExistsError, match="--overwrite"):
        train(config, folder)
    with pytest.raises(ValueError, match="has seed=0 but received seed=1"):
        train(changed(config, seed=1), folder, resume=True)
    assert (folder / "metrics.json").read_bytes() == before
    other = changed(config, seed=1, steps=1)
    metrics = train(other, folder, overwrite=True)
    assert metrics["seed"] == 1


@pytest.mark.backend_free
def test_overwrite_spares_folders_that_are_no_run(config, tmp_path):
    files = {"thesis.txt": "years of work", "config.json": '{"layers": 3}'}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(FileExistsError, match="contains no run"):
            train(config, tmp_path, overwrite=True)
        assert (tmp_path / name).read_text() == text


@pytest.mark.backend_free
def test_output_that_cannot_be_written(config, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError, match="is a file"):
        train(config, tmp_path / "file")
    with pytest.raises(PermissionError, match="Cannot write"):
        train(config, "/proc/keras-fpt/run")


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "bit_xr"}, "Did you mean 'bit_xor'"),
        ({"arm": "fpts"}, "Unknown arm 'fpts'"),
        ({"preset": "gpt2_tinny_en"}, "Did you mean 'gpt2_tiny_en'"),
        ({"policy": "norms"}, "Unknown policy"),
        ({"steps": 0}, "steps to be at least 1"),
        ({"learning_rate": -1.0}, "learning rate above 0"),
        ({"learning_rate": float("nan")}, "learning rate above 0"),
        ({"batch_size": 0}, "batch_size to be at least 1"),
        ({"dropout": 1.5}, "dropout rate from 0"),
        ({"readout": "end"}, "Unknown readout"),
        ({"seed": -1}, "seed from 0"),
    ],
)
def test_bad_input_leaves_nothing_behind(config, tmp_path, change, message):
    bad = config.with_settings(**change)
    with pytest.raises(ValueError, match=message):
        train(bad, tmp_path / "bad")
    assert not (tmp_path / "bad").exists()


@pytest.mark.backend_free
def test_task_longer_than_the_positions(tmp_path):
    from conftest import gpt2_backbone

    short = str(tmp_path / "short")
    gpt2_backbone(max_sequence_length=64).save_to_preset(short)
    with pytest.raises(ValueError, match="120 tokens, but.*64 positions"):
        train(RunConfig("bit_memory", short), tmp_path / "run")


def test_a_loss_that_blows_up_stops_the_run(config, tmp_path):
    hot = changed(config, learning_rate=1e30)
    with pytest.raises(FloatingPointError, match="learning rate 1e.30"):
        # None is due before the loss blows up, however slow the machine.
        train(hot, tmp_path / "hot", checkpoint_seconds=1e6)
    assert not run_folder.is_finished(tmp_path / "hot")
    assert not (tmp_path / "hot" / "checkpoints").exists()


@pytest.mark.backend_free
def test_resume_on_another_backend_is_refused(config, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    checkpoints.write_arrays(
        tmp_path / "checkpoints" / "000000003.safetensors",
        {},
        {"backend": "mlx", "step": 3},
    )
    with pytest.raises(ValueError, match="KERAS_BACKEND=mlx"):
        recorder.Recorder(tmp_path, resolve(config), StopSignals())


@pytest.mark.backend_free
def test_random_arm_differs_and_trains_the_same_groups(config, tmp_path):
    random = changed(config, arm="random", seed=3, steps=2)
    metrics = train(random, tmp_path / "random")
    assert metrics["policy"] == "fpt"
    # Its adapter needs only the seed and the preset.
    result = evaluate(tmp_path / "random")
    assert result["loss"] == pytest.approx(metrics["test_loss"], rel=1e-5)


@pytest.mark.backend_free
def test_steps_to_accuracy():
    rows = [
        {"step": 10, "validation_accuracy": 0.4},
        {"step": 20, "validation_accuracy": 0.92},
        {"step": 30, "validation_accuracy": 0.85},
    ]
    steps = finishing.steps_to_accuracy(rows)
    assert steps["0.5"] == steps["0.9"] == 20
    assert steps["0.95"] is None


@pytest.mark.backend_free
def test_default_folder_is_always_new(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(run_folder.new_folder("digits", "fpt")) == "runs/digits-fpt-1"
    assert str(run_folder.new_folder("digits", "fpt")) == "runs/digits-fpt-2"


@pytest.mark.backend_free
def test_resume_needs_a_folder(config):
    with pytest.raises(ValueError, match="Name the output folder of the run"):
        train(config, resume=True)


@pytest.mark.backend_free
def test_config_json_round_trip(config, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(config.to_json())
    assert RunConfig.read(path) == config
    path.write_text('{"tsk": 1}')
    with pytest.raises(ValueError, match="not a run's configuration.*'tsk'"):
        RunConfig.read(path)


@pytest.mark.backend_free
def test_a_task_s_name_never_leaves_the_folder_of_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(run_folder.new_folder("../x", "fpt")) == "runs/..-x-fpt-1"


@pytest.mark.backend_free
def test_accumulated_steps_end_as_steps_of_whole_batches(config, tmp_path):
    whole = changed(config, steps=4, batch_size=20, dropout=0.0, task="digits")
    parts = changed(
        whole, steps=8, batch_size=10, gradient_accumulation_steps=2
    )
    ends = [
        train(settings, tmp_path / str(settings.steps))
        for settings in (whole, parts)
    ]
    losses = [metrics["test_loss"] for metrics in ends]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


@pytest.mark.backend_free
def test_accumulating_one_step_is_refused(config, tmp_path):
    with pytest.raises(ValueError, match="at least 2 but received 1"):
        train(changed(config, gradient_accumulation_steps=1), tmp_path / "run")
