"""Tasks from more strings than fit into memory: a column of a table.

The table is read once. Characters are kept on disk as their code points, and
become indices in the alphabet when all of it is known.
"""

import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import (
    build,
    given_files,
    given_labels,
    sequences,
    splitting,
)
from keras_fpt.tasks.user_data.audit import streamed_groups
from keras_fpt.tasks.user_data.strings import string_reader
from keras_fpt.tasks.user_data.tables import (
    cells,
    large_answers,
    large_files,
    large_labels,
    large_splits,
    missing_rows,
    table_columns,
)

if TYPE_CHECKING:
    import pandas as pd


class Reading(NamedTuple):
    """How a table of strings is read; see `strings.from_string_table`.

    Args:
        text_column: string.
        label_columns: tuple of strings.
        max_length: int.
        missing: tuple of strings, none of which is a number.
        drop_missing: bool.
        header: bool, or `None`.
        encoding: string, or `None`.
        task_type: string, or `None`.
        label_separator: string, or `None`.
        split_column: string, or `None`.
        split_group: tuple of strings.
        folds: int, or `None`.
        fold: int.
    """

    text_column: str
    label_columns: tuple[str, ...]
    max_length: int
    missing: tuple[str, ...]
    drop_missing: bool
    header: bool | None
    encoding: str | None
    task_type: str | None
    label_separator: str | None
    split_column: str | None
    split_group: tuple[str, ...]
    folds: int | None
    fold: int


class Strings(NamedTuple):
    """The strings of a table.

    Args:
        points: a `SequenceStore` of code points, int32.
        alphabet: string of all characters, sorted.
        encoded: `large_answers.Encoded`, their labels.
        rows: int array `(n,)`, the row of each string, from 0.
        notes: what was left out, and the table's format.
        split: an array of the codes of each string's split, their names, and
            words; `None` if no split is given.
        first_of: function from the index of one of these names to words that
            say where it is first.
        groups: int array `(n,)`, the group of each string, or `None`.
    """

    points: sequence_store.SequenceStore
    alphabet: str
    encoded: large_answers.Encoded
    rows: np.ndarray
    notes: list[str]
    split: large_splits.Given | None
    first_of: Any
    groups: np.ndarray | None


def make_task(
    files: large_files.LargeFiles, reading: Reading, strict: bool, verbose: bool
) -> Task:
    """Makes the task of `strings.from_string_table` from large tables.

    Args:
        files: the `LargeFiles`.
        reading: `Reading`.
        strict, verbose: as for `from_string_table`.

    Raises:
        ValueError: as for `from_string_table`.
        NotInParts: labels are too many different texts.
    """
    used = {
        *(reading.text_column, reading.split_column),
        *(*reading.label_columns, *reading.split_group),
    }
    with streamed_groups.StreamedGroups(used, is_beside=True) as beside:
        found = _read(files, reading, beside)
        labels = found.encoded.labels
        names = StringNames(files.known, found.rows)
        split_of, split_by = large_splits.split(
            labels.y,
            len(labels.class_names),
            splitting.SplitRequest(
                groups=found.groups,
                groups_from=" and ".join(reading.split_group),
                folds=reading.folds,
                fold=reading.fold,
            ),
            names.__getitem__,
            found.split,
            found.first_of,
        )
        findings = beside.find(split_of, labels)
    known = np.array([ord(character) for character in found.alphabet])
    x = sequences.apply(
        lambda points: np.searchsorted(known, points).astype(np.int32),
        found.points,
    )
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
        pathlib.Path(files.known.paths[0]).stem,
        x,
        labels,
        splits,
        split_by,
        string_reader.StringReader(
            alphabet,
            reading.max_length,
            reading.text_column,
            reading.missing,
            unknown,
            reading.header,
            reading.encoding,
            is_verbatim=True,
        ),
        names,
        vocabulary_size=len(alphabet),
        notes=[*found.notes, *notes],
        symbols=tuple(alphabet),
        groups=found.groups,
        findings=findings,
        strict=strict,
        verbose=verbose,
    )


class StringNames:
    """The names of strings, which are made when they are needed.

    Args:
        files: the `Files` of the strings.
        rows: int array `(n,)`, the row of each string, from 0.
    """

    def __init__(self, files: given_files.Files, rows: np.ndarray) -> None:
        self._files = files
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> str:
        return self._files.where(int(self._rows[index]))

    def __iter__(self) -> Iterator[str]:
        return map(self.__getitem__, range(len(self)))

    def select(self, indices: np.ndarray) -> "StringNames":
        """The names of some of the strings."""
        return StringNames(self._files, self._rows[indices])


