"""Tables: a row, a group of rows, or a window of rows as a sequence."""

import csv
import dataclasses
import pathlib
from typing import NamedTuple

import numpy as np

from keras_fpt.tasks.user_data import build, classes, sequences, splitting
from keras_fpt.tasks.user_data.source_errors import names_source

LEAVE_OUT = " A column can be left out with ignore_column (--ignore-column)."


@dataclasses.dataclass(frozen=True)
class TableReader:
    """How rows of a table become sequences of standardised numbers.

    Args:
        columns: tuple of strings, the columns that are read.
        mean: tuple of floats, of each column in the training rows.
        scale: tuple of floats, the standard deviations.
        group_column: string, see `from_csv`; likewise the two below.
        window: int or `None`.
        stride: int or `None`.
    """

    columns: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    group_column: str | None = None
    window: int | None = None
    stride: int | None = None

    def __post_init__(self):
        _check_window(self.window, self.stride)
        if self.window is not None and self.stride is None:
            raise ValueError("A reader of windows needs their stride.")
        if not len(self.columns) == len(self.mean) == len(self.scale):
            raise ValueError(
                f"Expected a mean and a scale for each of {len(self.columns)} "
                f"columns but received {len(self.mean)} and {len(self.scale)}."
            )

    def read(self, path):
        """The sequences of a new file, and their names.

        Raises:
            ValueError: as `from_csv` does; labels are not needed.
        """
        frame = read_table(path)
        values = self.standardized(numbers(frame, self.columns, path))
        groups = group_rows(frame, self.group_column, path)
        if self.window is not None:
            if self.group_column is None:
                groups = series(frame)
            for name, rows in groups:
                if len(rows) < self.window:
                    raise ValueError(
                        f"`{path}`, {name}: {len(rows)} rows are fewer than a "
                        f"window of {self.window}."
                    )
            groups = [
                part
                for group in groups
                for part in windows(group, self.window, self.stride)
            ]
        x = cut(values, [rows for _, rows in groups], self.is_by_row)
        return x, [name for name, _ in groups]

    @property
    def is_by_row(self):
        """Whether a row is a sequence; each of its cells is then a token."""
        return self.group_column is None and self.window is None

    def standardized(self, values):
        """Rows `(rows, columns)` scaled as the training rows are."""
        return sequences.standardized(values, self.mean, self.scale)


