"""Tasks from strings, such as SMILES or DNA, with characters as tokens."""

import dataclasses
import logging
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import (
    build,
    given_labels,
    sequences,
    splitting,
    targets,
)
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path
from keras_fpt.tasks.user_data.tables import cells, table_columns

LOGGER = logging.getLogger(__name__)
MAX_LENGTH = 1024


@dataclasses.dataclass(frozen=True)
class StringReader:
    """How strings become tokens: a character is its index in the alphabet.

    Args:
        alphabet: string of all characters, in their order.
        max_length: int, the longest string that is read.
        text_column: string, the column of a table that holds the strings.
        missing: tuple of strings that mark missing strings; `None` in runs of
            version 0.1.0, which knew none.
        unknown: string, the character whose token stands for those that are
            not in the alphabet, or `None` if they are an error.
        header: bool, whether the first row of a table names its columns.
    """

    alphabet: str
    max_length: int
    text_column: str
    missing: tuple[str, ...] | None = None
    unknown: str | None = None
    header: bool | None = None

    def read(self, path: str | os.PathLike) -> tuple[Any, list[str]]:
        """Reads the tokens of a new table's strings, and their names.

        Raises:
            ValueError: a string is empty, too long, or has a character that
                is not in the alphabet.
        """
        frame, _ = given_labels.read_table(path, self.header)
        texts = table_columns.column(frame, self.text_column, path).tolist()
        names = [f"row {i + 1}" for i in range(len(texts))]
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
        if unknown:
            LOGGER.info(
                "`%s`: the characters %s are new, and read as one that no "
                "training example has ('%s').",
                path,
                "".join(sorted(unknown)),
                self.unknown,
            )
        return sequences.stack(x), names


