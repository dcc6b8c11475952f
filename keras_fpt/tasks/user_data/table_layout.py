"""Which rows of a table make a sequence, and which split a sequence is in."""

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_fpt.tasks.user_data import sequences, splitting, table_files

if TYPE_CHECKING:
    import pandas as pd

# A sequence's name and its rows, counted from 0.
Part = tuple[str, list[int]]


class Layout(NamedTuple):
    """The sequences of a table and their splits.

    Args:
        parts: list of each sequence's name and rows.
        splits: dict from splits to int arrays of indices in `parts`.
        split_by: string, how the sequences were split, in words.
        notes: list of strings, what else the user should know.
        groups: list of ints, the group that each sequence was cut from, or
            with whose other sequences it shares rows; `None` if each stands
            alone.
    """

    parts: list[Part]
    splits: dict[str, np.ndarray]
    split_by: str
    notes: Sequence[str] = ()
    groups: Sequence[int] | None = None

    @property
    def rows(self) -> list[list[int]]:
        """The rows of each sequence."""
        return [rows for _, rows in self.parts]


def group_rows(
    frame: "pd.DataFrame", group_column: str | None, path: str | os.PathLike
) -> list[Part]:
    """Names and rows of groups; without a column, each row is a group."""
    if group_column is None:
        return [(f"row {row + 1}", [row]) for row in range(len(frame))]
    cells = table_files.column(frame, group_column, path).to_numpy(str)
    rows_of: dict[str, list[int]] = {}
    for row, cell in enumerate(cells.tolist()):
        rows_of.setdefault(cell, []).append(row)
    return [(f"{group_column} {cell}", rows) for cell, rows in rows_of.items()]


def series(frame: "pd.DataFrame") -> list[Part]:
    """All rows of a table as one group."""
    return [("series", list(range(len(frame))))]


def windows(group: Part, window: int, stride: int) -> Iterator[Part]:
    """Yields the windows of a group's rows: names and rows.

    A window's name counts the rows within the group, from 1.
    """
    name, rows = group
    for start in range(0, len(rows) - window + 1, stride):
        end = start + window
        yield f"{name}, rows {start + 1}-{end}", rows[start:end]


def cut(values: np.ndarray, rows_of: list[list[int]], is_by_row: bool) -> Any:
    """Makes sequences of the values in some rows.

    Args:
        values: array `(rows, columns)`.
        rows_of: the rows of each sequence.
        is_by_row: bool, whether each row is a sequence, whose tokens are its
            cells; otherwise tokens are rows.

    Returns:
        As `sequences.stack`.
    """
    if is_by_row:
        return values[:, :, None]
    return sequences.stack([values[rows] for rows in rows_of])


def windows_by_time(
    size: int, window: int, stride: int, path: str | os.PathLike
) -> Layout:
    """Windows of a time series, whose splits follow one another in time.

    Args:
        size: int, the number of rows.
        window: int, rows per window.
        stride: int, rows from one window to the next.
        path: the table's file, for errors.

    Raises:
        ValueError: a split is shorter than a window.
    """
    splits = {}
    parts: list[Part] = []
    for split, rows in splitting.chronological(size).items():
        windows_of_split = [
            (f"series, rows {part[0] + 1}-{part[-1] + 1}", part)
            for _, part in windows(("", rows.tolist()), window, stride)
        ]
        if not windows_of_split:
            raise ValueError(
                f"`{path}`: the {split} split has {len(rows):,} rows, fewer "
                f"than a window of {window}."
            )
        splits[split] = np.arange(
            len(parts), len(parts) + len(windows_of_split)
        )
        parts += windows_of_split
    # Overlapping windows share rows with those up to a window further on.
    together = -(-window // stride)
    groups = [number // together for number in range(len(parts))]
    return Layout(
        parts, splits, "by time", groups=groups if together > 1 else None
    )


def split_groups(
    frame: "pd.DataFrame",
    groups: list[Part],
    y: np.ndarray,
    split_column: str | None,
    path: str | os.PathLike,
) -> Layout:
    """Groups as sequences, split by a column or stratified.

    Args:
        frame: what `table_files.read_table` returned.
        groups: list of names and rows.
        y: int array `(groups,)` of classes.
        split_column: string, or `None`.
        path: the table's file, for errors.

    Raises:
        ValueError: a group's rows name different splits, or an unknown one.
    """
    if split_column is None:
        return Layout(groups, splitting.stratified(y), "seeded, stratified")
    names = _split_of_groups(frame[split_column], groups, split_column, path)
    splits = splitting.from_names(
        names, y, lambda i: f"`{path}`, {groups[i][0]}"
    )
    return Layout(groups, splits, f"column {split_column}")


def windows_of_groups(
    layout: Layout, window: int, stride: int, group_column: str
) -> Layout:
    """Windows of groups, each in the split of its group.

    Args:
        layout: the groups' `Layout`.
        window: int, rows per window.
        stride: int, rows from one window to the next.
        group_column: string.
    """
    parts: list[Part] = []
    groups: list[int] = []
    splits = {}
    for split, group_indices in layout.splits.items():
        start = len(parts)
        for index in group_indices:
            parts += windows(layout.parts[index], window, stride)
            groups += [int(index)] * (len(parts) - len(groups))
        splits[split] = np.arange(start, len(parts))
    num_short = sum(len(rows) < window for rows in layout.rows)
    notes = [f"left out: {num_short:,} groups shorter than a window"]
    return Layout(
        parts,
        splits,
        f"seeded, by {group_column}",
        notes if num_short else [],
        groups,
    )


def group_labels(
    groups: list[Part],
    labels: np.ndarray,
    class_names: Sequence[str],
    path: str | os.PathLike,
) -> np.ndarray:
    """The label of each group.

    Args:
        groups: list of names and rows.
        labels: int array `(rows,)` of classes.
        class_names: sequence of strings.
        path: the table's file, for errors.

    Returns:
        int array `(groups,)`.

    Raises:
        ValueError: the rows of a group have different labels.
    """
    for name, rows in groups:
        differing = np.flatnonzero(labels[rows] != labels[rows[0]])
        if len(differing):
            row = rows[differing[0]]
            raise ValueError(
                f"`{path}`, row {row + 1}: the label "
                f"'{class_names[labels[row]]}' contradicts "
                f"'{class_names[labels[rows[0]]]}' in row {rows[0] + 1} of "
                f"the same group, {name}."
            )
    return np.array([labels[rows[0]] for _, rows in groups])


def majority_labels(rows_of: list[list[int]], labels: np.ndarray) -> np.ndarray:
    """The most common label in each of some lists of rows, int32."""
    return np.array(
        [np.argmax(np.bincount(labels[rows])) for rows in rows_of], np.int32
    )


def _split_of_groups(
    cells: "pd.Series",
    groups: list[Part],
    column: str,
    path: str | os.PathLike,
) -> list[str]:
    """The value of a column for each group, equal in all rows of the group."""
    values = cells.tolist()
    for name, rows in groups:
        first = values[rows[0]]
        row = next((row for row in rows if values[row] != first), None)
        if row is not None:
            raise ValueError(
                f"`{path}`, row {row + 1}: '{values[row]}' in '{column}' "
                f"contradicts '{first}' in row {rows[0] + 1} of the same "
                f"group, {name}."
            )
    return [values[rows[0]] for _, rows in groups]