@names_source
def from_csv(
    path,
    label_column,
    group_column=None,
    window=None,
    stride=None,
    split_column=None,
    ignore_column=(),
    verbose=True,
):
    """A task from a table of numbers.

    A row is a sequence whose tokens are its cells; or, with `group_column`,
    all rows with one value there are a sequence whose tokens are rows, in the
    order of the file; or, with `window`, so many successive rows are one.
    Columns are standardised with the mean and deviation of training rows.

    A fixed, seeded fifth of the sequences is for testing and a tenth of the
    rest for validation, with the share of each class kept. A long time series
    is cut by time instead: the last fifth of its rows is for testing, and
    the tenth before for validation; no window holds rows of two splits. With
    both `group_column` and `window`, whole groups (say, recordings) go to
    one split.

    Args:
        path: a `.csv` or `.tsv` file with a header, in UTF-8.
        label_column: string. A group's rows must agree in it; a window has
            the commonest label of its rows.
        group_column: string, or `None`.
        window: int, rows a window, or `None`.
        stride: int, rows from one window to the next; `None` is `window`.
        split_column: string, a column that says `train`, `validation` or
            `test`; `None` splits as above.
        ignore_column: string or strings, columns that are not used.
        verbose: bool, whether to print what was found.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a column is missing; a row is ragged; a cell is no finite
            number; labels are missing or contradict each other; a class or a
            split is empty. It names the file and the row, counted from 1
            below the header.

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
    frame = read_table(path)
    special = [label_column, group_column, split_column]
    special = [name for name in special if name is not None]
    ignored = (
        [ignore_column] if isinstance(ignore_column, str) else ignore_column
    )
    special += ignored
    for name in special:
        column(frame, name, path)
    columns = tuple(name for name in frame.columns if name not in special)
    if not columns:
        raise ValueError(f"`{path}` has no column beside {special}.")
    values = numbers(frame, columns, path, LEAVE_OUT)
    labels, class_names = classes.number(
        frame[label_column].to_numpy(str), _where(path)
    )
    stride = stride or window
    if window is not None and group_column is None:
        layout = _windows_in_time(values, window, stride, path)
    else:
        groups = group_rows(frame, group_column, path)
        layout = _split_groups(
            frame, groups, labels, class_names, window, split_column, path
        )
        if window is not None:
            layout = _windows_of_groups(layout, window, stride, group_column)
    rows_of = [rows for _, rows in layout.parts]
    y = np.array([_commonest(labels[rows]) for rows in rows_of], np.int32)
    splitting.check(layout.places, y, class_names)

    train_rows = np.unique(
        np.concatenate([rows_of[i] for i in layout.places["train"]])
    )
    mean, scale = sequences.statistics(values[train_rows])
    reader = TableReader(
        columns,
        tuple(mean.tolist()),
        tuple(scale.tolist()),
        group_column,
        window,
        stride,
    )
    return build.task(
        pathlib.Path(path).resolve().stem,
        cut(reader.standardized(values), rows_of, reader.is_by_row),
        y,
        class_names,
        layout.places,
        layout.split_by,
        reader,
        [name for name, _ in layout.parts],
        notes=[
            f"{'tokens' if reader.is_by_row else 'width'}: the columns "
            f"{_listed(columns)}, standardised",
            *layout.notes,
        ],
        verbose=verbose,
    )


def read_table(path):
    """A table of text cells, a `pandas.DataFrame`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no table; a row has too few or too many cells.
    """
    import pandas as pd

    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file `{path}`.")
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    count = 0
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter=separator, strict=True)
            header = [name.strip() for name in next(rows, [])]
            _check_header(header, path)
            for row in rows:
                # pandas would fill up a short row, and skips blank lines too.
                if not row:
                    continue
                count += 1
                if len(row) != len(header):
                    raise ValueError(
                        f"`{path}`, row {count}: expected {len(header)} cells "
                        f"but received {len(row)}."
                    )
        if not count:
            raise ValueError(f"`{path}` has no rows below its header.")
        frame = pd.read_csv(
            path,
            sep=separator,
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            index_col=False,
            header=0,
            names=header,
        )
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"`{path}` is not a table in UTF-8, after row {count}: {error}"
        ) from error
    return frame.apply(lambda cells: cells.str.strip())


def _check_header(header, path):
    if "" in header:
        raise ValueError(
            f"`{path}`: column {header.index('') + 1} has no name. Name it, "
            "or, where it is pandas's index, write it with index=False."
        )
    twice = {name for name in header if header.count(name) > 1}
    if twice:
        raise ValueError(f"`{path}` has more than one column '{min(twice)}'.")


def column(frame, name, path):
    """A column of a table, a `pandas.Series` of strings.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in frame.columns:
        raise ValueError(
            f"`{path}` has no column '{name}'. It has "
            f"{_listed(list(frame.columns))}."
        )
    return frame[name]


def numbers(frame, columns, path, advice=""):
    """Some columns of a table as float64 `(rows, columns)`.

    Args:
        frame: what `read_table` returned.
        columns: sequence of strings.
        path: the table's, for errors.
        advice: string, the end of the error about a cell.

    Raises:
        ValueError: a column is missing, or a cell is not a finite number.
    """
    import pandas as pd

    values = np.empty((len(frame), len(columns)))
    for place, name in enumerate(columns):
        cells = column(frame, name, path)
        values[:, place] = pd.to_numeric(cells, errors="coerce")
        wrong = ~np.isfinite(values[:, place])
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(
                f"`{path}`, row {row + 1}, column '{name}': expected a finite "
                f"number but received '{cells.iloc[row]}'.{advice}"
            )
    return values


def group_rows(frame, group_column, path):
    """Names and rows of groups; a group a row where there is no column."""
    if group_column is None:
        return [(f"row {row + 1}", [row]) for row in range(len(frame))]
    cells = column(frame, group_column, path).to_numpy(str)
    rows_of = {}
    for row, cell in enumerate(cells.tolist()):
        rows_of.setdefault(cell, []).append(row)
    return [(f"{group_column} {cell}", rows) for cell, rows in rows_of.items()]


