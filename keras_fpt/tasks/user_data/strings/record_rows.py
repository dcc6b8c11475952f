"""Matches the rows of a label table with the records of a FASTA file."""

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fpt.tasks.user_data.tables import table_columns, table_structure

if TYPE_CHECKING:
    import pandas as pd

# Parts of names that say where a record is from: UniProt's, then NCBI's.
DATABASES = ("sp", "tr", "gi", "gb", "emb", "dbj", "ref", "pdb", "pir", "lcl")

_VERSION = re.compile(r"(?<=[A-Za-z0-9])\.\d{1,2}$")


def find_label_columns(
    frame: "pd.DataFrame",
    path: str | os.PathLike,
    label_column: str | Sequence[str] | None,
    id_column: str | None,
) -> tuple[str, ...]:
    """The names of the columns of labels.

    Args:
        frame: the label table.
        path: its file, for errors.
        label_column: as for `from_fasta`.
        id_column: as for `from_fasta`.

    Raises:
        ValueError: it is not given, or missing.
    """
    columns = list(frame.columns)
    id_column = id_column or columns[0]
    if label_column is None and len(columns) == 2:
        label_column = next(c for c in columns if c != id_column)
    if label_column is None:
        raise ValueError(
            f"`{path}` has the columns {', '.join(columns)}. Name the one with "
            "the labels with label_column (--label-column)."
        )
    names = table_structure.as_tuple(label_column)
    for name in names:
        table_columns.column(frame, name, path)
    return names


def match_rows(
    names: Any,
    frame: "pd.DataFrame",
    path: str | os.PathLike,
    id_column: str | None = None,
    may_lack: bool = False,
) -> tuple[np.ndarray, list[str]]:
    """Finds the row of each record in a label table.

    Args:
        names: the records' IDs, a list or `fasta_records.Names`.
        frame: the label table.
        path: its file, for errors.
        id_column: as for `from_fasta`.
        may_lack: bool, whether a record may have no row.

    Returns:
        A tuple: int array `(n,)` of rows, -1 where a record has none, and a
        list of notes.

    Raises:
        ValueError: a name has several rows, a record has none or several, or
            several records have one.
    """
    column = table_columns.column(frame, id_column or frame.columns[0], path)
    is_repeated = column.duplicated()
    if is_repeated.any():
        row = int(is_repeated.argmax())
        raise ValueError(
            f"`{path}`, row {row + 1}: '{column.iloc[row]}' has a row already."
        )
    rows = _exact_rows(names, column)
    unmatched = np.flatnonzero(rows < 0)
    rows_of_part = _rows_of_parts(column) if len(unmatched) else {}
    for i in unmatched.tolist():
        name, found = names[i], set[int]()
        for part in _parts(name):
            found.update(rows_of_part.get(part, ()))
        if len(found) > 1:
            several = ", ".join(column.iloc[row] for row in sorted(found))
            raise ValueError(
                f"`{path}`: the record {name} may be each of {several}."
            )
        if not found and not may_lack:
            raise ValueError(
                f"record {name}: it has no row in `{path}`. To leave out such "
                "records, use drop_missing (--drop-missing)."
            )
        if found:
            (rows[i],) = found
    used = np.flatnonzero(rows >= 0)
    _, first = np.unique(rows[used], return_index=True)
    if len(first) < len(used):
        i = used[np.delete(np.arange(len(used)), first)[0]]
        other = used[np.argmax(rows[used] == rows[i])]
        raise ValueError(
            f"`{path}`, row {rows[i] + 1}: '{column.iloc[rows[i]]}' is "
            f"both {names[other]} and {names[i]}."
        )
    notes = []
    if (rows[unmatched] >= 0).any():
        notes.append("records and labels are matched by parts of their names")
    lacking = len(rows) - len(used)
    if lacking:
        notes.append(f"left out: {lacking:,} records without a row of labels")
    if len(used) < len(frame):
        notes.append(
            f"rows of labels without a record: {len(frame) - len(used):,}"
        )
    return rows, notes


def _exact_rows(names: Any, column: "pd.Series") -> np.ndarray:
    """The row of each name in a column, -1 where there is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = pa.large_string()
    array = names.array if hasattr(names, "array") else pa.array(names, kind)
    rows = pc.index_in(array, value_set=pa.array(column).cast(kind))
    return rows.fill_null(-1).to_numpy().astype(int)


def _rows_of_parts(column: "pd.Series") -> dict[str, list[int]]:
    """The rows of a column that a part of a name may stand for."""
    found: dict[str, list[int]] = {}
    for row, name in enumerate(column):
        for part in _parts(name):
            found.setdefault(part, []).append(row)
    return found


def _parts(name: str) -> list[str]:
    """A name, and the parts of it that may stand for it."""
    parts = [part for part in name.split("|") if part not in DATABASES]
    # A version, as in P12345.1 or NM_000546.6, does not change the record.
    plain = [_VERSION.sub("", part) for part in parts]
    return [*dict.fromkeys([name, *filter(None, parts), *filter(None, plain)])]
