"""Rows of a table that lack a label or a cell."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fpt.tasks.user_data import given_files, targets
from keras_fpt.tasks.user_data.tables import (
    cells,
    table_columns,
    table_groups,
    table_structure,
    windows,
)
from keras_fpt.tasks.user_data.tables import columns as columns_

if TYPE_CHECKING:
    import pandas as pd


def check_fill(
    fill: str | None, structure: table_structure.Structure | None = None
) -> None:
    """Raises `ValueError` unless a way of filling suits the rows."""
    if fill is not None and fill not in columns_.FILLS:
        raise ValueError(
            f"Expected fill (--fill) to be {' or '.join(columns_.FILLS)} but "
            f"received '{fill}'."
        )
    if fill == "forward" and structure is not None and structure.is_by_row:
        raise ValueError(
            "fill='forward' (--fill forward) needs rows that follow one "
            "another: give group_column or window, or fill with the median."
        )


def unused_notes(
    frame: "pd.DataFrame", names: Sequence[str], missing: Sequence[str]
) -> list[str]:
    """Notes the words that mark no cell, in at most one line.

    Args:
        frame: what `table_files.read_table` returned.
        names: sequence of strings, the columns.
        missing: sequence of strings, what marks missing cells.
    """
    return words_notes(unused_words(frame, names, missing))


def words_notes(unused: Sequence[str]) -> list[str]:
    """Says which words mark no cell, in no or one line."""
    if not unused:
        return []
    return [f"no cell is missing as {table_columns.list_columns(unused)}"]


def unused_words(
    frame: "pd.DataFrame", names: Sequence[str], missing: Sequence[str]
) -> list[str]:
    """Those of the words that mark no cell; see `unused_notes`."""
    unused = [*missing]
    for name in names:
        if not unused:
            return []
        if table_columns.are_typed(frame, name):
            marks = [w for w in unused if cells.as_floats([w])]
            numbers = frame[name].to_numpy(float, na_value=np.nan)
            found = [w for w in marks if (numbers == float(w)).any()]
            unused = [w for w in unused if w not in found]
            continue
        texts = table_columns.column(frame, name, "").drop_duplicates()
        texts = texts[~cells.is_missing(texts)]
        unused = [w for w in unused if not cells.is_missing(texts, w).any()]
    return [w for w in unused if not cells.is_missing([w]).any()]


def read_labels(
    frame: "pd.DataFrame", columns: Sequence[str], path: str | os.PathLike
) -> np.ndarray:
    """The labels of a table's rows, as text.

    Args:
        frame: what `table_files.read_table` returned.
        columns: sequence of strings, at least one.
        path: the table's file, for errors.

    Returns:
        Array of strings `(rows,)`, or of several columns `(rows, columns)`.

    Raises:
        ValueError: the table lacks a column, or one is named twice.
    """
    repeated = [name for name in columns if list(columns).count(name) > 1]
    if repeated:
        raise ValueError(
            f"label_column (--label-column) names '{repeated[0]}' twice."
        )
    texts = [
        table_columns.column(frame, name, path).to_numpy(str)
        for name in columns
    ]
    return texts[0] if len(texts) == 1 else np.stack(texts, axis=1)


def have_none(labels: np.ndarray, words: Sequence[str]) -> np.ndarray:
    """Which rows lack a label; of several columns, at least one.

    Args:
        labels: what `read_labels` returned.
        words: sequence of strings, what marks missing labels.

    Returns:
        bool array `(rows,)`.
    """
    columns = labels.reshape(len(labels), -1).T
    return np.any([cells.is_missing(c, words) for c in columns], axis=0)


def check_labels_of_groups(
    is_unlabeled: np.ndarray,
    frame: "pd.DataFrame",
    structure: table_structure.Structure,
    files: given_files.Files,
) -> None:
    """Raises `ValueError` if only the first row of each group has a label."""
    if not structure.keys or not is_unlabeled.any():
        return
    groups = table_groups.find_groups(frame, structure.keys, files)
    is_first = np.zeros(len(frame), bool)
    is_first[groups.first_rows] = True
    if np.array_equal(is_first, ~is_unlabeled):
        raise only_first_labeled(files.where(int(np.argmax(is_unlabeled))))


def only_first_labeled(where: str) -> ValueError:
    """The error that only the first row of each group has a label."""
    return ValueError(
        f"{where}: the label is missing, as in all rows but the first one of "
        "each group. Write it into all rows of the group, for instance with "
        "pandas.DataFrame.ffill."
    )


def label_words(
    labels: Any, words: Sequence[str]
) -> tuple[tuple[str, ...], list[str]]:
    """The marks of missing cells that also mark missing labels.

    Words do. A number such as 0 may be a class, or a measurement; it marks
    what is missing if it is farther from all other labels than they are from
    each other.

    Args:
        labels: array or `pandas.Series` of texts.
        words: sequence of strings, what marks missing cells.

    Returns:
        A tuple: tuple of strings, and a note in a list if a number is a
        label.
    """
    import pandas as pd

    distinct = pd.unique(np.asarray(labels, object).ravel())
    texts = [str(text) for text in distinct]
    numbers = [cells.as_number(text) for text in texts]
    others = {float(n) for n in numbers if n is not None}
    others -= {*cells.as_floats(words)}
    marks = [word for word in words if cells.as_number(word) is not None]
    distances = [
        min((abs(number - other) for other in others), default=0.0)
        for number in cells.as_floats(marks)
    ]
    spread = max(others) - min(others) if others else 0.0
    kept, notes = numbers_that_mark(
        marks,
        distances,
        [cells.as_number(word) in numbers for word in marks],
        spread,
        len(others) > 1,
    )
    return (
        tuple(word for word in words if word in kept or word not in marks),
        notes,
    )


def numbers_that_mark(
    marks: Sequence[str],
    distances: Any,
    is_seen: Any,
    spread: float,
    differ: bool,
) -> tuple[list[str], list[str]]:
    """The numbers that mark missing labels, see `label_words`, and a note.

    Args:
        marks: sequence of n numbers as text, which mark missing cells.
        distances: n numbers, how far each is from the nearest other label.
        is_seen: n bools, whether each is a label of a row.
        spread: float, how far the other labels are from each other at most.
        differ: bool, whether there are at least two other labels.
    """
    kept, read = [], []
    for word, distance, is_label in zip(marks, distances, is_seen, strict=True):
        if differ and distance > spread:
            kept.append(word)
        elif is_label:
            read.append(word)
    notes = [
        f"labels: {table_columns.list_columns(read)} is a label, and marks "
        "missing cells only in the other columns"
    ]
    return kept, notes if read else []


def find_kept(
    is_left_out: np.ndarray,
    frame: "pd.DataFrame",
    structure: table_structure.Structure,
    files: given_files.Files,
) -> tuple[np.ndarray, list[str]]:
    """Finds the rows of sequences that hold nothing missing.

    Args:
        is_left_out: bool array `(rows,)`, which rows lack a label or a cell.
        frame: what `table_files.read_table` returned.
        structure: `Structure` without a window.
        files: the `Files` that the rows are from.

    Returns:
        A tuple: bool array `(rows,)`, and a note in a list.

    Raises:
        ValueError: no row is kept.
    """
    kind, count, total = "rows", int(is_left_out.sum()), len(is_left_out)
    is_kept = ~is_left_out
    if not structure.is_by_row:
        groups = table_groups.find_groups(frame, structure.keys, files)
        wrong = np.unique(groups.numbers[is_left_out])
        is_kept = ~np.isin(groups.numbers, wrong)
        kind, count, total = "groups", len(wrong), len(groups.names)
    return is_kept, windows.left_out(count, total, kind)


def encode_labels(
    texts: np.ndarray,
    is_unlabeled: np.ndarray,
    files: given_files.Files,
    missing: Sequence[str],
    task_type: str | None = None,
    columns: Sequence[str] = (),
    separator: str | None = None,
) -> targets.Labels:
    """Encodes the labels of the rows that have one.

    Args:
        texts: what `read_labels` returned.
        is_unlabeled: bool array `(rows,)`.
        files: the `Files` that the rows are from.
        missing: sequence of strings, what marks missing labels.
        task_type, columns, separator: as for `targets.encode`.

    Returns:
        `Labels` of all rows; -1, NaN, and no label of several, where a row
        has no label.

    Raises:
        ValueError: as for `targets.encode`.
    """
    rows = np.flatnonzero(~is_unlabeled)
    if len(rows) < len(texts):
        texts = texts[rows]
    encoded = targets.encode(
        texts,
        lambda index: files.where(int(rows[index])),
        task_type,
        missing=missing,
        columns=columns,
        separator=separator,
    )
    labels = np.full(len(is_unlabeled), -1, encoded.y.dtype)
    labels[rows] = encoded.y
    numbers, answers = encoded.targets, encoded.answers
    if numbers is not None:
        numbers = np.full((len(is_unlabeled), numbers.shape[1]), np.nan)
        numbers[rows] = encoded.targets
    if answers is not None:
        answers = np.zeros((len(is_unlabeled), answers.shape[1]), np.int8)
        answers[rows] = encoded.answers
    return encoded._replace(y=labels, targets=numbers, answers=answers)
