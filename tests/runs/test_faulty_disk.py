"""A disk on which every operation on a run's files fails once."""

# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811
import contextlib
import dataclasses
import errno
import os
import pathlib
import re

import numpy as np
import pytest
from interrupting import config, result, small_evaluations

from keras_fpt.files import checkpoints
from keras_fpt.runs import finishing, recorder, test_examples, train, training
from keras_fpt.runs.test_examples import ExampleScores

pytestmark = pytest.mark.backend_free
# The functions through which files are written, read, renamed and removed,
# and which of their arguments is a path. `os.fsync` is one of them.
OPERATIONS = [
    (os, "open", 0),
    (os, "replace", 1),
    (os, "mkdir", 0),
    (pathlib.Path, "write_bytes", 0),
    (pathlib.Path, "read_bytes", 0),
    (pathlib.Path, "unlink", 0),
    (checkpoints, "save_file", 1),
    (checkpoints, "safe_open", 0),
]
# What a run does not need once it is finished.
DISPENSABLE = ("curves.png", "features.npy")


class FaultyDisk:
    """Makes each operation on each file below a folder fail the first time.

    Args:
        folder: `pathlib.Path`.
    """

    def __init__(self, folder):
        self.folder, self.failed, self.opened = folder, [], {}
        self.may_fail = False

    @contextlib.contextmanager
    def failing_once(self):
        """Fails one operation within the block, and any on the dispensable."""
        self.may_fail = True
        with pytest.MonkeyPatch.context() as patch:
            for owner, name, position in OPERATIONS:
                operation = getattr(owner, name)
                faulty = self._faulty(name, operation, position)
                patch.setattr(owner, name, faulty)
            patch.setattr(os, "fsync", self._fsync(os.fsync))
            yield

    def _faulty(self, name, operation, position):
        def faulty(*arguments, **keywords):
            self._fail(name, arguments[position])
            done = operation(*arguments, **keywords)
            if name == "open":
                self.opened[done] = arguments[0]
            return done

        return faulty

    def _fsync(self, fsync):
        def faulty(descriptor):
            self._fail("fsync", self.opened.get(descriptor, "/"))
            fsync(descriptor)

        return faulty

    def _fail(self, name, path):
        path = pathlib.Path(os.fsdecode(path)).absolute()
        if not path.is_relative_to(self.folder) or path.name == ".lock":
            return
        file = re.sub(r"\.\w{8}\.tmp$", "", path.name)
        file = re.sub(r"\d{9}", "checkpoint", file)
        is_dispensable = file in DISPENSABLE
        if (name, file) in self.failed or not (self.may_fail or is_dispensable):
            return
        self.may_fail &= is_dispensable
        self.failed.append((name, file))
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))


MEASURED = {"loss": 0.5, "accuracy": 0.75}


def fit_in_no_time(run, model, recorder):
    """Adds a number to a weight in each step, and evaluates nothing."""
    recorder.set_model(model)
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    if recorder.train_logs is not None:
        recorder.restore()
        recorder.add_row(MEASURED)
    elif recorder.step:
        recorder.restore()
    while recorder.step < run.steps:
        weight = model.trainable_variables[0]
        weight.assign(weight + 1.0 + recorder.step)
        recorder.on_train_batch_end(0, MEASURED)
        if recorder.train_logs is not None:
            recorder.add_row(MEASURED)


def measure_in_no_time(run, model, recorder, test, callbacks):
    seconds = recorder.rows[-1]["seconds"]
    measured = {"test_accuracy": 0.75, "wall_seconds": seconds}
    right = np.array([1.0, 1.0, 1.0, 0.0])
    examples = ExampleScores(right, {"majority class": 1 - right})
    return {**run.settings(), **measured}, examples, None


def test_each_operation_on_files_may_fail(
    config, tmp_path, monkeypatch, messages
):
    monkeypatch.setattr(recorder, "MIN_STEPS_BETWEEN_EVALUATIONS", 2)
    monkeypatch.setattr(training, "_fit", fit_in_no_time)
    monkeypatch.setattr(finishing, "_measure", measure_in_no_time)
    config = dataclasses.replace(config, steps=3)
    train(config, tmp_path / "expected")
    folder = tmp_path / "run"
    disk, kept, is_finished = FaultyDisk(folder), 0, False
    # The disk of a run that is about to start is written to to try it.
    disk.failed.append(("open", "run"))
    while not is_finished:
        messages.clear()
        try:
            with disk.failing_once():
                train(config, folder, resume=True)
            is_finished = True
        except OSError as error:
            assert str(folder) in str(error)
            steps = [int(p.stem) for p in folder.glob("checkpoints/0*[0-9].*")]
            assert max(steps, default=0) >= kept
            kept = max(steps, default=0)
    assert result(folder) == result(tmp_path / "expected")
    assert test_examples.read(folder).run.tolist() == [1, 1, 1, 0]
    names = ("checkpoint", "adapter", "config", "history", "metrics")
    for name in (*names, "test_examples"):
        for operation in ("open", "fsync", "replace"):
            assert any(
                failed == operation and file.startswith(name)
                for failed, file in disk.failed
            )
    assert any("could not draw curves.png" in line for line in messages)
    assert not [p for p in folder.rglob("*") if p.suffix == ".tmp"]
