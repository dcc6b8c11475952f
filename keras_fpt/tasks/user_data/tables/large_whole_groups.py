"""Leaves incomplete groups out of tables that are larger than the memory."""

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from keras_fpt.tasks.user_data.tables import (
    large_files,
    large_rows,
    large_splits,
    large_watch,
    missing_rows,
    windows,
)
from keras_fpt.tasks.user_data.tables.table_structure import Structure

if TYPE_CHECKING:
    import pandas as pd


class WholeGroups(NamedTuple):
    """The files without incomplete groups.

    Args:
        files: the `LargeFiles` of the other rows.
        unused: list of strings, the marks of missing cells that mark none.
        notes: list of strings, how many groups are left out.
    """

    files: large_files.LargeFiles
    unused: list[str]
    notes: list[str]


def find(
    files: large_files.LargeFiles,
    frames: Iterable["pd.DataFrame"],
    structure: Structure,
    reading: large_rows.Reading,
) -> WholeGroups:
    """Finds the groups of whose rows none lacks a label or a cell.

    The whole table is parsed for it, since what is missing in a column of text
    is known only then.

    Args:
        files, frames: as for `large_tables.make_task`.
        structure: a `Structure` with groups, but without windows.
        reading: `Reading` with `drop_missing`.

    Raises:
        ValueError: as for `from_csv`.
        NotInParts: a column holds too many different texts.
    """
    watch = large_watch.Watch(files, structure, True)
    with contextlib.closing(watch):
        rows = large_rows.parse(watch, frames, reading)
        runs, is_out = watch.runs, rows.is_left_out
        if is_out is None:
            return WholeGroups(files, rows.unused, [])
        is_first = np.zeros(len(is_out), bool)
        is_first[runs.first_rows] = True
        if np.array_equal(is_first, ~is_out):
            raise missing_rows.only_first_labeled(
                files.where(int(np.argmax(is_out)))
            )
        is_incomplete = np.zeros(len(runs.names), bool)
        for part in large_splits.slices(len(is_out)):
            is_incomplete[runs.numbers(part)[is_out[part]]] = True
        for part in large_splits.slices(len(is_out)):
            is_out[part] = is_incomplete[runs.numbers(part)]
    notes = windows.left_out(
        int(is_incomplete.sum()), len(is_incomplete), "groups"
    )
    return WholeGroups(files.without(is_out), rows.unused, notes)
