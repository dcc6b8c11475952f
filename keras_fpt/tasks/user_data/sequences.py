"""Sequences of equal or different lengths in one array or ragged tensor.

Those that take too much memory are kept on disk, in a `SequenceStore`.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fpt.tasks import pairwise, sequence_store

# Sequences that take more bytes are stored on disk.
MAX_BYTES_IN_MEMORY = 2**27


def stack(sequences: Sequence[np.ndarray]) -> Any:
    """Stacks sequences.

    Args:
        sequences: list of n arrays `(tokens,)` or `(tokens, dim)`, of one
            dtype and one `dim`.

    Returns:
        An array `(n, tokens, ...)` if all lengths are equal, else a
        `tf.RaggedTensor` of n rows.
    """
    lengths = [len(sequence) for sequence in sequences]
    if len(set(lengths)) == 1:
        return np.stack(sequences)
    return tf.RaggedTensor.from_row_lengths(np.concatenate(sequences), lengths)


def collect(sequences: Iterable[np.ndarray]) -> Any:
    """Stacks sequences that come one after the other.

    Args:
        sequences: iterable of arrays, as for `stack`.

    Returns:
        As `stack`, but a `SequenceStore` if they take more than
        `MAX_BYTES_IN_MEMORY`.
    """
    found = iter(sequences)
    kept: list[np.ndarray] = []
    num_bytes = 0
    for sequence in found:
        kept.append(sequence)
        num_bytes += sequence.nbytes
        if num_bytes > MAX_BYTES_IN_MEMORY:
            kept.reverse()
            popped = (kept.pop() for _ in range(len(kept)))
            with sequence_store.SequenceWriter() as writer:
                for each in itertools.chain(popped, found):
                    writer.append(each)
                return writer.finish()
    return stack(kept)


def select(x: Any, indices: np.ndarray) -> Any:
    """Some of the sequences, in the order of the indices."""
    if sequence_store.is_on_disk(x):
        return sequence_store.Selection(x, indices)
    return tf.gather(x, indices) if is_ragged(x) else x[indices]


def load(x: Any) -> Any:
    """Reads all of some sequences that are on disk; returns as `stack`."""
    if x.lengths is None:
        return x[:]
    return tf.RaggedTensor.from_row_lengths(x[:], x.lengths)


def parts(x: Any) -> Iterator[Any]:
    """Yields sequences that are on disk, some at a time, as `stack` returns."""
    for values, lengths_of_part in sequence_store.chunks_with_lengths(x):
        if lengths_of_part is None:
            yield values
        else:
            yield tf.RaggedTensor.from_row_lengths(values, lengths_of_part)


def value_range(x: Any) -> tuple[float, float, int]:
    """The lowest and the highest number, and how many are NaN.

    Args:
        x: as `collect` returns.
    """
    if not sequence_store.is_on_disk(x):
        found: Iterable[np.ndarray] = [concatenate(x)]
    else:
        found = sequence_store.chunks(x)
    low, high, missing = np.inf, -np.inf, 0
    for values in found:
        is_missing = np.isnan(values)
        missing += int(is_missing.sum())
        if not is_missing.all():
            low = min(low, np.nanmin(values))
            high = max(high, np.nanmax(values))
    return float(low), float(high), missing


def mean_bytes(x: Any) -> float:
    """The mean number of bytes of a sequence that is on disk."""
    width = int(np.prod(x.shape[2:])) * x.dtype.itemsize
    return width * float(np.mean(lengths(x)))


def apply(function: Callable[[np.ndarray], np.ndarray], x: Any) -> Any:
    """Applies a function to the tokens of sequences.

    Sequences on disk are read a few at a time, and what comes of them is on
    disk as well.

    Args:
        function: function of an array `(n, tokens, ...)`, or of the tokens of
            all sequences if their lengths differ, that returns as many.
        x: as `collect` returns.
    """
    if not sequence_store.is_on_disk(x):
        if is_ragged(x):
            values = function(x.flat_values.numpy())
            return x.with_flat_values(tf.constant(values))
        return function(x)
    with sequence_store.SequenceWriter() as writer:
        for part, lengths_of_part in sequence_store.chunks_with_lengths(x):
            values = function(part)
            if lengths_of_part is None:
                writer.extend(values)
            else:
                for sequence in _split(values, lengths_of_part):
                    writer.append(sequence)
        return writer.finish()


def each(x: Any) -> Iterator[np.ndarray]:
    """Yields one sequence after the other.

    Args:
        x: as `collect` returns.
    """
    if sequence_store.is_on_disk(x):
        for part, lengths_of_part in sequence_store.chunks_with_lengths(x):
            yield from _split(part, lengths_of_part)
    elif is_ragged(x):
        yield from _split(concatenate(x), lengths(x))
    else:
        yield from x


def _split(
    values: np.ndarray, lengths_of_part: np.ndarray | None
) -> Iterable[np.ndarray]:
    if lengths_of_part is None:
        return values
    return np.split(values, np.cumsum(lengths_of_part)[:-1])


def is_ragged(x: Any) -> bool:
    """Whether the sequences have different lengths."""
    if sequence_store.is_on_disk(x):
        return x.lengths is not None
    return isinstance(x, tf.RaggedTensor)


def longest(x: Any) -> int:
    """The length of the longest sequence."""
    if isinstance(x, tf.RaggedTensor):
        return int(x.bounding_shape()[1])
    return x.shape[1]


def lengths(x: Any) -> np.ndarray:
    """The length of each sequence, int array `(n,)`."""
    if isinstance(x, tf.RaggedTensor):
        return x.row_lengths().numpy()
    return x.lengths if is_ragged(x) else np.full(len(x), x.shape[1])


def concatenate(x: Any) -> np.ndarray:
    """All tokens of all sequences, one after the other."""
    return x.flat_values.numpy() if is_ragged(x) else np.concatenate(x)


def standardized(x: Any, mean: Any, scale: Any) -> Any:
    """Computes `(x - mean) / scale` for each column, as float32."""
    mean, scale = np.asarray(mean), np.asarray(scale)
    return apply(lambda values: ((values - mean) / scale).astype("f4"), x)


def statistics(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Computes the mean and the standard deviation of each column.

    Args:
        values: array `(tokens, dim)`.

    Returns:
        A tuple of float64 arrays `(dim,)`. The deviation of a constant
        column is 1.
    """
    values = values.astype(np.float64)
    mean, scale = values.mean(axis=0), values.std(axis=0)
    return mean, _usable_scale(scale, np.abs(values).max(axis=0))


