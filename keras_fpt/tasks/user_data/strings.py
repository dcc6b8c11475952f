"""Tasks from strings, such as SMILES or DNA, with characters as tokens."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import (
    build,
    classes,
    sequences,
    splitting,
    table_files,
)
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path

MAX_LENGTH = 1024


@dataclasses.dataclass(frozen=True)
class StringReader:
    """How strings become tokens: a character is its index in the alphabet.

    Args:
        alphabet: string of all characters, in their order.
        max_length: int, the longest string that is read.
        text_column: string, the column of a table that holds the strings.
    """

    alphabet: str
    max_length: int
    text_column: str

    def read(self, path: str | os.PathLike) -> tuple[Any, list[str]]:
        """Reads the tokens of a new table's strings, and their names.

        Raises:
            ValueError: a string is empty, too long, or has a character that
                is not in the alphabet.
        """
        frame = table_files.read_table(path)
        texts = table_files.column(frame, self.text_column, path).tolist()
        names = [f"row {i + 1}" for i in range(len(texts))]
        x = []
        for text, name in zip(texts, names, strict=True):
            if not 0 < len(text) <= self.max_length:
                raise ValueError(
                    f"`{path}`, {name}: expected 1 to {self.max_length:,} "
                    f"characters but received {len(text):,}."
                )
            x.append(encode(text, self.alphabet, f"`{path}`, {name}"))
        return sequences.stack(x), names


def from_strings(
    strings: Sequence[str],
    labels: Sequence,
    max_length: int = MAX_LENGTH,
    name: str = "strings",
    verbose: bool = True,
    text_column: str | None = None,
    names: Sequence[str] | None = None,
) -> Task:
    """Makes a task from strings whose characters are tokens.

    The alphabet is taken from the strings; case matters. Strings longer than
    `max_length` are left out; the description says how many. The split is
    that of `from_arrays`.

    Args:
        strings: sequence of n strings, e.g. SMILES or DNA.
        labels: n labels: integers or strings.
        max_length: int, the longest string that is kept, in characters.
        name: string, the task's name.
        verbose: bool, whether to log a description of the data.
        text_column: string, the column of the table that the strings are
            from, which `keras-fpt predict` reads in new files; `None` if they
            are not from a table.
        names: n strings that say where each string is from, or `None`.

    Returns:
        A `Task`.

    Raises:
        ValueError: a string is empty, or labels cannot be used.

    Example:

    ```python
    task = keras_fpt.tasks.from_strings(
        ["ACGT", "ACGG", "TTAC", "TTAA"] * 10, ["a", "a", "b", "b"] * 10
    )
    ```
    """
    strings, labels = list(strings), list(labels)
    if len(strings) != len(labels):
        raise ValueError(
            f"Expected as many labels as strings but received {len(labels):,} "
            f"and {len(strings):,}."
        )
    names = names or [f"string {i + 1}" for i in range(len(strings))]
    for text, where in zip(strings, names, strict=True):
        if not isinstance(text, str) or not text:
            raise ValueError(f"{where}: expected text but received {text!r}.")
    kept = [i for i, text in enumerate(strings) if len(text) <= max_length]
    if not kept:
        raise ValueError(f"Every string is longer than {max_length:,}.")
    texts = [strings[i] for i in kept]
    names = [names[i] for i in kept]
    y, class_names = classes.encode_labels(
        [labels[i] for i in kept], names.__getitem__
    )
    alphabet = "".join(sorted(set("".join(texts))))
    x = sequences.stack(
        [encode(t, alphabet, n) for t, n in zip(texts, names, strict=True)]
    )
    notes = [f"alphabet: {alphabet}"]
    if len(kept) < len(strings):
        left_out = len(strings) - len(kept)
        notes.append(f"left out: {left_out:,} longer than {max_length:,}")
    return build.make_task(
        name,
        x,
        y,
        class_names,
        splitting.stratified(y),
        "seeded, stratified",
        text_column and StringReader(alphabet, max_length, text_column),
        names,
        vocabulary_size=len(alphabet),
        notes=notes,
        symbols=tuple(alphabet),
        verbose=verbose,
    )


@prefix_errors_with_path
def from_string_table(
    path: str | os.PathLike,
    text_column: str,
    label_column: str,
    max_length: int = MAX_LENGTH,
    verbose: bool = True,
) -> Task:
    """Makes a task from a table's column of strings; see `from_strings`.

    Args:
        path: a `.csv` or `.tsv` file with a header, in UTF-8.
        text_column: string, the column of the strings.
        label_column: string, the column of the labels.
        max_length: int, the longest string that is kept, in characters.
        verbose: bool, whether to log a description of the data.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: as for `from_strings` and `from_csv`.
    """
    frame = table_files.read_table(path)
    texts, labels = (
        table_files.column(frame, name, path).tolist()
        for name in (text_column, label_column)
    )
    where = [f"`{path}`, row {i + 1}" for i in range(len(texts))]
    return from_strings(
        texts,
        labels,
        max_length,
        pathlib.Path(path).stem,
        verbose,
        text_column,
        where,
    )


def encode(text: str, alphabet: str, where: str) -> np.ndarray:
    """Encodes a string as indices in an alphabet.

    Args:
        text: string.
        alphabet: string of all characters.
        where: string, where the text is from, for errors.

    Returns:
        int32 array `(characters,)`.

    Raises:
        ValueError: a character is not in the alphabet.
    """
    index_of = {character: i for i, character in enumerate(alphabet)}
    try:
        return np.array([index_of[c] for c in text], np.int32)
    except KeyError as error:
        raise ValueError(
            f"{where}: the character {error} is not in the alphabet "
            f"'{alphabet}'."
        ) from None
