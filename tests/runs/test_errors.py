# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811
import dataclasses
import errno
import os
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from interrupting import (
    config,
    expected,
    fail_at,
    result,
    small_evaluations,
)

from keras_fpt.runs import (
    checkpoint_folder,
    errors,
    recorder,
    train,
    training,
)
from keras_fpt.runs import folder as run_folder


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.backend_free
@pytest.mark.parametrize("step", [6, pytest.param(8, marks=pytest.mark.slow)])
def test_a_full_disk_keeps_the_last_good_state(
    config, expected, small_disk, monkeypatch, messages, step
):
    folder, filler = small_disk / "run", small_disk / "filler"
    check_finite = recorder.Recorder._check_finite

    def fill(self, name, value):
        # With the loss of a step, before its checkpoint, or with the loss of
        # an evaluation, before its row.
        check_finite(self, name, value)
        if self.step == step and (name == "loss") == (step == 6):
            with pytest.raises(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(2048))

    with monkeypatch.context() as patch:
        patch.setattr(recorder.Recorder, "_check_finite", fill)
        with pytest.raises(
            OSError, match="No space .* Free some space and continue"
        ):
            train(config, folder)
    assert not list(folder.rglob("*.tmp"))
    filler.unlink()
    messages.clear()
    train(config, folder, resume=True)
    assert messages[0] == f"Resuming after step {5 if step == 6 else 8}."
    assert result(folder) == expected


def test_a_disk_that_is_full_for_tensorflow_is_no_lack_of_memory(tmp_path):
    import tensorflow as tf

    text = os.strerror(errno.ENOSPC)
    full = tf.errors.ResourceExhaustedError(None, None, f"x; {text}")
    with (
        pytest.raises(OSError, match="the checkpoint of step 3"),
        errors.translate_out_of_memory(),
        errors.translate_disk_errors(
            tmp_path, lambda: "the checkpoint of step 3"
        ),
    ):
        raise full


def impossible_array():
    """Asks the backend for 4 PB."""
    shape = (2**25, 2**25)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.zeros(shape)
    return keras.ops.zeros(shape)


class Impossible(keras.layers.Layer):
    def call(self, x):
        return x + keras.ops.sum(impossible_array())


@pytest.mark.parametrize(
    "ask",
    [
        impossible_array,
        # Keras wraps the error of a layer in its own text.
        lambda: Impossible()(keras.ops.ones((2, 2))),
        lambda: np.zeros((2**25, 2**25)),
    ],
)
def test_a_lack_of_memory_is_one_error_that_says_what_to_do(ask):
    with (
        pytest.raises(MemoryError, match="smaller --batch-size") as info,
        errors.translate_out_of_memory(),
    ):
        ask()
    assert "Exception encountered" not in str(info.value)
    assert "\x1b" not in str(info.value)


def test_a_lack_of_memory_while_training(config, tmp_path, monkeypatch):
    monkeypatch.setattr(
        training.Recorder, "on_epoch_end", lambda *_: impossible_array()
    )
    with pytest.raises(MemoryError, match="Out of memory"):
        train(config, tmp_path)
    assert (tmp_path / "checkpoints").exists()


@pytest.mark.backend_free
def test_other_errors_pass_through_unchanged():
    error = ValueError("no such task")
    with pytest.raises(ValueError) as info, errors.translate_out_of_memory():
        raise error
    assert info.value is error


def test_a_loss_that_is_nan_says_where_and_keeps_the_state(
    config, tmp_path, monkeypatch
):
    check_finite = recorder.Recorder._check_finite

    def broken(self, name, value):
        check_finite(self, name, np.nan if self.step == 6 else value)

    monkeypatch.setattr(recorder.Recorder, "_check_finite", broken)
    with pytest.raises(FloatingPointError) as info:
        train(config, tmp_path)
    for words in (
        "loss became nan at step 6",
        "batch 5 (counted from 0) of 20 examples",
        "learning rate 0.001",
        "the checkpoint of step 5",
    ):
        assert words in str(info.value)


@pytest.mark.backend_free
def test_weights_that_are_not_finite_are_never_written(
    config, tmp_path, monkeypatch
):
    write = checkpoint_folder.write

    def broken(folder, step, model, *arguments, **keywords):
        if step == 3:
            variable = model.trainable_variables[0]
            variable.assign(keras.ops.full(variable.shape, np.inf))
        write(folder, step, model, *arguments, **keywords)

    monkeypatch.setattr(checkpoint_folder, "write", broken)
    with pytest.raises(FloatingPointError, match="not finite at step 3"):
        train(config, tmp_path)
    names = sorted(p.name for p in (tmp_path / "checkpoints").iterdir())
    assert names == ["000000001.safetensors", "000000002.safetensors"]


@pytest.mark.backend_free
def test_a_second_run_on_one_folder_is_refused_at_once(config, tmp_path):
    with run_folder.lock(tmp_path):
        for flags in ((False, False), (True, False), (False, True)):
            with pytest.raises(BlockingIOError) as info:
                train(config, tmp_path, *flags)
            assert f"{tmp_path}` (pid {os.getpid()})" in str(info.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.backend_free
def test_a_killed_process_lets_go_of_its_folder(tmp_path):
    program = (
        "import sys, time\n"
        "from filelock import FileLock\n"
        "lock = FileLock(sys.argv[1])\n"
        "lock.acquire()\n"
        "print('held', flush=True)\n"
        "time.sleep(600)\n"
    )
    path = str(tmp_path / run_folder.LOCK)
    process = subprocess.Popen(
        [sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    with pytest.raises(BlockingIOError):
        run_folder.check_output(tmp_path, False, False)
    process.kill()
    process.communicate()
    run_folder.check_output(tmp_path, False, False)
    with run_folder.lock(tmp_path):
        pass
