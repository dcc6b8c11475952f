"""Files of the previous version still load, predict and report the same.

`old_version/` holds runs and a sweep that version 0.1.0, before its redesign,
wrote on PyTorch, the tables of `keras-fpt report` on them, and predictions.
"""

import json
import pathlib
import shutil

import pandas as pd
import pytest

from keras_fpt import FPTClassifier, studies
from keras_fpt.files import checkpoints
from keras_fpt.reports import write_report
from keras_fpt.results import load_runs
from keras_fpt.runs import (
    RunConfig,
    evaluate,
    folder,
    predict,
    resolve,
    run_store,
    train,
)

OLD = pathlib.Path(__file__).parent / "old_version"
VERDICT = (
    "Whether fpt is above random cannot be told: the best learning rate is at "
    "the edge: that of fpt, 0.01, is the highest of those tried and that of "
    "random, 0.001, is the lowest of those tried, so a better one may lie "
    "beyond. At the rates tried, the difference is 8.4 points (95% interval "
    "4.6 to 12.2 over seeds, p = 0.011)."
)


@pytest.fixture
def old(tmp_path):
    """A copy of the files, which a test may change."""
    return shutil.copytree(OLD, tmp_path / "old")


def test_a_run_evaluates_as_it_did(old):
    metrics = json.loads((old / "run" / "metrics.json").read_text())
    result = evaluate(old / "run")
    assert result["accuracy"] == pytest.approx(metrics["test_accuracy"])
    assert result["loss"] == pytest.approx(metrics["test_loss"], rel=1e-5)


def test_a_run_on_a_table_evaluates_and_predicts_as_it_did(old):
    metrics = json.loads((old / "walks" / "metrics.json").read_text())
    result = evaluate(old / "walks", data_dir=old / "walks.csv")
    assert result["loss"] == pytest.approx(metrics["test_loss"], rel=1e-5)
    frame = predict(old / "walks", old / "walks.csv")
    before = pd.read_csv(old / "predictions.csv")
    assert frame["example"].tolist() == before["example"].tolist()
    assert frame["prediction"].tolist() == before["prediction"].tolist()
    name = "probability_walk"
    assert frame[name].tolist() == pytest.approx(
        before[name].tolist(), abs=1e-5
    )


def test_an_adapter_loads_into_a_classifier(old):
    path = old / "run" / "adapter.safetensors"
    _, header = checkpoints.read_arrays(path)
    model = FPTClassifier.from_preset(
        "gpt2_tiny_en", dropout=0, depth=1, **header["model"]
    )
    assert model.load_adapter(path) == header
    assert model.head_config() == header["model"]


@pytest.mark.backend_free
def test_reports_give_the_same_tables(old, tmp_path):
    folders = [old / name for name in ("run", "walks", "sweep")]
    write_report(folders, tmp_path / "report.html", tmp_path / "tables")
    ours = pd.read_csv(tmp_path / "tables" / "arms.csv")
    theirs = pd.read_csv(OLD / "tables/arms.csv")
    # Since then there are rows for simple rules, and one threshold for all.
    ours = ours[ours["settings"] != "simple rule"].reset_index(drop=True)
    theirs = theirs.drop(columns="steps_to_converge")
    ours = ours[list(theirs)].astype(theirs.dtypes)
    pd.testing.assert_frame_equal(ours, theirs)


@pytest.mark.backend_free
def test_a_finished_sweep_is_still_finished(old, messages):
    sweep = old / "sweep"
    config = studies.SweepConfig(
        RunConfig("bit_xor").with_settings(
            policy="output_only", depth=1, steps=20, batch_size=16
        ),
        search={"learning_rate": (1e-3, 1e-2)},
        seeds=2,
    )
    before = sorted(sweep.glob("runs/*/*"))
    table = studies.run_sweep(config, sweep)
    assert messages == ["All runs of the sweep are finished."]
    assert sorted(sweep.glob("runs/*/*")) == before
    assert list(table["n"]) == [2, 2, 1]
    assert studies.sweep_verdicts(sweep) == [VERDICT]


@pytest.mark.backend_free
def test_runs_of_a_sweep_keep_their_names(old, monkeypatch):
    monkeypatch.setattr(run_store.keras.backend, "backend", lambda: "torch")
    for path in (old / "sweep" / "runs").iterdir():
        run = resolve(folder.read_config(path))
        assert run_store.run_name(run) == path.name


@pytest.mark.backend_free
def test_a_finished_run_is_not_trained_again(old, messages):
    config = folder.read_config(old / "run")
    metrics = json.loads((old / "run" / "metrics.json").read_text())
    assert train(config, old / "run", resume=True) == metrics
    assert "there is nothing to resume" in messages[0]


@pytest.mark.backend_free
def test_all_runs_are_one_table(old):
    runs = load_runs(old)
    assert len(runs) == 8 and (runs["status"] == "finished").all()
    assert set(runs["preset"]) == {"gpt2_tiny_en"}
