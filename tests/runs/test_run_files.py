"""What is written to a run's folder, and what is removed from it."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file
from written_runs import write_run

from keras_fpt.files import checkpoints, json_files
from keras_fpt.runs import (
    RunConfig,
    checkpoint_folder,
    curves,
    errors,
    finishing,
)
from keras_fpt.runs import folder as run_folder
from keras_fpt.runs.saved_progress import SavedProgress

pytestmark = pytest.mark.backend_free
LAYOUT = curves.LAYOUT


@pytest.fixture
def run(tmp_path):
    """A run's folder with two checkpoints, and files of other programs."""
    folder = tmp_path / "run"
    write_run(folder)
    for step in (1, 2):
        name = f"{step:09d}.safetensors"
        (folder / "checkpoints").mkdir(exist_ok=True)
        checkpoints.write_arrays(
            folder / "checkpoints" / name, {"a": np.ones(3)}, {"step": step}
        )
    (folder / "tensorboard").mkdir()
    (folder / "tensorboard" / "events.out.tfevents.1").touch()
    for place in ("notes.txt", "checkpoints/my_llm.safetensors"):
        (folder / place).write_text("mine")
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_overwriting_removes_the_runs_files_alone(run):
    (run / "checkpoints" / "000000003.safetensors.1f.tmp").touch()
    run_folder.clear(run)
    assert names(run) == ["checkpoints", "notes.txt"]
    assert names(run / "checkpoints") == ["my_llm.safetensors"]


@pytest.mark.parametrize(
    "place", ["curves.png", "checkpoints", ".lock", "tensorboard/x"]
)
def test_a_run_folder_with_links_is_not_written_to(run, tmp_path, place):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    if place == "checkpoints":
        (run / place).rename(tmp_path / "away")
    (run / place).symlink_to(victim)
    for flags in ((True, False), (False, True)):
        with pytest.raises(FileExistsError, match=f"{place}` is a link"):
            run_folder.check_output(run, *flags)
    assert victim.read_text() == "mine"


def test_a_checkpoint_of_a_later_version_is_kept_and_named(run):
    newest = run / "checkpoints" / "000000002.safetensors"
    header = {checkpoints.METADATA_KEY: json.dumps(["x", {"step": 2}, "new"])}
    save_file({"a": np.ones(3)}, newest, header)
    before = names(run / "checkpoints")
    with pytest.raises(ValueError, match=r"0002.safetensors.*later version"):
        checkpoint_folder.newest(run / "checkpoints")
    assert names(run / "checkpoints") == before


def test_a_damaged_checkpoint_is_renamed_and_kept(run, messages):
    newest = run / "checkpoints" / "000000002.safetensors"
    content = newest.read_bytes()[:-1]
    newest.write_bytes(content)
    assert checkpoint_folder.newest(run / "checkpoints")[1] == {"step": 1}
    (kept,) = (run / "checkpoints").glob("*.damaged-*")
    assert kept.read_bytes() == content and kept.name in messages[0]
    checkpoint_folder.remove(run / "checkpoints")
    assert names(run / "checkpoints") == [kept.name, "my_llm.safetensors"]


ROW = {"step": 2, "validation_accuracy": 0.5}


@pytest.mark.parametrize(
    "changes",
    [
        {"step": 10**9},
        {"step": "x"},
        {"step": 0},
        {"step": True},
        {"history": ["x"]},
        {"history": [{"step": 2}]},
        {"history": []},
        {"train_logs": None},
        {"history": [{**ROW, "step": 4}]},
        {"history": [{**ROW, "validation_accuracy": "x"}]},
        {"seconds": np.nan},
        {"train_logs": {"loss": "x", "accuracy": 1}},
        {"train_logs": {}},
        {"backend": None},
    ],
)
def test_a_checkpoint_that_does_not_fit_the_run_is_damaged(
    run, changes, messages
):
    def read(metadata):
        return SavedProgress.of(metadata, steps=5, steps_per_row=2)

    good = {
        "step": 4,
        "backend": "torch",
        "processes": 1,
        "seconds": 1,
        "history": [ROW],
        "train_logs": {"loss": 1, "accuracy": 0.5},
        "of a later version": 1,
    }
    assert read(good).history == (ROW,)
    folder = run / "checkpoints"
    newest = folder / "000000002.safetensors"
    checkpoints.write_arrays(newest, {}, good | changes)
    older = folder / "000000001.safetensors"
    checkpoints.write_arrays(older, {}, good)
    assert checkpoint_folder.newest(folder, read)[1] == good
    assert "header does not fit the run" in messages[0]
    assert not newest.exists() and len(list(folder.glob("*.damaged-*"))) == 1


@pytest.mark.parametrize("task", ["a $ b_$", "l\udce9gende", r"\frac{", "🤖\n"])
def test_any_name_is_drawn(run, monkeypatch, task):
    rows = [
        {
            **{f"train_{name}": 0.5 for name in ("loss", "accuracy")},
            **{f"validation_{name}": 0.5 for name in ("loss", "accuracy")},
            "step": step,
        }
        for step in (1, 2)
    ]
    monkeypatch.setattr(curves, "LAYOUT", LAYOUT)
    monkeypatch.setattr(finishing, "read_history", lambda folder: rows)
    metrics = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps({**metrics, "task": task}))
    finishing.draw_missing_curves(run)
    assert (run / "curves.png").read_bytes()[:4] == b"\x89PNG"


def test_what_decorates_a_run_only_warns(messages):
    with errors.warn_instead("draw curves.png"):
        raise ValueError("no such font")
    assert messages == ["Warning: could not draw curves.png: no such font"]
    with pytest.raises(KeyboardInterrupt), errors.warn_instead("draw"):
        raise KeyboardInterrupt


def test_names_that_are_not_utf_8_are_read_back(tmp_path):
    config = RunConfig("l\udce9gende", source="/data/l\udce9gende.csv")
    (tmp_path / "config.json").write_text(config.to_json())
    assert RunConfig.read(tmp_path / "config.json") == config
    with pytest.raises(ValueError, match="steps"):
        json_files.from_dict(RunConfig, {"task": "\udce9", "steps": "x"}, "x")


@pytest.mark.backend_free
def test_a_folder_of_folds_names_one_of_them(tmp_path):
    (tmp_path / "fold-1").mkdir()
    (tmp_path / "fold-1" / "config.json").write_text("{}")
    with pytest.raises(
        FileNotFoundError, match=r"One of its subfolders does: .*fold-1`"
    ):
        run_folder.read_config(tmp_path)
