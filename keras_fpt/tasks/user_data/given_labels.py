"""Labels and splits of examples that a table lists, one in each row."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fpt.tasks.user_data import given_files
from keras_fpt.tasks.user_data.arrays import arrow_folders, arrow_frames
from keras_fpt.tasks.user_data.splitting import SplitRequest
from keras_fpt.tasks.user_data.tables import cells, table_columns, table_files

if TYPE_CHECKING:
    import pandas as pd

DROP_ADVICE = (
    "Leave such examples out with drop_missing (--drop-missing), or fill it in."
)


def present(
    values: Mapping[str, Sequence[Any]],
    where: Callable[[int], str],
    missing: Sequence[str] = (),
    drop_missing: bool = False,
    missing_labels: Sequence[str] | None = None,
) -> tuple[np.ndarray, list[str]]:
    """Finds the examples that have everything they need.

    Args:
        values: dict from what is needed, in words, to n cells.
        where: function from an example's index to words that say where it
            is, for errors.
        missing: strings that mark missing cells, in addition to the usual
            words.
        drop_missing: bool, whether examples without a value are left out.
        missing_labels: strings likewise, for what `by_column` returned;
            `None` takes `missing`.

    Returns:
        A tuple: sorted int array of indices, and a list of notes.

    Raises:
        ValueError: a value is missing, and is not to be left out; or none is
            left.
    """
    size = len(next(iter(values.values())))
    is_left, notes = np.ones(size, bool), []
    for name, column in values.items():
        words = missing
        if name.startswith("label") and missing_labels is not None:
            words = missing_labels
        is_missing = cells.is_missing(column, words)
        if not is_missing.any():
            continue
        if not drop_missing:
            index = int(np.argmax(is_missing))
            raise ValueError(
                f"{where(index)}: the {name} is missing "
                f"('{column[index]}'). {DROP_ADVICE}"
            )
        notes.append(f"left out: {is_missing.sum():,} whose {name} is missing")
        is_left &= ~is_missing
    if not is_left.any():
        raise ValueError(
            f"Nothing is left of {size:,} examples: {', '.join(notes)}."
        )
    return np.flatnonzero(is_left), notes


def by_column(
    labels: Sequence[Any], columns: Sequence[str] = ()
) -> dict[str, list[str]]:
    """What `present` is to look for in labels.

    Args:
        labels: sequence of n labels, or of n rows of several.
        columns: sequence of strings, the columns that they are from.
    """
    array = np.asarray(labels)
    if array.ndim == 1:
        return {"label": [str(label) for label in labels]}
    names = columns or range(array.shape[1])
    return {
        f"label '{name}'": array[:, number].astype(str).tolist()
        for number, name in enumerate(names)
    }


def read_table(
    path: str | os.PathLike,
    header: bool | None = None,
    encoding: str | None = None,
    texts: Sequence[str] = (),
) -> tuple["pd.DataFrame", list[str] | None]:
    """Reads a table, or a saved data set, as text.

    Args:
        path: a table, or a folder that `datasets` saved.
        header: bool, whether the first row names the columns, see `from_csv`.
        encoding: string, as well.
        texts: strings, the columns of text, see `table_files.read_table`.

    Returns:
        A tuple: a `pandas.DataFrame` of strings, and the split of each row,
        or `None`.
    """
    if arrow_folders.is_saved_dataset(path):
        return arrow_frames.read_frame(path)
    return table_files.read_table(path, header, encoding, texts), None


def read_tables(
    path: str | os.PathLike,
    validation: str | os.PathLike | None,
    test: str | os.PathLike | None,
    header: bool | None = None,
    encoding: str | None = None,
    texts: Sequence[str] = (),
) -> tuple["pd.DataFrame", list[str], list[str] | None, list[str]]:
    """Reads tables of training, validation and test examples as one.

    Args:
        path: the table of all examples, or of those for training.
        validation: path, or `None`.
        test: path, or `None`.
        header: as for `read_table`.
        encoding: as for `read_table`.
        texts: as for `read_table`.

    Returns:
        A tuple: the rows of all tables, where each is from, their splits
        (`None` if there is one table), and notes on the first one's format.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: it is not a table, or has not the columns of the first.
    """
    import pandas as pd

    files = {"train": path, "validation": validation, "test": test}
    frames: list[pd.DataFrame] = []
    where: list[str] = []
    splits: list[str] = []
    own: list[str] | None = None
    for split, file in files.items():
        if file is None:
            continue
        frame, own = read_table(file, header, encoding, texts)
        if own is not None and (validation is not None or test is not None):
            raise given_files.has_splits_already(file)
        if frames:
            for name in frames[0].columns:
                table_columns.column(frame, name, file)
            frame = frame[list(frames[0].columns)]
        frames.append(frame)
        where += [f"`{file}`, row {row + 1}" for row in range(len(frame))]
        splits += own or [split] * len(frame)
    notes = list(table_columns.format_notes(frames[0]))
    if len(frames) == 1:
        return frames[0], where, own, notes
    return pd.concat(frames, ignore_index=True), where, splits, notes


def split_request(
    frame: "pd.DataFrame",
    path: str | os.PathLike,
    split_column: str | None,
    split_group: str | Sequence[str],
    folds: int | None,
    fold: int,
) -> SplitRequest:
    """The split of a table's rows, from its columns.

    Args:
        frame: the table, one row per example.
        path: its file, for errors.
        split_column: string, the column of splits, or `None`.
        split_group: string or strings, the columns that make one key of
            groups.
        folds: int, or `None`.
        fold: int.

    Raises:
        ValueError: a column is missing, or a cell of a group.
    """
    names = [split_group] if isinstance(split_group, str) else split_group
    keys = []
    for name in names:
        column = table_columns.column(frame, name, path)
        is_missing = cells.is_missing(column)
        if is_missing.any():
            row = int(np.argmax(is_missing))
            raise ValueError(
                f"`{path}`, row {frame.index[row] + 1}, column '{name}': the "
                "group is missing, so its split is unknown. Fill it in, or "
                "leave such rows out."
            )
        keys.append(column.tolist())
    return SplitRequest(
        None
        if split_column is None
        else table_columns.column(frame, split_column, path).tolist(),
        f"column '{split_column}'",
        list(map("\x1f".join, zip(*keys, strict=True))) if keys else None,
        " and ".join(names),
        folds,
        fold,
    )


def select(
    request: SplitRequest, indices: Sequence[int] | np.ndarray
) -> SplitRequest:
    """The request of some of the examples, in the order of the indices."""

    def chosen(values: Sequence[Any] | None) -> list[Any] | None:
        return None if values is None else [values[i] for i in indices]

    return dataclasses.replace(
        request, names=chosen(request.names), groups=chosen(request.groups)
    )


def group_numbers(request: SplitRequest) -> np.ndarray | None:
    """The number of each example's group, or `None`."""
    if request.groups is None:
        return None
    return np.unique(np.asarray(request.groups, str), return_inverse=True)[1]
