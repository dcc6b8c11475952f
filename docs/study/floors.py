"""Writes `floors.json`: what simple rules and a linear model reach.

    TFDS_DATA_DIR=... python docs/study/floors.py TAPE

The rules are those that the package compares every arm with. The linear model,
scikit-learn's logistic regression on the flattened tokens, is fitted on the
image tasks alone, with its C chosen on validation data.
"""

import json
import pathlib
import sys
import warnings
from typing import Any

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from keras_fpt import tasks
from keras_fpt.studies import rivals

COMMAND = "TFDS_DATA_DIR=... python docs/study/floors.py TAPE"
IMAGES = ("cifar10", "digits", "mnist")
NAMES = ("bit_memory", "bit_xor", "listops", "remote_homology", *IMAGES)
FILE = pathlib.Path(__file__).with_name("floors.json")


def floors(task: tasks.Task) -> dict[str, Any]:
    """The sizes of a task's held-out splits, and what its rules reach there."""
    found = {}
    for split in task.held_out_splits:
        rules = task.floors(split)
        (count,) = {len(right) for right in rules.values()}
        labels = task.data.labels(split)
        assert labels is not None  # Held-out splits end.
        found[split] = {
            "examples": count,
            "answers": labels.size,
            "rules": {name: float(x.mean()) for name, x in rules.items()},
        }
    return found


def logistic_regression(task: tasks.Task) -> dict[str, Any]:
    """What a linear model of a task's tokens reaches."""
    data = {
        split: (x, labels[:, 0])
        for split, (x, labels) in rivals.flattened(task).items()
    }
    fitted = {}
    for c in (0.001, 0.01, 0.1, 1.0):
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=c, max_iter=200)
        )
        with warnings.catch_warnings():
            # A hundred more iterations would not do better.
            warnings.simplefilter("ignore")
            fitted[c] = model.fit(*data["train"])
    scores = {c: m.score(*data["validation"]) for c, m in fitted.items()}
    best = max(scores, key=lambda c: scores[c])
    return {
        "train_examples": len(data["train"][0]),
        "c": best,
        "validation": float(scores[best]),
        "test": float(fitted[best].score(*data["test"])),
    }


if __name__ == "__main__":
    (tape,) = sys.argv[1:]
    found = {
        name: tasks.get(
            name, data_dir=tape if name == "remote_homology" else None
        )
        for name in NAMES
    }
    content = {
        "command": COMMAND,
        "tasks": {name: floors(task) for name, task in found.items()},
        "logistic_regression": {
            name: logistic_regression(found[name]) for name in IMAGES
        },
    }
    text = json.dumps(content, indent=2)
    FILE.write_text(text + "\n", encoding="utf-8")
