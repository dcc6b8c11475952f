"""The records of FASTA files, which may not fit into memory.

Of large files, names and lengths are kept, and sequences are read again when
they are needed.
"""

import array
import itertools
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from keras_fpt.tasks import proteins
from keras_fpt.tasks.user_data import sequences

# So many names at a time are Python strings, which take much memory.
NAMES_AT_ONCE = 10_000


class Names:
    """Names of many records, which become strings when they are needed.

    Args:
        array: `pyarrow.LargeStringArray`.
    """

    def __init__(self, array: Any) -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: int) -> str:
        return self.array[int(index)].as_py()

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), NAMES_AT_ONCE):
            yield from self.array[first : first + NAMES_AT_ONCE].to_pylist()

    def select(self, indices: np.ndarray) -> "Names":
        """The names of some of the records."""
        return Names(self.array.take(np.asarray(indices)))


class Records:
    """The records of one or several FASTA files, in their order.

    Args:
        paths: dict from splits to the paths of files.

    Attributes:
        names: list of n strings, or `Names` of large files.
        lengths: int array `(n,)`, the letters of each sequence.
        sizes: list of ints, how many records each file has.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: as for `proteins.read_fasta`.
    """

    def __init__(self, paths: Mapping[str, str | os.PathLike]) -> None:
        self._paths = paths
        self.sizes: list[int] = []
        # The sequences, as long as they fit into memory.
        self._kept: list[str] | None = []
        self._num_bytes = 0
        lengths = array.array("q")
        parts: list[Any] = []
        for path in paths.values():
            before = len(lengths)
            parts += self._index(path, lengths)
            self.sizes.append(len(lengths) - before)
        self.lengths = np.frombuffer(lengths, np.int64)
        self.names: Any = Names(_joined(parts))
        if self._kept is not None:
            self.names = [*self.names]

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def is_large(self) -> bool:
        """Whether the sequences are read again when they are needed."""
        return self._kept is None

    @property
    def splits(self) -> np.ndarray:
        """The split of each record's file."""
        return np.repeat([*self._paths], self.sizes)

    def paths_of(self, indices: np.ndarray) -> Iterator[str | os.PathLike]:
        """Yields the files of some records."""
        paths = [*self._paths.values()]
        ends = np.cumsum(self.sizes)
        for number in np.searchsorted(ends, indices, side="right"):
            yield paths[number]

    def chosen(self, indices: np.ndarray) -> Iterator[str]:
        """Yields the sequences of some records, by their sorted indices."""
        is_chosen = np.zeros(len(self), bool)
        is_chosen[indices] = True
        return itertools.compress(self._sequences(), is_chosen)

    def _sequences(self) -> Iterator[str]:
        if self._kept is not None:
            yield from self._kept
            return
        for path in self._paths.values():
            for _, sequence, _ in proteins.iterate_fasta(path):
                yield sequence

    def _index(
        self, path: str | os.PathLike, lengths: "array.array[int]"
    ) -> list[Any]:
        """Reads a file once: adds its lengths, and returns its names."""
        import pyarrow as pa

        parts, names = [], []
        keys, lines = array.array("q"), array.array("q")
        for name, sequence, line in proteins.iterate_fasta(path):
            names.append(name)
            if len(names) == NAMES_AT_ONCE:
                parts.append(pa.array(names, pa.large_string()))
                names = []
            keys.append(hash(name))
            lines.append(line)
            lengths.append(len(sequence))
            self._num_bytes += len(sequence)
            if self._num_bytes > sequences.MAX_BYTES_IN_MEMORY:
                self._kept = None
            if self._kept is not None:
                self._kept.append(sequence)
        parts.append(pa.array(names, pa.large_string()))
        _check_unique(path, np.frombuffer(keys, np.int64), lines, parts)
        return parts


def _check_unique(
    path: str | os.PathLike,
    keys: np.ndarray,
    lines: "array.array[int]",
    parts: list[Any],
) -> None:
    """Raises `ValueError` if two names are equal, whose hashes then are."""
    order = np.argsort(keys, kind="stable")
    is_equal = np.diff(keys[order]) == 0
    if not is_equal.any():
        return
    names = Names(_joined(parts))
    is_either = np.append(is_equal, False) | np.append(False, is_equal)
    line_of: dict[str, int] = {}
    for i in np.sort(order[is_either]).tolist():
        name = names[i]
        if name in line_of:
            raise proteins.repeated_id(path, name, lines[i], line_of[name])
        line_of[name] = lines[i]


def _joined(parts: list[Any]) -> Any:
    import pyarrow as pa

    return pa.concat_arrays(parts)
