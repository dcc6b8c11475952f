"""Processes that meet, in threads on loopback, and what they say if not."""

import concurrent.futures
import contextlib
import json
import re
import socket
import threading
import time

import pytest
from launching import free_ports

from keras_fpt import distribution
from keras_fpt.distribution import (
    jax_mesh,
    meeting,
    tensorflow_strategy,
    torch_processes,
    variables,
)

pytestmark = pytest.mark.backend_free


@pytest.fixture
def address():
    (port,) = free_ports(1)
    return f"127.0.0.1:{port}"


def meet(address, *processes, seconds=5):
    """What each process `(index, count)` gets, or says."""

    def one(process):
        try:
            return meeting.meet(address, *process, seconds)
        except ConnectionError as error:
            return str(error)

    with concurrent.futures.ThreadPoolExecutor(len(processes)) as threads:
        return list(threads.map(one, processes))


def test_a_lost_process_is_told_to_all(address, monkeypatch):
    ended = {}
    done = threading.Barrier(3, timeout=5)

    def end(text, status):
        ended[text] = status
        done.wait()

    monkeypatch.setattr(meeting, "_exit", end)
    monkeypatch.setattr(meeting, "GRACE_SECONDS", 0.1)
    peers = meet(address, (0, 3), (1, 3), (2, 3))
    for each in peers:
        each.watch()
    peers[2].leave(in_peace=False)  # As the system does when it is killed.
    done.wait()
    for index in (0, 1):
        assert peers[index].lost == 2
        text = f"Error: Process {index} of 3 lost the connection to another"
        assert [s for t, s in ended.items() if t.startswith(text)] == [1]
    for each in peers[:2]:
        each.leave(in_peace=True)


def test_who_leaves_in_peace_is_not_lost(address):
    first, second = meet(address, (0, 2), (1, 2))
    first.watch()
    second.watch()
    (listening,) = [
        t for t in threading.enumerate() if t._target == first._listen
    ]
    second.leave(in_peace=True)
    listening.join(5)
    assert first.lost is None and not listening.is_alive()
    first.leave(in_peace=True)


def test_a_process_that_never_starts_is_named_to_all(address):
    texts = meet(address, (0, 4), (2, 4), seconds=1)
    for text in texts:
        assert f"did not connect to {address} within 1 seconds: 1, 3." in text
        assert meeting.START_VARIABLE in text


def test_an_address_without_an_answer_is_named(address):
    (text,) = meet(address, (1, 2), seconds=0.5)
    assert f"did not reach process 0 at {address} within 0.5 seconds" in text
    assert "refused" in text


def test_a_port_in_use_is_named(address):
    port = int(address.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        (text,) = meet(address, (0, 2), seconds=1)
    assert text.startswith(f"Cannot listen at {address}: Address already in")


@pytest.mark.parametrize(
    ("processes", "message"),
    [
        (((0, 3), (1, 3), (1, 3)), "Two processes are number 1, of 3"),
        (
            ((0, 2), (1, 3)),
            "Process 1 of 3 connected to .* expects 2 processes",
        ),
    ],
)
def test_processes_that_contradict_each_other(address, processes, message):
    for text in meet(address, *processes, seconds=3):
        assert re.search(message, text), text


def test_strangers_are_not_counted(address):
    host, port = variables.host_and_port(address)

    def stranger():
        for _ in range(100):
            with contextlib.suppress(ConnectionRefusedError):
                connection = socket.create_connection((host, port))
                break
            time.sleep(0.02)
        with connection, contextlib.suppress(ConnectionResetError):
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            return connection.recv(10)
        return b""

    with concurrent.futures.ThreadPoolExecutor() as threads:
        got = threads.submit(stranger)
        process_0 = threads.submit(meet, address, (0, 2))
        assert got.result() == b""
        (second,) = meet(address, (1, 2))
        (first,) = process_0.result()
    assert first.count == second.count == 2
    for each in (first, second):
        each.leave(in_peace=True)


@pytest.mark.parametrize("text", ["soon", "0", "-3", "nan", "inf"])
def test_the_time_to_start_is_a_number(monkeypatch, text):
    monkeypatch.setenv(meeting.START_VARIABLE, text)
    with pytest.raises(ValueError, match=f"{meeting.START_VARIABLE}.*{text}"):
        meeting.start_seconds()


def test_the_time_to_start_can_be_set(monkeypatch):
    monkeypatch.setenv(meeting.START_VARIABLE, "300")
    assert meeting.start_seconds() == 300
    monkeypatch.setenv(meeting.START_VARIABLE, "")
    assert meeting.start_seconds() == meeting.START_SECONDS


@pytest.mark.parametrize("text", [None, "", "two", "2.5", "9", "-1"])
def test_a_number_in_the_environment_is_checked(monkeypatch, text):
    if text is None:
        monkeypatch.delenv("RANK", raising=False)
    else:
        monkeypatch.setenv("RANK", text)
    found = "it is not set" if text is None else f"found '{text}'"
    with pytest.raises(ValueError, match=f"RANK .* from 0 to 1, but {found}"):
        variables.integer("RANK", 0, 1)


@pytest.mark.parametrize("address", ["host", "host:0", ":1", "h:99999", "h:x"])
def test_addresses_are_checked(address):
    with pytest.raises(ValueError, match="host:port"):
        variables.host_and_port(address)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({jax_mesh.PROCESSES: "abc"}, jax_mesh.PROCESSES),
        ({jax_mesh.INDEX: "5"}, jax_mesh.INDEX),
        ({jax_mesh.ADDRESSES: "nowhere"}, "host:port"),
    ],
)
def test_variables_of_jax_are_checked(monkeypatch, settings, name):
    for variable, value in {
        jax_mesh.PROCESSES: "2",
        jax_mesh.INDEX: "1",
        jax_mesh.ADDRESSES: "127.0.0.1:1",
        **settings,
    }.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=name), jax_mesh._joined():
        pass


