"""Parses tables of more rows than fit into memory into a file of numbers.

Of columns of text, the different texts are in memory.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data import sequences, targets
from keras_fpt.tasks.user_data.tables import cells as cells_
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables import (
    dates,
    large_answers,
    large_files,
    large_labels,
    large_order,
    large_watch,
    missing_rows,
    sequence_targets,
    table_columns,
    windows,
)

if TYPE_CHECKING:
    import pandas as pd


class Reading(NamedTuple):
    """How the cells of a table are read; see `tables.from_csv`.

    Args:
        label_columns: tuple of strings.
        ignored: tuple of strings, columns that are not used.
        words: tuple of strings, what marks missing cells; `None` if no cell
            may be missing.
        fill: string, or `None`.
        header: bool, or `None`.
        encoding: string, or `None`.
        categories: tuple of strings, columns of categories that may look like
            numbers.
        task_type: string, or `None`, which finds it.
        label_separator: string, or `None`.
        drop_missing: bool, whether rows without a label or, unless they are
            filled, with missing cells are left out.
    """

    label_columns: tuple[str, ...]
    ignored: tuple[str, ...] = ()
    words: tuple[str, ...] | None = None
    fill: str | None = None
    header: bool | None = None
    encoding: str | None = None
    categories: tuple[str, ...] = ()
    task_type: str | None = None
    label_separator: str | None = None
    drop_missing: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether no cell may be missing."""
        return self.fill is None and not self.drop_missing


class Rows(NamedTuple):
    """The rows of a table.

    Args:
        columns: tuple of strings, the columns of the inputs.
        values: a `SequenceStore` of float64 rows `(1, columns)`, NaN where a
            cell is missing, and the index of a category.
        labels: `targets.Labels`, in which classes are of a small dtype, and
            numbers to predict are float32.
        numbers: a `SequenceStore` of the numbers to predict, float64
            `(1, targets)`, or `None`.
        y: int array `(rows,)` of what rows are split by, of a small dtype;
            see `sequence_targets.row_labels`; -1 where a row of windows, or a
            token, has no label.
        class_names: tuple of strings, the names of its values.
        first: the first part of the table; of several files, of each.
        first_rows: int array, the rows that `first` has.
        notes: list of strings, what the user should know.
        unused: list of strings, the marks of missing cells that mark none.
        found: list of the columns' `Column`s, in which categories are those of
            all rows.
        is_left_out: bool array `(rows,)`, which rows lack a label or a cell;
            `None` if none does.
        is_filled: bool, whether missing cells are filled.
    """

    columns: tuple[str, ...]
    values: sequence_store.SequenceStore
    labels: targets.Labels
    numbers: sequence_store.SequenceStore | None
    y: np.ndarray
    class_names: tuple[str, ...]
    first: "pd.DataFrame"
    first_rows: np.ndarray
    notes: list[str]
    unused: list[str]
    found: list[columns_.Column]
    is_left_out: np.ndarray | None = None
    is_filled: bool = False

    def in_order(self, order: large_order.Order) -> "Rows":
        """The labels of the rows, and which are left out, in their order."""
        labels = self.labels._replace(
            y=order.take(self.labels.y),
            targets=_taken(self.labels.targets, order),
            answers=_taken(self.labels.answers, order),
        )
        numbers = None if self.numbers is None else order.sort(self.numbers)
        return self._replace(
            labels=labels,
            numbers=numbers,
            y=order.take(self.y),
            is_left_out=_taken(self.is_left_out, order),
        )


def _taken(
    values: np.ndarray | None, order: large_order.Order
) -> np.ndarray | None:
    return None if values is None else order.take(values)


