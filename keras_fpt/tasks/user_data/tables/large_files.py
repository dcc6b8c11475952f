"""Tables of more rows than fit into memory, and their splits' files."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data import given_files
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

    @property
    def num_bytes(self) -> int:
        """Roughly, how many bytes the cells take as numbers."""
        return sum(map(table_folders.num_bytes, self._paths.values()))

    @property
    def known(self) -> given_files.Files:
        """The files, and how many rows of each have been read."""
        return given_files.Files(
            tuple(map(str, self._paths.values())),
            tuple(self._sizes),
            tuple(self._paths) if len(self._paths) > 1 else None,
        )

    def where(self, row: int) -> str:
        """Words that say where a row is that has been read."""
        return self.known.where(row)

    def frames(self) -> Iterator["pd.DataFrame"]:
        """Yields the rows, some at a time, of one file after the other.

        The index counts the rows of a file, and `path_of` says which it is.
        """
        self._sizes = [0] * len(self._paths)
        for number, path in enumerate(self._paths.values()):
            for frame in table_files.read_chunks(
                path, self._header, self._encoding, self._texts
            ):
                frame.attrs["path"] = str(path)
                self._sizes[number] += len(frame)
                yield frame

    def row_splits(self) -> np.ndarray | None:
        """The number of each row's file, uint8 array; `None` if it is one."""
        if len(self._paths) == 1:
            return None
        numbers = np.arange(len(self._paths), dtype=np.uint8)
        return np.repeat(numbers, self._sizes)


def path_of(frame: "pd.DataFrame") -> str:
    """The file that some rows of `LargeFiles` are from."""
    return frame.attrs["path"]
