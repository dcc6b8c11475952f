"""Reads the labels of new files, if any, to score predictions."""

import os
import pathlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks.user_data import (
    classes,
    given_labels,
    new_examples,
    several_labels,
    splitting,
    targets,
)
from keras_fpt.tasks.user_data.arrays import (
    array_reader,
    arrow_folders,
    arrow_frames,
    saved_arrays,
)
from keras_fpt.tasks.user_data.media import listed_files, saved_pictures
from keras_fpt.tasks.user_data.strings import (
    fasta,
    record_labels,
    string_reader,
)
from keras_fpt.tasks.user_data.tables import (
    cells,
    missing_rows,
    sequence_targets,
    table_blocks,
    table_columns,
    table_files,
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
    block: new_examples.Block | None = None,
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
        block: the `Block` of the file's rows that the examples are from;
            `None` if they are all examples of the file.

    Returns:
        A list of n strings, empty where a label is missing. What equals a
        class, as `1.0` does `1`, is spelled as the class.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: the file has no labels, or not one for each example.
    """
    found = _find(
        reader, path, names, class_names, options, labels, block=block
    )
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
    block: new_examples.Block | None = None,
) -> np.ndarray:
    """Reads the numbers that a regression is to predict for a new file.

    Args:
        reader, path, names, options, labels, block: as for `read_new_labels`.

    Returns:
        Float array `(n, targets)`.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: the file has no labels, or one is missing or not a number.
    """
    found = _find(
        reader, path, names, (), options, labels, targets.REGRESSION, block
    )
    return targets.as_targets(
        found,
        lambda index: f"`{path}`, {names[index]}",
        options.get("missing") or (),
        table_structure.as_tuple(options.get("label_column")),
    )


def read_new_indicators(
    reader: Any,
    path: str | os.PathLike,
    names: Sequence[str],
    label_names: Sequence[str],
    options: Mapping[str, Any],
    labels: str | os.PathLike | None = None,
    block: new_examples.Block | None = None,
) -> np.ndarray:
    """Reads which of several labels a new file's examples have.

    Args:
        reader, path, names, options, labels, block: as for `read_new_labels`.
        label_names: sequence of strings, the labels of the training.

    Returns:
        int8 array `(n, labels)` of 0 and 1.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: the file has no labels, or others than those of training.
    """
    found = _find(
        reader,
        path,
        names,
        label_names,
        options,
        labels,
        targets.MULTILABEL,
        block,
    )
    return _as_indicators(
        found, lambda i: f"`{path}`, {names[i]}", label_names, options
    )


def _as_indicators(
    found: Any,
    where: Callable[[int], str],
    label_names: Sequence[str],
    options: Mapping[str, Any],
) -> np.ndarray:
    array, missing = np.asarray(found), options.get("missing") or ()
    is_column = array.ndim == 1 and len(label_names) > 1
    if is_column and (several_labels.as_indicators(array) >= 0).all():
        raise ValueError(
            f"{where(0)}: expected {len(label_names)} labels, "
            f"{', '.join(label_names)}, but found one column of 0 and 1, "
            f"'{column_of(options)}'. Name a column for each label, in this "
            "order, with label_column (--label-column)."
        )
    if array.ndim == 2:
        if array.shape[1] != len(label_names):
            raise ValueError(
                f"{where(0)}: expected {len(label_names)} labels, "
                f"{', '.join(label_names)}, but found {array.shape[1]}."
            )
        return several_labels.from_columns(
            array, label_names, where, missing
        ).indicators
    if len(label_names) == 1 and label_names[0] == column_of(options):
        return several_labels.from_columns(
            array[:, None], label_names, where, missing
        ).indicators
    return several_labels.from_cells(
        array, where, options.get("label_separator"), missing, label_names
    ).indicators


def column_of(options: Mapping[str, Any]) -> str | None:
    """The only column of labels, or `None`."""
    names = table_structure.as_tuple(options.get("label_column"))
    return names[0] if len(names) == 1 else None


def _find(
    reader: Any,
    path: str | os.PathLike,
    names: Sequence[str],
    class_names: Sequence[str],
    options: Mapping[str, Any],
    labels: str | os.PathLike | None,
    kind: str = targets.CLASSIFICATION,
    block: new_examples.Block | None = None,
) -> list[Any]:
    """The labels of the examples, as they are in the file."""
    columns = table_structure.as_tuple(options.get("label_column"))
    if isinstance(reader, fasta.FastaReader):
        assert block is None or isinstance(block, fasta.Block)
        found = record_labels.read(path, labels, options, block)
    elif isinstance(reader, array_reader.ArrayReader):
        if labels is not None:
            found = saved_arrays.read_labels(
                labels, columns, options.get("encoding")
            ).tolist()
        else:
            found = _of_arrays(path, column_of(options))
    elif labels is not None:
        raise ValueError(
            f"`{path}` contains its labels, so a separate file of labels does "
            "not apply."
        )
    elif isinstance(reader, string_reader.StringReader):
        assert block is None or isinstance(block, table_blocks.Block)
        if block is None:
            frame, _ = given_labels.read_table(
                path, reader.header, reader.encoding
            )
        else:
            frame = block.frame
        found = missing_rows.read_labels(frame, columns, path).tolist()
    elif isinstance(reader, table_reader.TableReader):
        found = _of_table(
            reader, path, columns, kind, class_names, options, block
        )
    elif (
        options.get("file_column") is not None and pathlib.Path(path).is_file()
    ):
        found = _of_file_table(path, columns, names, options)
    elif saved_pictures.has_pictures(path):
        found = _of_pictures(path, column_of(options))
    else:
        found = _of_folders(path, names, class_names)
    if len(found) != len(names):
        raise ValueError(
            f"`{path}`: expected one label for each of {len(names):,} examples "
            f"but found {len(found):,}."
        )
    return found


def _of_arrays(path: str | os.PathLike, column: str | None) -> list[Any]:
    found = np.asarray(saved_arrays.read(path, column or "y").y)
    return (found if found.ndim == 2 else found.ravel()).tolist()


def _of_table(
    reader: table_reader.TableReader,
    path: str | os.PathLike,
    columns: Sequence[str],
    kind: str,
    class_names: Sequence[str],
    options: Mapping[str, Any],
    block: new_examples.Block | None,
) -> list[Any]:
    """The most common label of each sequence's rows, or the mean numbers.

    Of several labels, those that at least half of the rows have.

    It is empty where no label is the most common, or has too few of the rows:
    such windows are left out in training.
    """
    assert block is None or isinstance(block, table_blocks.Block)
    if block is None:
        frame = table_files.read_table(path, reader.header, reader.encoding)
    else:
        frame = block.frame
    texts = missing_rows.read_labels(frame, columns, path)
    if kind == targets.REGRESSION:
        numbers = table_columns.parse(frame, columns, path)
        where = table_columns.where_in(frame, path)
        table_columns.check_points(frame, columns, numbers, where)
    if reader.is_by_row:
        return texts.tolist()
    cut = reader.lay_out(frame, path)[0] if block is None else block.cut
    where = table_columns.where_in(frame, path)

    if kind == targets.REGRESSION:
        numbers = targets.as_targets(texts, where, columns=columns)
        return sequence_targets.window_means(numbers, cut).tolist()
    if kind == targets.MULTILABEL:
        rows = _as_indicators(texts, where, class_names, options)
        shares = sequence_targets.window_means(rows, cut)
        return (shares >= sequence_targets.SHARE).astype(int).tolist()
    distinct, codes = np.unique(texts, return_inverse=True)
    codes, distinct = classes.merge_spellings(codes, distinct)
    most = windows.majority(cut, codes)
    least = float(options.get("min_label_share") or 0) * cut.lengths
    is_unlabeled = most.is_tie | (most.counts < least)
    return np.where(is_unlabeled, "", distinct[most.labels]).tolist()


def _of_file_table(
    path: str | os.PathLike,
    columns: Sequence[str],
    names: Sequence[str],
    options: Mapping[str, Any],
) -> list[Any]:
    """The labels of files that a table names, each for all its windows."""
    listed = listed_files.find_new(
        path,
        options["file_column"],
        options.get("header"),
        options.get("encoding"),
        columns,
    )
    if listed is None:
        raise ValueError(f"`{path}` has no labels.")
    texts = [listed.cells[name] for name in columns]
    rows = texts[0] if len(texts) == 1 else zip(*texts, strict=True)
    label_of = dict(zip(listed.names, rows, strict=True))
    return [label_of[_WINDOW.sub("", name)] for name in names]


def _of_pictures(path: str | os.PathLike, column: str | None) -> list[str]:
    part = arrow_folders.open_parts(path)[0]
    name = arrow_folders.find_label_column(part, column, path)
    return arrow_frames.read_frame(path)[0][name].tolist()


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
