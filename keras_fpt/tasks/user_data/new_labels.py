"""Labels of new files, where they have some, for the scoring of predictions."""

import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks import proteins
from keras_fpt.tasks.user_data import (
    classes,
    given_labels,
    splitting,
    targets,
)
from keras_fpt.tasks.user_data.arrays import (
    array_reader,
    arrow_folders,
    saved_arrays,
)
from keras_fpt.tasks.user_data.media import listed_files, saved_pictures
from keras_fpt.tasks.user_data.strings import fasta, record_rows, string_reader
from keras_fpt.tasks.user_data.tables import (
    cells,
    table_columns,
    table_files,
    table_layout,
    table_reader,
    table_structure,
    windows,
)

# What follows the name of a recording in that of its window.
_WINDOW = re.compile(r", rows \d+-\d+$")


def read_new_labels(
    reader: Any,
    path: str | os.PathLike,
    names: Sequence[str],
    class_names: Sequence[str],
    options: Mapping[str, Any],
    labels: str | os.PathLike | None = None,
) -> list[str]:
    """Reads the labels of a new file's examples.

    Args:
        reader: the task's reader.
        path: the new file or folder.
        names: list of n strings, the examples' names that the reader gave.
        class_names: sequence of strings, the classes of the training.
        options: dict of the options that the task was made with, such as
            `label_column`.
        labels: path of a file of labels, for FASTA files and arrays, or
            `None`.

    Returns:
        A list of n strings, empty where a label is missing. What equals a
        class, as `1.0` does `1`, is spelled as the class.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: the file has no labels, or not one for each example.
    """
    found = _find(reader, path, names, class_names, options, labels)
    is_missing = cells.is_missing(found, options.get("missing") or ())
    texts = [str(label).strip() for label in found]
    known: dict[Any, str] = {str(name): str(name) for name in class_names}
    as_value = classes.value_function([*known])
    known |= {
        value: name
        for name in [*known]
        if (value := as_value(name)) is not None
    }
    return [
        ""
        if missing and text not in known
        else known.get(text, known.get(as_value(text), text))
        for text, missing in zip(texts, is_missing, strict=True)
    ]


def read_new_targets(
    reader: Any,
    path: str | os.PathLike,
    names: Sequence[str],
    options: Mapping[str, Any],
    labels: str | os.PathLike | None = None,
) -> np.ndarray:
    """Reads the numbers that a regression is to predict for a new file.

    Args:
        reader, path, names, options, labels: as for `read_new_labels`.

    Returns:
        Float array `(n, targets)`.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: the file has no labels, or one is missing or not a number.
    """
    found = _find(reader, path, names, (), options, labels, True)
    return targets.as_targets(
        found,
        lambda index: f"`{path}`, {names[index]}",
        options.get("missing") or (),
    )


def _find(
    reader: Any,
    path: str | os.PathLike,
    names: Sequence[str],
    class_names: Sequence[str],
    options: Mapping[str, Any],
    labels: str | os.PathLike | None,
    is_regression: bool = False,
) -> list[Any]:
    """The labels of the examples, as they are in the file."""
    column = options.get("label_column")
    if isinstance(reader, fasta.FastaReader):
        found = _of_records(path, labels, options)
    elif isinstance(reader, array_reader.ArrayReader):
        if labels is not None:
            found = saved_arrays.read_labels(
                labels, column, options.get("encoding")
            ).tolist()
        else:
            found = _of_arrays(path, column)
    elif labels is not None:
        raise ValueError(
            f"`{path}` has its labels in itself, so a file of labels does not "
            "apply."
        )
    elif isinstance(reader, string_reader.StringReader):
        frame, _ = given_labels.read_table(path, reader.header, reader.encoding)
        found = table_columns.column(frame, str(column), path).tolist()
    elif isinstance(reader, table_reader.TableReader):
        found = _of_table(reader, path, str(column), is_regression, options)
    elif (
        options.get("file_column") is not None and pathlib.Path(path).is_file()
    ):
        found = _of_file_table(path, str(column), names, options)
    elif saved_pictures.has_pictures(path):
        found = _of_pictures(path, column)
    else:
        found = _of_folders(path, names, class_names)
    if len(found) != len(names):
        raise ValueError(
            f"`{path}`: expected one label for each of {len(names):,} examples "
            f"but found {len(found):,}."
        )
    return found


