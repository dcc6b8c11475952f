"""Tables of numbers: a row, a group or a window of rows is a sequence.

Tables whose text is read are in `strings.py`.
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import (
    build,
    classes,
    sequences,
    splitting,
    table_files,
    table_layout,
)
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path

# Of the numbers in a column.
MAGNITUDES = (1e-140, 1e140)
IGNORE_ADVICE = " To leave a column out, use ignore_column (--ignore-column)."


@dataclasses.dataclass(frozen=True)
class TableReader:
    """How rows of a table become sequences of standardized numbers.

    Args:
        columns: tuple of strings, the columns that are read.
        mean: tuple of floats, the mean of each column in the training rows.
        scale: tuple of floats, the standard deviation of each column.
        group_column: string or `None`, see `from_csv`.
        window: int or `None`, see `from_csv`.
        stride: int or `None`, see `from_csv`.
    """

    columns: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    group_column: str | None = None
    window: int | None = None
    stride: int | None = None

    def __post_init__(self) -> None:
        _check_window(self.window, self.stride)
        if self.window is not None and self.stride is None:
            raise ValueError("A reader with a window needs a stride.")
        if not len(self.columns) == len(self.mean) == len(self.scale):
            raise ValueError(
                f"Expected a mean and a scale for each of {len(self.columns)} "
                f"columns but received {len(self.mean)} and {len(self.scale)}."
            )
        is_usable = np.isfinite(self.mean) & np.isfinite(self.scale)
        if not (is_usable & (np.array(self.scale) > 0)).all():
            raise ValueError(
                "Expected finite means and scales above 0 for the columns."
            )

    def read(self, path: str | os.PathLike) -> tuple[Any, list[str]]:
        """Reads the sequences of a new file, and their names.

        Raises:
            ValueError: as for `from_csv`; labels are not needed.
        """
        frame = table_files.read_table(path)
        values = self.standardized(
            table_files.numbers(frame, self.columns, path), path
        )
        parts = table_layout.group_rows(frame, self.group_column, path)
        if self.window is not None and self.stride is not None:
            if self.group_column is None:
                parts = table_layout.series(frame)
            for name, rows in parts:
                if len(rows) < self.window:
                    raise ValueError(
                        f"`{path}`, {name}: {len(rows)} rows are fewer than a "
                        f"window of {self.window}."
                    )
            parts = [
                window
                for group in parts
                for window in table_layout.windows(
                    group, self.window, self.stride
                )
            ]
        rows_of = [rows for _, rows in parts]
        x = table_layout.cut(values, rows_of, self.is_by_row)
        return x, [name for name, _ in parts]

    @property
    def is_by_row(self) -> bool:
        """Whether each row is a sequence, and each of its cells a token."""
        return self.group_column is None and self.window is None

    def standardized(
        self, values: np.ndarray, path: str | os.PathLike
    ) -> np.ndarray:
        """Scales rows `(rows, columns)` as the training rows were scaled.

        Raises:
            ValueError: a number is too far from those of training.
        """
        with np.errstate(over="ignore"):
            scaled = sequences.standardized(values, self.mean, self.scale)
        wrong = np.argwhere(~np.isfinite(scaled))
        if len(wrong):
            row, index = wrong[0]
            raise ValueError(
                f"`{path}`, row {row + 1}, column '{self.columns[index]}': "
                f"{values[row, index]:g} is too large. In training, the "
                f"column's standard deviation is {self.scale[index]:g}."
            )
        return scaled


@prefix_errors_with_path
def from_csv(
    path: str | os.PathLike,
    label_column: str,
    group_column: str | None = None,
    window: int | None = None,
    stride: int | None = None,
    split_column: str | None = None,
    ignore_column: str | Sequence[str] = (),
    verbose: bool = True,
) -> Task:
    """Makes a task from a table of numbers.

    Each row is a sequence whose tokens are its cells. With `group_column`,
    all rows that have the same value there are one sequence, whose tokens
    are the rows, in the order of the file. With `window`, that many
    successive rows are one sequence. Columns are standardized with the mean
    and the standard deviation of the training rows.

    A fixed, seeded fifth of the sequences is for testing and a tenth of the
    rest for validation, and each split has the same share of each class. A
    long time series (only `window`) is split by time instead: the last
    fifth of its rows is for testing, and the tenth before it for validation;
    no window holds rows of two splits. With both `group_column` and
    `window`, whole groups, e.g. recordings, go to one split.

    Args:
        path: a `.csv` or `.tsv` file with a header, in UTF-8.
        label_column: string. All rows of a group must have the same label; a
            window has the most common label of its rows.
        group_column: string, or `None`.
        window: int, rows per window, or `None`.
        stride: int, rows from one window to the next; `None` is `window`.
        split_column: string, a column that holds `train`, `validation` or
            `test`; `None` splits as above.
        ignore_column: string or strings, columns that are not used.
        verbose: bool, whether to log a description of the data.

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
    _check_window(window, stride)
    if window is not None and split_column is not None:
        raise ValueError("Give window or split_column, not both.")
    frame = table_files.read_table(path)
    ignored = (
        [ignore_column] if isinstance(ignore_column, str) else ignore_column
    )
    not_values = [
        name
        for name in (label_column, group_column, split_column, *ignored)
        if name is not None
    ]
    for name in not_values:
        table_files.column(frame, name, path)
    columns = tuple(name for name in frame.columns if name not in not_values)
    if not columns:
        raise ValueError(f"`{path}` has no columns other than {not_values}.")
    values = table_files.numbers(frame, columns, path, IGNORE_ADVICE)
    labels, class_names = classes.encode_labels(
        frame[label_column].to_numpy(str),
        lambda row: f"`{path}`, row {row + 1}",
    )
    if window is not None and group_column is None:
        stride = stride or window
        layout = table_layout.windows_by_time(len(values), window, stride, path)
    else:
        groups = table_layout.group_rows(frame, group_column, path)
        y = (
            table_layout.group_labels(groups, labels, class_names, path)
            if window is None
            else table_layout.majority_labels(
                [rows for _, rows in groups], labels
            )
        )
        layout = table_layout.split_groups(frame, groups, y, split_column, path)
        if window is not None and group_column is not None:
            stride = stride or window
            layout = table_layout.windows_of_groups(
                layout, window, stride, group_column
            )
    rows_of = layout.rows
    y = table_layout.majority_labels(rows_of, labels)
    splitting.check_splits(layout.splits, y, class_names)

    train_rows = np.unique(
        np.concatenate([rows_of[i] for i in layout.splits["train"]])
    )
    _check_magnitudes(values[train_rows], columns, path)
    mean, scale = sequences.statistics(values[train_rows])
    reader = TableReader(
        columns,
        tuple(mean.tolist()),
        tuple(scale.tolist()),
        group_column,
        window,
        stride,
    )
    listed = table_files.list_columns(columns)
    return build.make_task(
        pathlib.Path(path).resolve().stem,
        table_layout.cut(
            reader.standardized(values, path), rows_of, reader.is_by_row
        ),
        y,
        class_names,
        layout.splits,
        layout.split_by,
        reader,
        [name for name, _ in layout.parts],
        notes=[
            f"{'tokens' if reader.is_by_row else 'width'}: the columns "
            f"{listed}, standardized",
            *layout.notes,
        ],
        groups=layout.groups,
        verbose=verbose,
    )


def _check_magnitudes(
    values: np.ndarray, columns: Sequence[str], path: str | os.PathLike
) -> None:
    """Checks that float64 can hold the squares of a table's numbers.

    Without them there is no standard deviation, and a column would become
    zeros.
    """
    low, high = MAGNITUDES
    largest = np.abs(values).max(axis=0)
    wrong = np.flatnonzero((largest > high) | ((largest > 0) & (largest < low)))
    if len(wrong):
        raise ValueError(
            f"`{path}`, column '{columns[wrong[0]]}': its largest number is "
            f"{largest[wrong[0]]:g} in magnitude, which cannot be "
            f"standardized. Expected one from {low:g} to {high:g}. Rescale the "
            f"column.{IGNORE_ADVICE}"
        )


def _check_window(window: int | None, stride: int | None) -> None:
    for name, value in (("window", window), ("stride", stride)):
        if value is not None and value < 1:
            raise ValueError(
                f"Expected {name} to be at least 1 but received {value}."
            )
    if stride is not None and window is None:
        raise ValueError("A stride needs a window.")
