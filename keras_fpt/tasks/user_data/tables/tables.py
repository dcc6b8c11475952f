"""Tables of numbers: a row, a group or a window of rows is a sequence.

Tables whose text is read are in `strings.py`. This file is longer than others,
since it documents one public function with many arguments.
"""

import itertools
import logging
import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import (
    build,
    classes,
    given_files,
    sequences,
    targets,
)
from keras_fpt.tasks.user_data.audit import audit_tables
from keras_fpt.tasks.user_data.audit import class_names as class_names_
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path
from keras_fpt.tasks.user_data.tables import (
    cells,
    large_files,
    large_labels,
    large_rows,
    large_tables,
    large_windows,
    missing_rows,
    mixed_columns,
    sampling_steps,
    sequence_targets,
    table_columns,
    table_files,
    table_ids,
    table_layout,
    table_reader,
    table_structure,
    table_text,
)
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables.table_reader import (
    TableReader,
    fill_missing,
)

if TYPE_CHECKING:
    import pandas as pd

LOGGER = logging.getLogger(__name__)


@prefix_errors_with_path
def from_csv(
    path: str | os.PathLike,
    label_column: str | Sequence[str],
    group_column: str | Sequence[str] | None = None,
    window: int | None = None,
    stride: int | None = None,
    split_column: str | None = None,
    ignore_column: str | Sequence[str] = (),
    verbose: bool = True,
    time_column: str | None = None,
    min_label_share: float | None = None,
    within_label: bool = False,
    split_group: str | Sequence[str] | None = None,
    folds: int | None = None,
    fold: int = 1,
    validation: str | os.PathLike | None = None,
    test: str | os.PathLike | None = None,
    strict: bool = False,
    header: bool | None = None,
    missing: str | Sequence[str] = (),
    fill: str | None = None,
    drop_missing: bool = False,
    task_type: str | None = None,
    encoding: str | None = None,
    label_separator: str | None = None,
    category_column: str | Sequence[str] = (),
) -> Task:
    """Makes a task from a table.

    Each row is a sequence whose tokens are its cells. With `group_column`,
    all rows that have the same value there are one sequence, whose tokens
    are the rows, in the order of the file or of `time_column`. With `window`,
    that many successive rows are one sequence. Columns are standardized with
    the mean and the standard deviation of the training rows.

    A fixed, seeded fifth of the sequences is for testing and a tenth of the
    rest for validation, and each split has the same share of each class. A
    long time series (only `window`) is split in its order instead: the last
    fifth of its rows is for testing, and the tenth before it for validation.
    With both `group_column` and `window`, whole groups, e.g. recordings, go
    to one split. No window holds rows of two groups or two splits, or a gap
    in time: a step of more than 5 times the median step.

    A column holds numbers; booleans (true and false, or yes and no), which
    are 1 and 0; dates, which are numbers of days; or text of few kinds. Each
    kind of text in the training rows becomes an indicator of 0 or 1, and one
    more indicator is for all others. If each row is a sequence, its
    indicators are tokens.

    Args:
        path: a table of text (`.csv`, `.tsv`, `.txt`, `.data`), whose
            encoding, separator and decimal comma are found and logged; or a
            `.parquet`, `.feather`, `.arrow`, `.xlsx` (its first sheet) or
            `.arff` file. It may be compressed (`.gz`, `.bz2`, `.xz`, `.zip`).
            Or a folder of Parquet files, which are parts of one table. The
            table may be larger than the memory.
        label_column: string or strings. All rows of a group must have the
            same label; a window has the most common label of its rows, and is
            left out if no label is the most common; in a regression it has
            their mean, and of several labels those that at least half of its
            rows have. Several columns are several labels if all cells are 0
            and 1, and numbers to predict otherwise.
        group_column: string, strings (columns that make one key), or `None`.
        window: int, rows per window, or `None`.
        stride: int, rows from one window to the next; `None` is `window`.
        split_column: string, a column that holds `train`, `validation` or
            `test`, in any spelling; `None` splits as above.
        ignore_column: string or strings, columns that are not used.
        verbose: bool, whether to log a description of the data.
        time_column: string, a column of numbers or dates by which the rows of
            each group are sorted, or `None`.
        min_label_share: float, from 0 to 1. Windows of whose rows fewer have
            the window's label are left out.
        within_label: bool, whether a new window starts where the label changes.
        split_group: string or strings (one key), e.g. the column of people:
            all rows with the same value there are in one split.
        folds: int, the number of folds of a cross-validation, or `None`.
        fold: int, from 1 to `folds`, the fold that is for testing.
        validation: path of a table of the validation examples, or `None`.
        test: path of a table of the test examples, or `None`. The first table
            is then for training, and the others need the same columns.
        strict: bool, whether a leak that is found is an error.
        header: bool, whether the first row names the columns; otherwise they
            are `column_1`, `column_2`, ... `None` expects a header, and
            refuses one that looks like data.
        missing: string, number or several, marks of missing cells in addition
            to empty cells and words such as NaN, NA and None. A number also
            marks a missing label if it is far from all other labels.
        fill: `"median"` or `"forward"`. Missing cells become the median of
            the column's training rows, or the value of the row before in the
            same group or series, unless a gap in time is between them (the
            median where none came before). For each
            column with missing cells in training, a further channel is 1
            where a cell was missing. `None` refuses missing cells.
        drop_missing: bool, whether to leave out sequences with a missing
            label or, unless they are filled, missing cells.
        task_type: `"classification"`; `"regression"`; `"multilabel"`, where
            an example may have several labels; or `"tokens"`, where each row
            of a group or a window has a label of its own. `None` is a
            regression if most labels are fractions, of at least 10 different
            values; several labels if cells hold lists in brackets, or names
            with `;` or `|` between them that are also in other cells; and
            says so.
        encoding: string, the encoding of text that is not UTF-8, such as
            `"shift_jis"`; `None` finds it and says so.
        label_separator: string, what stands between the names of several
            labels in a cell; `None` finds it and says so.
        category_column: string or strings, columns of categories, such as
            postal codes, whose cells may look like numbers.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: a column is missing; a row has too few or too many cells;
            a cell is not a finite number; labels are missing or contradict
            each other; a class or a split is empty. The error names the file
            and the row, counted from 1 below the header.

    Example:

    ```python
    task = keras_fpt.tasks.from_csv(
        "walks.csv", label_column="activity", window=50, stride=25
    )
    ```
    """
    structure = table_structure.Structure(
        table_structure.as_tuple(group_column),
        time_column,
        window,
        stride,
        min_label_share,
        within_label,
        split_column,
        table_structure.as_tuple(split_group),
        folds,
        fold,
        keep_rest=task_type == targets.TOKENS,
    )
    missing_rows.check_fill(fill, structure)
    targets.check_task_type(task_type)
    is_per_token = task_type == targets.TOKENS
    label_columns = table_structure.as_tuple(label_column)
    sequence_targets.check_per_token(is_per_token, structure, label_columns)
    words = cells.as_words(missing)
    is_plain = fill is None and not words and not drop_missing
    ignored = table_structure.as_tuple(ignore_column)
    named_categories = table_structure.as_tuple(category_column)
    if (
        (is_plain or fill is not None or drop_missing)
        # Numbers that mark what is missing may be labels.
        and not (len(label_columns) > 1 and cells.as_floats(words))
    ):
        task = _large_task(
            large_files.LargeFiles(
                given_files.check_paths(path, validation, test),
                header,
                encoding,
            ),
            structure,
            large_rows.Reading(
                label_columns,
                ignored,
                None if is_plain else words,
                fill,
                header,
                encoding,
                named_categories,
                task_type,
                label_separator,
                drop_missing,
            ),
            strict,
            verbose,
        )
        if task is not None:
            return task
    frames, files = given_files.read_each(
        path,
        validation,
        test,
        lambda file: table_files.read_table(file, header, encoding),
    )
    not_values = [*label_columns, *structure.columns, *ignored]
    for name in not_values:
        table_columns.column(frames[0], name, path)
    columns = tuple(
        name for name in frames[0].columns if name not in not_values
    )
    if not columns:
        raise ValueError(f"`{path}` has no columns other than {not_values}.")
    columns_.check_named(named_categories, not_values, frames[0], path)
    frame = given_files.one_table(
        frames, files, (*columns, *label_columns, *structure.columns)
    )
    format_notes = table_columns.format_notes(frames[0])
    words = _spelled(words, frames[0])
    del frames
    unused_words = missing_rows.unused_notes(
        frame, (*columns, *label_columns), words
    )
    values, found = columns_.find_columns(
        frame, columns, files.where, words, named_categories
    )
    codes = mixed_columns.find_codes(
        frame, values, columns, [each.kind == "number" for each in found]
    )
    texts = missing_rows.read_labels(frame, label_columns, path)
    label_words, label_notes = missing_rows.label_words(texts, words)
    is_unlabeled = np.zeros(len(frame), bool)
    if drop_missing or structure.keys:
        lacks_label = missing_rows.have_none(texts, label_words)
        missing_rows.check_labels_of_groups(
            lacks_label, frame, structure, files
        )
        is_unlabeled = lacks_label & drop_missing
    # A token may lack its label.
    is_left_out = is_unlabeled & (not is_per_token)
    if fill is None and drop_missing:
        is_left_out = is_left_out | np.isnan(values).any(axis=1)
    elif fill is None:
        columns_.check_no_missing(values, frame, columns, files.where)
    left_out_notes: list[str] = []
    if window is None and is_left_out.any():
        is_kept, left_out_notes = missing_rows.find_kept(
            is_left_out, frame, structure, files
        )
        frame, values = frame[is_kept], values[is_kept]
        texts, files = texts[is_kept], files.select(is_kept)
        is_left_out, is_unlabeled = is_left_out[is_kept], is_unlabeled[is_kept]
    encoded = missing_rows.encode_labels(
        texts,
        is_unlabeled,
        files,
        label_words,
        task_type,
        label_columns,
        label_separator,
    )
    if is_per_token or not encoded.has_classes:
        sequence_targets.check_structure(structure)
    if encoded.is_regression:
        numbers = table_columns.parse(frame, label_columns, path)
        table_columns.check_points(frame, label_columns, numbers, files.where)
    labels, class_names = sequence_targets.row_labels(encoded, structure)
    layout = table_layout.lay_out(frame, labels, class_names, structure, files)
    if is_left_out.any():
        layout = layout.without(is_left_out)
        if fill is None:
            values[np.isnan(values)] = 0  # in no sequence
    answers = sequence_targets.of_sequences(encoded, layout, structure, files)
    answers.check_splits(layout.splits)

    train_rows = layout.rows("train")
    kinds = columns_.learn(
        values, found, columns, train_rows, path, fill, is_plain
    )
    keys = structure.keys
    complete = fill_missing(
        values, kinds, fill, frame, keys, time_column, files
    )
    filled = complete[train_rows]
    is_category = np.array([each.kind == "category" for each in found])
    filled[:, is_category] = 0
    table_reader.check_magnitudes(filled, columns, path)
    mean, scale = sequences.statistics(filled)
    del filled  # Large tables need the memory.
    reader = TableReader(
        columns,
        tuple(mean.tolist()),
        tuple(scale.tolist()),
        keys[0] if len(keys) == 1 else keys or None,
        window,
        structure.stride or window,
        time_column,
        layout.time_gap,
        kinds,
        words,
        fill,
        header,
        encoding,
        is_per_token,
    )
    findings = audit_tables.audit_table(
        frame,
        # A category that is missing is one more.
        np.nan_to_num(complete, nan=-1.0) if is_category.any() else complete,
        columns,
        encoded.y,
        encoded.class_names,
        train_rows,
        layout.rows("test"),
        keys,
        reader.is_by_row,
        [*label_columns, *structure.columns],
        is_category,
    )
    if reader.is_by_row and not (structure.split_group or findings):
        # Of several files, columns that are not used are not kept.
        findings += table_ids.find_in_columns(
            frame, ignored, encoded, layout.splits
        )
    # The index of a category among those of training, NaN where missing.
    values = reader.channels(values, frame, files)
    x = values[:, :, None] if reader.is_by_row else layout.sequences.cut(values)
    listed = table_columns.list_columns(columns)
    spellings = (
        classes.spelling_notes(texts, encoded.class_names)
        if encoded.has_classes
        else []
    )
    categories = {
        name: column.categories
        for name, column in zip(columns, kinds, strict=bool(kinds))
    }
    return build.make_task(
        pathlib.Path(path).resolve().stem,
        x,
        answers,
        layout.splits,
        layout.split_by,
        reader,
        layout.names,
        notes=[
            f"{'tokens' if reader.is_by_row else 'width'}: the columns "
            f"{listed}, standardized",
            *format_notes,
            *columns_.notes(columns, kinds),
            *spellings,
            *unused_words,
            *label_notes,
            *left_out_notes,
            *layout.notes,
        ],
        groups=layout.groups,
        findings=[
            *layout.findings,
            *findings,
            *sampling_steps.find_telling(
                layout.steps,
                answers.compared,
                layout.splits,
                layout.groups,
                structure,
            ),
            *class_names_.marks_of_missing(
                encoded.class_names if encoded.has_classes else (), categories
            ),
            *class_names_.numbers_as_text(
                {
                    name: texts
                    for name, texts in categories.items()
                    if name not in named_categories
                }
            ),
            *class_names_.similar_categories(categories),
            *class_names_.codes_as_numbers(codes),
        ],
        strict=strict,
        verbose=verbose,
    )


