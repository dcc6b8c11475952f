"""Tables of more rows than fit into memory, and their splits' files."""

import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np

from keras_fpt.tasks.user_data import given_files
from keras_fpt.tasks.user_data.arrays import (
    arrow_folders,
    arrow_frames,
    arrow_streams,
)
from keras_fpt.tasks.user_data.tables import table_files, table_folders

if TYPE_CHECKING:
    import pandas as pd


class LargeFiles:
    """The files of a table, or of a train, a validation and a test split.

    Args:
        paths: dict from splits to paths, in their order; a single path is of
            all examples.
        header: as for `from_csv`.
        encoding: as for `from_csv`.
        texts: strings, the columns of text, see `table_files.read_table`.
    """

    def __init__(
        self,
        paths: Mapping[str, str | os.PathLike],
        header: bool | None,
        encoding: str | None,
        texts: Sequence[str] = (),
    ) -> None:
        self._paths = paths
        self._header = header
        self._encoding = encoding
        self._texts = texts
        self._sizes = [0] * len(paths)
        # The splits that a saved data set has, and how many rows each has.
        self._own: dict[str, int] = {}
        # Which rows of each file are kept; all if it is empty.
        self._is_kept: list[np.ndarray] = []

    def without(self, is_left_out: np.ndarray) -> Self:
        """The files without some of their rows, which have been read.

        Args:
            is_left_out: bool array `(rows,)`.
        """
        found = copy.copy(self)
        ends = np.cumsum(self._sizes)[:-1]
        found._is_kept = np.split(~is_left_out, ends)
        return found

    @property
    def num_bytes(self) -> int:
        """Roughly, how many bytes the cells take as numbers."""
        return sum(map(_num_bytes, self._paths.values()))

    @property
    def known(self) -> given_files.Files:
        """The files, and how many rows of each have been read."""
        return given_files.Files(
            tuple(map(str, self._paths.values())),
            tuple(self._sizes),
            tuple(self._paths) if len(self._paths) > 1 else None,
            self._places(),
        )

    def _places(self) -> np.ndarray | None:
        """The place in its file of each row that has been read."""
        if not self._is_kept:
            return None
        pairs = zip(self._is_kept, self._sizes, strict=True)
        return np.concatenate([np.flatnonzero(k)[:n] for k, n in pairs])

    def where(self, row: int) -> str:
        """Words that say where a row is that has been read."""
        return self.known.where(row)

    def frames(self) -> Iterator["pd.DataFrame"]:
        """Yields the rows, some at a time, of one file after the other.

        The index counts the rows of a file, and `path_of` says which it is.
        """
        self._sizes = [0] * len(self._paths)
        self._own = {}
        for number, path in enumerate(self._paths.values()):
            for frame, split in self._frames_of(path):
                if self._is_kept:
                    frame = frame[self._is_kept[number][frame.index]]
                if split is not None:
                    self._own[split] = self._own.get(split, 0) + len(frame)
                frame.attrs["path"] = str(path)
                self._sizes[number] += len(frame)
                yield frame

    def _frames_of(
        self, path: str | os.PathLike
    ) -> Iterator[tuple["pd.DataFrame", str | None]]:
        """Yields parts of a file, and the split that each has there."""
        if not arrow_folders.is_saved_dataset(path):
            for frame in table_files.read_chunks(
                path, self._header, self._encoding, self._texts
            ):
                yield frame, None
            return
        has_own = len(arrow_folders.split_folders(path)) > 1
        if has_own and len(self._paths) > 1:
            raise given_files.has_splits_already(path)
        for frame, split in arrow_frames.read_frames(path):
            yield frame, split if has_own else None

    def row_splits(self) -> tuple[np.ndarray, list[str]] | None:
        """The number of each row's split, uint8 array, and the splits' names.

        `None` if no splits are given.
        """
        sizes = self._own
        if len(self._paths) > 1:
            sizes = dict(zip(self._paths, self._sizes, strict=True))
        if not sizes:
            return None
        numbers = np.arange(len(sizes), dtype=np.uint8)
        return np.repeat(numbers, [*sizes.values()]), [*sizes]


def _num_bytes(path: str | os.PathLike) -> int:
    if arrow_folders.is_saved_dataset(path):
        return arrow_streams.num_bytes(path)
    return table_folders.num_bytes(path)


def path_of(frame: "pd.DataFrame") -> str:
    """The file that some rows of `LargeFiles` are from."""
    return frame.attrs["path"]
