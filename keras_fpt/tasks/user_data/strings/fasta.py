"""Tasks from proteins, DNA or RNA in FASTA files."""

import dataclasses
import itertools
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

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
from keras_fpt.tasks.user_data.audit import audit_groups
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path
from keras_fpt.tasks.user_data.strings import fasta_records, record_rows
from keras_fpt.tasks.user_data.tables import (
    missing_rows,
    table_files,
    table_structure,
)

MAX_LENGTH = 1024
# What the letters of a sequence stand for, and their alphabets.
PROTEIN, NUCLEIC = "amino acids", "nucleotides"
ALPHABETS = {
    PROTEIN: proteins.AMINO_ACIDS,
    NUCLEIC: nucleotides.NUCLEOTIDES,
}


class Block(NamedTuple):
    """Some of the records of a new file.

    Args:
        records: `fasta_records.Records`, all of the file.
        places: range, which of them these are.
        x: their tokens, as `FastaReader.read` returns them.
        names: list of strings, their names.
    """

    records: fasta_records.Records
    places: range
    x: Any
    names: list[str]


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
        records = self._open(path)
        tokens = encode(records, np.arange(len(records)), self.letters)
        return sequences.collect(tokens), [*records.names]

    def read_blocks(self, path: str | os.PathLike) -> Iterator[Block]:
        """Reads a new file's records, some at a time if it is large.

        Raises:
            ValueError: a record cannot be read or is too long.
        """
        return self._blocks(self._open(path))

    def _blocks(self, records: fasta_records.Records) -> Iterator[Block]:
        tokens = encode(records, np.arange(len(records)), self.letters)
        names = iter(records.names)
        size = table_files.ROWS_PER_CHUNK
        if not records.is_large:
            size = len(records)
        for first in range(0, len(records), size):
            places = range(first, min(first + size, len(records)))
            yield Block(
                records,
                places,
                sequences.collect(itertools.islice(tokens, len(places))),
                [*itertools.islice(names, len(places))],
            )

    def _open(self, path: str | os.PathLike) -> fasta_records.Records:
        records = fasta_records.Records({"": path})
        long = np.flatnonzero(records.lengths > self.max_length)
        if len(long):
            raise ValueError(
                f"`{path}`, record {records.names[long[0]]}: expected at most "
                f"{self.max_length:,} {self.letters} but received "
                f"{records.lengths[long[0]]:,}."
            )
        return records


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
    given = {"train": path, "validation": validation, "test": test}
    records = fasta_records.Records(
        {split: file for split, file in given.items() if file is not None}
    )
    frame = table_files.read_labels(labels, encoding)
    names = records.names
    columns = record_rows.find_label_columns(
        frame, labels, label_column, id_column
    )
    rows, notes = record_rows.match_rows(
        names, frame, labels, id_column, drop_missing
    )
    label_of = missing_rows.read_labels(frame, columns, labels)
    found = np.flatnonzero(rows >= 0)
    present, more = given_labels.present(
        given_labels.by_column(label_of[rows[found]], columns),
        lambda i: f"`{labels}`, row {rows[found[i]] + 1} ({names[found[i]]})",
        missing,
        drop_missing,
    )
    found = found[present]
    kept = found[records.lengths[found] <= max_length]
    if not len(kept):
        raise ValueError(
            f"`{path}`: every sequence is longer than {max_length:,}."
        )
    encoded = targets.encode(
        label_of[rows[kept]],
        lambda i: f"`{labels}`, record {names[kept[i]]}",
        task_type,
        columns=columns,
        separator=label_separator,
    )
    letters = PROTEIN
    if nucleotides.are_nucleotides(records.chosen(kept)):
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
            names=records.splits[kept],
            names_from="as given",
        )
    splits, split_by = splitting.split_examples(
        encoded.y, lambda i: f"`{labels}`, record {names[kept[i]]}", request
    )
    known = {
        *(id_column or frame.columns[0], split_column, *columns),
        *table_structure.as_tuple(split_group),
    }
    return build.make_task(
        pathlib.Path(path).stem,
        sequences.collect(encode(records, kept, letters)),
        encoded,
        splits,
        split_by,
        FastaReader(max_length, letters),
        build.select_names(names, kept),
        vocabulary_size=len(ALPHABETS[letters]),
        notes=[*notes, *more],
        symbols=tuple(ALPHABETS[letters]),
        groups=given_labels.group_numbers(request),
        findings=audit_groups.find_beside(
            frame.iloc[rows[kept]], known, encoded, splits
        ),
        strict=strict,
        verbose=verbose,
    )


def encode(
    records: fasta_records.Records, indices: np.ndarray, letters: str
) -> Iterator[np.ndarray]:
    """Yields the tokens of some records, by their sorted indices."""
    encode_one = proteins.encode
    if letters == NUCLEIC:
        encode_one = nucleotides.encode
    for path, name, sequence in zip(
        records.paths_of(indices),
        build.select_names(records.names, indices),
        records.chosen(indices),
        strict=True,
    ):
        yield encode_one(sequence, f"`{path}`, record {name}")
