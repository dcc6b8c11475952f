"""Protein sequences: the alphabet, tokens and FASTA files."""

import io
import os
import re
from collections.abc import Iterator

import numpy as np

from keras_fpt.tasks import letters
from keras_fpt.tasks.user_data.tables import table_archives

# The 20 common amino acids, then unknown (X), aspartate or asparagine (B),
# glutamate or glutamine (Z), selenocysteine (U) and pyrrolysine (O). An amino
# acid's token is its index.
AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWYXBZUO"

# J is leucine or isoleucine, for which the 25 have no letter.
_TOKENS = letters.token_table(AMINO_ACIDS, {"J": "X"})
_UNDECODED = re.compile("[\udc80-\udcff]")


def encode(sequence: str, where: str) -> np.ndarray:
    """Encodes a protein as tokens.

    Lower case is read as upper case, J (leucine or isoleucine) as X
    (unknown), and a `*` at the end (a stop) is dropped.

    Args:
        sequence: string of one-letter amino acids.
        where: string, the file and record of the protein, for errors.

    Returns:
        int32 array `(length,)` of indices in `AMINO_ACIDS`.

    Raises:
        ValueError: the sequence is empty or has another character.

    >>> encode("ACDj*", "an example")
    array([ 0,  1,  2, 20], dtype=int32)
    """
    return letters.encode(
        sequence.removesuffix("*"),
        _TOKENS,
        where,
        "an amino acid",
        f"{AMINO_ACIDS} or J",
    )


def read_fasta(path: str | os.PathLike) -> list[tuple[str, str]]:
    """Reads the records of a FASTA file into memory; see `iterate_fasta`.

    Returns:
        A list of `(id, sequence)`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: as for `iterate_fasta`, or records have one ID.
    """
    sequence_of: dict[str, str] = {}
    line_of: dict[str, int] = {}
    for name, sequence, line in iterate_fasta(path):
        if name in sequence_of:
            raise repeated_id(path, name, line, line_of[name])
        sequence_of[name], line_of[name] = sequence, line
    return list(sequence_of.items())


def iterate_fasta(
    path: str | os.PathLike,
) -> Iterator[tuple[str, str, int]]:
    """Reads the records of a FASTA file, which may be compressed (`.gz`).

    Empty lines, white space within sequences and comments (lines that begin
    with `;`) are skipped. Sequences are not checked: see `encode`.

    Args:
        path: string or path.

    Yields:
        Tuples of an ID, the first word of a header; a sequence; and the number
        of the header's line. IDs may be repeated.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is damaged or not a FASTA file, or has a record without
            an ID or without a sequence.
    """
    name, first, pieces = "", 0, list[str]()
    number = 0
    for number, line in enumerate(_lines(path), 1):
        where = f"`{path}`, line {number}"
        if not line.isascii() and _UNDECODED.search(line):
            raise ValueError(
                f"{where}: this is not text. Expected a FASTA file."
            )
        if line.startswith(">"):
            words = line[1:].split()
            if not words:
                raise ValueError(f"{where}: the header has no ID.")
            if name:
                yield name, _joined(path, name, pieces, first), first
            name, first, pieces = words[0], number, []
        elif line.strip() and not line.startswith(";"):
            if not name:
                raise ValueError(
                    f"{where}: expected a header (`>id`) before the first "
                    f"sequence."
                )
            pieces.extend(line.split())
    if not name:
        raise ValueError(f"`{path}` has no records. Expected a FASTA file.")
    yield name, _joined(path, name, pieces, first), first


def repeated_id(
    path: str | os.PathLike, name: str, line: int, other: int
) -> ValueError:
    """The error that the headers of two lines have one ID."""
    return ValueError(
        f"`{path}`, line {line}: the ID '{name}' is that of line {other} too. "
        "IDs must be unique."
    )


def _joined(
    path: str | os.PathLike, name: str, pieces: list[str], line: int
) -> str:
    if not pieces:
        raise ValueError(f"`{path}`, line {line}: '{name}' has no sequence.")
    return "".join(pieces)


def _lines(path: str | os.PathLike) -> Iterator[str]:
    source = table_archives.find_source(path)
    # Bytes that are not UTF-8 become characters that no text has.
    with io.TextIOWrapper(
        source.open(),
        encoding="utf-8-sig",
        errors="surrogateescape",
        newline=None,
    ) as file:
        yield from file
