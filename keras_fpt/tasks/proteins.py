"""Protein sequences: the alphabet, tokens and FASTA files."""

import gzip
import io
import pathlib
import zlib

import numpy as np

from keras_fpt.files import unpacking

# The 20 common amino acids, then unknown (X), aspartate or asparagine (B),
# glutamate or glutamine (Z), selenocysteine (U) and pyrrolysine (O). An amino
# acid's token is its place.
AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWYXBZUO"

_NO_TOKEN = -1
_TOKENS = np.full(256, _NO_TOKEN, np.int32)
for _token, _letter in enumerate(AMINO_ACIDS):
    _TOKENS[[ord(_letter), ord(_letter.lower())]] = _token
# Leucine or isoleucine, which the 25 have no letter for.
_TOKENS[[ord("J"), ord("j")]] = AMINO_ACIDS.index("X")


def encode(sequence, where):
    """The tokens of a protein.

    Lower case is read as upper case, J (leucine or isoleucine) as X
    (unknown), and a `*` at the end (a stop) is dropped.

    Args:
        sequence: string of one-letter amino acids.
        where: string, the file and record that it comes from, for errors.

    Returns:
        int32 array `(length,)` of places in `AMINO_ACIDS`.

    Raises:
        ValueError: there is another character, or nothing.

    >>> encode("ACDj*", "an example")
    array([ 0,  1,  2, 20], dtype=int32)
    """
    letters = sequence.removesuffix("*")
    if not letters:
        raise ValueError(f"{where}: the sequence is empty.")
    # Latin-1 is one byte a character; what it lacks becomes a '?'.
    as_bytes = letters.encode("latin-1", "replace")
    tokens = _TOKENS[np.frombuffer(as_bytes, np.uint8)]
    wrong = np.flatnonzero(tokens == _NO_TOKEN)
    if len(wrong):
        raise ValueError(
            f"{where}: {letters[wrong[0]]!r} at position {wrong[0] + 1} is no "
            f"amino acid. Expected letters of {AMINO_ACIDS} or J."
        )
    return tokens


def read_fasta(path):
    """The records of a FASTA file, which may be compressed (`.gz`).

    Empty lines, white space within sequences and comments (lines that begin
    with `;`) are skipped. Sequences are not checked: see `encode`.

    Args:
        path: string or path.

    Returns:
        A list of `(id, sequence)`; the id is the first word of a header.

    Raises:
        ValueError: it is no FASTA file, is damaged, or has a record without
            an id, without a sequence or with another record's id.
    """
    parts = {}  # the pieces of the sequences, by id
    headers = {}  # the headers' line numbers, by id
    last = None
    for number, line in enumerate(io.StringIO(_text(path), newline=None), 1):
        where = f"`{path}`, line {number}"
        if line.startswith(">"):
            words = line[1:].split()
            if not words:
                raise ValueError(f"{where}: the header has no id.")
            last = words[0]
            if last in parts:
                raise ValueError(
                    f"{where}: the id '{last}' is that of line "
                    f"{headers[last]} too. Ids must differ."
                )
            parts[last], headers[last] = [], number
        elif line.strip() and not line.startswith(";"):
            if last is None:
                raise ValueError(
                    f"{where}: expected a header (`>id`) before the first "
                    f"sequence."
                )
            parts[last].extend(line.split())
    if not parts:
        raise ValueError(f"`{path}` has no records. Expected a FASTA file.")
    for name, pieces in parts.items():
        if not pieces:
            raise ValueError(
                f"`{path}`, line {headers[name]}: '{name}' has no sequence."
            )
    return [(name, "".join(pieces)) for name, pieces in parts.items()]


def _decompress(content, path):
    pieces, size = [], 0
    with gzip.open(io.BytesIO(content)) as file:
        while piece := file.read(2**24):
            pieces.append(piece)
            size += len(piece)
            unpacking.check(len(content), size, path)
    return b"".join(pieces)


def _text(path):
    if not pathlib.Path(path).is_file():
        raise FileNotFoundError(f"There is no file `{path}`.")
    content = pathlib.Path(path).read_bytes()
    if str(path).endswith(".gz"):
        try:
            content = _decompress(content, path)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(
                f"`{path}` is not a whole gzip file: {error}"
            ) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"`{path}`, line {line}: this is no text. Expected a FASTA file."
        ) from error