def parse(
    watch: large_watch.Watch,
    frames: Iterable["pd.DataFrame"],
    reading: Reading,
    unused: Sequence[str] | None = None,
) -> Rows:
    """Parses a table.

    Args:
        watch: a `Watch`, which notes the structure of the rows.
        frames: iterable of parts of the table.
        reading: `Reading`.
        unused: sequence of strings, the marks of missing cells that mark none
            of the rows that are left out; `None` if none is.

    Returns:
        `Rows`.

    Raises:
        ValueError: as for `from_csv`.
        NotInParts: a column holds too many different texts.
    """
    import pandas as pd

    columns: tuple[str, ...] = ()
    not_values = (
        *reading.label_columns,
        *reading.ignored,
        *watch.structure.columns,
    )
    unused = [*((reading.words or ()) if unused is None else unused)]
    first: dict[str, tuple[int, pd.DataFrame]] = {}
    texts: dict[int, large_labels.Distinct] = {}
    count = 0
    answers = large_answers.Answers(
        watch.files.where,
        reading.label_columns,
        reading.task_type,
        reading.label_separator,
        reading.words or (),
        reading.drop_missing,
    )
    with sequence_store.SequenceWriter() as writer, answers:
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
                frame, (*columns, *reading.label_columns), unused
            )
            numbers = _values(frame, columns, texts, reading)
            writer.extend(numbers[:, None, :])
            _add_labels(answers, frame, path, reading)
        answers.finish()
        values, found = _of_texts(writer.finish(), columns, texts, reading)
        is_left_out, left_out = None, []
        is_unlabeled = answers.is_unlabeled.copy()
        if reading.drop_missing:
            # A token may lack its label.
            are_tokens = watch.structure.keep_rest
            is_left_out = _lack(
                values, is_unlabeled & (not are_tokens), reading
            )
        if is_left_out is not None and watch.structure.window is None:
            count = int(is_left_out.sum())
            left_out = windows.left_out(count, len(is_left_out), "rows")
            encoded = answers.encode(is_left_out | is_unlabeled)
        else:
            encoded = answers.encode(
                is_unlabeled if is_unlabeled.any() else None
            )
        y, names = sequence_targets.row_labels(encoded.labels, watch.structure)
        labels = encoded.labels
        if watch.structure.keep_rest:
            labels = labels._replace(y=_unlabeled(labels.y, is_unlabeled))
        if watch.structure.window is not None or watch.structure.keep_rest:
            y = _unlabeled(y, is_unlabeled)
        frames = [frame for _, frame in first.values()]
        rows = [start + np.arange(len(each)) for start, each in first.values()]
        return Rows(
            columns,
            values,
            labels,
            encoded.numbers,
            y,
            names,
            frames[0] if len(frames) == 1 else pd.concat(frames),
            np.concatenate(rows),
            [
                *encoded.spellings,
                *missing_rows.words_notes(unused),
                *encoded.notes,
                *left_out,
            ],
            unused,
            found,
            is_left_out,
            reading.fill is not None,
        )


def _unlabeled(y: np.ndarray, is_unlabeled: np.ndarray) -> np.ndarray:
    """The classes of rows, -1 where one has no label."""
    if not is_unlabeled.any():
        return y
    found = y.astype(np.result_type(y, np.int8))
    found[is_unlabeled] = targets.UNLABELED
    return found


def _add_labels(
    answers: large_answers.Answers,
    frame: "pd.DataFrame",
    path: str,
    reading: Reading,
) -> None:
    names, where = reading.label_columns, table_columns.where_in(frame, path)

    def check_numbers() -> None:
        numbers = table_columns.parse(frame, names, path)
        table_columns.check_points(frame, names, numbers, where)

    texts = missing_rows.read_labels(frame, names, path)
    answers.add(texts, where, check_numbers)


def _lack(
    values: sequence_store.SequenceStore,
    is_unlabeled: np.ndarray,
    reading: Reading,
) -> np.ndarray | None:
    """Which rows are left out, as of `Rows`."""
    found = is_unlabeled.copy()
    if reading.fill is None:
        first = 0
        for part in sequence_store.chunks(values):
            end = first + len(part)
            found[first:end] |= np.isnan(part).any(axis=(1, 2))
            first = end
    return found if found.any() else None


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
    if reading.is_plain:
        columns_.check_no_missing(numbers, frame, names, where)
    for index, distinct in texts.items():
        name = columns[index]
        if name in reading.categories:
            cells = table_columns.names(frame, name)
        else:
            cells = table_columns.column(frame, name, path)
        values[:, index] = distinct.add(cells)
        if distinct.are_too_many:
            raise large_labels.NotInParts(
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
        if reading.is_plain:
            columns_.check_no_missing(numbers, frame, [name], distinct.first_of)
        number_of[index] = numbers[:, 0]
    if not texts:
        return values, found

    def with_numbers(rows: np.ndarray) -> np.ndarray:
        for index, numbers in number_of.items():
            rows[:, 0, index] = numbers[rows[:, 0, index].astype(int)]
        return rows

    return sequences.apply(with_numbers, values), found