def _of_records(
    path: str | os.PathLike,
    labels: str | os.PathLike | None,
    options: Mapping[str, Any],
) -> list[str]:
    if labels is None:
        raise ValueError(
            f"`{path}`: a FASTA file holds no labels. Give a table of them "
            "with labels (--labels)."
        )
    frame = table_files.read_labels(labels, options.get("encoding"))
    id_column = options.get("id_column")
    column = record_rows.find_label_column(
        frame, labels, options.get("label_column"), id_column
    )
    ids = [name for name, _ in proteins.read_fasta(path)]
    rows, _ = record_rows.match_rows(ids, frame, labels, id_column, True)
    found = frame[column].tolist()
    return [found[row] if row >= 0 else "" for row in rows]


def _of_arrays(path: str | os.PathLike, column: str | None) -> list[Any]:
    found = np.asarray(saved_arrays.read(path, column or "y").y)
    return (found if found.ndim == 2 else found.ravel()).tolist()


def _of_table(
    reader: table_reader.TableReader,
    path: str | os.PathLike,
    column: str,
    is_regression: bool,
    options: Mapping[str, Any],
) -> list[Any]:
    """The most common label of each sequence's rows, or the mean number.

    It is empty where no label is the most common, or has too few of the rows:
    such windows are left out in training.
    """
    frame = table_files.read_table(path, reader.header, reader.encoding)
    texts = table_columns.column(frame, column, path).to_numpy(str)
    if reader.is_by_row:
        return texts.tolist()
    cut, _ = table_layout.lay_out_new(
        frame,
        table_structure.as_tuple(reader.group_column),
        reader.time_column,
        reader.time_gap,
        reader.window,
        reader.stride,
        path,
    )
    if is_regression:
        numbers = targets.as_targets(texts, lambda i: f"`{path}`, row {i + 1}")
        ordered = numbers[cut.order, 0]
        return [
            float(ordered[start : start + length].mean())
            for start, length in zip(cut.starts, cut.lengths, strict=True)
        ]
    distinct, codes = np.unique(texts, return_inverse=True)
    codes, distinct = classes.merge_spellings(codes, distinct)
    most = windows.majority(cut, codes)
    least = float(options.get("min_label_share") or 0) * cut.lengths
    is_unlabeled = most.is_tie | (most.counts < least)
    return np.where(is_unlabeled, "", distinct[most.labels]).tolist()


def _of_file_table(
    path: str | os.PathLike,
    column: str,
    names: Sequence[str],
    options: Mapping[str, Any],
) -> list[str]:
    """The labels of files that a table names, each for all its windows."""
    listed = listed_files.find_new(
        path,
        options["file_column"],
        options.get("header"),
        options.get("encoding"),
        column,
    )
    if listed is None:
        raise ValueError(f"`{path}` has no labels.")
    label_of = dict(zip(listed.names, listed.cells[column], strict=True))
    return [label_of[_WINDOW.sub("", name)] for name in names]


def _of_pictures(path: str | os.PathLike, column: str | None) -> list[str]:
    part = arrow_folders.read_parts(path)[0]
    name = arrow_folders.find_label_column(part, column, path)
    return arrow_folders.read_frame(path)[0][name].tolist()


def _of_folders(
    path: str | os.PathLike, names: Sequence[str], class_names: Sequence[str]
) -> list[str]:
    """The first folder of each file that is named like a class."""
    found = []
    for name in names:
        folders = [
            part
            for part in pathlib.PurePosixPath(name).parts[:-1]
            if splitting.split_name(part) is None or part in class_names
        ]
        known = [part for part in folders if part in class_names]
        found.append((known or folders or [""])[0])
    if not any(found):
        raise ValueError(
            f"`{path}` has no labels. Expected one subfolder per class."
        )
    return found