def _large_task(
    files: large_files.LargeFiles,
    structure: table_structure.Structure,
    reading: large_rows.Reading,
    strict: bool,
    verbose: bool,
) -> Task | None:
    """The task of a table that does not fit into memory.

    Returns:
        A `Task`; `None` if the table is small, or must be read as a whole.
    """
    if files.num_bytes <= sequences.MAX_BYTES_IN_MEMORY:
        return None
    parts = files.frames()
    first = next(parts)
    if reading.words is not None:
        reading = reading._replace(words=_spelled(reading.words, first))
    make = large_windows if not structure.is_by_row else large_tables
    try:
        return make.make_task(
            files,
            itertools.chain([first], parts),
            structure,
            reading,
            strict,
            verbose,
        )
    except large_labels.NotInParts as error:
        path = files.known.paths[0]
        LOGGER.warning(f"`{path}` is read into memory as a whole: {error}")
        return None


def _spelled(words: tuple[str, ...], frame: "pd.DataFrame") -> tuple[str, ...]:
    """Marks of missing cells, as the cells of a table are written."""
    if "decimal comma" not in "; ".join(table_columns.format_notes(frame)):
        return words
    return tuple(map(table_text.with_decimal_point, words))


# `from_csv` reads tables of any format; its name is that of version 0.1.0.
from_table = from_csv
