"""DNA and RNA sequences: the alphabet and tokens."""

from collections.abc import Iterable, Sequence

import numpy as np

from keras_fpt.tasks import letters

# The four bases, then the codes of the IUPAC for one of several: purine (R),
# pyrimidine (Y), and so on to any (N). A base's token is its index. Uracil (U)
# is read as thymine (T), which it stands for in RNA.
NUCLEOTIDES = "ACGTRYSWKMBDHVN"
# Proteins rarely consist only of the letters above, and then less of these.
_USUAL, _LEAST_USUAL = "ACGTUN", 0.6

_PAIRED = str.maketrans(
    "ACGTURYKMBDHVacgturykmbdhv", "TGCAAYRMKVHDBtgcaayrmkvhdb"
)
_TOKENS = letters.token_table(NUCLEOTIDES, {"U": "T"})


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
    return letters.encode(
        sequence, _TOKENS, where, "a nucleotide", f"{NUCLEOTIDES} or U"
    )


def are_nucleotides(sequences: Iterable[str]) -> bool:
    """Whether sequences are of DNA or RNA, by their letters.

    >>> are_nucleotides(["GATTACA", "ACGU"]), are_nucleotides(["MKVLAC"])
    (True, False)
    """
    others = f"{NUCLEOTIDES}U{letters.GAPS}".encode()
    size = usual = 0
    for sequence in sequences:
        found = sequence.upper()
        if found.encode("latin-1", "replace").translate(None, others):
            return False
        # Gaps are refused, but say nothing of the kind.
        size += len(found) - sum(map(found.count, letters.GAPS))
        usual += sum(map(found.count, _USUAL))
    return size > 0 and usual >= _LEAST_USUAL * size


def complements(symbols: Sequence[str]) -> np.ndarray | None:
    """The token of the nucleotide that pairs with each.

    Args:
        symbols: sequence of strings, what each token stands for; one of them
            may stand for all other characters.

    Returns:
        int32 array `(symbols,)`, or `None` if these are not nucleotides. A
        token without a partner among them is its own.

    >>> complements("ACGTN").tolist()
    [3, 2, 1, 0, 4]
    """
    known = [s for s in symbols if s.upper() in f"{NUCLEOTIDES}U"]
    if not {*"ACG"} <= {s.upper() for s in known}:
        return None
    if len(symbols) - len(known) > 1:
        return None
    place = {symbol: token for token, symbol in enumerate(symbols)}
    # RNA pairs A with U.
    paired = [s.translate(_PAIRED) for s in symbols]
    paired = [
        s if s in place else s.replace("T", "U").replace("t", "u")
        for s in paired
    ]
    return np.array(
        [place.get(s, token) for token, s in enumerate(paired)], np.int32
    )
