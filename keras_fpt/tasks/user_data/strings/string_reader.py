"""Reads strings as tokens: a character is its index in an alphabet."""

import dataclasses
import logging
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import given_labels, sequences
from keras_fpt.tasks.user_data.tables import (
    large_files,
    table_blocks,
    table_columns,
    windows,
)

if TYPE_CHECKING:
    import pandas as pd

LOGGER = logging.getLogger(__name__)
# Stands for characters that no example has; the first that is not in the data.
UNSEEN = "\ufffd\ufffc\ufffb"


@dataclasses.dataclass(frozen=True)
class StringReader:
    """Converts strings to tokens: a character is its index in the alphabet.

    Args:
        alphabet: string of all characters, in their order.
        max_length: int, the longest string that is read.
        text_column: string, the column of a table that contains the strings.
        missing: tuple of strings that mark missing strings; `None` in runs of
            version 0.1.0, which knew none.
        unknown: string, the character whose token stands for those that are
            not in the alphabet, or `None` if they are an error, as in runs of
            version 0.1.0.
        header: bool, whether the first row of a table names its columns.
        encoding: string, the encoding of tables that are not in UTF-8, or
            `None`.
        is_verbatim: bool, whether a string such as 1,5 is read as it is in a
            table with decimal commas; earlier versions took it for a number.
    """

    alphabet: str
    max_length: int
    text_column: str
    missing: tuple[str, ...] | None = None
    unknown: str | None = None
    header: bool | None = None
    encoding: str | None = None
    is_verbatim: bool = False

    def read(self, path: str | os.PathLike) -> tuple[Any, list[str]]:
        """Reads the tokens of a new table's strings, and their names.

        Raises:
            ValueError: a string is empty, too long, or has a character that
                is not in the alphabet.
        """
        frame, _ = given_labels.read_table(
            path, self.header, self.encoding, self._texts
        )
        return self._encode(frame, path, set())

    def read_blocks(
        self, path: str | os.PathLike
    ) -> Iterator[table_blocks.Block] | None:
        """Reads a new table that does not fit into memory in parts.

        Returns:
            An iterator; `None` if the table is small.

        Raises:
            ValueError: as for `read`.
        """
        files = large_files.LargeFiles(
            {"all": path}, self.header, self.encoding, self._texts
        )
        if files.num_bytes <= sequences.MAX_BYTES_IN_MEMORY:
            return None
        return self._blocks(files, path)

    def _blocks(
        self, files: large_files.LargeFiles, path: str | os.PathLike
    ) -> Iterator[table_blocks.Block]:
        known: set[str] = set()
        for frame in files.frames():
            cut = windows.each_row(len(frame))
            x, names = self._encode(frame, path, known)
            yield table_blocks.Block(frame, cut, x, names)

    @property
    def _texts(self) -> tuple[str, ...]:
        return (self.text_column,) if self.is_verbatim else ()

    def _encode(
        self, frame: "pd.DataFrame", path: str | os.PathLike, known: set[str]
    ) -> tuple[Any, list[str]]:
        """The tokens of the strings in some rows, and the rows' names.

        Args:
            frame: `pandas.DataFrame`.
            path: the table's file, for errors.
            known: set of the new characters that have been logged, to which
                those of these rows are added.
        """
        texts = table_columns.column(frame, self.text_column, path).tolist()
        names = [f"row {i + 1}" for i in frame.index.tolist()]
        if self.missing is not None:
            given_labels.present(
                {f"string in '{self.text_column}'": texts},
                lambda i: f"`{path}`, {names[i]}",
                self.missing,
            )
        x, unknown = [], set()
        for text, name in zip(texts, names, strict=True):
            if not 0 < len(text) <= self.max_length:
                raise ValueError(
                    f"`{path}`, {name}: expected 1 to {self.max_length:,} "
                    f"characters but received {len(text):,}."
                )
            if self.unknown is not None:
                new = {*text} - {*self.alphabet}
                unknown |= new
                for character in new:
                    text = text.replace(character, self.unknown)
            x.append(encode(text, self.alphabet, f"`{path}`, {name}"))
        unknown -= known
        known |= unknown
        if unknown:
            LOGGER.info(
                "`%s`: the characters %s are new, and read as one that no "
                "training example has ('%s').",
                path,
                "".join(sorted(unknown)),
                self.unknown,
            )
        return sequences.stack(x), names


def alphabet_notes(alphabet: str) -> list[str]:
    """Says which characters there are, and whether case may mislead.

    In DNA and RNA, lower case often marks repeats, and is no other base.
    """
    notes = [f"alphabet: {alphabet}"]
    is_nucleic = {*alphabet.upper()} <= {*"ACGTUN"}
    if is_nucleic and alphabet.upper() != alphabet != alphabet.lower():
        notes.append(
            "upper and lower case are different tokens; if they should not "
            "be, write all strings in upper case"
        )
    return notes


def with_unknown(
    alphabet: str, untrained: Sequence[str]
) -> tuple[str, str | None, list[str]]:
    """An alphabet with a character for those that new strings may hold.

    Args:
        alphabet: string of all characters.
        untrained: strings, those of them that no training example has. If
            there are some, the first also stands for new ones.

    Returns:
        A tuple: the alphabet; the character, or `None` if none is free; and
        notes.
    """
    if untrained:
        note = (
            f"in no training example: {''.join(untrained)}; separate tokens, "
            "which are not trained"
        )
        return alphabet, untrained[0], [note]
    unused = [character for character in UNSEEN if character not in alphabet]
    if not unused:
        return alphabet, None, []
    note = (
        "one more token stands for characters of new strings that are not in "
        "the alphabet; it is not trained"
    )
    return alphabet + unused[0], unused[0], [note]


def as_saved(task: Task, alphabet: str) -> Task:
    """A task as an earlier version made it, without a token for new symbols.

    Args:
        task: a `Task` with a `StringReader`.
        alphabet: string, that of the run's reader.
    """
    reader = task.reader
    unseen = reader.alphabet.removeprefix(alphabet)
    if not reader.alphabet.startswith(alphabet) or unseen != reader.unknown:
        return task
    size = len(alphabet)
    return dataclasses.replace(
        task,
        description=task.description.replace(
            f"of a vocabulary of {size + 1}", f"of a vocabulary of {size}"
        ),
        vocabulary_size=size,
        symbols=tuple(alphabet),
        reader=dataclasses.replace(reader, alphabet=alphabet, unknown=None),
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
