"""Tasks from more strings than fit into memory: a column of a table.

The table is read once. Characters are kept on disk as their code points, and
become indices in the alphabet when all of it is known.
"""

import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import (
    build,
    given_labels,
    sequences,
    splitting,
    targets,
)
from keras_fpt.tasks.user_data.strings import string_reader
from keras_fpt.tasks.user_data.tables import (
    cells,
    large_labels,
    large_splits,
    table_columns,
    table_files,
)


class Strings(NamedTuple):
    """The strings of a table.

    Args:
        points: a `SequenceStore` of code points, int32.
        alphabet: string of all characters, sorted.
        y: int array `(n,)` of classes, of the smallest dtype.
        class_names: tuple of strings.
        rows: int array `(n,)`, the row of each string, from 0.
        notes: what was left out, and the table's format.
    """

    points: sequence_store.SequenceStore
    alphabet: str
    y: np.ndarray
    class_names: tuple[str, ...]
    rows: np.ndarray
    notes: list[str]


def make_task(
    path: str | os.PathLike,
    text_column: str,
    label_column: str,
    max_length: int,
    missing: Sequence[str],
    drop_missing: bool,
    header: bool | None,
    encoding: str | None,
    strict: bool,
    verbose: bool,
) -> Task:
    """Makes the task of `strings.from_string_table` from a large table.

    Args:
        path, text_column, label_column, max_length, missing, drop_missing,
            header, encoding, strict, verbose: as for `from_string_table`.

    Raises:
        ValueError: as for `from_string_table`.
    """
    found = _read(
        path,
        text_column,
        label_column,
        max_length,
        missing,
        drop_missing,
        header,
        encoding,
    )
    known = np.array([ord(character) for character in found.alphabet])
    x = sequences.apply(
        lambda points: np.searchsorted(known, points).astype(np.int32),
        found.points,
    )
    split_of = large_splits.stratified(found.y, len(found.class_names))
    splits = {
        name: np.flatnonzero(split_of == code)
        for code, name in enumerate(splitting.SPLITS)
    }
    is_trained = np.zeros(len(known), bool)
    for tokens in sequence_store.chunks(sequences.select(x, splits["train"])):
        is_trained[tokens.ravel()] = True
    untrained = [
        c
        for c, is_known in zip(found.alphabet, is_trained, strict=True)
        if not is_known
    ]
    alphabet, unknown, notes = string_reader.with_unknown(
        found.alphabet, untrained
    )
    return build.make_task(
        pathlib.Path(path).stem,
        x,
        targets.Labels(found.y, found.class_names),
        splits,
        "seeded, stratified",
        string_reader.StringReader(
            alphabet,
            max_length,
            text_column,
            cells.as_words(missing),
            unknown,
            header,
            encoding,
            is_verbatim=True,
        ),
        StringNames(path, found.rows),
        vocabulary_size=len(alphabet),
        notes=[*found.notes, *notes],
        symbols=tuple(alphabet),
        strict=strict,
        verbose=verbose,
    )


class StringNames:
    """The names of strings, which are made when they are needed.

    Args:
        path: the table's file.
        rows: int array `(n,)`, the row of each string, from 0.
    """

    def __init__(self, path: str | os.PathLike, rows: np.ndarray) -> None:
        self._path = path
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> str:
        return f"`{self._path}`, row {int(self._rows[index]) + 1}"

    def __iter__(self) -> Iterator[str]:
        return map(self.__getitem__, range(len(self)))

    def select(self, indices: np.ndarray) -> "StringNames":
        """The names of some of the strings."""
        return StringNames(self._path, self._rows[indices])


def _read(
    path: str | os.PathLike,
    text_column: str,
    label_column: str,
    max_length: int,
    missing: Sequence[str],
    drop_missing: bool,
    header: bool | None,
    encoding: str | None,
) -> Strings:
    labels = large_labels.Labels(lambda row: f"`{path}`, row {row + 1}")
    alphabet: set[str] = set()
    rows: list[np.ndarray] = []
    counts = {f"string in '{text_column}'": 0, "label": 0}
    notes: list[str] = []
    num_long, first = 0, 0
    with sequence_store.SequenceWriter() as writer:
        for frame in table_files.read_chunks(
            path, header, encoding, (text_column,)
        ):
            notes = notes or table_columns.format_notes(frame)
            texts, answers = (
                table_columns.column(frame, name, path)
                for name in (text_column, label_column)
            )
            is_kept = np.ones(len(frame), bool)
            for name, column in zip(counts, (texts, answers), strict=True):
                is_missing = cells.is_missing(column, missing)
                if is_missing.any() and not drop_missing:
                    given_labels.present(
                        {name: column.tolist()},
                        StringNames(
                            path, np.arange(first, first + len(frame))
                        ).__getitem__,
                        missing,
                    )
                counts[name] += int(is_missing.sum())
                is_kept &= ~is_missing
            is_long = is_kept & (texts.str.len().to_numpy(int) > max_length)
            num_long += int(is_long.sum())
            kept = np.flatnonzero(is_kept & ~is_long)
            for text in texts.iloc[kept]:
                alphabet.update(text)
                writer.append(np.frombuffer(text.encode("utf-32-le"), "<i4"))
            rows.append(first + kept)
            if len(kept):
                labels.add(answers.iloc[kept], rows[-1])
            first += len(frame)
        ordered = "".join(sorted(alphabet))
        notes = [*notes, *string_reader.alphabet_notes(ordered)]
        notes += [
            f"left out: {count:,} whose {name} is missing"
            for name, count in counts.items()
            if count
        ]
        if num_long:
            notes.append(f"left out: {num_long:,} longer than {max_length:,}")
        if not alphabet:
            raise ValueError(
                f"Nothing is left of {first:,} examples: {'; '.join(notes)}."
            )
        y, class_names = labels.encode()
        found = np.concatenate(rows)
        return Strings(writer.finish(), ordered, y, class_names, found, notes)
