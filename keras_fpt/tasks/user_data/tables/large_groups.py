"""The groups of a large table's rows, and findings about them."""

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data import audit, given_files
from keras_fpt.tasks.user_data.tables import (
    group_runs,
    large_files,
    table_groups,
)

if TYPE_CHECKING:
    import pandas as pd

# Among more stretches of rows, no column that separates them is looked for.
MOST_STRETCHES = 2**18


class GroupNumbers:
    """Numbers the groups of rows, in the order of their appearance.

    Args:
        keys: strings, the columns of groups.
        may_lack: bool, whether a row that is left out may have no group.
    """

    def __init__(self, keys: Sequence[str], may_lack: bool = False) -> None:
        self._keys = keys
        self._may_lack = may_lack
        self._lack: dict[str, list[np.ndarray]] = {name: [] for name in keys}
        self._number_of: dict[tuple[str, ...], int] = {}
        self._parts: list[np.ndarray] = []

    def add(self, frame: "pd.DataFrame") -> None:
        """Adds the groups of some rows."""
        path, size = large_files.path_of(frame), len(frame)
        is_known = np.ones(size, bool)
        if self._may_lack:
            lacking = table_groups.lack_group(frame, self._keys, path)
            for name, is_missing in lacking.items():
                self._lack[name].append(is_missing)
                is_known &= ~is_missing
            frame = frame[is_known]
        files = given_files.Files(
            (path,), (len(frame),), places=frame.index.to_numpy()
        )
        groups = table_groups.find_groups(frame, self._keys, files)
        number_of = self._number_of
        first_rows = frame.iloc[groups.first_rows]
        numbers = np.array(
            [
                number_of.setdefault((path, *key), len(number_of))
                for key in table_groups.keys_of(first_rows, self._keys)
            ],
            int,
        )
        found = np.zeros(size, np.min_scalar_type(len(number_of)))
        found[is_known] = numbers[groups.numbers]
        self._parts.append(found)

    def check(
        self, is_left_out: np.ndarray | None, where: Callable[[int], str]
    ) -> None:
        """Raises `ValueError` if a row that is not left out has no group.

        Args:
            is_left_out: bool array `(rows,)`, or `None`.
            where: function from a row to words that say where it is.
        """
        for name, parts in self._lack.items():
            lacking = np.concatenate([np.zeros(0, bool), *parts])
            if is_left_out is not None:
                lacking &= ~is_left_out
            if lacking.any():
                raise table_groups.missing_group(
                    name, where(int(np.argmax(lacking)))
                )

    def numbers(self) -> np.ndarray:
        """The number of each row's group, of a small dtype."""
        return np.concatenate(self._parts)


def find_scattered(
    runs: group_runs.GroupRuns,
    files: large_files.LargeFiles,
    keys: Sequence[str],
) -> list[audit.Finding]:
    """Finds groups whose rows do not follow one another, as `scattered`.

    Args:
        runs: the `GroupRuns` of the rows.
        files: the `LargeFiles`, which are read again if there are such groups.
        keys: strings, the columns of groups.
    """
    row, count = runs.first_again, int(runs.num_runs.sum())
    if not runs.are_scattered:
        return []
    missing = None
    if count <= MOST_STRETCHES:
        # A copy, since the files count what has been read.
        frames = copy.copy(files).frames()
        missing = _column_that_separates(frames, runs, keys)
    number = int(runs.numbers(slice(row, row + 1))[0])
    return [
        table_groups.scattered_groups(
            runs.names[number],
            row,
            int(runs.num_runs[number]),
            len(runs.names),
            count,
            keys,
            missing,
        )
    ]


def _column_that_separates(
    frames: Iterable["pd.DataFrame"],
    runs: group_runs.GroupRuns,
    keys: Sequence[str],
) -> str | None:
    """A column with which each stretch of rows becomes a separate group."""
    first, last = 0, -1
    others: dict[str, _Separating] | None = None
    for frame in frames:
        if others is None:
            names = [name for name in frame.columns if name not in keys]
            if len(names) > table_groups.MOST_COLUMNS:
                return None
            others = {name: _Separating() for name in names}
        numbers = runs.numbers(slice(first, first + len(frame)))
        is_first = np.diff(numbers, prepend=last) != 0
        for name in [*others]:
            if name not in frame or not others[name].add(
                frame[name], numbers, is_first
            ):
                del others[name]
        if not others:
            return None
        first, last = first + len(frame), int(numbers[-1])
    return next(
        (name for name, each in (others or {}).items() if each.are_different),
        None,
    )


class _Separating:
    """Whether the cells of a column separate stretches of rows."""

    def __init__(self) -> None:
        self._last: np.ndarray = np.zeros(0, np.uint64)
        self._pairs: list[np.ndarray] = []

    def add(
        self, cells: "pd.Series", numbers: np.ndarray, is_first: np.ndarray
    ) -> bool:
        """Adds some rows; returns whether the column may separate stretches.

        Args:
            cells: `pandas.Series` of the column.
            numbers: int array `(rows,)`, the group of each row.
            is_first: bool array `(rows,)`, which rows begin a stretch.
        """
        import pandas as pd

        if pd.api.types.is_numeric_dtype(cells):
            cells = cells.astype(float)  # Another part may have fractions.
        hashes = pd.util.hash_pandas_object(cells, index=False).to_numpy()
        before = self._last if len(self._last) else ~hashes[:1]
        is_other = np.concatenate([before, hashes[:-1]]) != hashes
        self._last = hashes[-1:]
        own = numbers[is_first].astype(np.uint64)
        self._pairs.append(np.stack([own, hashes[is_first]]))
        return not (is_other & ~is_first).any() and _differ(self._pairs[-1:])

    @property
    def are_different(self) -> bool:
        """Whether no two stretches of a group have the same cells."""
        return _differ(self._pairs)


def _differ(pairs: Sequence[np.ndarray]) -> bool:
    found = np.concatenate(pairs, axis=1)
    return len(np.unique(found, axis=1).T) == len(found.T)
