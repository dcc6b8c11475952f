"""Connects processes within a time limit, and notices when one is lost.

The engines wait for each other for minutes without a message, and some of them
crash where an address is wrong. So processes meet first, at the address where
the engine of process 0 will listen, and stay connected while they train: the
operating system closes a connection when a process ends, in whatever way.
"""

import contextlib
import errno
import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from keras_fpt.distribution import variables

LOGGER = logging.getLogger(__name__)
START_VARIABLE = "KERAS_FPT_START_SECONDS"
START_SECONDS = 60.0
# After this time a process says for whom it waits.
_SILENT_SECONDS = 10.0
# How long an engine may take to notice that a process is lost, and to end.
GRACE_SECONDS = 15.0
_HELLO_SECONDS = 5.0
_RETRY_SECONDS = 0.2
_MAX_LINE = 4096


class Peers:
    """The connections of a process to those that it trains with.

    Process 0 is connected to each other one, and tells them who is lost.

    Args:
        index: int, the index of this process.
        count: int, the number of processes.
        connections: dict from the index of a process to its socket.
    """

    def __init__(
        self, index: int, count: int, connections: dict[int, socket.socket]
    ) -> None:
        self.index, self.count = index, count
        self.lost: int | None = None
        self.stop_is_agreed = False
        self._connections = connections
        self._lock = threading.Lock()
        self._has_left = threading.Event()

    def watch(self) -> None:
        """Ends this process, soon, when another one is lost."""
        for peer, connection in self._connections.items():
            connection.settimeout(None)
            _keep_alive(connection)
            threading.Thread(
                target=self._listen, args=(peer, connection), daemon=True
            ).start()

    def leave(self, in_peace: bool) -> None:
        """Closes the connections.

        Args:
            in_peace: bool, whether the others may continue without this
                process.
        """
        self._has_left.set()
        for connection in self._connections.values():
            with contextlib.suppress(OSError):
                if in_peace:
                    _send(connection, {"left": self.index})
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def describe_loss(self) -> str:
        """The message for when another process is lost."""
        which = "" if self.lost is None else f" (process {self.lost})"
        return (
            f"Process {self.index} of {self.count} lost the connection to "
            f"another one{which}, which has failed or was stopped. Look at its "
            "output. Then start all processes again, with --resume to continue "
            "from the last checkpoint."
        )

    def _listen(self, peer: int, connection: socket.socket) -> None:
        lost = peer
        with contextlib.suppress(OSError, ValueError):
            message = _receive(connection)
            if message is not None:
                if "left" in message:
                    return
                lost = int(message.get("lost", peer))
        if self._has_left.is_set():
            return
        with self._lock:
            if self.lost is not None:
                return
            self.lost = lost
        for other, others in self._connections.items():
            if other != lost:
                with contextlib.suppress(OSError):
                    _send(others, {"lost": lost})
        # Some engines end the process immediately, without a clear message.
        LOGGER.warning(
            f"Process {lost} of {self.count} has failed or was stopped, so "
            f"process {self.index} ends, too."
        )
        # Others raise an error.
        if not self._has_left.wait(GRACE_SECONDS):
            _exit(f"Error: {self.describe_loss()}", 1)


@contextlib.contextmanager
def joined(address: str, index: int, count: int) -> Iterator[Peers]:
    """Meets the other processes, and stays connected within the block.

    Args:
        address: string, `host:port` where process 0 listens.
        index: int, the index of this process.
        count: int, the number of processes.

    Raises:
        ConnectionError: the processes did not meet in time.
        ValueError: the address is invalid.
    """
    peers = meet(address, index, count, start_seconds())
    peers.watch()
    try:
        yield peers
    except BaseException as error:
        peers.leave(in_peace=peers.stop_is_agreed)
        _bound_exit(1 if isinstance(error, Exception) else 75)
        raise
    peers.leave(in_peace=True)


