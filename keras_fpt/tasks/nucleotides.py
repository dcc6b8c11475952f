"""DNA and RNA sequences: the alphabet and tokens."""

from collections.abc import Iterable

import numpy as np

# The four bases, then the codes of the IUPAC for one of several: purine (R),
# pyrimidine (Y), and so on to any (N). A base's token is its index. Uracil (U)
# is read as thymine (T), which it stands for in RNA.
NUCLEOTIDES = "ACGTRYSWKMBDHVN"
# Proteins seldom have only letters of nucleotides, and hardly these alone.
_USUAL, _LEAST_USUAL = "ACGTUN", 0.9

_NO_TOKEN = -1
_TOKENS = np.full(256, _NO_TOKEN, np.int32)
for _token, _letter in enumerate(NUCLEOTIDES):
    _TOKENS[[ord(_letter), ord(_letter.lower())]] = _token
_TOKENS[[ord("U"), ord("u")]] = NUCLEOTIDES.index("T")


def encode(sequence: str, where: str) -> np.ndarray:
    """Encodes DNA or RNA as tokens. Lower case is read as upper case.

    Args:
        sequence: string of one-letter codes.
        where: string, the file and record of the sequence, for errors.

    Returns:
        int32 array `(length,)` of indices in `NUCLEOTIDES`.

    Raises:
        ValueError: the sequence is empty or has another character.

    >>> encode("ACuN", "an example")
    array([ 0,  1,  3, 14], dtype=int32)
    """
    if not sequence:
        raise ValueError(f"{where}: the sequence is empty.")
    # Latin-1 has one byte per character; unknown ones become '?'.
    as_bytes = sequence.encode("latin-1", "replace")
    tokens = _TOKENS[np.frombuffer(as_bytes, np.uint8)]
    wrong = np.flatnonzero(tokens == _NO_TOKEN)
    if len(wrong):
        raise ValueError(
            f"{where}: {sequence[wrong[0]]!r} at position {wrong[0] + 1} is "
            f"not a nucleotide. Expected letters of {NUCLEOTIDES} or U."
        )
    return tokens


def are_nucleotides(sequences: Iterable[str]) -> bool:
    """Whether sequences are of DNA or RNA, by their letters.

    >>> are_nucleotides(["GATTACA", "ACGU"]), are_nucleotides(["MKVLAC"])
    (True, False)
    """
    letters = "".join(sequences).upper()
    if not letters or not {*letters} <= {*NUCLEOTIDES, "U"}:
        return False
    usual = sum(map(letters.count, _USUAL))
    return usual >= _LEAST_USUAL * len(letters)
