"""Finds strings of test that nearly equal one of train, or a part of it."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks import nucleotides, proteins
from keras_fpt.tasks.user_data import sequences
from keras_fpt.tasks.user_data.audit.findings import Finding

MAX_TEST, MAX_TRAIN = 300, 100_000
# Shorter strings differ in one symbol by chance.
MIN_SYMBOLS = 20
MIN_COPIES, SHARE = 2, 0.05
# Pieces are looked for in the strings of so many test examples, in train
# strings of so many symbols, and so often.
PIECES_OF, SEARCHED, OCCURRENCES = 150, 3_000_000, 10
# The shortest shared piece, of how many symbols and different ones of three.
MIN_PIECE, MIN_VARIED = 24, 12
# The share of a string that a piece is, of sequences and of other texts, which
# may be made from a template.
HALF, MOST = 0.5, 0.8
# Between the strings that are searched.
END = 255


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


def find_shared_pieces(
    x: Any,
    splits: dict[str, np.ndarray],
    is_copy: np.ndarray,
    symbols: Sequence[str] = (),
) -> list[Finding]:
    """Strings of test that share a piece with one of train.

    The piece is at least half of the test string, or most of it unless they
    are proteins or nucleotides, and is at another place in that of train, as if
    both were cut from a longer one, or is its reverse complement.

    Args:
        x: as in `Examples`, integer tokens of all examples.
        splits: dict from splits to int arrays of indices in `x`.
        is_copy: bool array `(n,)`, whether an example equals one of train.
        symbols: strings, what the tokens stand for, if that is known.

    Returns:
        A list of `Finding`s.
    """
    complements = nucleotides.complements(symbols)
    is_protein = tuple(symbols) == tuple(proteins.AMINO_ACIDS)
    share = HALF if is_protein or complements is not None else MOST
    test = splits["test"][~is_copy[splits["test"]]]
    test = test[:: max(1, -(-len(test) // PIECES_OF))]
    lengths = sequences.lengths(x)
    test = test[lengths[test] >= 2 * MIN_PIECE]
    train = splits["train"]
    train = train[: np.searchsorted(np.cumsum(lengths[train]), SEARCHED)]
    if not len(test) or not len(train):
        return []
    parts, starts, size = [], [0], 0
    for tokens in sequences.each(sequences.select(x, train)):
        if np.max(tokens) >= END:
            return []
        parts += [np.asarray(tokens, np.uint8), np.array([END], np.uint8)]
        size += len(tokens) + 1
        starts.append(size)
    joined = np.concatenate(parts)
    searched, first = joined.tobytes(), np.array(starts)
    count = 0
    for tokens in sequences.each(sequences.select(x, test)):
        if np.max(tokens) >= END:
            continue
        text = np.asarray(tokens, np.uint8)
        found = _shares(text, joined, searched, first, share)
        if not found and complements is not None:
            reverse = complements[text[::-1]].astype(np.uint8)
            found = _shares(reverse, joined, searched, first, share, True)
        count += found
    if count < max(MIN_COPIES, SHARE * len(test)):
        return []
    other = "" if complements is None else " or as the reverse complement"
    return [
        Finding(
            "near-copies-across-splits",
            f"{count:,} of {len(test):,} test examples "
            f"({count / len(test):.1%}) share {share:.0%} or more of their "
            "symbols, in one piece, with an example of train, at another "
            f"place{other}.",
            "If they are cut from one longer string, or versions of one, keep "
            "them in one split: --split-group COLUMN.",
        )
    ]


def _shares(
    text: np.ndarray,
    joined: np.ndarray,
    searched: bytes,
    first: np.ndarray,
    share: float,
    may_be_in_place: bool = False,
) -> bool:
    """Whether a piece of a string is in one of those that are searched."""
    size = len(text) // 4
    for offset in range(0, 4 * size, size):
        for place in _occurrences(text[offset : offset + size], searched):
            start = place - offset
            string = np.searchsorted(first, place, side="right") - 1
            if start == first[string] and not may_be_in_place:
                continue
            # The places of the string that lie within those searched.
            low, high = max(0, -start), min(len(text), len(joined) - start)
            differs = np.flatnonzero(
                text[low:high] != joined[start + low : start + high]
            )
            ends = np.concatenate([[low - 1], differs + low, [high]])
            after = int(np.searchsorted(ends, offset))
            piece = text[ends[after - 1] + 1 : ends[after]]
            if len(piece) >= share * len(text) and _is_varied(piece):
                return True
    return False


def _occurrences(part: np.ndarray, searched: bytes) -> Iterator[int]:
    if len(np.unique(part)) < 3:  # such as a stretch of N
        return
    wanted, place = part.tobytes(), -1
    for _ in range(OCCURRENCES):
        place = searched.find(wanted, place + 1)
        if place < 0:
            return
        yield place


def _is_varied(piece: np.ndarray) -> bool:
    """Whether a piece is no repetition of few symbols."""
    triples = np.lib.stride_tricks.sliding_window_view(piece, 3)
    varied = len(np.unique(triples, axis=0))
    return len(piece) >= MIN_PIECE and varied >= MIN_VARIED


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
