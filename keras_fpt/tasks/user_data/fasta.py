"""Tasks from proteins in FASTA files."""

import dataclasses
import os
import pathlib
from typing import Any

from keras_fpt.tasks import proteins
from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import (
    build,
    classes,
    sequences,
    splitting,
    table_files,
)
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path

MAX_LENGTH = 1024


@dataclasses.dataclass(frozen=True)
class FastaReader:
    """How the records of a FASTA file become tokens.

    Args:
        max_length: int, the longest sequence that is read, in amino acids.
    """

    max_length: int

    def read(self, path: str | os.PathLike) -> tuple[Any, list[str]]:
        """Reads the tokens of a new file's records, and their names.

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


@prefix_errors_with_path
def from_fasta(
    path: str | os.PathLike,
    labels: str | os.PathLike | None = None,
    label_column: str | None = None,
    id_column: str | None = None,
    max_length: int = MAX_LENGTH,
    verbose: bool = True,
) -> Task:
    """Makes a task from proteins in a FASTA file and a table of their labels.

    Sequences longer than `max_length` are left out, as in the paper; the
    description says how many. The split is that of `from_arrays`.

    Args:
        path: a FASTA file of amino acids.
        labels: path of a `.csv` or `.tsv` file with one row per record.
        label_column: string, column of the label table that holds the labels.
            `None` takes the second column of a table with two.
        id_column: string, column of the label table that holds the record
            IDs: the first word after `>`. `None` takes the first column.
        max_length: int, in amino acids.
        verbose: bool, whether to log a description of the data.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: no labels are given; a record cannot be read or has no
            label; labels cannot be used. The error names the file and the
            record.
    """
    if labels is None:
        raise ValueError(
            f"`{path}`: a FASTA file holds no labels. Give a table with one "
            "row per record, e.g. labels.csv with the columns id and label."
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
    y, class_names = classes.encode_labels(
        [label_of[name] for name in names],
        lambda i: f"`{labels}`, record {names[i]}",
    )
    notes = []
    if len(kept) < len(records):
        notes = [
            f"left out: {len(records) - len(kept):,} longer than "
            f"{max_length:,} amino acids"
        ]
    return build.make_task(
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


def encode(records: list[tuple[str, str]], path: str | os.PathLike) -> Any:
    """The tokens of some records; returns as `sequences.stack`."""
    return sequences.stack(
        [
            proteins.encode(sequence, f"`{path}`, record {name}")
            for name, sequence in records
        ]
    )


def read_labels(
    path: str | os.PathLike, label_column: str | None, id_column: str | None
) -> dict[str, str]:
    """Reads a dict from record IDs to labels from a table.

    Args:
        path: a `.csv` or `.tsv` file.
        label_column: as for `from_fasta`.
        id_column: as for `from_fasta`.

    Raises:
        ValueError: a column is missing, or a record ID has several rows.
    """
    frame = table_files.read_table(path)
    columns = list(frame.columns)
    id_column = id_column or columns[0]
    if label_column is None and len(columns) == 2:
        label_column = next(c for c in columns if c != id_column)
    if label_column is None:
        raise ValueError(
            f"`{path}` has the columns {', '.join(columns)}. Say which one "
            "holds the labels with label_column (--label-column)."
        )
    names = table_files.column(frame, id_column, path)
    labels = table_files.column(frame, label_column, path)
    is_repeated = names.duplicated()
    if is_repeated.any():
        row = int(is_repeated.argmax())
        raise ValueError(
            f"`{path}`, row {row + 1}: '{names.iloc[row]}' has a row already."
        )
    return dict(zip(names, labels, strict=True))
