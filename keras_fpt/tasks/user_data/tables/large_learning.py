"""What the training rows of a large table say, and what their names say."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from keras_fpt.tasks.user_data import audit
from keras_fpt.tasks.user_data.audit import class_names
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables import (
    filling,
    large_medians,
    large_rows,
    mixed_columns,
)


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


def learn(
    parts: Callable[[], Iterator[np.ndarray]],
    rows: large_rows.Rows,
    path: str | os.PathLike,
    fill: str | None,
    is_plain: bool,
) -> Learned:
    """Takes categories and fillers from the training rows, as `columns.learn`.

    Args:
        parts: function that returns an iterator over training rows, float64
            `(rows, columns)`, NaN where a cell is missing.
        rows: `Rows`.
        path: the table's file, for errors.
        fill: string, or `None`.
        is_plain: bool, whether no cell can be missing.
    """
    categories = [i for i, c in enumerate(rows.found) if c.kind == "category"]
    if is_plain and all(c.kind == "number" for c in rows.found):
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
    rows: large_rows.Rows, learned: Learned, reading: large_rows.Reading
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
        *class_names.marks_of_missing(
            rows.class_names if rows.labels.has_classes else (), categories
        ),
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
