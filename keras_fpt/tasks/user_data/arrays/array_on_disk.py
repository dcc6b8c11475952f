"""Arrays in files that do not fit into memory, read a part at a time."""

import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format

from keras_fpt.tasks.user_data import sequences

BLOCK_BYTES = 2**22
Open = Callable[[], IO[bytes]]


class ArrayOnDisk:
    """An array that is read in blocks of successive rows.

    Args:
        shape: tuple of ints.
        dtype: NumPy dtype.
        blocks: function that returns an iterator over arrays, which together
            are the array.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype,
        blocks: Callable[[], Iterator[np.ndarray]],
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.blocks = blocks

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self.blocks():
            yield from block

    def mapped(self, function: Callable[[np.ndarray], np.ndarray]) -> Any:
        """An array of what a function of several rows returns for them."""
        sample = function(np.zeros((1, *self.shape[1:]), self.dtype))
        return ArrayOnDisk(
            (len(self), *sample.shape[1:]),
            sample.dtype,
            lambda: map(function, self.blocks()),
        )


class SequencesOnDisk:
    """Sequences of any lengths that are read in blocks.

    Args:
        size: int, how many there are.
        blocks: function that returns an iterator over lists of arrays, one for
            each sequence.
    """

    def __init__(
        self, size: int, blocks: Callable[[], Iterator[Sequence[np.ndarray]]]
    ) -> None:
        self.size = size
        self.blocks = blocks

    def __len__(self) -> int:
        return self.size


ON_DISK = (ArrayOnDisk, SequencesOnDisk)


def join(parts: Sequence[Any]) -> Any:
    """Joins arrays and sequences, some of them on disk, in their order.

    Returns:
        `ArrayOnDisk` if all are arrays, otherwise `SequencesOnDisk`.

    Raises:
        ValueError: all are arrays, whose rows differ in shape or type.
    """
    if len(parts) == 1:
        return parts[0]
    if all(hasattr(part, "shape") for part in parts):
        return _concatenate(parts)

    def blocks() -> Iterator[Any]:
        for part in parts:
            if isinstance(part, ON_DISK):
                yield from part.blocks()
            else:
                yield part

    return SequencesOnDisk(sum(map(len, parts)), blocks)


def open_npy(path: str | os.PathLike) -> ArrayOnDisk | None:
    """Opens a `.npy` file; `None` if it is small, or must be read as a whole.

    Raises:
        OSError, ValueError: the file is damaged.
    """
    if os.path.getsize(path) <= sequences.MAX_BYTES_IN_MEMORY:
        return None
    return _open(lambda: open(path, "rb"))


def open_npz(path: str | os.PathLike, name: str) -> ArrayOnDisk | None:
    """Opens an array of a `.npz` file, which may be compressed.

    Args:
        path: the file.
        name: string, the array's.

    Returns:
        As `open_npy`.
    """

    def open_entry() -> IO[bytes]:
        # Binary, as entries of archives always are.
        archive = zipfile.ZipFile(path)
        return archive.open(f"{name}.npy")

    with zipfile.ZipFile(path) as archive:
        if f"{name}.npy" not in archive.namelist():
            return None
        size = archive.getinfo(f"{name}.npy").file_size
    if size <= sequences.MAX_BYTES_IN_MEMORY:
        return None
    return _open(open_entry)


def npz_shape(path: str | os.PathLike, name: str) -> tuple[int, ...] | None:
    """The shape of an array of an archive, of which only the header is read.

    Returns:
        A tuple of ints; `None` if the archive has no readable one.
    """
    with zipfile.ZipFile(path) as archive:
        try:
            with archive.open(f"{name}.npy") as file:
                return _read_header(file)[0]
        except (KeyError, OSError, ValueError, zipfile.BadZipFile, zlib.error):
            return None


def _concatenate(parts: Sequence[Any]) -> ArrayOnDisk:
    first = parts[0]
    for part in parts:
        if part.shape[1:] != first.shape[1:] or part.dtype != first.dtype:
            raise ValueError(
                "Expected sequences of one type and shape in all splits but "
                f"found {first.dtype} {first.shape[1:]} and {part.dtype} "
                f"{part.shape[1:]}."
            )

    def blocks() -> Iterator[np.ndarray]:
        for part in parts:
            if isinstance(part, ArrayOnDisk):
                yield from part.blocks()
            else:
                yield part

    shape = (sum(map(len, parts)), *first.shape[1:])
    return ArrayOnDisk(shape, first.dtype, blocks)


def _open(open_file: Open) -> ArrayOnDisk | None:
    with open_file() as file:
        shape, is_fortran, dtype = _read_header(file)
    if is_fortran or dtype.hasobject or not shape or 0 in shape:
        return None
    size = int(np.prod(shape[1:])) * dtype.itemsize
    rows_at_once = max(1, BLOCK_BYTES // size)

    def blocks() -> Iterator[np.ndarray]:
        with open_file() as file:
            _read_header(file)
            for start in range(0, shape[0], rows_at_once):
                count = min(rows_at_once, shape[0] - start)
                data = file.read(count * size)
                if len(data) < count * size:
                    raise ValueError(
                        f"The file ends at row {start:,} of {shape[0]:,}: it "
                        "is not complete."
                    )
                yield np.frombuffer(data, dtype).reshape(count, *shape[1:])

    return ArrayOnDisk(shape, dtype, blocks)


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = npy_format.read_magic(file)
    if version == (1, 0):
        return npy_format.read_array_header_1_0(file)
    return npy_format.read_array_header_2_0(file)