class _Splits:
    """The splits and the groups of strings, as columns give them."""

    def __init__(self, files: large_files.LargeFiles, reading: Reading) -> None:
        self._files = files
        self._reading = reading
        self._names = large_labels.Labels(files.where)
        self._groups = large_labels.Distinct(files.where)
        self._group_of: list[np.ndarray] = []

    def add(self, frame: "pd.DataFrame", kept: Any, rows: Any) -> None:
        path, reading = large_files.path_of(frame), self._reading
        request = given_labels.split_request(
            frame,
            path,
            reading.split_column,
            reading.split_group,
            reading.folds,
            reading.fold,
        )
        if reading.split_column is not None and len(kept):
            name = reading.split_column
            column = table_columns.column(frame, name, path)
            self._names.add(column.iloc[kept], rows)
        if request.groups is not None:
            import pandas as pd

            keys = pd.Series(request.groups, dtype=object).iloc[kept]
            self._group_of.append(self._groups.add(keys, rows))

    def groups(self) -> np.ndarray | None:
        """The number of the group of each string, or `None`."""
        if not self._reading.split_group:
            return None
        small = np.min_scalar_type(len(self._groups.texts))
        return np.concatenate([part.astype(small) for part in self._group_of])

    def given(self, rows: np.ndarray) -> tuple[Any, Any]:
        """The split that is given, and where a name of it is first."""
        of_files = self._files.row_splits()
        if of_files is not None:
            codes, names = of_files[0][rows], of_files[1]
            # A split of which no string is left is not given.
            is_left = np.array([(codes == i).any() for i in range(len(names))])
            codes = (np.cumsum(is_left, dtype=np.uint8) - is_left)[codes]
            names = [names[i] for i in np.flatnonzero(is_left)]
            found = codes, names, "as given"
            return found, lambda i: self._files.where(
                int(rows[np.argmax(codes == i)])
            )
        if self._reading.split_column is None:
            return None, None
        words = f"column '{self._reading.split_column}'"
        found = (self._names.codes(), self._names.distinct, words)
        return found, self._names.first_of


def _read(
    files: large_files.LargeFiles,
    reading: Reading,
    beside: streamed_groups.StreamedGroups,
) -> Strings:
    splits = _Splits(files, reading)
    alphabet: set[str] = set()
    rows: list[np.ndarray] = []
    counts: dict[str, int] = {}
    notes: list[str] = []
    num_long, first = 0, 0
    answers = large_answers.Answers(
        files.where,
        reading.label_columns,
        reading.task_type,
        reading.label_separator,
    )
    with sequence_store.SequenceWriter() as writer, answers:
        for frame in files.frames():
            notes = notes or table_columns.format_notes(frame)
            path = large_files.path_of(frame)
            texts = table_columns.column(frame, reading.text_column, path)
            labels = missing_rows.read_labels(
                frame, reading.label_columns, path
            )
            is_kept = _present(frame, texts, labels, reading, counts)
            is_long = texts.str.len().to_numpy(int) > reading.max_length
            is_long &= is_kept
            num_long += int(is_long.sum())
            kept = np.flatnonzero(is_kept & ~is_long)
            for text in texts.iloc[kept]:
                alphabet.update(text)
                writer.append(np.frombuffer(text.encode("utf-32-le"), "<i4"))
            rows.append(first + kept)
            splits.add(frame, kept, rows[-1])
            beside.add(frame, kept)
            if len(kept):
                names = StringNames(files.known, rows[-1])
                answers.add(labels[kept], names.__getitem__, rows=rows[-1])
            first += len(frame)
        ordered = "".join(sorted(alphabet))
        notes = [*notes, *string_reader.alphabet_notes(ordered)]
        notes += [
            f"left out: {count:,} whose {name} is missing"
            for name, count in counts.items()
            if count
        ]
        if num_long:
            notes.append(
                f"left out: {num_long:,} longer than {reading.max_length:,}"
            )
        if not alphabet:
            raise ValueError(
                f"Nothing is left of {first:,} examples: {'; '.join(notes)}."
            )
        answers.finish()
        found = np.concatenate(rows)
        return Strings(
            writer.finish(),
            ordered,
            answers.encode(),
            found,
            notes,
            *splits.given(found),
            splits.groups(),
        )


def _present(
    frame: "pd.DataFrame",
    texts: "pd.Series",
    labels: np.ndarray,
    reading: Reading,
    counts: dict[str, int],
) -> np.ndarray:
    """Which rows have all that they need, bool array `(rows,)`.

    Args:
        frame: rows of a table.
        texts: `pandas.Series` of the strings.
        labels: what `missing_rows.read_labels` returned.
        reading: `Reading`.
        counts: dict from what is needed to how many rows lack it, to which
            those are added.
    """
    is_kept = np.ones(len(frame), bool)
    needed: dict[str, Any] = {f"string in '{reading.text_column}'": texts}
    if labels.ndim == 1:
        needed["label"] = labels
    else:
        for name, column in zip(reading.label_columns, labels.T, strict=True):
            needed[f"label '{name}'"] = column
    for name, column in needed.items():
        is_missing = cells.is_missing(column, reading.missing)
        if is_missing.any() and not reading.drop_missing:
            given_labels.present(
                {name: column.tolist()},
                table_columns.where_in(frame, large_files.path_of(frame)),
                reading.missing,
            )
        counts[name] = counts.get(name, 0) + int(is_missing.sum())
        is_kept &= ~is_missing
    return is_kept
