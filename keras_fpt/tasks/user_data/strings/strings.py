"""Tasks from strings, such as SMILES or DNA, with characters as tokens."""

import dataclasses
import logging
import os
import pathlib
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import (
    build,
    given_files,
    given_labels,
    sequences,
    splitting,
    targets,
)
from keras_fpt.tasks.user_data.arrays import arrow_folders
from keras_fpt.tasks.user_data.audit import audit_groups
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path
from keras_fpt.tasks.user_data.strings import large_strings, string_reader
from keras_fpt.tasks.user_data.tables import (
    cells,
    large_files,
    large_labels,
    missing_rows,
    table_columns,
    table_files,
    table_folders,
    table_structure,
)

if TYPE_CHECKING:
    import pandas as pd

LOGGER = logging.getLogger(__name__)
MAX_LENGTH = 1024


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
    that of `from_arrays`. Words such as NA or nan are missing strings; spell
    them differently if they are real.

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
        missing: strings that mark missing strings and labels, in addition to
            the usual ones (an empty string, NA, NaN, None, null).
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
    encoding: str | None = None,
    label_columns: Sequence[str] = (),
    label_separator: str | None = None,
    beside: "pd.DataFrame | None" = None,
    known: Collection[str | None] = (),
) -> Task:
    """Makes a task from strings, as `from_strings` does."""
    targets.refuse_tokens(task_type, "strings")
    if "" in strings and not drop_missing:
        raise ValueError(
            f"{names[strings.index('')]}: expected text but received ''. "
            f"{given_labels.DROP_ADVICE}"
        )
    given = {
        f"string in '{text_column}'" if text_column else "string": strings,
        **given_labels.by_column(labels, label_columns),
    }
    words, label_notes = missing_rows.label_words(
        [str(each) for each in np.ravel(np.asarray(labels, object))],
        cells.as_words(missing),
    )
    present, notes = given_labels.present(
        given, names.__getitem__, missing, drop_missing, words
    )
    notes += label_notes
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
        [labels[i] for i in kept],
        names.__getitem__,
        task_type,
        columns=label_columns,
        separator=label_separator,
    )
    alphabet = "".join(sorted(set("".join(texts))))
    x = sequences.stack(
        [
            string_reader.encode(t, alphabet, n)
            for t, n in zip(texts, names, strict=True)
        ]
    )
    notes = [
        *format_notes,
        *string_reader.alphabet_notes(alphabet),
        *notes,
    ]
    if len(kept) < len(present):
        left_out = len(present) - len(kept)
        notes.append(f"left out: {left_out:,} longer than {max_length:,}")
    request = given_labels.select(request, kept)
    splits, split_by = splitting.split_examples(
        encoded.y, names.__getitem__, request
    )
    findings = []
    if beside is not None:
        findings = audit_groups.find_beside(
            beside.iloc[kept], known, encoded, splits
        )
    untrained = sorted(
        {*alphabet} - {*"".join(texts[i] for i in splits["train"])}
    )
    unknown = None
    if text_column:
        alphabet, unknown, more = string_reader.with_unknown(
            alphabet, untrained
        )
        notes += more
    return build.make_task(
        name,
        x,
        encoded,
        splits,
        split_by,
        text_column
        and string_reader.StringReader(
            alphabet,
            max_length,
            text_column,
            cells.as_words(missing),
            unknown,
            header,
            encoding,
            is_verbatim=True,
        ),
        names,
        vocabulary_size=len(alphabet),
        notes=notes,
        symbols=tuple(alphabet),
        groups=given_labels.group_numbers(request),
        findings=findings,
        strict=strict,
        verbose=verbose,
    )


@prefix_errors_with_path
def from_string_table(
    path: str | os.PathLike,
    text_column: str,
    label_column: str | Sequence[str],
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
    encoding: str | None = None,
    label_separator: str | None = None,
) -> Task:
    """Makes a task from a table's column of strings; see `from_strings`.

    Args:
        path: a table, such as a `.csv` file.
        text_column: string, the column of the strings.
        label_column: string or strings, the column of the labels, or several,
            see `from_csv`.
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
        encoding, label_separator: as for `from_csv`.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: as for `from_strings` and `from_csv`.
    """
    targets.refuse_tokens(task_type, "strings")
    words = cells.as_words(missing)
    label_columns = table_structure.as_tuple(label_column)
    paths = given_files.check_paths(path, validation, test)
    # Numbers that mark what is missing may be labels.
    are_tables = all(
        table_files.is_table(file)
        or table_folders.is_table_folder(file)
        or arrow_folders.is_saved_dataset(file)
        for file in paths.values()
    )
    if are_tables and not cells.as_floats(words):
        task = _large_task(
            large_files.LargeFiles(paths, header, encoding, (text_column,)),
            large_strings.Reading(
                text_column,
                label_columns,
                max_length,
                words,
                drop_missing,
                header,
                encoding,
                task_type,
                label_separator,
                split_column,
                table_structure.as_tuple(split_group),
                folds,
                fold,
            ),
            strict,
            verbose,
        )
        if task is not None:
            return task
    frame, where, split, format_notes = given_labels.read_tables(
        path, validation, test, header, encoding, (text_column,)
    )
    texts = table_columns.column(frame, text_column, path).tolist()
    labels = missing_rows.read_labels(frame, label_columns, path).tolist()
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
        encoding,
        label_columns,
        label_separator,
        frame,
        {
            *(text_column, split_column, *label_columns),
            *table_structure.as_tuple(split_group),
        },
    )


def _large_task(
    files: large_files.LargeFiles,
    reading: large_strings.Reading,
    strict: bool,
    verbose: bool,
) -> Task | None:
    """The task of tables that do not fit into memory.

    Returns:
        A `Task`; `None` if they are small, or must be read as a whole.
    """
    if files.num_bytes <= sequences.MAX_BYTES_IN_MEMORY:
        return None
    try:
        return large_strings.make_task(files, reading, strict, verbose)
    except large_labels.NotInParts as error:
        path = files.known.paths[0]
        LOGGER.warning(f"`{path}` is read into memory as a whole: {error}")
        return None
