# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811
import dataclasses
import multiprocessing
import os
import signal
import time

import launching
import numpy as np
import pytest
from interrupting import (
    config,
    expected,
    fail_at,
    make_small,
    result,
    small_evaluations,
)

from keras_fpt.models import FPTClassifier
from keras_fpt.runs import (
    Preempted,
    StopSignals,
    checkpoint_folder,
    checkpoint_interval,
    finishing,
    recorder,
    resolve,
    train,
)
from keras_fpt.runs import folder as run_folder


class Killed(BaseException):
    """Ends a run as a kill would, but within the process."""


def resume(config, folder):
    train(config, folder, resume=True)


def steps_kept(folder):
    paths = folder.glob("checkpoints/*.safetensors")
    return sorted(int(path.stem) for path in paths)


WRITE = (checkpoint_folder, "write")
WRITE_HISTORY = (recorder, "write_history")
# The function whose call interrupts a run, which call, and whether in its
# place.
WHILE_TRAINING = [
    (*WRITE, 1, True),  # in the first step
    (*WRITE, 4, False),  # between the fourth and its evaluation
    (*WRITE_HISTORY, 1, False),  # after that
    (*WRITE, 3, False),  # in the middle of a later segment
]
WHILE_EVALUATING = [
    (*WRITE, 2, False),  # after the second step
    (*WRITE, 2, True),  # in the fourth
    (*WRITE_HISTORY, 1, True),  # in its evaluation
    (*WRITE_HISTORY, 1, True),  # in the same one again
]
WHILE_FINISHING = [
    (*WRITE, 10, False),  # between the last step and its evaluation
    (finishing, "draw_curves", 1, False),  # before the metrics
    (run_folder, "remove_checkpoints", 1, True),  # after the metrics
]
WHILE_WRITING_RESULTS = [
    (*WRITE_HISTORY, 3, False),  # after the last evaluation
    (FPTClassifier, "save_adapter", 1, True),
    (finishing, "draw_curves", 1, True),
]


@pytest.mark.backend_free
@pytest.mark.parametrize(
    "places",
    [
        WHILE_TRAINING,
        WHILE_FINISHING,
        pytest.param(WHILE_EVALUATING, marks=pytest.mark.slow),
        pytest.param(WHILE_WRITING_RESULTS, marks=pytest.mark.slow),
    ],
)
def test_a_run_broken_off_again_and_again_ends_as_if_nothing_had_happened(
    config, expected, tmp_path, monkeypatch, places
):
    for place in places:
        with monkeypatch.context() as patch:
            owner, name, call, before = place
            fail_at(patch, owner, name, call, Killed, before)
            with pytest.raises(Killed):
                train(config, tmp_path, resume=True)
    resume(config, tmp_path)
    assert result(tmp_path) == expected
    assert not (tmp_path / "checkpoints").exists()
    assert not (tmp_path / ".lock").exists()


@pytest.mark.backend_free
def test_killed_before_its_configuration_is_written(
    config,
    tmp_path,
):
    (tmp_path / ".lock").write_text("1\n")
    (tmp_path / "config.json.a1b2.tmp").write_text('{"task": "bi')
    run_folder.check_output(tmp_path, resume=False, overwrite=False)
    with run_folder.lock(tmp_path):
        run_folder.initialize(tmp_path, resolve(config), False, False)
    assert [p.name for p in tmp_path.iterdir()] == ["config.json"]


def break_off_after(steps, config, folder, monkeypatch):
    with monkeypatch.context() as patch:
        fail_at(patch, checkpoint_folder, "write", steps, Killed, False)
        with pytest.raises(Killed):
            train(config, folder)


@pytest.mark.backend_free
def test_the_last_two_checkpoints_are_kept_and_a_damaged_one_passed_over(
    config,
    expected,
    tmp_path,
    monkeypatch,
    messages,
):
    break_off_after(7, config, tmp_path, monkeypatch)
    assert steps_kept(tmp_path) == [6, 7]
    newest = tmp_path / "checkpoints" / "000000007.safetensors"
    content = bytearray(newest.read_bytes())
    content[-5] ^= 1
    newest.write_bytes(content)
    leftover = tmp_path / "checkpoints" / "000000008.safetensors.x.tmp"
    leftover.write_bytes(b"half")
    messages.clear()
    resume(config, tmp_path)
    assert "skipping" in messages[0] and str(newest) in messages[0]
    assert messages[1] == "Resuming after step 6."
    assert result(tmp_path) == expected


