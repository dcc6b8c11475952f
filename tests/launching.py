"""Starts the processes of tests that need several, or virtual devices."""

import json
import os
import pathlib
import socket
import subprocess
import sys

TESTS = pathlib.Path(__file__).parent
TIMEOUT = 300


def free_ports(count):
    """Ports of the loopback address on which nothing listens now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def environments(backend, num_processes, virtual_devices=1):
    """The variables that connect each process on loopback to the others."""
    base = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)]),
        "OMP_NUM_THREADS": "1",
    }
    if backend == "jax" and virtual_devices > 1:
        devices = f"--xla_force_host_platform_device_count={virtual_devices}"
        base["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {devices}"
    if num_processes == 1:
        return [base]
    ports = free_ports(num_processes)
    addresses = [f"127.0.0.1:{port}" for port in ports]
    return [
        base | _of_process(backend, addresses, index)
        for index in range(num_processes)
    ]


def _of_process(backend, addresses, index):
    if backend == "jax":
        return {
            "KERAS_DISTRIBUTION_JOB_ADDRESSES": addresses[0],
            "KERAS_DISTRIBUTION_NUM_PROCESSES": str(len(addresses)),
            "KERAS_DISTRIBUTION_PROCESS_ID": str(index),
        }
    if backend == "tensorflow":
        task = {"type": "worker", "index": index}
        cluster = {"cluster": {"worker": addresses}, "task": task}
        return {"TF_CONFIG": json.dumps(cluster)}
    # As torchrun sets them.
    return {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": addresses[0].rpartition(":")[2],
        "WORLD_SIZE": str(len(addresses)),
        "RANK": str(index),
        "LOCAL_RANK": str(index),
    }


def start(command, environments, cwd=None):
    """Starts a command once in each environment; returns the processes."""
    return [
        subprocess.Popen(
            [sys.executable, *map(str, command)],
            env=environment,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environment in environments
    ]


def finish(processes):
    """Waits for processes; a list of `(exit code, stdout, stderr)`."""
    try:
        outputs = [each.communicate(timeout=TIMEOUT) for each in processes]
    finally:
        for each in processes:
            each.kill()
    return [
        (each.returncode, *output)
        for each, output in zip(processes, outputs, strict=True)
    ]


def json_lines(results):
    """The lines of JSON that each of the processes printed; none failed."""
    for code, _, errors in results:
        assert code == 0, errors[-3000:]
    return [
        [json.loads(x) for x in out.splitlines() if x.startswith("{")]
        for _, out, _ in results
    ]
