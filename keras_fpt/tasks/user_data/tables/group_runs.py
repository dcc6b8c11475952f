"""Groups of a large table's rows, and the names of windows of them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data import given_files
from keras_fpt.tasks.user_data.tables import table_groups

if TYPE_CHECKING:
    import pandas as pd

_WHOLE = re.compile(r"\.0+(?=,|$)")


class GroupRuns:
    """The groups of a table's rows, each a stretch of successive rows.

    Args:
        files: the `Files` of the rows, whose sizes are not known yet.
        keys: strings, the columns of groups. If there is none, the rows of
            a file are a group.
    """

    def __init__(self, files: given_files.Files, keys: Sequence[str]) -> None:
        self._keys = keys
        self._path = files.paths[0]
        self._name_of = dict(
            zip(
                files.paths, files.names or [""] * len(files.paths), strict=True
            )
        )
        self.names: list[str] = []
        self.starts: list[int] = []

    def watch(
        self, frames: Iterable["pd.DataFrame"]
    ) -> Iterator["pd.DataFrame"]:
        """Yields the parts of a table, and notes the groups of their rows."""
        first = 0
        for frame in frames:
            if len(frame):
                self._add(frame, first)
            first += len(frame)
            yield frame

    @property
    def are_scattered(self) -> bool:
        """Whether a group begins again after another one."""
        return len(set(map(spelled, self.names))) < len(self.names)

    def _add(self, frame: "pd.DataFrame", first: int) -> None:
        path = frame.attrs.get("path", self._path)
        name_of_file = self._name_of[path]
        names, numbers = [name_of_file or "series"], np.zeros(len(frame), int)
        if self._keys:
            files = given_files.Files(
                (path,), (len(frame),), places=frame.index.to_numpy()
            )
            numbers, names = table_groups.find_groups(frame, self._keys, files)
            if name_of_file:
                names = [f"{name_of_file}, {name}" for name in names]
        changes = np.flatnonzero(np.diff(numbers, prepend=-1))
        for place in changes.tolist():
            name = names[numbers[place]]
            if self.names and spelled(name) == spelled(self.names[-1]):
                continue
            self.names.append(name)
            self.starts.append(first + place)


class WindowNames:
    """The names of windows, which are made when they are needed.

    Args:
        runs: the `GroupRuns` of the rows.
        groups: int array `(n,)`, the group of each window.
        starts: int array `(n,)`, the first row of each window.
        lengths: int array `(n,)`, how many rows each has.
    """

    def __init__(
        self,
        runs: GroupRuns,
        groups: np.ndarray,
        starts: np.ndarray,
        lengths: np.ndarray,
    ) -> None:
        self._runs = runs
        self._groups = groups
        self._starts = starts
        self._lengths = lengths

    def __getitem__(self, index: int) -> str:
        group = int(self._groups[index])
        first = int(self._starts[index]) - self._runs.starts[group]
        name = self._runs.names[group]
        return f"{name}, rows {first + 1}-{first + self._lengths[index]}"

    def select(self, indices: np.ndarray) -> "WindowNames":
        """The names of some of the windows."""
        return WindowNames(
            self._runs,
            self._groups[indices],
            self._starts[indices],
            self._lengths[indices],
        )

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[str]:
        return map(self.__getitem__, range(len(self)))


def spelled(name: str) -> str:
    """The name of a group, in which 3.0 is 3."""
    return _WHOLE.sub("", name)