def statistics_of(x: Any, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Computes the statistics of all tokens of some sequences.

    Args:
        x: as `collect` returns.
        indices: int array.

    Returns:
        As `statistics`.
    """
    if not sequence_store.is_on_disk(x):
        return statistics(concatenate(select(x, indices)))
    chosen = select(x, indices)
    return streamed_statistics(lambda: sequence_store.chunks(chosen))


def streamed_statistics(
    parts: Callable[[], Iterator[np.ndarray]],
) -> tuple[np.ndarray, np.ndarray]:
    """Computes statistics of more tokens than fit into memory.

    Args:
        parts: function that returns an iterator over arrays `(..., dim)`,
            twice the same.

    Returns:
        As `statistics`, to the last bit if there is more than one column.
    """
    count, total, largest = 0, np.zeros(()), np.zeros(())
    for values in _as_rows(parts()):
        count += len(values)
        total = _add_rows(total, values)
        largest = np.maximum(largest, np.abs(values).max(axis=0))
    mean, squares = total / count, np.zeros(())
    for values in _as_rows(parts()):
        squares = _add_rows(squares, (values - mean) ** 2)
    return mean, _usable_scale(np.sqrt(squares / count), largest)


def statistics_by_column(
    parts: Callable[[], Iterator[np.ndarray]],
) -> tuple[np.ndarray, np.ndarray]:
    """Computes statistics of more tokens than fit into memory.

    Args:
        parts: as for `streamed_statistics`, three times the same.

    Returns:
        As `statistics` of each column alone, to the last bit.
    """
    count, largest = 0, np.zeros(())
    for values in _as_rows(parts()):
        count += len(values)
        largest = np.maximum(largest, np.abs(values).max(axis=0))
    mean = pairwise.sum_of_columns(_as_rows(parts()), count) / count
    squares = pairwise.sum_of_columns(
        ((values - mean) ** 2 for values in _as_rows(parts())), count
    )
    return mean, _usable_scale(np.sqrt(squares / count), largest)


def statistics_of_labels(y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Computes the statistics of labels `(n, ..., dim)` that are on disk.

    Returns:
        As `statistics` of all rows of `dim` numbers, to the last bit.
    """
    by_column = y.shape[-1] == 1
    find = statistics_by_column if by_column else streamed_statistics
    return find(lambda: sequence_store.chunks(y))


def _add_rows(total: Any, values: np.ndarray) -> np.ndarray:
    """Adds rows to a sum, one after the other, as `np.sum` does."""
    first = np.broadcast_to(total, (1, values.shape[1]))
    return np.concatenate([first, values]).sum(axis=0)


def _as_rows(parts: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    for values in parts:
        if len(values):
            yield values.reshape(-1, values.shape[-1]).astype(np.float64)


def _usable_scale(scale: np.ndarray, largest: np.ndarray) -> np.ndarray:
    # Rounding errors give even constants a small deviation.
    return np.where(scale <= 1e-9 * largest, 1.0, scale)
