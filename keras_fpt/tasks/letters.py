"""Sequences of one-letter codes, such as proteins and DNA, as tokens."""

import numpy as np

_NO_TOKEN = -1
GAPS = "-."


def token_table(alphabet: str, others: dict[str, str]) -> np.ndarray:
    """The token of each byte, -1 for characters that are not letters.

    Args:
        alphabet: string of letters in upper case; a letter's token is its
            index. Lower case has the same token.
        others: dict from further letters to those that they are read as.

    Returns:
        int32 array `(256,)`.
    """
    tokens = np.full(256, _NO_TOKEN, np.int32)
    read_as = {letter: letter for letter in alphabet} | others
    for letter, same in read_as.items():
        tokens[[ord(letter), ord(letter.lower())]] = alphabet.index(same)
    return tokens


def encode(
    letters: str, tokens: np.ndarray, where: str, kind: str, expected: str
) -> np.ndarray:
    """Encodes letters as tokens.

    Args:
        letters: string.
        tokens: what `token_table` returned.
        where: string, where the letters are from, for errors.
        kind: string, what a letter stands for, for errors.
        expected: string, the letters that there are, for errors.

    Returns:
        int32 array `(letters,)`.

    Raises:
        ValueError: there are no letters, or a character is not a letter.
    """
    if not letters:
        raise ValueError(f"{where}: the sequence is empty.")
    # Latin-1 has one byte per character; unknown ones become '?'.
    as_bytes = letters.encode("latin-1", "replace")
    found = tokens[np.frombuffer(as_bytes, np.uint8)]
    wrong = np.flatnonzero(found == _NO_TOKEN)
    if len(wrong):
        letter = letters[wrong[0]]
        advice = " It is a gap of an alignment: leave such gaps out."
        raise ValueError(
            f"{where}: {letter!r} at position {wrong[0] + 1} is "
            f"not {kind}. Expected letters of {expected}."
            f"{advice if letter in GAPS else ''}"
        )
    return found
