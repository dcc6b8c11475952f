"""The number of the group of each row of a large table."""

from collections.abc import Sequence
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
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys
        self._number_of: dict[tuple[str, str], int] = {}
        self._parts: list[np.ndarray] = []

    def add(self, frame: "pd.DataFrame") -> None:
        """Adds the groups of some rows."""
        path = large_files.path_of(frame)
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
            ]
        )
        small = np.min_scalar_type(len(number_of))
        self._parts.append(numbers[groups.numbers].astype(small))

    def numbers(self) -> np.ndarray:
        """The number of each row's group, of a small dtype."""
        return np.concatenate(self._parts)
