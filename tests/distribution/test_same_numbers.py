"""Several devices or processes compute the same as one device."""

import keras
import numpy as np
import pytest
import worker
from launching import TESTS, environments, finish, json_lines, start

BACKEND = keras.backend.backend()
WORKER = TESTS / "distribution" / "worker.py"
# On TensorFlow each device takes seconds to start.
DEVICES = {
    "jax": [8],
    "tensorflow": [4],
}


# On TensorFlow each takes half a minute to trace, so every day that whose loss
# is not an average over rows.
HEADS = ["token"] if BACKEND == "tensorflow" else [*worker.HEADS]


@pytest.fixture(scope="module")
def alone():
    return worker.train()


@pytest.fixture(scope="module")
def heads_alone():
    return {name: worker.train_head(name) for name in HEADS}


def run(*kinds, num_processes=1, virtual_devices=1, heads=HEADS):
    processes = start(
        [WORKER, virtual_devices, ",".join(heads), *kinds],
        environments(BACKEND, num_processes, virtual_devices),
    )
    return json_lines(finish(processes))


def assert_same(result, alone):
    np.testing.assert_allclose(result["losses"], alone["losses"], atol=1e-5)
    np.testing.assert_allclose(result["weights"], alone["weights"], rtol=1e-4)
    for name, values in alone["history"].items():
        np.testing.assert_allclose(
            result["history"][name], values, atol=1e-5, err_msg=name
        )
    for name, value in alone["evaluation"].items():
        assert abs(result["evaluation"][name] - value) < 1e-5, name


def assert_same_heads(result, alone):
    for name, expected in alone.items():
        found = result["heads"][name]
        for part in ("history", "evaluation"):
            for key, value in expected[part].items():
                assert found[part][key] == pytest.approx(value, rel=1e-4), (
                    f"{key} of {part} of {name}"
                )
        np.testing.assert_allclose(
            found["weights"], expected["weights"], rtol=1e-4, err_msg=name
        )


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch has a process a device")
@pytest.mark.parametrize("devices", DEVICES.get(BACKEND, [1]))
def test_virtual_devices(alone, heads_alone, devices):
    kinds = ["data_parallel"]
    if BACKEND == "jax":
        kinds.append("model_parallel")
    [results] = run(*kinds, virtual_devices=devices)
    for result in results:
        assert_same(result, alone)
        assert_same_heads(result, heads_alone)
    assert results[0]["num_replicas"] == devices
    if BACKEND == "jax":
        # All devices share the matrices, and no device the batch.
        assert results[0]["bytes"] == alone["bytes"]
        assert results[1]["bytes"] < 0.5 * alone["bytes"]
        assert results[1]["num_replicas"] == 1


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="part of the tests above")
def test_all_heads_on_virtual_devices():
    heads = [name for name in worker.HEADS if name not in HEADS]
    [[result]] = run("data_parallel", virtual_devices=2, heads=heads)
    assert_same_heads(result, {name: worker.train_head(name) for name in heads})


def test_two_processes(alone, heads_alone):
    for [result] in run("data_parallel", num_processes=2):
        assert_same(result, alone)
        assert_same_heads(result, heads_alone)
        assert result["num_processes"] == 2
        assert result["num_replicas"] == 2
        assert result["total"] == 1 + 2


@pytest.mark.slow
@pytest.mark.skipif(
    BACKEND != "jax", reason="only JAX shards weights over devices"
)
def test_sharded_weights_in_two_processes(alone):
    for [result] in run("model_parallel", num_processes=2, virtual_devices=4):
        assert_same(result, alone)
        # Each process divides a part of the batch, and has all weights.
        assert result["num_replicas"] == 2
        assert result["bytes"] < 0.5 * alone["bytes"]
