"""Groups of a large table's rows, and the names of windows of them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data import given_files
from keras_fpt.tasks.user_data.tables import table_groups

if TYPE_CHECKING:
    import pandas as pd

# The number of rows that are processed at a time.
AT_ONCE = 2**20


class GroupRuns:
    """The groups of a table's rows, and the stretches of rows of each.

    In memory is what each group has. Where a group begins again after another
    one, the group of each row that follows is in a file.

    Args:
        files: the `Files` of the rows, whose sizes are not known yet.
        keys: strings, the columns of groups. If there is none, the rows of
            a file are a group.

    Attributes:
        names: list of strings, the groups in the order of appearance.
        sizes: int array `(groups,)`, the rows of each.
        first_rows: int array `(groups,)`, the first row of each.
        num_runs: int array `(groups,)`, how many stretches of rows each is.
        first_again: int, the first row of a group that begins again, or -1.
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
        self.sizes = np.zeros(0, int)
        self.first_rows = np.zeros(0, int)
        self.num_runs = np.zeros(0, int)
        self.first_again = -1
        self._number_of: dict[tuple[str, ...], int] = {}
        self._last = -1
        self._writer: sequence_store.SequenceWriter | None = None
        self._store: sequence_store.SequenceStore | None = None

    def close(self) -> None:
        """Removes the file, unless it is finished."""
        if self._writer is not None:
            self._writer.close()

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
        return self.first_again >= 0

    @property
    def starts(self) -> np.ndarray:
        """The place of the first row of each group, one after the other."""
        return np.cumsum(self.sizes) - self.sizes

    def numbers(self, part: slice) -> np.ndarray:
        """The groups of some successive rows, int array."""
        if not self.are_scattered:
            rows = np.arange(part.start, part.stop)
            return np.searchsorted(self.first_rows, rows, side="right") - 1
        if self._store is None:
            assert self._writer is not None
            self._store = self._writer.finish()
        return self._store[part][:, 0, 0]

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
        known = len(self.names)
        first_of = np.unique(numbers, return_index=True)[1]
        keys = table_groups.keys_of(frame.iloc[first_of], self._keys)
        of_group = np.empty(len(names), int)
        for place, (key, name) in enumerate(zip(keys, names, strict=True)):
            number = self._number_of.setdefault((path, *key), len(self.names))
            if number == len(self.names):
                self.names.append(name)
            of_group[place] = number
        own = of_group[numbers]
        new = np.zeros(len(self.names) - known, int)
        self.sizes = np.append(self.sizes, new)
        self.sizes += np.bincount(own, minlength=len(self.names))
        starts = np.flatnonzero(np.diff(own, prepend=self._last))
        self.num_runs = np.append(self.num_runs, new)
        self.num_runs += np.bincount(own[starts], minlength=len(self.names))
        self._last = int(own[-1])
        # Groups are numbered as they appear, so a new one has the next number.
        highest = np.maximum.accumulate(np.append(known - 1, own[starts]))
        is_new = np.diff(highest) > 0
        if not self.are_scattered and not is_new.all():
            self._scatter(first)
            self.first_again = first + int(starts[np.argmin(is_new)])
        self.first_rows = np.append(self.first_rows, first + starts[is_new])
        if self._writer is not None:
            self._writer.extend(own.astype(np.int32)[:, None, None])

    def _scatter(self, size: int) -> None:
        """Begins the file of groups, with those of the first rows."""
        self._writer = sequence_store.SequenceWriter()
        for start in range(0, size, AT_ONCE):
            own = self.numbers(slice(start, min(start + AT_ONCE, size)))
            self._writer.extend(own.astype(np.int32)[:, None, None])


class WindowNames:
    """The names of windows, which are made when they are needed.

    Args:
        runs: the `GroupRuns` of the rows.
        groups: int array `(n,)`, the group of each window.
        starts: int array `(n,)`, the place of the first row of each window.
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
        self._first = runs.starts
        self._groups = groups
        self._starts = starts
        self._lengths = lengths

    def __getitem__(self, index: int) -> str:
        group = int(self._groups[index])
        first = int(self._starts[index] - self._first[group])
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
