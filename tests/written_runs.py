"""Folders of runs that were written, but not run."""

import json

from keras_fpt.runs import RunConfig
from keras_fpt.runs.recorder import write_history


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