def series(frame):
    """All rows of a table as one group."""
    return [("series", list(range(len(frame))))]


def windows(group, window, stride):
    """The windows of a group's rows: names and rows.

    A window is named after its rows' places in the group, from 1.
    """
    name, rows = group
    for start in range(0, len(rows) - window + 1, stride):
        end = start + window
        yield f"{name}, rows {start + 1}-{end}", rows[start:end]


def cut(values, rows_of, is_by_row):
    """Sequences of tokens: cells of a row, or rows of several."""
    if is_by_row:
        return values[:, :, None]
    return sequences.stack([values[rows] for rows in rows_of])


class _Layout(NamedTuple):
    """Which rows make which sequence, and which sequences which split."""

    parts: list  # names and rows
    places: dict
    split_by: str
    notes: tuple = ()


def _windows_in_time(values, window, stride, path):
    places, parts = {}, []
    for split, rows in splitting.chronological(len(values)).items():
        found = [
            (f"series, rows {part[0] + 1}-{part[-1] + 1}", part)
            for _, part in windows(("", rows.tolist()), window, stride)
        ]
        if not found:
            raise ValueError(
                f"`{path}`: the {split} split has {len(rows):,} rows, fewer "
                f"than a window of {window}."
            )
        places[split] = np.arange(len(parts), len(parts) + len(found))
        parts += found
    return _Layout(parts, places, "by time")


def _split_groups(
    frame, groups, labels, class_names, window, split_column, path
):
    y = _group_labels(groups, labels, class_names, window, path)
    if split_column is None:
        return _Layout(groups, splitting.stratified(y), "seeded, stratified")
    splits = _agreed(frame[split_column], groups, split_column, path)
    places = splitting.given(splits, y, lambda i: f"`{path}`, {groups[i][0]}")
    return _Layout(groups, places, f"column {split_column}")


def _windows_of_groups(layout, window, stride, group_column):
    parts, places = [], {}
    for split, chosen in layout.places.items():
        start = len(parts)
        for group in chosen:
            parts += windows(layout.parts[group], window, stride)
        places[split] = np.arange(start, len(parts))
    short = sum(len(rows) < window for _, rows in layout.parts)
    notes = [f"left out: {short:,} groups shorter than a window"] * (short > 0)
    return _Layout(parts, places, f"seeded, by {group_column}", notes)


def _group_labels(groups, labels, class_names, window, path):
    if window is not None:
        return np.array([_commonest(labels[rows]) for _, rows in groups])
    for name, rows in groups:
        other = np.flatnonzero(labels[rows] != labels[rows[0]])
        if len(other):
            raise ValueError(
                f"`{path}`, row {rows[other[0]] + 1}: the label "
                f"'{class_names[labels[rows[other[0]]]]}' contradicts "
                f"'{class_names[labels[rows[0]]]}' in row {rows[0] + 1} of "
                f"the same group, {name}."
            )
    return np.array([labels[rows[0]] for _, rows in groups])


def _agreed(cells, groups, column, path):
    cells = cells.tolist()
    for name, rows in groups:
        other = [row for row in rows if cells[row] != cells[rows[0]]]
        if other:
            raise ValueError(
                f"`{path}`, row {other[0] + 1}: '{cells[other[0]]}' in "
                f"'{column}' contradicts '{cells[rows[0]]}' in row "
                f"{rows[0] + 1} of the same group, {name}."
            )
    return [cells[rows[0]] for _, rows in groups]


def _commonest(labels):
    return np.argmax(np.bincount(labels))


def _where(path):
    return lambda row: f"`{path}`, row {row + 1}"


def _listed(columns):
    shown = ", ".join(map(str, columns[:8]))
    return shown if len(columns) <= 8 else f"{shown}, ... ({len(columns)})"


def _check_window(window, stride):
    for name, value in (("window", window), ("stride", stride)):
        if value is not None and value < 1:
            raise ValueError(
                f"Expected {name} to be at least 1 but received {value}."
            )
    if stride is not None and window is None:
        raise ValueError("A stride needs a window.")
