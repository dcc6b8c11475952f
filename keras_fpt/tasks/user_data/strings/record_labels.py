"""The labels of the records of new FASTA files, to score predictions."""

import functools
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_fpt.tasks.user_data.strings import (
    fasta,
    fasta_records,
    record_rows,
)
from keras_fpt.tasks.user_data.tables import (
    missing_rows,
    table_files,
    table_structure,
)


def read(
    path: str | os.PathLike,
    labels: str | os.PathLike | None,
    options: Mapping[str, Any],
    block: fasta.Block | None,
) -> list[Any]:
    """Reads the labels of a new FASTA file's records.

    Args:
        path: the FASTA file.
        labels: path of the table of labels, or `None`.
        options: dict of the options that the task was made with.
        block: the `Block` of the file; `None` for all records.

    Returns:
        A list of labels, empty where a record has none.

    Raises:
        ValueError: there is no table of labels, or it does not fit.
    """
    if labels is None:
        raise ValueError(
            f"`{path}`: a FASTA file contains no labels. Give a table of them "
            "with labels (--labels)."
        )
    records = (
        fasta_records.Records({"": path}) if block is None else block.records
    )
    found = _labels_of_records(
        records,
        str(labels),
        table_structure.as_tuple(options.get("label_column")),
        options.get("id_column"),
        options.get("encoding"),
    )
    places = range(len(records)) if block is None else block.places
    return found[places.start : places.stop].tolist()


# Of the blocks of a file, which have the same records.
@functools.lru_cache(1)
def _labels_of_records(
    records: fasta_records.Records,
    labels: str,
    label_column: tuple[str, ...],
    id_column: str | None,
    encoding: str | None,
) -> np.ndarray:
    """The labels of records, empty where there are none."""
    frame = table_files.read_labels(labels, encoding)
    columns = record_rows.find_label_columns(
        frame, labels, label_column or None, id_column
    )
    rows, _ = record_rows.match_rows(
        records.names, frame, labels, id_column, True
    )
    found = missing_rows.read_labels(frame, columns, labels)[rows]
    found[rows < 0] = ""
    return found
