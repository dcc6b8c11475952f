"""Folders of runs that were written, but not run."""

import json

from keras_fpt.runs import RunConfig
from keras_fpt.runs.recorder import write_history
from keras_fpt.runs.test_examples import ExampleScores


def write_run(folder, accuracy=0.9, test=True, error=None, **config):
    """What a run on bit_xor leaves, without having been run."""
    folder.mkdir(parents=True)
    settings = {"steps": 30, "learning_rate": 1e-3, "policy": "fpt", **config}
    config = RunConfig("bit_xor").with_settings(**settings)
    (folder / "config.json").write_text(config.to_json())
    if error is not None:
        text = json.dumps({"error": error, "final": test})
        (folder / "diverged.json").write_text(text)
        return
    rows = [
        {"step": step, "validation_accuracy": accuracy} for step in (10, 20, 30)
    ]
    write_history(folder, rows)
    metrics = {
        **config.settings(),
        "train_accuracy": accuracy + 0.01,
        "validation_accuracy": accuracy,
        "wall_seconds": 2.0,
        "trainable_parameters": 100,
        "validation_majority_accuracy": 0.5,
        "test_majority_accuracy": 0.5,
        "backend": "torch",
    }
    if test:
        metrics["test_accuracy"] = accuracy - 0.1
    (folder / "metrics.json").write_text(json.dumps(metrics))


def write_numbers(folder, rmse, scores=None, rules=None, **config):
    """What a run that predicts prices leaves, without having been run.

    The test split has the same RMSE, or the scores of its examples.
    """
    folder.mkdir(parents=True)
    settings = {"steps": 30, "learning_rate": 1e-3, "policy": "fpt", **config}
    config = RunConfig("prices").with_settings(**settings)
    (folder / "config.json").write_text(config.to_json())
    rows = [
        {"step": step, "validation_rmse": rmse + 1 / step}
        for step in (10, 20, 30)
    ]
    write_history(folder, rows)
    metrics = {
        **config.settings(),
        "wall_seconds": 2.0,
        "trainable_parameters": 100,
        "backend": "torch",
    }
    for split in ("train", "validation", "test"):
        metrics |= {f"{split}_rmse": rmse, f"{split}_mae": 1.5}
        metrics |= {f"{split}_r2": 0.75, f"{split}_floor_rmse": 4.5}
    metrics["validation_floors"] = {"mean of train": 4.5}
    if scores is not None:
        ExampleScores(scores, rules or {}).write(folder)
        metrics["test_rmse"] = (-scores.mean()) ** 0.5
    (folder / "metrics.json").write_text(json.dumps(metrics))