def from_strings(
    strings: Sequence[str],
    labels: Sequence,
    max_length: int = MAX_LENGTH,
    name: str = "strings",
    verbose: bool = True,
    text_column: str | None = None,
    names: Sequence[str] | None = None,
    split: Sequence[str] | None = None,
    groups: Sequence[Any] | None = None,
    folds: int | None = None,
    fold: int = 1,
    missing: Sequence[str] = (),
    drop_missing: bool = False,
    strict: bool = False,
    task_type: str | None = None,
) -> Task:
    """Makes a task from strings whose characters are tokens.

    The alphabet is taken from the strings; case matters. Strings longer than
    `max_length` are left out; the description says how many. The split is
    that of `from_arrays`. Words such as NA or nan are missing strings; give
    them in other words if they are real.

    Args:
        strings: sequence of n strings, e.g. SMILES or DNA.
        labels: n labels: integers or strings; for a regression numbers.
        max_length: int, the longest string that is kept, in characters.
        name: string, the task's name.
        verbose: bool, whether to log a description of the data.
        text_column: string, the column of the table that the strings are
            from, which `keras-fpt predict` reads in new files; `None` if they
            are not from a table.
        names: n strings that say where each string is from, or `None`.
        split: n strings, `train`, `validation` or `test`, or `None`.
        groups: n values, such as families, or `None`. Strings with equal
            values stay in one split.
        folds: int, the number of folds of a cross-validation, or `None`.
        fold: int, from 1 to `folds`, the fold that is for testing.
        missing: strings that mark missing strings and labels, beside the
            usual ones (an empty string, NA, NaN, None, null).
        drop_missing: bool, whether strings that are missing, or whose label
            is, are left out.
        strict: bool, whether a leak that the audit finds is an error.
        task_type: as for `from_arrays`.

    Returns:
        A `Task`.

    Raises:
        ValueError: a string or a label is missing, or labels cannot be used.

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
    request = splitting.SplitRequest(
        None if split is None else list(split),
        groups=None if groups is None else list(groups),
        folds=folds,
        fold=fold,
    )
    return _make_task(
        strings,
        labels,
        names or [f"string {i + 1}" for i in range(len(strings))],
        request,
        max_length,
        name,
        text_column,
        missing,
        drop_missing,
        strict,
        verbose,
        task_type=task_type,
    )


def _make_task(
    strings: Sequence[str],
    labels: Sequence,
    names: Sequence[str],
    request: splitting.SplitRequest,
    max_length: int,
    name: str,
    text_column: str | None,
    missing: Sequence[str],
    drop_missing: bool,
    strict: bool,
    verbose: bool,
    header: bool | None = None,
    format_notes: Sequence[str] = (),
    task_type: str | None = None,
) -> Task:
    """Makes a task from strings, as `from_strings` does."""
    if "" in strings and not drop_missing:
        raise ValueError(
            f"{names[strings.index('')]}: expected text but received ''. "
            f"{given_labels.DROP_ADVICE}"
        )
    given = {
        f"string in '{text_column}'" if text_column else "string": strings,
        "label": [str(label) for label in labels],
    }
    present, notes = given_labels.present(
        given, names.__getitem__, missing, drop_missing
    )
    for i in present:
        if not isinstance(strings[i], str):
            raise ValueError(
                f"{names[i]}: expected text but received {strings[i]!r}."
            )
    kept = [int(i) for i in present if len(strings[i]) <= max_length]
    if not kept:
        raise ValueError(f"Every string is longer than {max_length:,}.")
    texts = [strings[i] for i in kept]
    names = [names[i] for i in kept]
    encoded = targets.encode(
        [labels[i] for i in kept], names.__getitem__, task_type
    )
    alphabet = "".join(sorted(set("".join(texts))))
    x = sequences.stack(
        [encode(t, alphabet, n) for t, n in zip(texts, names, strict=True)]
    )
    notes = [*format_notes, f"alphabet: {alphabet}", *notes]
    if len(kept) < len(present):
        left_out = len(present) - len(kept)
        notes.append(f"left out: {left_out:,} longer than {max_length:,}")
    request = given_labels.select(request, kept)
    splits, split_by = splitting.split_examples(
        encoded.y, names.__getitem__, request
    )
    untrained = sorted(
        {*alphabet} - {*"".join(texts[i] for i in splits["train"])}
    )
    if untrained:
        notes.append(
            f"in no training example: {''.join(untrained)}; tokens of their "
            "own, which are not trained"
        )
    return build.make_task(
        name,
        x,
        encoded,
        splits,
        split_by,
        text_column
        and StringReader(
            alphabet,
            max_length,
            text_column,
            cells.as_words(missing),
            untrained[0] if untrained else None,
            header,
        ),
        names,
        vocabulary_size=len(alphabet),
        notes=notes,
        symbols=tuple(alphabet),
        groups=given_labels.group_numbers(request),
        strict=strict,
        verbose=verbose,
    )


@prefix_errors_with_path
def from_string_table(
    path: str | os.PathLike,
    text_column: str,
    label_column: str,
    max_length: int = MAX_LENGTH,
    verbose: bool = True,
    split_column: str | None = None,
    split_group: str | Sequence[str] = (),
    folds: int | None = None,
    fold: int = 1,
    missing: Sequence[str] = (),
    drop_missing: bool = False,
    validation: str | os.PathLike | None = None,
    test: str | os.PathLike | None = None,
    strict: bool = False,
    header: bool | None = None,
    task_type: str | None = None,
) -> Task:
    """Makes a task from a table's column of strings; see `from_strings`.

    Args:
        path: a table, such as a `.csv` file.
        text_column: string, the column of the strings.
        label_column: string, the column of the labels.
        max_length: int, the longest string that is kept, in characters.
        verbose: bool, whether to log a description of the data.
        split_column: string, a column that holds `train`, `validation` or
            `test`; `None` splits at random, with the same share of each class.
        split_group: string or strings, columns of groups, such as scaffolds or
            families, that stay in one split.
        folds, fold, missing, drop_missing, strict, task_type: as for
            `from_strings`.
        validation: path of a table of validation examples, or `None`.
        test: path of a table of test examples, or `None`.
        header: bool, whether the first row names the columns, see `from_csv`.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: as for `from_strings` and `from_csv`.
    """
    frame, where, split, format_notes = given_labels.read_tables(
        path, validation, test, header
    )
    texts, labels = (
        table_columns.column(frame, name, path).tolist()
        for name in (text_column, label_column)
    )
    request = given_labels.split_request(
        frame, path, split_column, split_group, folds, fold
    )
    if split is not None:
        request = dataclasses.replace(
            request, names=split, names_from="as given"
        )
    return _make_task(
        texts,
        labels,
        where,
        request,
        max_length,
        pathlib.Path(path).stem,
        text_column,
        missing,
        drop_missing,
        strict,
        verbose,
        header,
        format_notes,
        task_type,
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
