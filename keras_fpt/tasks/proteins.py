"""Protein sequences: the alphabet, tokens and FASTA files."""

import gzip
import io
import os
import pathlib
import zlib

import numpy as np

from keras_fpt.files import unpacking
from keras_fpt.tasks import letters

# The 20 common amino acids, then unknown (X), aspartate or asparagine (B),
# glutamate or glutamine (Z), selenocysteine (U) and pyrrolysine (O). An amino
# acid's token is its index.
AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWYXBZUO"

# J is leucine or isoleucine, for which the 25 have no letter.
_TOKENS = letters.token_table(AMINO_ACIDS, {"J": "X"})


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
    """Reads the records of a FASTA file, which may be compressed (`.gz`).

    Empty lines, white space within sequences and comments (lines that begin
    with `;`) are skipped. Sequences are not checked: see `encode`.

    Args:
        path: string or path.

    Returns:
        A list of `(id, sequence)`; the ID is the first word of a header.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is damaged or not a FASTA file, or has a record without
            an ID, without a sequence or with another record's ID.
    """
    parts: dict[str, list[str]] = {}  # the pieces of the sequences, by ID
    headers: dict[str, int] = {}  # the headers' line numbers, by ID
    last = None
    for number, line in enumerate(io.StringIO(_text(path), newline=None), 1):
        where = f"`{path}`, line {number}"
        if line.startswith(">"):
            words = line[1:].split()
            if not words:
                raise ValueError(f"{where}: the header has no ID.")
            last = words[0]
            if last in parts:
                raise ValueError(
                    f"{where}: the ID '{last}' is that of line "
                    f"{headers[last]} too. IDs must be unique."
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


def _decompress(content: bytes, path: str | os.PathLike) -> bytes:
    pieces, size = [], 0
    with gzip.open(io.BytesIO(content)) as file:
        while piece := file.read(2**24):
            pieces.append(piece)
            size += len(piece)
            unpacking.check_size(len(content), size, path)
    return b"".join(pieces)


def _text(path: str | os.PathLike) -> str:
    if not pathlib.Path(path).is_file():
        raise FileNotFoundError(f"There is no file `{path}`.")
    content = pathlib.Path(path).read_bytes()
    if str(path).endswith(".gz"):
        try:
            content = _decompress(content, path)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(
                f"`{path}` is not a complete gzip file: {error}"
            ) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"`{path}`, line {line}: this is not text. Expected a FASTA file."
        ) from error
