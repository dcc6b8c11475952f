"""Strings, such as SMILES or DNA, with characters as tokens."""

import dataclasses
import pathlib

import numpy as np

from keras_fpt.tasks.user_data import (
    build,
    classes,
    sequences,
    splitting,
    tables,
)
from keras_fpt.tasks.user_data.source_errors import names_source

MAX_LENGTH = 1024


@dataclasses.dataclass(frozen=True)
class StringReader:
    """How strings become tokens: each character is its place in an alphabet.

    Args:
        alphabet: string of all characters, in their order.
        max_length: int, the longest string that is read.
        text_column: string, the column of a table that holds them.
    """

    alphabet: str
    max_length: int
    text_column: str

    def read(self, path):
        """The tokens of a new table's strings, and their names.

        Raises:
            ValueError: a string is empty, too long, or has a character that
                no string had that the task was made of.
        """
        frame = tables.read_table(path)
        texts = tables.column(frame, self.text_column, path).tolist()
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
    strings,
    labels,
    max_length=MAX_LENGTH,
    name="strings",
    verbose=True,
    text_column=None,
    names=None,
):
    """A task from strings whose characters are tokens.

    The alphabet is taken from the strings; case matters. Longer strings than
    `max_length` are left out, and how many is printed. The split is that of
    `from_arrays`.

    Args:
        strings: sequence of n strings, e.g. SMILES or DNA.
        labels: n labels: integers or strings.
        max_length: int, the longest string that is kept, in characters.
        name: string, the task's name.
        verbose: bool, whether to print what was found.
        text_column: string, the column of a table that they came from, which
            `keras-fpt predict` reads again; `None` where there was none.
        names: n strings that say where each string came from, or `None`.

    Returns:
        A `Task`.

    Raises:
        ValueError: an empty string, or labels that cannot be used.

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
    y, class_names = classes.number(
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
    return build.task(
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


@names_source
def from_string_table(
    path, text_column, label_column, max_length=MAX_LENGTH, verbose=True
):
    """A task from a table's column of strings; see `from_strings`.

    Args:
        path: a `.csv` or `.tsv` file with a header, in UTF-8.
        text_column: string, the column of the strings.
        label_column: string.
        max_length: int.
        verbose: bool.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: as `from_strings` and `from_csv` do.
    """
    frame = tables.read_table(path)
    texts, labels = (
        tables.column(frame, name, path).tolist()
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


def encode(text, alphabet, where):
    """The places of a string's characters in the alphabet, int32.

    Raises:
        ValueError: a character is not in it.
    """
    place_of = {character: i for i, character in enumerate(alphabet)}
    try:
        return np.array([place_of[c] for c in text], np.int32)
    except KeyError as error:
        raise ValueError(
            f"{where}: the character {error} is not in the alphabet "
            f"'{alphabet}'."
        ) from None
