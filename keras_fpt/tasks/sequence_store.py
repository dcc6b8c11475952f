"""Sequences in a file on disk, read a few at a time.

The file is an Arrow IPC file of small record batches, each of which contains
the bytes of some successive sequences. Batches are read by their position in
the file rather than mapped into memory, so that a process takes no more memory
for a large file than for a small one.
"""

import functools
import math
import os
import pathlib
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from keras_fpt.files import cache
from keras_fpt.tasks import ranges

# A record batch is read to get one of its sequences.
BATCH_BYTES = 2**15
# Sequences that are read in order are often in the batch that was read last.
BATCHES_KEPT = 4
CHUNK_BYTES = 2**22
FOLDER = "streams"


class SequenceStore:
    """Sequences in a temporary file, which looks like a NumPy array.

    `store[indices]` reads sequences, where `indices` is a slice or an int
    array. They are an array `(len(indices), *store.shape[1:])` if all have one
    shape. If their lengths differ, they are all tokens of these sequences, one
    after the other, and `store.lengths[indices]` says how many tokens each
    has.

    A `SequenceWriter` makes it.

    Args:
        path: path of the file. Its name is removed once it is open, so that its
            space is free as soon as the process ends, in whatever way. Where
            open files cannot be removed, it stays in the cache.
        starts: int array, the first sequence of each record batch.
        shape: tuple `(n, ...)`, the shape of all sequences. If lengths differ,
            the second number is that of the longest.
        dtype: NumPy dtype.
        lengths: int32 array `(n,)`, or `None` if all sequences have one shape.
    """

    def __init__(
        self,
        path: pathlib.Path,
        starts: np.ndarray,
        shape: tuple[int, ...],
        dtype: np.dtype,
        lengths: np.ndarray | None,
    ) -> None:
        import pyarrow as pa

        self.shape = shape
        self.dtype = dtype
        self.lengths = lengths
        self._starts = starts
        self._reader = pa.ipc.open_file(pa.OSFile(str(path)))
        self._lock = threading.Lock()
        self._batch = functools.lru_cache(BATCHES_KEPT)(self._read_batch)
        if os.name == "posix":
            path.unlink()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: slice | Sequence[int] | np.ndarray) -> Any:
        if isinstance(index, slice):
            index = np.arange(*index.indices(len(self)))
        indices = np.asarray(index, np.int64)
        if indices.size and not 0 <= indices.min() <= indices.max() < len(self):
            raise IndexError(
                f"Expected indices from 0 to {len(self) - 1:,} but received "
                f"{indices.min():,} to {indices.max():,}."
            )
        if self.lengths is None:
            found = np.empty((len(indices), *self.shape[1:]), self.dtype)
        else:
            ends = np.cumsum(self.lengths[indices])
            count = int(ends[-1]) if len(ends) else 0
            found = np.empty((count, *self.shape[2:]), self.dtype)
        batch_of = np.searchsorted(self._starts, indices, "right") - 1
        order = np.argsort(batch_of, kind="stable")
        changes = np.flatnonzero(np.diff(batch_of[order])) + 1
        for places in np.split(order, changes) if len(order) else ():
            number = int(batch_of[places[0]])
            sequences = self._batch(number)
            rows = indices[places] - self._starts[number]
            if self.lengths is None:
                found[places] = sequences[rows]
            else:
                # Copied, since a view of one keeps all of its batch.
                for end, row in zip(ends[places], rows, strict=True):
                    found[end - len(sequences[row]) : end] = sequences[row]
        return found

    def _read_batch(self, number: int) -> Any:
        """The sequences of a record batch: an array, or a list of arrays."""
        with self._lock:
            column = self._reader.get_batch(number).column(0)
        *_, data = column.buffers()
        values = np.frombuffer(data, self.dtype)
        start, count = self._starts[number], len(column)
        if self.lengths is None:
            size = math.prod(self.shape[1:])
            return values[: count * size].reshape(count, *self.shape[1:])
        ends = np.cumsum(self.lengths[start : start + count])
        size = int(ends[-1]) * math.prod(self.shape[2:])
        tokens = values[:size].reshape(-1, *self.shape[2:])
        return np.split(tokens, ends[:-1])