def start_seconds() -> float:
    """How long to wait for other processes: `KERAS_FPT_START_SECONDS`."""
    text = os.environ.get(START_VARIABLE) or str(START_SECONDS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise ValueError(
            f"Expected {START_VARIABLE} to be a number of seconds above 0 but "
            f"found {text!r}."
        )
    return seconds


def meet(address: str, index: int, count: int, seconds: float) -> Peers:
    """Waits until all processes have started.

    Args:
        address, index, count: see `joined`.
        seconds: float, how long to wait.
    """
    host, port = variables.host_and_port(address)
    deadline = time.monotonic() + seconds
    if index:
        connection = _call(host, port, index, count, deadline, seconds)
        return Peers(index, count, {0: connection})
    with listening(address) as listener:
        connections = _gather(listener, address, count, deadline, seconds)
    return Peers(0, count, connections)


@contextlib.contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    """Listens on the port of an address, on all interfaces.

    Raises:
        ConnectionError: the port is in use.
    """
    _, port = variables.host_and_port(address)
    try:
        listener = _listen_on(port)
    except OSError as error:
        raise ConnectionError(
            f"Cannot listen at {address}: {error.strerror or error}. Choose "
            "another port for all processes, or end the program that uses it."
        ) from error
    with listener:
        yield listener


def _listen_on(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(
                ("", port), family=socket.AF_INET6, dualstack_ipv6=True
            )
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                raise
    return socket.create_server(("", port))


def _gather(
    listener: socket.socket,
    address: str,
    count: int,
    deadline: float,
    seconds: float,
) -> dict[int, socket.socket]:
    """Accepts each other process, and then tells all that they may start."""
    found: dict[int, socket.socket] = {}
    told = time.monotonic() + _SILENT_SECONDS
    problem = None
    while len(found) < count - 1 and problem is None:
        now = time.monotonic()
        missing = ", ".join(str(i) for i in range(1, count) if i not in found)
        if now >= deadline:
            problem = (
                f"Of {count} processes, these did not connect to {address} "
                f"within {seconds:g} seconds: {missing}. Start all of them, "
                "with the same address, or allow more time with "
                f"{START_VARIABLE}."
            )
            break
        if now >= told:
            told = deadline
            LOGGER.info(
                f"Process 0 waits at {address} for processes {missing}, for "
                f"{deadline - now:.0f} more seconds."
            )
        listener.settimeout(min(1.0, deadline - now))
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        hello = _receive_hello(connection)
        if hello is None:
            connection.close()  # Not a process of this run.
            continue
        index, its_count = hello
        if its_count != count or not 0 < index < count or index in found:
            problem = (
                f"Two processes are number {index}, of {count} at {address}. "
                "Give each its own number."
                if index in found or index == 0
                else f"Process {index} of {its_count} connected to {address}, "
                f"where process 0 expects {count} processes. Give all of them "
                "the same number."
            )
            found[-1] = connection  # So that it is told, too.
            break
        found[index] = connection
    answer = {"ready": True} if problem is None else {"problem": problem}
    for connection in found.values():
        with contextlib.suppress(OSError):
            _send(connection, answer)
    if problem is not None:
        for connection in found.values():
            connection.close()
        raise ConnectionError(problem)
    return found


def _receive_hello(connection: socket.socket) -> tuple[int, int] | None:
    connection.settimeout(_HELLO_SECONDS)
    try:
        message = _receive(connection) or {}
        return int(message["process"]), int(message["count"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _call(
    host: str,
    port: int,
    index: int,
    count: int,
    deadline: float,
    seconds: float,
) -> socket.socket:
    """Connects to process 0, and waits until all processes are connected."""
    why: object = "no answer"
    told = time.monotonic() + _SILENT_SECONDS
    while (now := time.monotonic()) < deadline:
        if now >= told:
            told = deadline
            LOGGER.info(
                f"Process {index} waits for process 0 at {host}:{port}, for "
                f"{deadline - now:.0f} more seconds."
            )
        try:
            connection = socket.create_connection(
                (host, port), timeout=min(_HELLO_SECONDS, deadline - now)
            )
        except OSError as error:
            why = error.strerror or error
            time.sleep(_RETRY_SECONDS)
            continue
        try:
            _send(connection, {"process": index, "count": count})
            # Process 0 began to wait a little later, or earlier.
            connection.settimeout(deadline - now + _HELLO_SECONDS)
            answer = _receive(connection)
        except (OSError, ValueError) as error:
            why, answer = (
                f"the program that answers there is not process 0 ({error})",
                None,
            )
        if answer and "problem" in answer:
            connection.close()
            raise ConnectionError(str(answer["problem"]))
        if answer and "ready" in answer:
            connection.settimeout(None)
            return connection
        connection.close()
        time.sleep(_RETRY_SECONDS)
    raise ConnectionError(
        f"Process {index} of {count} did not reach process 0 at {host}:{port} "
        f"within {seconds:g} seconds: {why}. Start all processes, with the "
        f"same address, or allow more time with {START_VARIABLE}."
    )


def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


def _receive(connection: socket.socket) -> dict[str, Any] | None:
    """A message, or `None` if the connection was closed."""
    line = b""
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte:
            return None
        line += byte
        if len(line) > _MAX_LINE:
            raise ValueError("the answer is too long")
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("the answer is of another kind")
    return message


def _keep_alive(connection: socket.socket) -> None:
    """Notices within a minute that another machine is gone."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", 30),
        ("TCP_KEEPINTVL", 10),
        ("TCP_KEEPCNT", 3),
    ):
        if hasattr(socket, name):
            option = getattr(socket, name)
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


def _bound_exit(status: int) -> None:
    """Ends the interpreter in bounded time, once it begins to end.

    JAX waits there for the other processes, which may never come.
    """

    def wait() -> None:
        threading.main_thread().join()  # Until the interpreter begins to end.
        time.sleep(GRACE_SECONDS)
        _exit("", status)

    # It is started now: a Python that ends starts no more threads.
    threading.Thread(target=wait, daemon=True).start()


def _exit(text: str, status: int) -> None:
    """Ends the process, whose main thread may wait forever."""
    with contextlib.suppress(OSError, ValueError):
        if text:
            sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
        sys.stdout.flush()
    os._exit(status)
