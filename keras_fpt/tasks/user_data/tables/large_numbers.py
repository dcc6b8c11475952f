"""Labels of more rows than fit into memory as numbers to predict."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data import targets
from keras_fpt.tasks.user_data.tables import (
    cells,
    large_labels,
    large_medians,
    large_splits,
    missing_rows,
)

# So many labels that are no numbers are kept until all rows are read.
MAX_WRONG = 2**16
MAX_FRACTIONS = 1000


class Numbers:
    """Collects numbers in a file.

    Args:
        columns: sequence of strings, the columns of labels.
        words: sequence of strings, what marks missing labels, and is no
            number.
        may_lack: bool, whether rows may be left out, and then have labels
            that are no numbers.
    """

    def __init__(
        self,
        columns: Sequence[str],
        words: Sequence[str],
        may_lack: bool = False,
    ) -> None:
        self._columns = columns
        self._words = words
        self._may_lack = may_lack
        self._size = 0
        # The rows whose labels are no numbers, and these labels.
        self._wrong: dict[int, list[str]] = {}
        # Some fractions, the first in the order of text.
        self._fractions: list[str] = []
        self._writer = sequence_store.SequenceWriter()
        self._store: sequence_store.SequenceStore | None = None
        self._num_fractions = 0

    @property
    def are_mostly_wrong(self) -> bool:
        """Whether most labels so far are no numbers."""
        return 2 * len(self._wrong) > self._size

    def close(self) -> None:
        """Removes the file, unless it is finished."""
        self._writer.close()

    @property
    def store(self) -> sequence_store.SequenceStore:
        """All numbers, float64 `(1, columns)`, NaN where there is none."""
        if self._store is None:
            self._store = self._writer.finish()
        return self._store

    def add(
        self,
        texts: np.ndarray,
        is_out: np.ndarray,
        where: Callable[[int], str],
    ) -> None:
        """Adds the labels of some rows.

        Args:
            texts: what `missing_rows.read_labels` returns.
            is_out: bool array `(rows,)`, which rows have none.
            where: function from a place in `texts` to words that say where it
                is.

        Raises:
            ValueError: as `targets.as_targets`.
        """
        self._writer.extend(self._parse(texts, is_out, where)[:, None])

    def _parse(
        self,
        texts: np.ndarray,
        is_out: np.ndarray,
        where: Callable[[int], str],
    ) -> np.ndarray:
        """Labels as numbers `(rows, columns)`, NaN where there is none."""
        rows = np.flatnonzero(~is_out)
        kept = texts.reshape(len(texts), -1)[rows]
        distinct, inverse, counts = np.unique(
            kept, return_inverse=True, return_counts=True
        )
        values = [cells.as_number(text) for text in distinct.tolist()]
        numbers = np.array(
            # -0.0 becomes 0.0, as in `targets.py`.
            [np.nan if v is None else float(v or 0) for v in values]
        )
        numbers[cells.is_missing(distinct, self._words)] = np.nan
        inverse = inverse.reshape(kept.shape)
        is_wrong = ~(np.abs(numbers) <= targets.LARGEST)
        if is_wrong.any():
            wrong = np.flatnonzero(is_wrong[inverse].any(axis=1))
            if not self._may_lack or len(self._wrong) > MAX_WRONG:
                targets.as_targets(
                    kept,
                    lambda i: where(int(rows[i])),
                    self._words,
                    self._columns,
                )
            for i in wrong.tolist():
                self._wrong[self._size + int(rows[i])] = kept[i].tolist()
            numbers[is_wrong] = np.nan
        is_fraction = np.array([v is not None and v % 1 != 0 for v in values])
        if is_fraction.any():
            self._num_fractions += int(counts[is_fraction].sum())
            self._fractions = sorted(
                {*self._fractions, *distinct[is_fraction].tolist()}
            )[:MAX_FRACTIONS]
        found = np.full((len(texts), kept.shape[1]), np.nan)
        found[rows] = numbers[inverse]
        self._size += len(texts)
        return found

    def check(
        self, is_left_out: np.ndarray | None, where: Callable[[int], str]
    ) -> None:
        """Checks that the labels of rows that are not left out are numbers.

        Args:
            is_left_out: bool array `(rows,)`, or `None`.
            where: function from a row to words that say where it is.

        Raises:
            ValueError: as `targets.as_targets`.
        """
        for row, texts in self._wrong.items():
            if is_left_out is None or not is_left_out[row]:
                targets.as_targets(
                    np.array([texts]),
                    lambda _, row=row: where(row),  # type: ignore[misc]
                    self._words,
                    self._columns,
                )

    def refuse_word(
        self, is_left_out: np.ndarray | None, where: Callable[[int], str]
    ) -> None:
        """Does what `refuse_word` does for rows that are not left out.

        Args:
            is_left_out, where: as for `check`.
        """
        rows = [
            row
            for row in self._wrong
            if is_left_out is None or not is_left_out[row]
        ]
        labels = np.array([self._wrong[row][0] for row in rows], str)
        refuse_word(labels, self._words, lambda place: where(rows[place]))

    def fractions(self, is_left_out: np.ndarray | None) -> tuple[int, str]:
        """How many labels are fractions, and one of these.

        It is the first in the order of text.

        Args:
            is_left_out: bool array `(rows,)`, or `None`.
        """
        if is_left_out is None or not is_left_out.any():
            return self._num_fractions, "".join(self._fractions[:1])
        values = np.array([float(text) for text in self._fractions])
        count, is_seen, other = 0, np.zeros(len(values), bool), ""
        for part in _kept_parts(self.store, is_left_out):
            found = part[part % 1 != 0]
            found = found[~np.isnan(found)]
            count += len(found)
            is_seen |= np.isin(values, found)
            if len(found):
                other = f"{found.min():g}"
        if is_seen.any():
            return count, self._fractions[int(np.argmax(is_seen))]
        return count, other

    def find_marks(self, marks: Sequence[str]) -> tuple[list[str], list[str]]:
        """The numbers that mark missing labels; see `missing_rows`.

        Args:
            marks: sequence of numbers as text, what marks missing cells.

        Returns:
            A tuple: those that mark labels, and a note in a list.
        """
        floats = cells.as_floats(marks)
        low, high = np.inf, -np.inf
        distances = np.full(len(floats), np.inf)
        is_seen = np.zeros(len(floats), bool)
        for part in sequence_store.chunks(self.store):
            values = part[np.isfinite(part)]
            others = values[~np.isin(values, floats)]
            is_seen |= np.isin(floats, values)
            if len(others):
                low, high = min(low, others.min()), max(high, others.max())
                distances = np.minimum(
                    distances,
                    [np.abs(others - number).min() for number in floats],
                )
        distances[~np.isfinite(distances)] = 0
        return missing_rows.numbers_that_mark(
            marks, distances, is_seen, max(high - low, 0.0), high > low
        )

    def are(self, marks: Sequence[str]) -> Iterator[tuple[int, np.ndarray]]:
        """Yields which rows hold one of some numbers, and the first of them.

        Args:
            marks: sequence of numbers as text.
        """
        floats, first = cells.as_floats(marks), 0
        for part in sequence_store.chunks(self.store):
            is_one = np.isin(part[:, 0], floats)
            yield first, np.asarray(is_one.any(axis=1))
            first += len(part)

    def labels(
        self, is_left_out: np.ndarray | None, notes: tuple[str, ...]
    ) -> targets.Labels:
        """Numbers to predict, and the tenth of all that each is in.

        Args:
            is_left_out: bool array `(rows,)`, or `None`.
            notes: as of `targets.Labels`.
        """
        store = self.store
        edges = large_medians.quantiles(
            lambda: (
                part[:, 0, :1] for part in _kept_parts(store, is_left_out)
            ),
            targets.EDGES,
        )
        y = np.zeros(len(store), np.uint8)
        values = np.empty((len(store), store.shape[2]), np.float32)
        first = 0
        for part in sequence_store.chunks(store):
            rows = slice(first, first + len(part))
            y[rows] = np.searchsorted(edges, part[:, 0, 0], side="left")
            values[rows] = part[:, 0]
            first += len(part)
        counts = np.zeros(targets.BINS, int)
        for rows in large_splits.slices(len(y)):
            part = y[rows]
            if is_left_out is not None:
                part = part[~is_left_out[rows]]
            counts += np.bincount(part, minlength=targets.BINS)
        place = np.cumsum(counts > 0, dtype=np.uint8)
        place -= counts > 0
        names = targets.names_of_tenths(np.flatnonzero(counts))
        return targets.Labels(
            place[y], names, values, notes, targets.REGRESSION
        )


def refuse_word(
    labels: np.ndarray, words: Sequence[str], where: Callable[[int], str]
) -> None:
    """Raises `NotInParts` if one of too many labels makes them classes.

    It does so if it is neither a number nor missing.

    Args:
        labels: array of strings `(n,)`.
        words: as of `Numbers`.
        where: function from a place in `labels` to words that say where it
            is.
    """
    distinct, inverse = np.unique(labels, return_inverse=True)
    is_word = ~cells.is_missing(distinct, words)
    is_word &= np.array(
        [cells.as_number(text) is None for text in distinct.tolist()], bool
    )
    places = np.flatnonzero(is_word[inverse])
    if len(places):
        raise large_labels.NotInParts(
            f"{where(int(places[0]))}: the label is not a number, and there "
            f"are more than {large_labels.MAX_DISTINCT:,} different ones."
        )


def _kept_parts(
    store: sequence_store.SequenceStore, is_left_out: np.ndarray | None
) -> Iterator[np.ndarray]:
    """Yields what `sequence_store.chunks` does, without some of the rows."""
    first = 0
    for part in sequence_store.chunks(store):
        end = first + len(part)
        yield part if is_left_out is None else part[~is_left_out[first:end]]
        first = end
