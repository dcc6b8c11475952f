"""Small runs, their results, and ways to interrupt them."""

import csv
import json

import pytest

from keras_fpt.files import checkpoints
from keras_fpt.runs import RunConfig, finishing, recorder, train
from keras_fpt.runs.checkpoint_interval import CheckpointInterval
from keras_fpt.tasks import generated

SMALL = [
    (generated, "SIZES", {"validation": 100, "test": 100}),
    (finishing, "TRAIN_SUBSET_SIZE", 20),
    (recorder, "MIN_STEPS_BETWEEN_EVALUATIONS", 4),
    (CheckpointInterval, "is_due", lambda self: True),
]


def make_small():
    """Evaluates on few examples, and checkpoints after every step."""
    for owner, name, value in SMALL:
        setattr(owner, name, value)


@pytest.fixture(scope="module", autouse=True)
def small_evaluations():
    with pytest.MonkeyPatch.context() as patch:
        for owner, name, value in SMALL:
            patch.setattr(owner, name, value)
        yield


@pytest.fixture(scope="module")
def config(preset):
    """A run of ten steps: evaluated after four, eight and ten."""
    return RunConfig("bit_xor", preset).with_settings(
        depth=1, steps=10, batch_size=20, dropout=0.1
    )


@pytest.fixture(scope="module")
def expected(config, tmp_path_factory):
    """The files of a run that nothing has interrupted."""
    folder = tmp_path_factory.mktemp("runs") / "uninterrupted"
    train(config, folder)
    return result(folder)


def result(folder):
    """Everything that a run writes apart from wall times."""
    metrics = json.loads((folder / "metrics.json").read_text())
    del metrics["wall_seconds"]
    metrics.pop("share_seconds", None)  # Of those that were in a stack.
    rows = list(csv.DictReader((folder / "history.csv").open()))
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
    arrays, header = checkpoints.read_arrays(folder / "adapter.safetensors")
    arrays = {name: array.tobytes() for name, array in arrays.items()}
    return metrics, rows, arrays, header


def fail_at(monkeypatch, owner, name, call, error, before=True):
    """Makes a function raise in place of, or after, one of its calls.

    Args:
        call: int, which of its calls, counted from 1.
        before: bool, whether it raises in place of the call.
    """
    original, calls = getattr(owner, name), []

    def failing(*arguments, **keywords):
        calls.append(None)
        if len(calls) == call and before:
            raise error
        answer = original(*arguments, **keywords)
        if len(calls) == call:
            raise error
        return answer

    monkeypatch.setattr(owner, name, failing)
