"""Sorts more rows than fit into memory by their groups and times.

As an external sort does, it sorts parts of the rows that fit into memory, and
then reads from all of these parts what comes first, what comes next, and so on.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.sequence_store import SequenceStore, SequenceWriter

# So many bytes are sorted in memory.
RUN_BYTES = 2**25
# One in so many rows of each part shows where to cut all rows.
SAMPLE_STEP = 1000


class Order(NamedTuple):
    """The rows of a table, one group after the other, in the order of time.

    A row is counted in the file, and a place in this order.

    Args:
        rows: a `SequenceStore` of int64 `(1, 1)`, the row at each place;
            `None` if the file has the order.
        places: a `SequenceStore` of int64 `(1, 1)`, the place of each row;
            `None` if the file has the order.
    """

    rows: SequenceStore | None = None
    places: SequenceStore | None = None

    def sort(self, store: SequenceStore) -> SequenceStore:
        """What is stored for each row, in the order of places."""
        return store if self.places is None else _move(store, self.places)

    def unsort(self, store: SequenceStore) -> SequenceStore:
        """What is stored for each place, in the order of the file."""
        return store if self.rows is None else _move(store, self.rows)

    def take(self, values: np.ndarray) -> np.ndarray:
        """An array `(rows, ...)` of the file, in the order of places."""
        if self.rows is None:
            return values
        found = np.empty_like(values)
        for first, rows in _parts(self.rows):
            found[first : first + len(rows)] = values[rows]
        return found

    def restore(self, values: np.ndarray) -> np.ndarray:
        """An array `(rows, ...)` of places, in the order of the file."""
        if self.rows is None:
            return values
        found = np.empty_like(values)
        for first, rows in _parts(self.rows):
            found[rows] = values[first : first + len(rows)]
        return found

    def row(self, place: int) -> int:
        """The row at a place."""
        return place if self.rows is None else int(self.rows[[place]].item())

    def places_of(self, rows: np.ndarray) -> np.ndarray:
        """The places of some rows, int array."""
        return rows if self.places is None else self.places[rows][:, 0, 0]


def find(parts: Iterable[np.ndarray]) -> Order:
    """The order of rows by some keys; equal ones stay in the file's order.

    Args:
        parts: iterable of float64 arrays `(rows, 2)`, the number of each row's
            group and its time.
    """
    stored, cuts = _sorted_runs(parts)
    with SequenceWriter() as writer:
        for pieces in cuts:
            keys = np.concatenate(
                [stored[low:high][:, 0] for low, high in pieces]
            )
            # Pieces are in the order of the file, and a stable sort keeps it.
            rows = keys[_by_key(keys), 2].astype(np.int64)
            writer.extend(rows[:, None, None])
        rows_at = writer.finish()
    with SequenceWriter() as writer:
        for first, rows in _parts(rows_at):
            writer.extend(np.arange(first, first + len(rows))[:, None, None])
        return Order(rows_at, _move(writer.finish(), rows_at))


def _sorted_runs(
    parts: Iterable[np.ndarray],
) -> tuple[SequenceStore, np.ndarray]:
    """Rows that are sorted in runs, and where to cut the runs.

    Returns:
        A tuple: a `SequenceStore` of float64 `(1, 3)`, the group, the time and
        the number of each row; and an int array `(pieces, runs, 2)`, from
        where to before where a piece of all rows is in each run. All rows of
        a piece come before those of the next.
    """
    bounds, samples = [0], []
    with SequenceWriter() as writer:
        for keys in _runs(parts):
            keys = keys[_by_key(keys)]
            writer.extend(keys[:, None])
            bounds.append(bounds[-1] + len(keys))
            samples.append(keys[::SAMPLE_STEP])
        stored = writer.finish()
    chosen = np.concatenate(samples)
    chosen = chosen[_by_key(chosen)]
    count = len(samples)
    heads = chosen[np.arange(1, count) * len(chosen) // count]
    cuts = np.empty((count + 1, count), int)
    for number, (first, end) in enumerate(
        zip(bounds, bounds[1:], strict=False)
    ):
        cuts[0, number], cuts[-1, number] = first, end
        keys = stored[first:end][:, 0]
        for piece, head in enumerate(heads, start=1):
            cuts[piece, number] = first + _count_before(keys, head)
    return stored, np.stack([cuts[:-1], cuts[1:]], axis=-1)


def _runs(parts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yields groups, times and numbers of the rows of each run."""
    kept: list[np.ndarray] = []
    num_bytes, first = 0, 0
    for part in parts:
        numbers = np.arange(first, first + len(part), dtype=np.float64)
        kept.append(np.column_stack([part, numbers]))
        first += len(part)
        num_bytes += kept[-1].nbytes
        if num_bytes >= RUN_BYTES:
            yield np.concatenate(kept)
            kept, num_bytes = [], 0
    if kept:
        yield np.concatenate(kept)


def _by_key(keys: np.ndarray) -> np.ndarray:
    """The order of rows by group, by time, and by what was before."""
    return np.lexsort((keys[:, 1], keys[:, 0]))


def _count_before(keys: np.ndarray, head: np.ndarray) -> int:
    """How many of some sorted rows come before another row."""
    low, high = 0, len(keys)
    for column, value in zip(keys.T, head, strict=True):
        own = column[low:high]
        high = low + int(np.searchsorted(own, value, side="right"))
        low += int(np.searchsorted(own, value, side="left"))
    return low


def _move(store: SequenceStore, to: SequenceStore) -> SequenceStore:
    """Moves each sequence of a file to another place.

    Args:
        store: a `SequenceStore` of sequences of one length.
        to: a `SequenceStore` of int64 `(1, 1)`, the place of each of them.

    Returns:
        A `SequenceStore`.
    """
    size = len(store)
    step = max(1, RUN_BYTES // (store[:1].nbytes + to[:1].nbytes))
    bounds = np.append(np.arange(0, size, step), size)
    cuts = []
    with SequenceWriter() as values, SequenceWriter() as places:
        for first, end in zip(bounds, bounds[1:], strict=False):
            at = to[first:end][:, 0, 0]
            order = np.argsort(at)
            values.extend(store[first:end][order])
            places.extend(at[order, None, None])
            cuts.append(first + np.searchsorted(at, bounds, sorter=order))
        sorted_values, sorted_places = values.finish(), places.finish()
    with SequenceWriter() as writer:
        for number, (first, end) in enumerate(
            zip(bounds, bounds[1:], strict=False)
        ):
            found = np.empty((end - first, *store.shape[1:]), store.dtype)
            for low, high in (run[number : number + 2] for run in cuts):
                at = sorted_places[low:high][:, 0, 0] - first
                found[at] = sorted_values[low:high]
            writer.extend(found)
        return writer.finish()


def _parts(store: SequenceStore) -> Iterator[tuple[int, np.ndarray]]:
    """Yields the number of the first of some numbers on disk, and these."""
    first = 0
    for part in sequence_store.chunks(store):
        yield first, part[:, 0, 0]
        first += len(part)
