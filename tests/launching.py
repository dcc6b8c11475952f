"""Starts the processes of tests that need several, or virtual devices.

They are forked from a server that has imported what takes seconds, and has
started nothing: each is new, and begins immediately.
"""

import json
import multiprocessing
import os
import pathlib
import runpy
import signal
import socket
import subprocess
import sys
import tempfile

TESTS = pathlib.Path(__file__).parent
TIMEOUT = 300
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(
    ["keras_hub", "keras_fpt.cli.app", "keras_fpt.runs.training"]
)


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


class Process:
    """A forked process, with what tests need of `subprocess.Popen`."""

    def __init__(self, command, environment):
        self.folder = tempfile.TemporaryDirectory()
        self.outputs = [
            pathlib.Path(self.folder.name, name) for name in ("out", "err")
        ]
        arguments = [str(each) for each in command]
        self.process = FORKING.Process(
            target=_run, args=(arguments, environment, self.outputs)
        )
        self.process.start()

    @property
    def returncode(self):
        return self.process.exitcode

    poll = returncode.fget

    def send_signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        if self.poll() is None:
            self.send_signal(signal.SIGKILL)

    def wait(self, timeout):
        self.process.join(timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired(self.process.name, timeout)

    def communicate(self, timeout):
        """Waits for the process; what it wrote to stdout and stderr."""
        self.wait(timeout)
        return [path.read_text() for path in self.outputs]


def _run(arguments, environment, outputs):
    """Within the process: runs a command as `python` does."""
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(outputs, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    kind, *rest = arguments
    if kind == "-c":
        program, *rest = rest
        sys.argv = ["-c", *rest]
        exec(program, {"__name__": "__main__"})
    elif kind == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(kind, run_name="__main__")


def start(command, environments):
    """Starts a command once in each environment.

    Args:
        command: the arguments of `python`: a path, `-m` and a module, or `-c`
            and a program, and what follows.
        environments: list of dicts, as of `environments`.

    Returns:
        A list of `Process`.
    """
    return [Process(command, environment) for environment in environments]


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
