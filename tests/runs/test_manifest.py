"""A run is what it was made of, and not the names of its files."""

import dataclasses
import json
import os
import shutil

import keras
import numpy as np
import pytest
from conftest import gpt2_backbone
from interrupting import fail_at

from keras_fpt.files import checkpoints
from keras_fpt.results import load_runs
from keras_fpt.runs import (
    RunConfig,
    checkpoint_folder,
    evaluate,
    get_or_train,
    predict,
    train,
)
from keras_fpt.runs.evaluation import load_trained

pytestmark = [
    pytest.mark.backend_free,
    pytest.mark.usefixtures("small_evaluations"),
]


class Killed(BaseException):
    """Ends a run as a kill would, but within the process."""


def write_table(path, seed=0):
    generator = np.random.default_rng(seed)
    rows = "".join(
        f"{n % 7},{generator.normal():.3f},{'ab'[n % 2]}\n" for n in range(60)
    )
    path.write_text(f"u,v,kind\n{rows}")


def save_preset(folder, seed):
    keras.utils.set_random_seed(seed)
    gpt2_backbone(num_layers=1).save_to_preset(str(folder))


def config_of(task, preset, **settings):
    return RunConfig(
        str(task), str(preset), options={"label_column": "kind"}
    ).with_settings(**{"steps": 2, "batch_size": 8, **settings})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project: a table, a preset and a finished run; not to be changed."""
    project = tmp_path_factory.mktemp("made") / "project"
    project.mkdir()
    write_table(project / "rows.csv")
    save_preset(project / "preset", 1)
    config = config_of(project / "rows.csv", project / "preset")
    train(config, project / "run")
    return project


@pytest.fixture
def project(made, tmp_path):
    """The project, moved to another folder."""
    return shutil.copytree(made, tmp_path / "moved")


@pytest.fixture
def gone(made):
    """Hides the folder that the project was moved from."""
    hidden = made.rename(made.with_name("hidden"))
    yield
    hidden.rename(made)


def break_off(config, folder, monkeypatch):
    with monkeypatch.context() as patch:
        fail_at(patch, checkpoint_folder, "write", 1, Killed, False)
        with pytest.raises(Killed):
            train(config, folder, checkpoint_seconds=0)


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_changes_between_kill_and_resume_is_noticed(
    project, monkeypatch, tmp_path
):
    table, preset = project / "rows.csv", project / "preset"
    config = config_of(table, preset)
    break_off(config, tmp_path / "run", monkeypatch)
    save_preset(preset, 2)
    with pytest.raises(ValueError, match="weights of the preset .* changed"):
        train(config, tmp_path / "run", resume=True)
    save_preset(preset, 1)
    text = table.read_text()
    table.write_text(text.replace("0.", "1."))
    with pytest.raises(ValueError, match="data has changed since"):
        train(config, tmp_path / "run", resume=True)
    # Elsewhere, but with the same content.
    table.with_name("elsewhere").mkdir()
    table.with_name("elsewhere").joinpath("rows.csv").write_text(text)
    preset = preset.rename(project / "renamed")
    moved = config_of(project / "elsewhere" / "rows.csv", preset)
    with pytest.raises(ValueError, match="has seed=0 but received seed=1"):
        train(moved.with_settings(seed=1), tmp_path / "run", resume=True)
    assert train(moved, tmp_path / "run", resume=True)["steps"] == 2
    with pytest.raises(ValueError, match="data has changed since"):
        train(config_of(table, preset), tmp_path / "run", resume=True)


def write_listops(folder, count, seed):
    folder.mkdir(exist_ok=True)
    generator = np.random.default_rng(seed)
    for name in ("train", "val", "test"):
        rows = "".join(
            f"( [MAX {a} {b} ] )\t{max(a, b)}\n"
            for a, b in generator.integers(0, 10, (count, 2))
        )
        path = folder / f"basic_{name}.tsv"
        path.write_text(f"Source\tTarget\n{rows}")


def test_files_of_a_task_that_are_replaced_are_noticed(
    preset, monkeypatch, tmp_path
):
    data = tmp_path / "listops"
    write_listops(data, 60, 0)
    config = RunConfig(
        "listops", preset, data_dir=str(data), options={"max_length": 16}
    ).with_settings(steps=2, batch_size=8, depth=1)
    break_off(config, tmp_path / "run", monkeypatch)
    write_listops(data, 60, 7)
    with pytest.raises(ValueError, match="data has changed since"):
        train(config, tmp_path / "run", resume=True)
    # The same holds for one that is finished.
    (tmp_path / "run" / "adapter.safetensors").touch()
    (tmp_path / "run" / "metrics.json").write_text("{}")
    for use in (
        lambda: evaluate(tmp_path / "run"),
        lambda: train(config, tmp_path / "run", resume=True),
    ):
        with pytest.raises(ValueError, match="data has changed since"):
            use()


def test_a_project_that_was_moved_as_a_whole_is_used(project, gone):
    metrics = json.loads((project / "run" / "metrics.json").read_text())
    assert not os.path.exists(metrics["preset"])
    accuracy = pytest.approx(metrics["test_accuracy"])
    assert evaluate(project / "run")["accuracy"] == accuracy
    frame = predict(project / "run", project / "rows.csv")
    assert len(frame) == 60
    # The parts moved apart, and under other names.
    preset = (project / "preset").rename(project / "renamed")
    table = (project / "rows.csv").rename(project / "renamed.csv")
    with pytest.raises(FileNotFoundError, match="preset"):
        predict(project / "run", table)
    assert len(predict(project / "run", table, preset=preset)) == 60
    result = evaluate(project / "run", data_dir=table, preset=preset)
    assert result["accuracy"] == accuracy
    save_preset(preset, 2)
    with pytest.raises(ValueError, match="trained on another backbone"):
        predict(project / "run", table, preset=preset)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("config.json", {"seed": 5}, "with seed=0, but .* now says seed=5"),
        ("data.json", {"class_names": ["b", "a"]}, "data.json` has changed"),
    ],
)
def test_a_changed_file_of_a_run_is_noticed(project, name, changes, message):
    edit(project / "run" / name, **changes)
    with pytest.raises(ValueError, match=message):
        predict(project / "run", project / "rows.csv")


def test_the_adapter_of_another_run_is_noticed(project):
    adapter = project / "run" / "adapter.safetensors"
    arrays, header = checkpoints.read_arrays(adapter)
    checkpoints.write_arrays(adapter, arrays, header | {"run": "0" * 64})
    with pytest.raises(ValueError, match="was trained by another run"):
        predict(project / "run", project / "rows.csv")
    # As earlier versions wrote it.
    del header["run"]
    checkpoints.write_arrays(adapter, arrays, header)
    assert len(predict(project / "run", project / "rows.csv")) == 60


def test_a_run_without_a_manifest_goes_on_working(project):
    (project / "run" / "manifest.json").unlink()
    (project / "run" / "checkpoints").mkdir()
    config = config_of(project / "rows.csv", project / "preset")
    saved = json.loads((project / "run" / "config.json").read_text())
    same = dataclasses.replace(config, preset=saved["preset"])
    metrics = train(same, project / "run", resume=True)
    assert evaluate(project / "run")["loss"] == pytest.approx(
        metrics["test_loss"]
    )


def test_a_damaged_manifest_is_named(project):
    path = project / "run" / "manifest.json"
    for text in ("{", "[]", "{}", '{"weights": 1, "configuration": {}}'):
        path.write_text(text)
        with pytest.raises(ValueError, match="manifest.json"):
            evaluate(project / "run")


def test_answers_that_are_not_finite_are_refused(project, monkeypatch):
    from keras_fpt.runs import evaluation

    def overflowing(run, run_folder):
        model = load(run, run_folder)
        model.output_layer.bias.assign([np.inf, 0])
        return model

    load = evaluation.load_model
    run, _ = load_trained(project / "run")
    for module in ("evaluation", "answering"):
        monkeypatch.setattr(f"keras_fpt.runs.{module}.load_model", overflowing)
    with pytest.raises(FloatingPointError, match="loss on test is"):
        evaluate(project / "run")
    with pytest.raises(FloatingPointError, match="row 1.* is not finite"):
        predict(project / "run", project / "rows.csv")


def test_a_run_whose_test_loss_is_not_finite_keeps_what_it_learned(
    project, monkeypatch, tmp_path
):
    config = config_of(project / "rows.csv", project / "preset")
    with monkeypatch.context() as patch:
        patch.setattr(
            "keras_fpt.runs.evaluation.evaluate_model",
            lambda model, data, callbacks: {"loss": np.inf, "accuracy": 0.5},
        )
        message = "loss on test is inf.* validation, are in"
        with pytest.raises(FloatingPointError, match=message):
            train(config, tmp_path / "run")
        with pytest.raises(FloatingPointError, match="loss on test is inf"):
            train(config, tmp_path / "run", resume=True)
        assert get_or_train(config, tmp_path / "study", True)[1] is None
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert np.isfinite(metrics["validation_loss"])
    assert "test_loss" not in metrics and "test_accuracy" not in metrics
    assert len(predict(tmp_path / "run", project / "rows.csv")) == 60
    runs = load_runs(tmp_path / "run", tmp_path / "study")
    assert runs["status"].tolist() == ["finished", "diverged"]
    assert runs["final"].tolist() == [False, True]
    # The test split can be read once its data is in order.
    metrics = train(config, tmp_path / "run", resume=True)
    assert np.isfinite(metrics["test_loss"])
    assert load_runs(tmp_path / "run")["final"].all()


def test_runs_of_one_study_have_the_same_data_and_weights(project, tmp_path):
    table, preset = project / "rows.csv", project / "preset"
    runs = tmp_path / "study" / "runs"
    config = config_of(table, preset)
    get_or_train(config, runs, test=False)
    other = config.with_settings(learning_rate=1e-2)
    text = table.read_text()
    table.write_text(text.replace("0.", "1."))
    with pytest.raises(ValueError, match="data changed since the run"):
        get_or_train(other, runs, test=False)
    with pytest.raises(ValueError, match="data has changed since"):
        get_or_train(config, runs, test=False)
    table.write_text(text)
    save_preset(preset, 2)
    with pytest.raises(ValueError, match="weights changed since the run"):
        get_or_train(other, runs, test=False)
    # Drawn from the seed, and so the same as before.
    get_or_train(other.with_settings(arm="random"), runs, test=False)
    save_preset(preset, 1)
    get_or_train(other, runs, test=False)
