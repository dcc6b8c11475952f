"""Parses tables of more rows than fit into memory into a file of numbers.

Of columns of text, the different texts are in memory.
"""

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data import audit, sequences
from keras_fpt.tasks.user_data.audit import class_names
from keras_fpt.tasks.user_data.tables import cells as cells_
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables import (
    dates,
    filling,
    large_files,
    large_labels,
    large_layout,
    large_medians,
    missing_rows,
    mixed_columns,
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
    """

    label_column: str
    ignored: tuple[str, ...] = ()
    words: tuple[str, ...] | None = None
    fill: str | None = None
    header: bool | None = None
    encoding: str | None = None
    categories: tuple[str, ...] = ()


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


class Learned(NamedTuple):
    """What the training rows say of missing cells and categories.

    Args:
        kinds: tuple of `Column`s; an empty one if all hold numbers and no cell
            can be missing.
        places: dict from the index of a column of categories to an int array,
            the place of each category among those of the training rows.
    """

    kinds: tuple[columns_.Column, ...] = ()
    places: Mapping[int, np.ndarray] = {}

    def complete(self, values: np.ndarray) -> np.ndarray:
        """Rows `(rows, columns)` whose missing numbers are filled."""
        if not self.kinds:
            return values
        values = filling.fill_rest(values, self.kinds)
        for index, places in self.places.items():
            is_known = ~np.isnan(values[:, index])
            codes = values[is_known, index].astype(int)
            values[is_known, index] = places[codes]
        return values

    def numbers(self, values: np.ndarray) -> np.ndarray:
        """Rows without categories, whose columns are 0."""
        if self.places:
            values = values.copy()
            values[:, [*self.places]] = 0
        return values


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
        NotInParts: a column holds too many different texts.
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
            labels.add(table_columns.column(frame, label_column, path))
        distinct = pd.Series(labels.distinct, dtype=object)
        of_labels, notes = missing_rows.label_words(
            distinct, reading.words or ()
        )
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
            [*missing_rows.words_notes(unused), *notes],
            found,
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
        ):
            found.append(index)
    return found


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


def learn(
    parts: Callable[[], Iterator[np.ndarray]],
    rows: Rows,
    path: str | os.PathLike,
    fill: str | None,
) -> Learned:
    """Takes categories and fillers from the training rows, as `columns.learn`.

    Args:
        parts: function that returns an iterator over training rows, float64
            `(rows, columns)`, NaN where a cell is missing.
        rows: `Rows`.
        path: the table's file, for errors.
        fill: string, or `None`.
    """
    categories = [i for i, c in enumerate(rows.found) if c.kind == "category"]
    if fill is None and all(c.kind == "number" for c in rows.found):
        return Learned()
    fillers = np.full(len(rows.found), np.nan)
    num_missing = np.zeros(len(rows.found), int)
    if fill is not None:
        fillers, num_missing = large_medians.medians(parts)
        empty = np.flatnonzero(np.isnan(fillers))
        if len(empty):
            raise columns_.all_missing(path, rows.columns[empty[0]])
    seen: dict[int, set[float]] = {index: set() for index in categories}
    for values in parts() if categories else ():
        for index in categories:
            seen[index].update(np.unique(values[:, index]).tolist())
    kinds, places = [], {}
    for index, column in enumerate(rows.found):
        filler: float | None = float(fillers[index])
        if index in seen:
            filler = None
            known = sorted(int(i) for i in seen[index] if not np.isnan(i))
            place = np.full(len(column.categories), len(known))
            place[known] = np.arange(len(known))
            places[index] = place
            column = dataclasses.replace(
                column, categories=tuple(column.categories[i] for i in known)
            )
        kinds.append(
            dataclasses.replace(
                column,
                filler=filler if fill else None,
                says_missing=bool(num_missing[index]),
            )
        )
    return Learned(tuple(kinds), places)


def find_in_names(
    rows: Rows, learned: Learned, reading: Reading
) -> list[audit.Finding]:
    """Findings about the names of classes and of categories.

    Args:
        rows: `Rows`.
        learned: `Learned`.
        reading: `Reading`.
    """
    categories = {
        rows.columns[index]: learned.kinds[index].categories
        for index in learned.places
    }
    codes = mixed_columns.find_codes(
        rows.first,
        rows.values[rows.first_rows[: mixed_columns.GLANCE]][:, 0],
        rows.columns,
        [column.kind == "number" for column in rows.found],
    )
    return [
        *class_names.marks_of_missing(rows.class_names, categories),
        *class_names.numbers_as_text(
            {
                name: texts
                for name, texts in categories.items()
                if name not in reading.categories
            }
        ),
        *class_names.similar_categories(categories),
        *class_names.codes_as_numbers(codes),
    ]


def largest(parts: Iterable[np.ndarray]) -> np.ndarray:
    """The largest magnitude in each column, float64 `(1, columns)`."""
    found: Any = 0
    for values in parts:
        if len(values):
            found = np.maximum(found, np.abs(values).max(axis=0))
    return np.atleast_2d(found)