@pytest.mark.backend_free
def test_no_good_checkpoint_begins_from_the_start(
    config,
    expected,
    tmp_path,
    monkeypatch,
    messages,
):
    break_off_after(6, config, tmp_path, monkeypatch)
    for path in (tmp_path / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    messages.clear()
    resume(config, tmp_path)
    assert "no checkpoint is intact" in messages[2]
    assert not any("Resuming" in line for line in messages)
    assert result(tmp_path) == expected


@pytest.fixture
def listening():
    """Lets Ctrl-C raise; a process in the background may ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("number", "error"),
    [
        (signal.SIGTERM, Preempted),
        pytest.param(signal.SIGINT, KeyboardInterrupt, marks=pytest.mark.slow),
    ],
)
def test_a_signal_checkpoints_after_the_running_step(
    listening,
    config,
    expected,
    tmp_path,
    monkeypatch,
    messages,
    number,
    error,
):
    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(
            checkpoint_interval.CheckpointInterval,
            "is_due",
            lambda self: False,
        )

        def check_finite(self, name, value):
            if self.step == 6:
                os.kill(os.getpid(), number)

        patch.setattr(recorder.Recorder, "_check_finite", check_finite)
        with pytest.raises(error):
            train(config, tmp_path)
    assert signal.getsignal(number) is before
    assert steps_kept(tmp_path) == [4, 6]
    assert messages[-1] == (
        "Interrupted after step 6. Repeat the command with --output "
        f"{tmp_path} --resume to continue from the checkpoint of step 6."
    )
    resume(config, tmp_path)
    assert result(tmp_path) == expected


@pytest.mark.backend_free
def test_a_signal_during_an_evaluation_stops_at_once(
    config,
    tmp_path,
    monkeypatch,
):
    def terminate(folder, rows):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
        pytest.fail("The signal was not raised.")

    monkeypatch.setattr(recorder, "write_history", terminate)
    with pytest.raises(Preempted):
        train(config, tmp_path)
    assert steps_kept(tmp_path) == [3, 4]


@pytest.mark.backend_free
def test_a_second_signal_does_not_wait(listening):
    stops = StopSignals()
    with stops.watched():
        stops.defer()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stops.pending is Preempted
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.backend_free
def test_the_interval_keeps_writing_under_a_twentieth(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(checkpoint_interval.time, "monotonic", lambda: now[0])
    timer = checkpoint_interval.CheckpointInterval(5.0)
    for seconds, pause in ((0.1, 5.0), (2.0, 38.0)):
        with timer.writing():
            now[0] += seconds
        assert timer.due - now[0] == pytest.approx(pause)
    with pytest.raises(ValueError, match="at least 0"):
        checkpoint_interval.CheckpointInterval(float("nan"))


COMMAND = (
    "from interrupting import make_small\n"
    "from keras_fpt.cli import main\n"
    "make_small()\n"
    "main()\n"
)


def start(config, folder):
    """The command line in its own process."""
    command = [
        *("-c", COMMAND, "train", config.task),
        *("--preset", config.preset, "--steps", config.steps),
        *("--batch-size", config.batch_size, "--depth", config.model.depth),
        *("--dropout", config.model.dropout, "--output", folder),
        *("--checkpoint-seconds", 0),
    ]
    (process,) = launching.start(command, [dict(os.environ)])
    return process


def test_a_killed_process_is_resumed_by_another(
    config,
    expected,
    tmp_path,
):
    folder = tmp_path / "run"
    process = start(config, folder)
    while process.poll() is None and 5 not in steps_kept(folder):
        time.sleep(0.001)
    process.kill()
    output = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL, output
    assert (folder / ".lock").exists()
    resume(config, folder)
    assert result(folder) == expected


def train_in_child(config, folder):
    make_small()
    train(config, folder, resume=True, checkpoint_seconds=0)


@pytest.mark.slow
def test_kills_at_twenty_random_moments(config, tmp_path):
    # A server that has imported everything and started nothing forks the
    # processes: each is new, and begins immediately.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["keras_hub", "keras_fpt.runs.train"])

    def start(folder):
        process = context.Process(
            target=train_in_child, args=(config, folder), daemon=True
        )
        process.start()
        return process

    config = dataclasses.replace(config, steps=100)
    whole = tmp_path / "whole"
    for _ in range(2):  # The first one starts the server.
        began = time.monotonic()
        process = start(tmp_path / str(began))
        process.join()
        assert process.exitcode == 0
        seconds = time.monotonic() - began
    whole = result(tmp_path / str(began))
    generator = np.random.default_rng(0)
    kills, finished, folder = [], 0, tmp_path / "run-0"
    while len(kills) < 20:
        process = start(folder)
        process.join(generator.uniform(0, seconds))
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        if process.exitcode:
            kills.append(max(map(int, steps_kept(folder)), default=0))
        if (folder / "metrics.json").exists():
            finished += 1
            assert result(folder) == whole
            folder = tmp_path / f"run-{finished}"
    process = start(folder)
    process.join()
    assert process.exitcode == 0
    assert result(folder) == whole
    print(f"{finished + 1} runs, killed after steps {kills}")
    # Not all before the first step or after the last one.
    assert len({step for step in kills if 0 < step < config.steps}) > 2
