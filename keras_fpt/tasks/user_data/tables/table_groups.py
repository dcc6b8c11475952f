"""Groups of a table's rows: equal values in some columns."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_fpt.tasks.user_data import audit, given_files
from keras_fpt.tasks.user_data.audit import class_names
from keras_fpt.tasks.user_data.tables import cells, table_columns

if TYPE_CHECKING:
    import pandas as pd

# Wider tables are not searched for the column that a key lacks.
MOST_COLUMNS = 100
# Spellings of more groups are not compared.
MOST_GROUPS = 20_000


_WHOLE = re.compile(r"^([+-]?\d+)\.0+$", re.ASCII)


class Groups(NamedTuple):
    """The group of each row of a table.

    Args:
        numbers: int array `(rows,)`, from 0 in the order of appearance.
        names: list of each group's name, e.g. `"subject 3, trial 1"`.
    """

    numbers: np.ndarray
    names: list[str]

    @property
    def first_rows(self) -> np.ndarray:
        """The first row of each group, int array `(groups,)`."""
        return np.unique(self.numbers, return_index=True)[1]


def find_groups(
    frame: "pd.DataFrame", columns: Sequence[str], files: given_files.Files
) -> Groups:
    """Groups rows by the values in some columns.

    Args:
        frame: `pandas.DataFrame`.
        columns: sequence of strings; if there is none, the rows of a file are
            a group.
        files: the `Files` that the rows are from. No group has rows of two.

    Raises:
        ValueError: a column does not exist, or a value is missing.
    """
    import pandas as pd

    numbers = np.repeat(np.arange(len(files.sizes)), files.sizes)
    for name in columns:
        values = table_columns.column(frame, name, files.paths[0])
        codes, distinct = pd.factorize(values)
        _check_none_is_missing(codes, distinct, name, files)
        spelled = [_spelled(value) for value in distinct]
        codes = pd.factorize(pd.Series(spelled, dtype=str))[0][codes]
        # Numbered again each time, so that products of many columns fit.
        numbers, _ = pd.factorize(numbers * len(distinct) + codes)
    first = Groups(numbers, []).first_rows
    words = [
        [f"{name} {value}" for value in frame[name].iloc[first]]
        for name in columns
    ]
    if files.names is not None:
        words.insert(0, np.repeat(files.names, files.sizes)[first].tolist())
    if not words:
        return Groups(numbers, ["series"])
    names = [", ".join(parts) for parts in zip(*words, strict=True)]
    return Groups(numbers, names)


def keys_of(
    frame: "pd.DataFrame", columns: Sequence[str]
) -> list[tuple[str, ...]]:
    """The key of each row, which is equal where `find_groups` finds a group.

    Args:
        frame: `pandas.DataFrame`.
        columns: sequence of strings; if there is none, all keys are equal.
    """
    if not columns:
        return [()] * len(frame)
    return [
        *zip(
            *([_spelled(value) for value in frame[name]] for name in columns),
            strict=True,
        )
    ]


def _spelled(value: Any) -> str:
    """A value as text; pandas writes 3 as 3.0 if a cell is empty."""
    return _WHOLE.sub(r"\1", str(value))


def check_constant(
    groups: Groups,
    values: np.ndarray,
    what: str,
    files: given_files.Files,
    advice: str = "",
) -> None:
    """Checks that all rows of a group have the same value.

    Args:
        groups: `Groups`.
        values: array `(rows,)`.
        what: string, what the values are, for errors.
        files: the `Files` that the rows are from.
        advice: string, added to the error.

    Raises:
        ValueError: rows of a group have different values.
    """
    first = groups.first_rows[groups.numbers]
    wrong = np.flatnonzero(values != values[first])
    if len(wrong):
        row = int(wrong[0])
        raise contradiction(
            files,
            row,
            int(first[row]),
            what,
            values.__getitem__,
            groups.names[groups.numbers[row]],
            advice,
        )


def contradiction(
    files: given_files.Files,
    row: int,
    other: int,
    what: str,
    value_of: Callable[[int], Any],
    group: str,
    advice: str = "",
) -> ValueError:
    """The error about two rows of a group that have different values.

    Args:
        files, what, advice: as for `check_constant`.
        row: int.
        other: int, the first row of the group.
        value_of: function from a row to its value.
        group: string, the group's name.
    """
    place = files.where(other).rsplit(", ", 1)[1]
    return ValueError(
        f"{files.where(row)}: {what} '{value_of(row)}' contradicts "
        f"'{value_of(other)}' in {place} of the same group, {group}.{advice}"
    )


def scattered(
    groups: Groups, frame: "pd.DataFrame", columns: Sequence[str]
) -> list[audit.Finding]:
    """Finds groups whose rows do not follow one another in the file.

    Args:
        groups: `Groups` by `columns`.
        frame: `pandas.DataFrame`.
        columns: sequence of strings.

    Returns:
        List of at most one `Finding`.
    """
    is_first = np.diff(groups.numbers, prepend=-1) != 0
    starts = np.flatnonzero(is_first)
    # Groups are numbered as they appear, so a new one has the next number.
    highest = np.maximum.accumulate(groups.numbers[starts])
    is_new = np.diff(highest, prepend=-1) > 0
    again = starts[~is_new]
    if not len(again):
        return []
    row = int(again[0])
    number = groups.numbers[row]
    return [
        scattered_groups(
            groups.names[number],
            row,
            int(np.sum(groups.numbers[starts] == number)),
            len(groups.names),
            len(starts),
            columns,
            _column_that_separates(groups, frame, columns, is_first),
        )
    ]


def scattered_groups(
    name: str,
    row: int,
    count: int,
    num_groups: int,
    num_stretches: int,
    columns: Sequence[str],
    missing: str | None,
) -> audit.Finding:
    """The finding about groups whose rows do not follow one another.

    Args:
        name: string, the first group that starts again.
        row: int, the row where it does.
        count: int, how many stretches of rows it is.
        num_groups: int, how many groups there are.
        num_stretches: int, how many stretches of rows they are.
        columns: sequence of strings, the columns of groups.
        missing: string, a column that separates the stretches, or `None`.
    """
    key = " and ".join(columns)
    flags = " ".join(f"--group-column {name}" for name in columns)
    advice = (
        "If they are different recordings, also name the column that "
        f"distinguishes them: {flags} --group-column {missing or 'COLUMN'}."
    )
    if missing is None:
        advice += " If not, sort the file, or give --time-column."
    message = (
        f"{name} starts again at row {row + 1}: its rows are "
        f"{count:,} stretches of the file, which are joined into one sequence "
        f"(the {num_groups:,} groups by {key} are {num_stretches:,} "
        "stretches)."
    )
    return audit.Finding("scattered-groups", message, advice)


class Spellings:
    """Finds groups that differ only in their spelling.

    Args:
        columns: sequence of strings, the columns of groups.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        # 3 and 3.0 are one, see `find_groups`.
        self._values: dict[str, dict[str, str]] = {name: {} for name in columns}

    def add(self, frame: "pd.DataFrame") -> None:
        """Adds some rows."""
        for name, values in self._values.items():
            if len(values) <= MOST_GROUPS:
                texts = table_columns.names(frame, name).unique().tolist()
                values.update({text.removesuffix(".0"): text for text in texts})

    def findings(self) -> list[audit.Finding]:
        """The findings of all columns with few groups."""
        return [
            finding
            for name, values in self._values.items()
            if len(values) <= MOST_GROUPS
            for finding in class_names.similar_groups([*values.values()], name)
        ]


