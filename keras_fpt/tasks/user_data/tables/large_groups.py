"""The number of the group of each row of a large table."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data import given_files
from keras_fpt.tasks.user_data.tables import (
    group_runs,
    large_files,
    table_groups,
)

if TYPE_CHECKING:
    import pandas as pd


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
        self._number_of: dict[tuple[str, str], int] = {}
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
        numbers = np.array(
            [
                number_of.setdefault(
                    (path, group_runs.spelled(name)), len(number_of)
                )
                for name in groups.names
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
