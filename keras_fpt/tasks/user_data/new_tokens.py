"""Labels of the tokens of new files, for the scoring of predictions."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks.user_data import new_labels, sequences
from keras_fpt.tasks.user_data.arrays import saved_arrays
from keras_fpt.tasks.user_data.tables import (
    cells,
    missing_rows,
    sequence_targets,
    table_files,
    table_reader,
    table_structure,
)


def read_new_tokens(
    reader: Any,
    path: str | os.PathLike,
    x: Any,
    class_names: Sequence[str],
    options: Mapping[str, Any],
    labels: str | os.PathLike | None = None,
) -> np.ndarray:
    """Reads the classes of the tokens of a new file.

    Args:
        reader, path, class_names, options, labels: as for `read_new_labels`.
        x: the new sequences.

    Returns:
        int array: `(rows,)`, the classes of a table's rows, or `(n, tokens)`
        of arrays; -1 where there is none.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: the file has no labels, or others than those of training.
    """
    if isinstance(reader, table_reader.TableReader):
        if labels is not None:
            raise ValueError(
                f"`{path}` has its labels in itself, so a file of labels does "
                "not apply."
            )
        frame = table_files.read_table(path, reader.header, reader.encoding)
        texts = missing_rows.read_labels(
            frame, table_structure.as_tuple(options["label_column"]), path
        )
        return _known_classes(
            texts,
            lambda i: f"`{path}`, row {i + 1}",
            class_names,
            options.get("missing") or (),
        )
    if labels is not None:
        y = saved_arrays.read_labels(
            labels,
            table_structure.as_tuple(options.get("label_column")),
            options.get("encoding"),
        )
    else:
        y = np.asarray(
            saved_arrays.read(path, new_labels.column_of(options) or "y").y
        )
    longest = sequences.longest(x)
    if y.shape != (len(sequences.lengths(x)), longest):
        raise ValueError(
            f"`{path}`: expected a label for each token, of shape "
            f"({len(sequences.lengths(x))}, {longest}), but found shape "
            f"{y.shape}."
        )
    is_real = np.arange(longest) < sequences.lengths(x)[:, None]
    texts = np.where(is_real, y.astype(str), "-1")
    return _known_classes(
        texts.ravel(),
        lambda i: f"`{path}`, example {i // longest}, token {i % longest + 1}",
        class_names,
        ("-1",),
    ).reshape(y.shape)


def _known_classes(
    texts: np.ndarray,
    where: Callable[[int], str],
    class_names: Sequence[str],
    missing: Sequence[str],
) -> np.ndarray:
    """The classes of texts, -1 where a label is missing."""
    distinct, inverse = np.unique(texts, return_inverse=True)
    is_missing = cells.is_missing(distinct, missing)
    index_of: dict[Any, int] = {
        number: index
        for index, name in enumerate(class_names)
        if (number := cells.as_number(name)) is not None
    } | {name: index for index, name in enumerate(class_names)}
    found = []
    for text, is_absent in zip(distinct.tolist(), is_missing, strict=True):
        name = text.strip()
        number = cells.as_number(name)
        index = index_of.get(name, index_of.get(number, -1))
        if index < 0 and not is_absent:
            row = int(np.argmax(texts == text))
            raise ValueError(
                f"{where(row)}: the label '{text}' is not one of the run's "
                f"classes, {', '.join(class_names)}."
            )
        found.append(index)
    return np.array(found, int)[inverse.reshape(texts.shape)]


def rows_of_tokens(
    reader: Any, path: str | os.PathLike, x: Any, names: Sequence[str]
) -> tuple[np.ndarray, list[str]]:
    """Which row, or which token of which example, each token is.

    Args:
        reader: the task's reader.
        path: the new file.
        x: its n sequences.
        names: list of n strings, their names.

    Returns:
        A tuple: int array `(n, tokens)` of places, -1 for padding; and a list
        of the places' names. A row of a table that is in several windows has
        one place.
    """
    if isinstance(reader, table_reader.TableReader):
        frame = table_files.read_table(path, reader.header, reader.encoding)
        cut, _ = reader.lay_out(frame, path)
        rows = sequence_targets.token_labels(np.arange(len(frame)), cut)
        return rows, [f"row {i + 1}" for i in range(len(frame))]
    lengths, longest = sequences.lengths(x), sequences.longest(x)
    is_real = np.arange(longest) < lengths[:, None]
    places = np.where(
        is_real, np.cumsum(is_real).reshape(is_real.shape) - 1, -1
    )
    tokens = [
        f"{name}, token {number + 1}"
        for name, length in zip(names, lengths.tolist(), strict=True)
        for number in range(length)
    ]
    return places, tokens
