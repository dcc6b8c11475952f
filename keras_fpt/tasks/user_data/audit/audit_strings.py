"""Finds strings of test that nearly equal one of train."""

from typing import Any

import numpy as np

from keras_fpt.tasks.user_data import sequences
from keras_fpt.tasks.user_data.audit.findings import Finding

MAX_TEST, MAX_TRAIN = 300, 100_000
# Shorter strings differ in one symbol by chance.
MIN_SYMBOLS = 20
MIN_COPIES, SHARE = 2, 0.05


def find_near_strings(
    x: Any, splits: dict[str, np.ndarray], is_copy: np.ndarray
) -> list[Finding]:
    """Strings of test that differ from one of train in one symbol.

    A symbol is replaced, added or left out, so that one half of both strings
    is equal, and by it the other one is found.

    Args:
        x: as in `Examples`, integer tokens of all examples.
        splits: dict from splits to int arrays of indices in `x`.
        is_copy: bool array `(n,)`, whether an example equals one of train.

    Returns:
        A list of `Finding`s.
    """
    test = splits["test"][~is_copy[splits["test"]]]
    test = test[:: max(1, -(-len(test) // MAX_TEST))]
    train = splits["train"][:MAX_TRAIN]
    lengths = sequences.lengths(x)
    test, train = (rows[lengths[rows] >= MIN_SYMBOLS] for rows in (test, train))
    if not len(test) or not len(train):
        return []
    halves: dict[tuple[bool, bytes], list[bytes]] = {}
    for text in map(_bytes, sequences.each(sequences.select(x, train))):
        for half in _halves(text):
            halves.setdefault(half, []).append(text)
    texts = [*map(_bytes, sequences.each(sequences.select(x, test)))]
    count = sum(
        any(
            _differ_once(text, other)
            for half in _halves(text)
            for other in halves.get(half, ())[:100]
        )
        for text in texts
    )
    if count < max(MIN_COPIES, SHARE * len(texts)):
        return []
    return [
        Finding(
            "near-copies-across-splits",
            f"{count:,} of {len(texts):,} test examples "
            f"({count / len(texts):.1%}) differ from an example of train in "
            "one symbol.",
            "If they are versions of one example, keep them in one split: "
            "--split-group COLUMN.",
        )
    ]


def _bytes(tokens: Any) -> bytes:
    return np.ascontiguousarray(tokens, np.int32).tobytes()


def _halves(text: bytes) -> list[tuple[bool, bytes]]:
    """The beginning and the end of a string, near its middle.

    With one symbol more or less, the middle is elsewhere, so that both sizes
    are kept.
    """
    size = len(text) // 4
    sizes = {4 * (size // 2), 4 * ((size - 1) // 2)}
    return [(True, text[:n]) for n in sizes] + [
        (False, text[-n:]) for n in sizes
    ]


def _differ_once(first: bytes, second: bytes) -> bool:
    """Whether one symbol is replaced, added or left out."""
    a, b = np.frombuffer(first, np.int32), np.frombuffer(second, np.int32)
    if abs(len(a) - len(b)) > 1:
        return False
    size = min(len(a), len(b))
    left = a[:size] != b[:size]
    right = a[len(a) - size :] != b[len(b) - size :]
    equal_left = int(np.argmax(left)) if left.any() else size
    backwards = right[::-1]
    equal_right = int(np.argmax(backwards)) if backwards.any() else size
    return equal_left + equal_right >= max(len(a), len(b)) - 1