class SequenceWriter:
    """Writes sequences, one after the other, into a new temporary file.

    All have the dtype and the width of the first.
    """

    def __init__(self) -> None:
        import pyarrow as pa

        folder = cache.home() / FOLDER
        cache.make_folder(folder)
        handle, name = tempfile.mkstemp(".arrow", dir=folder)
        os.close(handle)
        self._path = pathlib.Path(name)
        self._schema = pa.schema([("sequence", pa.binary())])
        self._file = pa.OSFile(name, "wb")
        self._writer = pa.ipc.new_file(self._file, self._schema)
        self._first: np.ndarray | None = None
        # Arrays of sequences of one length, for the next record batch.
        self._pending: list[np.ndarray] = []
        self._pending_bytes = 0
        self._starts: list[int] = []
        self._lengths: list[np.ndarray] = []
        self._written = 0

    def __enter__(self) -> "SequenceWriter":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Removes the file, unless it is finished."""
        if not self._file.closed:
            self._file.close()
            self._path.unlink(missing_ok=True)

    def append(self, sequence: np.ndarray) -> None:
        """Adds a sequence `(tokens, ...)`."""
        self.extend(sequence[None])

    def extend(self, sequences: np.ndarray) -> None:
        """Adds sequences of equal lengths, an array `(n, tokens, ...)`.

        Raises:
            ValueError: they are not like the first sequence.
        """
        if not len(sequences):
            return
        if self._first is None:
            self._first = sequences[:1].copy()
        first = self._first
        if (sequences.dtype, sequences.shape[2:]) != (
            first.dtype,
            first.shape[2:],
        ):
            raise ValueError(
                f"Expected sequences like the first, {first.dtype} "
                f"{first.shape[1:]}, but received {sequences.dtype} "
                f"{sequences.shape[1:]}."
            )
        size = max(1, sequences[:1].nbytes)
        rows_at_once = max(1, BATCH_BYTES // size)
        for start in range(0, len(sequences), rows_at_once):
            part = sequences[start : start + rows_at_once]
            self._pending.append(part.copy())
            self._pending_bytes += part.nbytes
            if self._pending_bytes + size > BATCH_BYTES:
                self._flush()

    def finish(self) -> SequenceStore:
        """Closes the file, and opens it for reading."""
        if self._first is None:
            raise ValueError("Expected sequences but received none.")
        self._flush()
        self._writer.close()
        self._file.close()
        shape = (self._written, *self._first.shape[1:])
        lengths = None
        if any((part != shape[1]).any() for part in self._lengths):
            lengths = np.concatenate(self._lengths)
            shape = (self._written, int(lengths.max()), *shape[2:])
        starts = np.array(self._starts, np.int64)
        return SequenceStore(
            self._path, starts, shape, self._first.dtype, lengths
        )

    def _flush(self) -> None:
        import pyarrow as pa

        if not self._pending:
            return
        lengths = np.repeat(
            np.array([part.shape[1] for part in self._pending], np.int32),
            [len(part) for part in self._pending],
        )
        token_bytes = self._pending[0][:1, :1].nbytes
        ends = np.append(0, np.cumsum(lengths)) * token_bytes
        data = np.concatenate([part.ravel() for part in self._pending])
        column = pa.Array.from_buffers(
            pa.binary(),
            len(ends) - 1,
            [None, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(data)],
        )
        self._writer.write_batch(pa.record_batch([column], schema=self._schema))
        self._starts.append(self._written)
        if (lengths == lengths[0]).all():
            # A view of one number, since most often all lengths are equal.
            lengths = np.broadcast_to(lengths[0].copy(), len(lengths))
        self._lengths.append(lengths)
        self._written += len(column)
        self._pending, self._pending_bytes = [], 0


class Selection:
    """Some sequences of a `SequenceStore`, in the order of their indices.

    Args:
        store: a `SequenceStore`, `StoredWindows` or `Derived`.
        indices: int array.
    """

    def __init__(
        self,
        store: "SequenceStore | StoredWindows | Derived",
        indices: np.ndarray,
    ) -> None:
        self._store = store
        self._indices = indices
        self.dtype = store.dtype
        self.lengths = None
        self.shape = (len(indices), *store.shape[1:])
        if store.lengths is not None:
            self.lengths = store.lengths[indices]
            self.shape = (len(indices), int(self.lengths.max()))
            self.shape += store.shape[2:]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        return self._store[self._indices[index]]


class StoredWindows:
    """Stretches of successive rows in a file, read as a `SequenceStore`.

    Windows that overlap take no further space.

    Args:
        rows: a `SequenceStore` of rows `(1, columns)`.
        starts: int array `(n,)`, or `Ranges`, the first row of each window.
        lengths: int array `(n,)`, the rows of each.
    """

    def __init__(
        self,
        rows: SequenceStore,
        starts: np.ndarray | ranges.Ranges,
        lengths: np.ndarray,
    ) -> None:
        self._rows = rows
        self._starts = starts
        self.dtype = rows.dtype
        self.lengths: np.ndarray | None = None
        self._longest = int(lengths.max(initial=1))
        if (lengths != self._longest).any():
            self.lengths = lengths.astype(np.int32)
        self.shape = (len(starts), self._longest, *rows.shape[2:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        starts = self._starts[index]
        if self.lengths is None:
            rows = starts[:, None] + np.arange(self._longest)
            return self._read(rows).reshape(-1, *self.shape[1:])
        lengths = self.lengths[index]
        before = np.cumsum(lengths) - lengths
        place = np.arange(lengths.sum()) - np.repeat(before, lengths)
        return self._rows[np.repeat(starts, lengths) + place][:, 0]

    def _read(self, rows: np.ndarray) -> np.ndarray:
        """Some rows, of which those in several windows are read once.

        Args:
            rows: int array `(windows, rows)`.
        """
        if not rows.size:
            return self._rows[rows.ravel()]
        first, last = int(rows.min()), int(rows.max())
        if last - first >= rows.size:
            return self._rows[rows.ravel()]
        return self._rows[first : last + 1][rows - first]


class Derived:
    """What a function makes of sequences on disk whenever they are read.

    `derived[indices]` and `np.asarray(derived)` are arrays.

    Args:
        store: a `SequenceStore` or `StoredWindows` of sequences of one length.
        function: function of an array `(n, ...)` that returns one of n
            sequences, each of which follows from the same one of the n.
    """

    lengths = None

    def __init__(
        self,
        store: SequenceStore | StoredWindows,
        function: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        self._store = store
        self._function = function
        first = function(store[:1])
        self.dtype = first.dtype
        self.shape = (len(store), *first.shape[1:])
        self.ndim = first.ndim

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        if np.ndim(index) == 0 and not isinstance(index, slice):
            return self._function(self._store[[int(index)]])[0]
        return self._function(self._store[index])

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        found = np.empty(self.shape, self.dtype)
        start = 0
        for part in chunks(self):
            found[start : start + len(part)] = part
            start += len(part)
        return np.asarray(found, dtype)


OnDisk = SequenceStore | Selection | StoredWindows | Derived


def is_on_disk(x: Any) -> bool:
    """Whether sequences are read from a file when they are needed."""
    return isinstance(x, OnDisk)


def chunks(x: Any) -> Iterator[np.ndarray]:
    """Yields `x[:]` in parts of a few megabytes.

    Args:
        x: array, or what `is_on_disk`.
    """
    for rows in _slices(x):
        yield x[rows]


def chunks_of(*arrays: Any) -> Iterator[tuple[np.ndarray, ...]]:
    """Yields the same few examples of several arrays, as `chunks` does."""
    for rows in _slices(*arrays):
        yield tuple(each[rows] for each in arrays)


def chunks_with_lengths(
    x: OnDisk,
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Yields what `chunks` does, and the lengths of the sequences.

    Lengths are `None` if all are equal.
    """
    for rows in _slices(x):
        yield x[rows], None if x.lengths is None else x.lengths[rows]


def _slices(*arrays: Any) -> Iterator[slice]:
    bytes_each = max(math.prod(x.shape[1:]) * x.dtype.itemsize for x in arrays)
    size = max(1, CHUNK_BYTES // max(1, bytes_each))
    for start in range(0, len(arrays[0]), size):
        yield slice(start, min(start + size, len(arrays[0])))
