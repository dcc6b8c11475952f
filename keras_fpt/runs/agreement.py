"""Checks that all processes of a run have the same settings and data."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from keras_fpt import distribution

# Sums over all processes are exact up to 2^53 on every backend; JAX exchanges
# 32 bits.
_DIGITS = 7


def require(values: Mapping[str, Any]) -> None:
    """Checks that all processes have the same values.

    Each process computes its own part of the same batches. If they differed in
    a setting or in their data, they would train a model that no configuration
    describes. It waits until all processes have called it.

    Args:
        values: dict from names to JSON values: this process's settings, and
            digests of its data and weights.

    Raises:
        ValueError: the processes differ. Each of them raises it, and names
            what differs.
    """
    entries = {name: json.dumps(value) for name, value in values.items()}
    if _is_same(json.dumps(entries)):
        return
    if not _is_same(json.dumps([*entries])):
        different: dict[str, Any] = {"settings": ", ".join(entries)}
    else:
        # A list, since all processes must ask for all of them.
        same = [_is_same(value) for value in entries.values()]
        different = {
            name: value
            for (name, value), is_same in zip(values.items(), same, strict=True)
            if not is_same
        }
    engine = distribution.current()
    shown = ", ".join(f"{k}={v}" for k, v in different.items())
    raise ValueError(
        f"The processes of this run differ: process {engine.process_index} of "
        f"{engine.num_processes} has {shown}. Start all of them with the same "
        "command, on the same data and preset."
    )


def _is_same(text: str) -> bool:
    """Whether a text is the same in all processes; all get the same answer."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
    own, count = int(digest, 16), distribution.num_processes()
    # The sum could equal a process's own value by chance.
    differs = distribution.total(own) != own * count
    return distribution.total(int(differs)) == 0
