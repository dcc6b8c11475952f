"""Parses tables of more rows than fit into memory into a file of numbers.

Of columns of text, the different texts are in memory.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data import classes, label_kinds, sequences
from keras_fpt.tasks.user_data.tables import cells as cells_
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables import (
    dates,
    large_files,
    large_labels,
    large_layout,
    missing_rows,
    table_columns,
)

if TYPE_CHECKING:
    import pandas as pd


class Reading(NamedTuple):
    """How the cells of a table are read; see `tables.from_csv`.

    Args:
        label_column: string.
        ignored: tuple of strings, columns that are not used.
        words: tuple of strings, what marks missing cells; `None` if no cell
            may be missing.
        fill: string, or `None`.
        header: bool, or `None`.
        encoding: string, or `None`.
        categories: tuple of strings, columns of categories that may look like
            numbers.
        task_type: string, `"classification"`; or `None`, which finds it.
    """

    label_column: str
    ignored: tuple[str, ...] = ()
    words: tuple[str, ...] | None = None
    fill: str | None = None
    header: bool | None = None
    encoding: str | None = None
    categories: tuple[str, ...] = ()
    task_type: str | None = None


class Rows(NamedTuple):
    """The rows of a table.

    Args:
        columns: tuple of strings, the columns of the inputs.
        values: a `SequenceStore` of float64 rows `(1, columns)`, NaN where a
            cell is missing, and the index of a category.
        y: int array `(rows,)` of classes, of the smallest dtype.
        class_names: tuple of strings.
        first: the first part of the table; of several files, of each.
        first_rows: int array, the rows that `first` has.
        notes: list of strings, what the user should know.
        found: list of the columns' `Column`s, in which categories are those of
            all rows.
    """

    columns: tuple[str, ...]
    values: sequence_store.SequenceStore
    y: np.ndarray
    class_names: tuple[str, ...]
    first: "pd.DataFrame"
    first_rows: np.ndarray
    notes: list[str]
    found: list[columns_.Column]


class NotInParts(Exception):
    """A table must be read as a whole; the message says why."""


def parse(
    watch: large_layout.Watch,
    frames: Iterable["pd.DataFrame"],
    reading: Reading,
) -> Rows:
    """Parses a table.

    Args:
        watch: a `Watch`, which notes the structure of the rows.
        frames: iterable of parts of the table.
        reading: `Reading`.

    Returns:
        `Rows`.

    Raises:
        ValueError: as for `from_csv`.
        NotInParts: a column holds too many different texts, or labels are not
            of one class per example.
    """
    import pandas as pd

    columns: tuple[str, ...] = ()
    label_column = reading.label_column
    not_values = (
        label_column,
        *reading.ignored,
        *watch.structure.columns,
    )
    unused = [*(reading.words or ())]
    first: dict[str, tuple[int, pd.DataFrame]] = {}
    texts: dict[int, large_labels.Distinct] = {}
    count = 0
    labels = large_labels.Labels(watch.files.where)
    with sequence_store.SequenceWriter() as writer:
        for frame in watch.frames(frames):
            path = large_files.path_of(frame)
            for name in not_values:
                table_columns.column(frame, name, path)
            if not columns:
                columns = tuple(
                    name for name in frame.columns if name not in not_values
                )
                if not columns:
                    raise ValueError(
                        f"`{path}` has no columns other than {[*not_values]}."
                    )
                columns_.check_named(
                    reading.categories, not_values, frame, path
                )
                texts = {
                    index: large_labels.Distinct(watch.files.where)
                    for index in _text_columns(frame, columns, reading)
                }
            if path not in first:
                first[path] = (count, frame)
            count += len(frame)
            unused = missing_rows.unused_words(
                frame, (*columns, label_column), unused
            )
            numbers = _values(frame, columns, texts, reading)
            writer.extend(numbers[:, None, :])
            _add_labels(
                labels,
                table_columns.column(frame, label_column, path),
                reading,
            )
        distinct = pd.Series(labels.distinct, dtype=object)
        of_labels, notes = missing_rows.label_words(
            distinct, reading.words or ()
        )
        _check_labels(labels, of_labels, reading)
        y, names = labels.encode(of_labels)
        values, found = _of_texts(writer.finish(), columns, texts, reading)
        frames = [frame for _, frame in first.values()]
        rows = [start + np.arange(len(each)) for start, each in first.values()]
        return Rows(
            columns,
            values,
            y,
            names,
            frames[0] if len(frames) == 1 else pd.concat(frames),
            np.concatenate(rows),
            [
                *classes.spelling_notes(np.array(labels.distinct, str), names),
                *missing_rows.words_notes(unused),
                *notes,
            ],
            found,
        )


def _add_labels(
    labels: large_labels.Labels, cells: "pd.Series", reading: Reading
) -> None:
    try:
        labels.add(cells)
    except large_labels.TooManyLabels as error:
        if reading.task_type is not None:
            raise
        raise NotInParts(str(error)) from error


def _check_labels(
    labels: large_labels.Labels, missing: Sequence[str], reading: Reading
) -> None:
    """Raises `NotInParts` if labels are numbers to predict, or several."""
    counts = np.zeros(len(labels.distinct), int)
    for codes in labels.parts():
        counts += np.bincount(codes, minlength=len(counts))
    if reading.task_type is None and not label_kinds.have_one_class(
        np.array(labels.distinct, str), counts, missing
    ):
        raise NotInParts(
            "its labels are numbers to predict, or several for each example."
        )


def _text_columns(
    frame: "pd.DataFrame", columns: Sequence[str], reading: Reading
) -> list[int]:
    """The columns whose cells are text, or dates such as 20241231."""
    values = table_columns.parse(frame, columns, "")
    found = []
    for index, (name, numbers) in enumerate(
        zip(columns, values.T, strict=True)
    ):
        is_number = np.isfinite(numbers)
        if not is_number.all():
            texts = table_columns.column(frame, name, "")
            is_number |= cells_.is_missing(texts, reading.words or ())
        if (
            name in reading.categories
            or not is_number.all()
            or dates.are_compact(numbers)
            or not _tells_its_kind(frame, name, numbers)
        ):
            found.append(index)
    return found


def _tells_its_kind(
    frame: "pd.DataFrame", name: str, numbers: np.ndarray
) -> bool:
    """Whether a column has a number, or is of numbers where cells are typed."""
    has_number = bool(np.isfinite(numbers).any())
    return has_number or table_columns.are_typed(frame, name)


def _values(
    frame: "pd.DataFrame",
    columns: Sequence[str],
    texts: Mapping[int, large_labels.Distinct],
    reading: Reading,
) -> np.ndarray:
    """The numbers of a part of a table, NaN where a cell is missing.

    Of columns of texts, they are indices in `Distinct.texts`.
    """
    path, advice = large_files.path_of(frame), columns_.IGNORE_ADVICE
    for name in columns:
        table_columns.column(frame, name, path)
    values = np.empty((len(frame), len(columns)))
    numeric = [i for i in range(len(columns)) if i not in texts]
    names = [columns[i] for i in numeric]
    where = table_columns.where_in(frame, path)
    values[:, numeric] = numbers = columns_.parse_columns(
        frame,
        names,
        [columns_.Column()] * len(names),
        where,
        reading.words or (),
        advice,
    )
    if reading.fill is None:
        columns_.check_no_missing(numbers, frame, names, where)
    for index, distinct in texts.items():
        name = columns[index]
        if name in reading.categories:
            cells = table_columns.names(frame, name)
        else:
            cells = table_columns.column(frame, name, path)
        values[:, index] = distinct.add(cells)
        if distinct.are_too_many:
            raise NotInParts(
                f"column '{name}' holds more than {large_labels.MAX_DISTINCT:,}"
                f" different texts.{columns_.IGNORE_ADVICE}"
            )
    return values


def _of_texts(
    values: sequence_store.SequenceStore,
    columns: Sequence[str],
    texts: Mapping[int, large_labels.Distinct],
    reading: Reading,
) -> tuple[sequence_store.SequenceStore, list[columns_.Column]]:
    """Numbers in place of the indices of texts, and the columns' kinds."""
    import pandas as pd

    found = [columns_.Column() for _ in columns]
    number_of: dict[int, np.ndarray] = {}
    for index, distinct in texts.items():
        name = columns[index]
        frame = pd.DataFrame({name: pd.Series(distinct.texts, dtype="str")})
        frame.attrs["rows"] = distinct.count
        numbers, (found[index],) = columns_.find_columns(
            frame,
            [name],
            distinct.first_of,
            reading.words or (),
            reading.categories,
        )
        if reading.fill is None:
            columns_.check_no_missing(numbers, frame, [name], distinct.first_of)
        number_of[index] = numbers[:, 0]
    if not texts:
        return values, found

    def with_numbers(rows: np.ndarray) -> np.ndarray:
        for index, numbers in number_of.items():
            rows[:, 0, index] = numbers[rows[:, 0, index].astype(int)]
        return rows

    return sequences.apply(with_numbers, values), found
