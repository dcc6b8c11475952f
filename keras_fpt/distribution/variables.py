"""Environment variables that tell a process of the others."""

import os


def integer(name: str, low: int, high: int | None = None) -> int:
    """The integer in an environment variable.

    Args:
        name: string, the variable's name.
        low: int, the lowest value allowed.
        high: int, the highest; `None` for any.

    Raises:
        ValueError: it is not set, or contains something else.
    """
    text = os.environ.get(name)
    try:
        value = int(text or "")
    except ValueError:
        value = low - 1
    if value < low or (high is not None and value > high):
        limits = f"at least {low}" if high is None else f"from {low} to {high}"
        found = "it is not set" if text is None else f"found {text!r}"
        raise ValueError(
            f"Expected the environment variable {name} to be an integer "
            f"{limits}, but {found}."
        )
    return value


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of `host:port`.

    Raises:
        ValueError: it is something else.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise ValueError(
            "Expected the address of process 0 as host:port, such as "
            f"10.0.0.1:1234, but received {address!r}."
        )
    return host.strip("[]"), int(port)
