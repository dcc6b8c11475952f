"""Proteins in FASTA files."""

import dataclasses
import pathlib

from keras_fpt.tasks import proteins
from keras_fpt.tasks.user_data import (
    build,
    classes,
    sequences,
    splitting,
    tables,
)
from keras_fpt.tasks.user_data.source_errors import names_source

MAX_LENGTH = 1024


@dataclasses.dataclass(frozen=True)
class FastaReader:
    """How the records of a FASTA file become tokens.

    Args:
        max_length: int, the longest sequence that is read, in amino acids.
    """

    max_length: int

    def read(self, path):
        """The tokens of a new file's records, and their names.

        Raises:
            ValueError: a record cannot be read or is too long.
        """
        records = proteins.read_fasta(path)
        for name, sequence in records:
            if len(sequence) > self.max_length:
                raise ValueError(
                    f"`{path}`, record {name}: expected at most "
                    f"{self.max_length:,} amino acids but received "
                    f"{len(sequence):,}."
                )
        return encode(records, path), [name for name, _ in records]


@names_source
def from_fasta(
    path,
    labels=None,
    label_column=None,
    id_column=None,
    max_length=MAX_LENGTH,
    verbose=True,
):
    """A task from the proteins of a FASTA file and a table of their labels.

    Sequences longer than `max_length` are left out, as in the paper, and how
    many is printed. The split is that of `from_arrays`.

    Args:
        path: a FASTA file of amino acids.
        labels: path of a `.csv` or `.tsv` file with a row a record.
        label_column: string, the table's column of labels; `None` is the
            second where it has two columns.
        id_column: string, its column of the records' names, the first word
            after `>`; `None` is its first column.
        max_length: int, in amino acids.
        verbose: bool, whether to print what was found.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: there are no labels; a record cannot be read or has no
            label; labels that cannot be used. It names the file and record.
    """
    if labels is None:
        raise ValueError(
            f"`{path}`: a FASTA file holds no labels. Give a table with a row "
            "a record, e.g. labels.csv with the columns id and label."
        )
    records = proteins.read_fasta(path)
    label_of = read_labels(labels, label_column, id_column)
    for name, _ in records:
        if name not in label_of:
            raise ValueError(
                f"`{path}`, record {name}: it has no row in `{labels}`."
            )
    kept = [record for record in records if len(record[1]) <= max_length]
    if not kept:
        raise ValueError(
            f"`{path}`: every sequence is longer than {max_length:,}."
        )
    names = [name for name, _ in kept]
    y, class_names = classes.number(
        [label_of[name] for name in names],
        lambda i: f"`{labels}`, record {names[i]}",
    )
    notes = []
    if len(kept) < len(records):
        notes = [
            f"left out: {len(records) - len(kept):,} longer than "
            f"{max_length:,} amino acids"
        ]
    return build.task(
        pathlib.Path(path).stem,
        encode(kept, path),
        y,
        class_names,
        splitting.stratified(y),
        "seeded, stratified",
        FastaReader(max_length),
        names,
        vocabulary_size=len(proteins.AMINO_ACIDS),
        notes=notes,
        symbols=tuple(proteins.AMINO_ACIDS),
        verbose=verbose,
    )


def encode(records, path):
    """The tokens of some records."""
    return sequences.stack(
        [
            proteins.encode(sequence, f"`{path}`, record {name}")
            for name, sequence in records
        ]
    )


def read_labels(path, label_column, id_column):
    """A dict from names to labels, from a table.

    Raises:
        ValueError: a column is missing, or a name comes twice.
    """
    frame = tables.read_table(path)
    columns = list(frame.columns)
    id_column = id_column or columns[0]
    if label_column is None and len(columns) == 2:
        label_column = next(c for c in columns if c != id_column)
    if label_column is None:
        raise ValueError(
            f"`{path}` has the columns {', '.join(columns)}. Say which one "
            "holds the labels."
        )
    names = tables.column(frame, id_column, path)
    labels = tables.column(frame, label_column, path)
    twice = names.duplicated()
    if twice.any():
        row = int(twice.argmax())
        raise ValueError(
            f"`{path}`, row {row + 1}: '{names.iloc[row]}' has a row already."
        )
    return dict(zip(names, labels, strict=True))