def test_jax_finds_processes_on_clusters_that_it_knows(monkeypatch):
    monkeypatch.setenv(jax_mesh.PROCESSES, "2")
    monkeypatch.delenv(jax_mesh.ADDRESSES, raising=False)
    with jax_mesh._joined() as peers:
        assert peers is None


def test_torchrun_looks_after_its_processes_itself(monkeypatch):
    monkeypatch.setenv(torch_processes.TORCHRUN_STORE, "True")
    with torch_processes._joined(1, 2) as peers:
        assert peers is None
    monkeypatch.delenv(torch_processes.TORCHRUN_STORE)
    monkeypatch.setenv("MASTER_PORT", "29500")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(ValueError, match="MASTER_ADDR"):
        torch_processes._joined(1, 2)


@pytest.mark.parametrize(
    ("error", "is_loss"),
    [
        (RuntimeError("[..pair.cc:534] Connection closed by peer"), True),
        # What JAX raises where an exchange between processes fails.
        (ValueError("UNKNOWN: Gloo AllGather failed: Read error"), True),
        (ValueError("Expected a learning rate above 0"), False),
        (FloatingPointError("The loss became nan"), False),
        (RuntimeError("no idea"), False),
    ],
)
def test_errors_of_lost_processes(error, is_loss):
    assert distribution._is_lost_peer(error, None) == is_loss


def test_an_unknown_error_after_a_loss_is_its_consequence():
    peers = meeting.Peers(0, 2, {})
    peers.lost = 1
    assert distribution._is_lost_peer(RuntimeError("no idea"), peers)
    assert not distribution._is_lost_peer(FloatingPointError("nan"), peers)
    assert "another one (process 1), which has" in peers.describe_loss()


WORKERS = {"worker": ["a:1", "b:2"]}


@pytest.mark.parametrize(
    "config",
    [
        "oops",
        [],
        {"cluster": WORKERS},
        {"cluster": WORKERS, "task": {"type": "worker", "index": 7}},
        {"cluster": WORKERS, "task": {"type": "wizard", "index": 0}},
        {"cluster": WORKERS, "task": {"type": "worker", "index": "x"}},
        {"cluster": []},
    ],
)
def test_tf_config_is_checked(monkeypatch, config):
    text = config if isinstance(config, str) else json.dumps(config)
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match="TF_CONFIG to be JSON such as"):
        tensorflow_strategy._workers()


def test_a_chief_comes_before_the_workers(monkeypatch):
    task = {"type": "worker", "index": 1}
    cluster = {"chief": ["c:0"], **WORKERS}
    config = json.dumps({"cluster": cluster, "task": task})
    monkeypatch.setenv("TF_CONFIG", config)
    assert tensorflow_strategy._workers() == (["c:0", "a:1", "b:2"], 2)
