"""`keras-fpt train` in two processes on loopback."""

import json
import signal
import time

import keras
import pytest
from launching import environments, finish, start

from keras_fpt import distribution, runs
from keras_fpt.files import checkpoints
from keras_fpt.runs import RunConfig
from keras_fpt.runs.signals import AGREEMENT_SECONDS

BACKEND = keras.backend.backend()
STEPS = 30
# TensorFlow and JAX take long to start, and JAX more than a minute to notice
# and to stop the others.
WAITS_LONG = pytest.mark.slow if BACKEND != "torch" else lambda test: test


def command(task, folder, preset, steps=STEPS, rate=0.01):
    """The arguments of a run that is distributed."""
    return [
        *("-m", "keras_fpt.cli", "train", task, "--preset", preset),
        *("--steps", steps, "--batch-size", 16, "--learning-rate", rate),
        *("--dropout", 0, "--output", folder),
        *("--distribution", "data_parallel"),
    ]


def train(task, folder, preset, steps=STEPS):
    """Starts a run in two processes."""
    return start(
        command(task, folder, preset, steps),
        environments(BACKEND, num_processes=2),
    )


def wait_for_checkpoint(folder, processes):
    """Waits until a run has saved a checkpoint; returns their folder."""
    checkpoints_folder = folder / "checkpoints"
    deadline = time.monotonic() + 200
    while not list(checkpoints_folder.glob("*.safetensors")):
        assert all(each.poll() is None for each in processes)
        assert time.monotonic() < deadline, "no checkpoint was written"
        time.sleep(0.05)
    return checkpoints_folder


# That they train as one process does is tested every day, on every backend, in
# test_same_numbers.py.
@pytest.mark.slow
def test_two_processes_leave_the_record_of_one(sums_file, preset, tmp_path):
    first, second = finish(train(sums_file, tmp_path / "two", preset))
    assert first[0] == second[0] == 0, first[2][-2000:] + second[2][-2000:]
    assert "Trained: fpt" in first[1]
    assert "Task" not in second[1] and "Trained" not in second[1]
    config = RunConfig(*(sums_file, preset)).with_settings(
        steps=STEPS, batch_size=16, learning_rate=0.01, dropout=0.0
    )
    runs.train(config, tmp_path / "one")
    one, two = (
        json.loads((tmp_path / name / "metrics.json").read_text())
        for name in ("one", "two")
    )
    assert "2 process(es)" in two["distribution"]
    for split in ("train", "validation", "test"):
        for metric in ("loss", "accuracy"):
            name = f"{split}_{metric}"
            assert one[name] == pytest.approx(two[name], abs=1e-4), name
    adapters = [
        checkpoints.read_arrays(tmp_path / name / "adapter.safetensors")[0]
        for name in ("one", "two")
    ]
    assert adapters[0].keys() == adapters[1].keys()
    for name, array in adapters[0].items():
        assert array == pytest.approx(adapters[1][name], abs=1e-3), name


@WAITS_LONG
def test_a_lost_process_stops_the_others(sums_file, preset, tmp_path):
    processes = train(sums_file, tmp_path / "run", preset, steps=500)
    checkpoints_folder = wait_for_checkpoint(tmp_path / "run", processes)
    processes[1].send_signal(signal.SIGKILL)
    (code, _, errors), _ = finish(processes)
    assert code not in (0, None)
    assert "lost the connection to another one" in errors, errors[-3000:]
    assert list(checkpoints_folder.glob("*.safetensors"))


@pytest.mark.slow
def test_processes_with_other_settings_do_not_train(
    sums_file, preset, tmp_path
):
    folder = tmp_path / "run"
    processes = [
        process
        for rate, environment in zip(
            (0.01, 0.02), environments(BACKEND, num_processes=2), strict=True
        )
        for process in start(
            command(sums_file, folder, preset, rate=rate), [environment]
        )
    ]
    for index, (code, _, errors) in enumerate(finish(processes)):
        assert code not in (0, None)
        expected = f"process {index} of 2 has learning_rate=0.0{index + 1}."
        assert expected in errors.replace("\n", " "), errors[-3000:]
    assert not folder.exists()


@pytest.mark.slow
def test_one_process_that_is_asked_to_stop_stops_all(
    sums_file, preset, tmp_path
):
    processes = train(sums_file, tmp_path / "run", preset, steps=5000)
    wait_for_checkpoint(tmp_path / "run", processes)
    processes[1].send_signal(signal.SIGTERM)
    for each in processes:
        each.wait(AGREEMENT_SECONDS)
    (first, output, _), (second, _, _) = finish(processes)
    assert (first, second) == (75, 75)
    assert "Interrupted after step" in output
    assert not (tmp_path / "run" / ".lock").exists()


def test_a_batch_must_be_divisible(preset, tmp_path, monkeypatch):
    class Spread:
        num_replicas, num_processes, process_index = 3, 1, 0

    monkeypatch.setattr(distribution, "_current", Spread())
    config = RunConfig("bit_xor", preset, steps=1, batch_size=16)
    with pytest.raises(ValueError, match="16 cannot be divided .* 3 devices"):
        runs.train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_unknown_kinds_are_refused():
    with (
        pytest.raises(ValueError, match="'pipeline'.*data_parallel"),
        distribution.scope("pipeline"),
    ):
        pass


@pytest.mark.skipif(BACKEND == "jax", reason="JAX has it")
def test_model_parallel_is_for_jax():
    with (
        pytest.raises(ValueError, match="model_parallel.*KERAS_BACKEND=jax"),
        distribution.scope("model_parallel"),
    ):
        pass


def test_one_device_is_not_distributed():
    with distribution.scope("auto") as engine:
        assert engine is None
    assert distribution.is_first_process()
    assert distribution.total(3) == 3
