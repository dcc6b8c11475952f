"""Parses large tables whose next rows are forecast into a file of numbers."""

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables import (
    dates,
    forecast_columns,
    large_watch,
    missing_rows,
    table_columns,
)
from keras_fpt.tasks.user_data.tables.forecast_build import Request

if TYPE_CHECKING:
    import pandas as pd


class Rows(NamedTuple):
    """The rows of a table.

    Args:
        values: a `SequenceStore` of float64 rows `(1, columns)`, NaN where a
            cell is missing.
        is_missing: bool array `(rows,)`, as for `forecast_build.with_truth`.
        has_number: bool array `(rows,)`, as for `future_rows.count`.
        first: the first part of the table.
        unused: list of strings, the words that mark no cell.
    """

    values: sequence_store.SequenceStore
    is_missing: np.ndarray
    has_number: np.ndarray
    first: "pd.DataFrame"
    unused: list[str]

    def parts(self) -> Iterator[np.ndarray]:
        """Yields some rows after the other, `(rows, columns)`."""
        return (part[:, 0] for part in sequence_store.chunks(self.values))


def parse(watch: large_watch.Watch, request: Request) -> Rows | None:
    """Parses the columns; `None` if the table has no rows."""
    path, columns = request.path, request.columns
    targets = len(request.targets)
    # Others may be missing in the rows that are to be forecast.
    complete = slice(targets if request.known else 0, None)
    frames = watch.files.frames()
    first = next(frames)
    if not len(first):
        return None
    _check_first(first, request)
    unused = [*request.words]
    is_missing, has_number = [], []
    are_dates: dict[str, bool] = {}
    with sequence_store.SequenceWriter() as writer:
        for frame in watch.frames(itertools.chain([first], frames)):
            where = table_columns.where_in(frame, path)
            values = columns_.parse_columns(
                frame,
                columns,
                [columns_.Column()] * len(columns),
                where,
                request.words,
                columns_.IGNORE_ADVICE,
            )
            if not request.may_lack:
                columns_.check_no_missing(
                    values[:, complete], frame, columns[complete], where
                )
            unused = missing_rows.unused_words(frame, columns, unused)
            is_nan = np.isnan(values)
            lacking = is_nan if request.fill is None else is_nan[:, :targets]
            is_missing.append(lacking.any(axis=1))
            has_number.append(~is_nan[:, :targets].all(axis=1))
            for name, numbers in zip(columns, values.T, strict=True):
                if not np.isnan(numbers).all():
                    are_dates[name] = are_dates.get(
                        name, True
                    ) and dates.are_compact(numbers, least=1)
            writer.extend(values[:, None, :])
        for name in columns:
            if are_dates.get(name):
                raise forecast_columns.no_numbers(first, name, request.known)
        return Rows(
            writer.finish(),
            np.concatenate(is_missing),
            np.concatenate(has_number),
            first,
            unused,
        )


def _check_first(first: "pd.DataFrame", request: Request) -> None:
    """Checks the columns in the first part of a table."""
    path, columns = request.path, request.columns
    forecast_columns.check_named(first, columns, request.not_columns, path)
    where = table_columns.where_in(first, path)
    _, found = columns_.find_columns(first, columns, where, request.words)
    for name, column in zip(columns, found, strict=True):
        # Whether such numbers are dates, the whole column tells.
        is_number = column.date_format == dates.COMPACT
        if column.kind != "number" and not is_number:
            raise forecast_columns.no_numbers(first, name, request.known)


def check_no_missing(
    request: Request,
    rows: Rows,
    is_unknown: np.ndarray,
    where: Callable[[int], str],
) -> None:
    """Checks that nothing is missing before the rows that are forecast.

    Args:
        request: `Request`.
        rows: `Rows`.
        is_unknown: bool array `(rows,)`, which rows are to be forecast.
        where: function from a row to words that say where it is.
    """
    if request.may_lack:
        return
    wrong = np.flatnonzero(rows.is_missing & ~is_unknown)
    if len(wrong):
        row = int(wrong[0])
        index = int(np.argmax(np.isnan(rows.values[[row]][0, 0])))
        raise ValueError(
            f"{where(row)}, column '{request.columns[index]}': expected a "
            f"finite number but received none{columns_.MISSING_ADVICE}"
            f"{columns_.IGNORE_ADVICE}"
        )