def _column_that_separates(
    groups: Groups,
    frame: "pd.DataFrame",
    columns: Sequence[str],
    is_first: np.ndarray,
) -> str | None:
    """A column with which each stretch of rows becomes a separate group."""
    import pandas as pd

    others = [name for name in frame.columns if name not in columns]
    for name in others if len(others) <= MOST_COLUMNS else ():
        codes, distinct = pd.factorize(frame[name])
        changes = np.diff(codes, prepend=-2) != 0
        if (changes & ~is_first).any():
            continue
        keys = groups.numbers[is_first] * len(distinct) + codes[is_first]
        if len(np.unique(keys)) == len(keys):
            return str(name)
    return None


def _check_none_is_missing(
    codes: np.ndarray,
    distinct: "pd.Index",
    column: str,
    files: given_files.Files,
) -> None:
    wrong = np.flatnonzero(_are_missing(codes, distinct))
    if len(wrong):
        raise missing_group(column, files.where(int(wrong[0])))


def _are_missing(codes: np.ndarray, distinct: "pd.Index") -> np.ndarray:
    is_missing = [
        str(value).strip().lower() in cells.MISSING for value in distinct
    ]
    # `factorize` itself gives -1 to None and NaN.
    return np.array([*is_missing, True])[codes]


def lack_group(
    frame: "pd.DataFrame", columns: Sequence[str], path: str
) -> dict[str, np.ndarray]:
    """Which rows lack the value of a column of groups.

    Args:
        frame: `pandas.DataFrame`.
        columns: sequence of strings.
        path: the table's file, for errors.

    Returns:
        A dict from the columns to bool arrays `(rows,)`.
    """
    import pandas as pd

    return {
        name: _are_missing(
            *pd.factorize(table_columns.column(frame, name, path))
        )
        for name in columns
    }


def missing_group(column: str, where: str) -> ValueError:
    """The error that a row has no group.

    Args:
        column: string, the column of groups.
        where: string, where the row is.
    """
    return ValueError(
        f"{where}: the '{column}' is missing, so the row's group is unknown. "
        "Fill it in, or leave the row out."
    )
