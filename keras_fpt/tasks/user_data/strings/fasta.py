"""Tasks from proteins, DNA or RNA in FASTA files."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks import nucleotides, proteins
from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import (
    build,
    given_labels,
    sequences,
    splitting,
    targets,
)
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path
from keras_fpt.tasks.user_data.strings import record_rows
from keras_fpt.tasks.user_data.tables import missing_rows, table_files

MAX_LENGTH = 1024
# What the letters of a sequence stand for, and their alphabets.
PROTEIN, NUCLEIC = "amino acids", "nucleotides"
ALPHABETS = {
    PROTEIN: proteins.AMINO_ACIDS,
    NUCLEIC: nucleotides.NUCLEOTIDES,
}


@dataclasses.dataclass(frozen=True)
class FastaReader:
    """Converts the records of a FASTA file to tokens.

    Args:
        max_length: int, the longest sequence that is read, in letters.
        letters: string, one of `ALPHABETS`.
    """

    max_length: int
    letters: str = PROTEIN

    def __post_init__(self) -> None:
        if self.letters not in ALPHABETS:
            raise ValueError(
                f"Expected letters to be one of {', '.join(ALPHABETS)} but "
                f"received '{self.letters}'."
            )

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
                    f"{self.max_length:,} {self.letters} but received "
                    f"{len(sequence):,}."
                )
        return encode(records, path, self.letters), [
            name for name, _ in records
        ]


@prefix_errors_with_path
def from_fasta(
    path: str | os.PathLike,
    labels: str | os.PathLike | None = None,
    label_column: str | Sequence[str] | None = None,
    id_column: str | None = None,
    max_length: int = MAX_LENGTH,
    verbose: bool = True,
    split_column: str | None = None,
    split_group: str | Sequence[str] = (),
    folds: int | None = None,
    fold: int = 1,
    missing: Sequence[str] = (),
    drop_missing: bool = False,
    validation: str | os.PathLike | None = None,
    test: str | os.PathLike | None = None,
    strict: bool = False,
    task_type: str | None = None,
    encoding: str | None = None,
    label_separator: str | None = None,
) -> Task:
    """Makes a task from a FASTA file and a table of labels.

    Sequences are of proteins, or of DNA or RNA, if only letters of
    nucleotides occur. Those longer than `max_length` are left out, as in the
    paper; the description says how many. The split is that of `from_arrays`.

    A record and a row of the table belong together if their names are equal,
    or the parts of UniProt's names are: `sp|P69905|HBA_HUMAN` is the row
    `P69905` or `HBA_HUMAN`.

    Args:
        path: a FASTA file.
        labels: path of a table with one row per record.
        label_column: string or strings, column of the label table that
            contains the labels, or several, see `from_csv`. `None` takes the
            second column of a table with two.
        id_column: string, column of the label table that contains the record
            IDs: the first word after `>`. `None` takes the first column.
        max_length: int, in letters.
        verbose: bool, whether to log a description of the data.
        split_column: string, column of the label table that holds `train`,
            `validation` or `test`, or `None`.
        split_group: string or strings, columns of the label table with
            groups, such as families, that stay in one split.
        folds: int, the number of folds of a cross-validation, or `None`.
        fold: int, from 1 to `folds`, the fold that is for testing.
        missing: strings that mark missing labels, in addition to the usual
            ones.
        drop_missing: bool, whether records without a label are left out.
        validation: path of a FASTA file of the validation examples, or
            `None`. Their labels are in the same table.
        test: path likewise, of the test examples.
        strict: bool, whether a leak that the audit finds is an error.
        task_type, label_separator: as for `from_csv`.
        encoding: string, that of the label table, see `from_csv`.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: no labels are given; a record cannot be read or has no
            label; labels cannot be used. The error names the file and the
            record.
    """
    targets.refuse_tokens(task_type, "records")
    if labels is None:
        raise ValueError(
            f"`{path}`: a FASTA file contains no labels. Give a table with one "
            "row per record with labels (--labels), e.g. labels.csv with the "
            "columns id and label."
        )
    records, files, split = [], [], []
    for name, file in (
        ("train", path),
        ("validation", validation),
        ("test", test),
    ):
        if file is not None:
            new = proteins.read_fasta(file)
            records += new
            files += [file] * len(new)
            split += [name] * len(new)
    frame = table_files.read_labels(labels, encoding)
    names = [name for name, _ in records]
    columns = record_rows.find_label_columns(
        frame, labels, label_column, id_column
    )
    rows, notes = record_rows.match_rows(
        names, frame, labels, id_column, drop_missing
    )
    label_of = missing_rows.read_labels(frame, columns, labels).tolist()
    found = np.flatnonzero(rows >= 0)
    present, more = given_labels.present(
        given_labels.by_column([label_of[rows[i]] for i in found], columns),
        lambda i: f"`{labels}`, row {rows[found[i]] + 1} ({names[found[i]]})",
        missing,
        drop_missing,
    )
    found = found[present]
    kept = [int(i) for i in found if len(records[i][1]) <= max_length]
    if not kept:
        raise ValueError(
            f"`{path}`: every sequence is longer than {max_length:,}."
        )
    encoded = targets.encode(
        [label_of[rows[i]] for i in kept],
        lambda i: f"`{labels}`, record {names[kept[i]]}",
        task_type,
        columns=columns,
        separator=label_separator,
    )
    letters = PROTEIN
    if nucleotides.are_nucleotides(records[i][1] for i in kept):
        letters = NUCLEIC
        more.append(
            "only letters of nucleotides: read as DNA or RNA (U as T), not as "
            "proteins"
        )
    if len(kept) < len(found):
        more.append(
            f"left out: {len(found) - len(kept):,} longer than "
            f"{max_length:,} {letters}"
        )
    request = given_labels.select(
        given_labels.split_request(
            frame, labels, split_column, split_group, folds, fold
        ),
        rows[kept],
    )
    if validation is not None or test is not None:
        request = dataclasses.replace(
            request,
            names=[split[i] for i in kept],
            names_from="as given",
        )
    splits, split_by = splitting.split_examples(
        encoded.y, lambda i: f"`{labels}`, record {names[kept[i]]}", request
    )
    return build.make_task(
        pathlib.Path(path).stem,
        sequences.stack(
            [_encode(records[i][1], names[i], files[i], letters) for i in kept]
        ),
        encoded,
        splits,
        split_by,
        FastaReader(max_length, letters),
        [names[i] for i in kept],
        vocabulary_size=len(ALPHABETS[letters]),
        notes=[*notes, *more],
        symbols=tuple(ALPHABETS[letters]),
        groups=given_labels.group_numbers(request),
        strict=strict,
        verbose=verbose,
    )


def encode(
    records: list[tuple[str, str]],
    path: str | os.PathLike,
    letters: str = PROTEIN,
) -> Any:
    """The tokens of some records; returns as `sequences.stack`."""
    return sequences.stack(
        [_encode(sequence, name, path, letters) for name, sequence in records]
    )


def _encode(
    sequence: str, name: str, path: str | os.PathLike, letters: str
) -> np.ndarray:
    where = f"`{path}`, record {name}"
    if letters == NUCLEIC:
        return nucleotides.encode(sequence, where)
    return proteins.encode(sequence, where)
