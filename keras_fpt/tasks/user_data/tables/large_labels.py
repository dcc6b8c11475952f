"""Labels of more rows than fit into memory as text."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data import classes, label_kinds

if TYPE_CHECKING:
    import pandas as pd

MAX_DISTINCT = 2**16


class TooManyLabels(ValueError):
    """There are more different labels than classes can be."""


class NotInParts(Exception):
    """A table must be read as a whole; the message says why."""


class Distinct:
    """Numbers the different texts of a column, in their first order.

    Args:
        where: function from a row to words that say where it is.
    """

    def __init__(self, where: Callable[[int], str]) -> None:
        self._where = where
        self._code_of: dict[str, int] = {}
        self._first: list[int] = []
        self.count = 0

    def add(
        self, cells: "pd.Series", rows: np.ndarray | None = None
    ) -> np.ndarray:
        """Adds the texts of some rows.

        Args:
            cells: `pandas.Series` of texts.
            rows: int array of their rows, from 0; `None` if none is left out.

        Returns:
            int array, the index in `texts` of each of them.
        """
        import pandas as pd

        codes, distinct = pd.factorize(cells.to_numpy(object))
        for number, text in enumerate(distinct):
            if text not in self._code_of:
                self._code_of[text] = len(self._code_of)
                place = int(np.argmax(codes == number))
                self._first.append(
                    self.count + place if rows is None else int(rows[place])
                )
        code_of = np.array([self._code_of[text] for text in distinct], int)
        self.count += len(cells)
        return code_of[codes]

    @property
    def texts(self) -> list[str]:
        """The texts, in the order of first appearance."""
        return [*self._code_of]

    @property
    def are_too_many(self) -> bool:
        """Whether there are more than fit into memory for large tables."""
        return len(self._code_of) > MAX_DISTINCT

    def first_of(self, index: int) -> str:
        """Words that say where one of `texts` is first."""
        return self._where(self._first[index])


class Labels:
    """Collects labels as small numbers, in the order of first appearance.

    Args:
        where: function from a row to words that say where it is, for errors.
    """

    def __init__(self, where: Callable[[int], str]) -> None:
        self._where = where
        self._known = Distinct(where)
        self._codes: list[np.ndarray] = []

    def add(self, cells: "pd.Series", rows: np.ndarray | None = None) -> None:
        """Adds the labels of some rows, as `Distinct.add` does."""
        codes = self._known.add(cells, rows)
        if self._known.are_too_many:
            raise TooManyLabels(
                f"{self._where(self._known.count - 1)}: there are more than "
                f"{MAX_DISTINCT:,} different labels up to here. To predict "
                "numbers, use task_type='regression' (--task-type regression)."
            )
        small = np.min_scalar_type(len(self.distinct))
        self._codes.append(codes.astype(small))

    @property
    def distinct(self) -> list[str]:
        """The labels, in the order of first appearance."""
        return self._known.texts

    def first_of(self, index: int) -> str:
        """Words that say where one of `distinct` is first."""
        return self._known.first_of(index)

    def parts(self) -> Iterator[np.ndarray]:
        """Yields what `codes` returns, in parts."""
        yield from self._codes

    def codes(self) -> np.ndarray:
        """The index in `distinct` of each row."""
        return np.concatenate(self._codes)

    def counts(self, is_left_out: np.ndarray | None = None) -> np.ndarray:
        """How many rows have each of `distinct`.

        Args:
            is_left_out: bool array `(rows,)`, rows that do not count, or
                `None`.
        """
        counts = np.zeros(len(self.distinct), int)
        first = 0
        for codes in self._codes:
            end = first + len(codes)
            if is_left_out is not None:
                codes = codes[~is_left_out[first:end]]
            counts += np.bincount(codes, minlength=len(counts))
            first = end
        return counts

    def check_no_word(self, counts: np.ndarray, missing: Sequence[str]) -> None:
        """Checks as `label_kinds.check_no_word` does.

        Args:
            counts: what `counts` returned.
            missing: sequence of strings, what marks missing labels.
        """
        is_known = counts > 0
        found = label_kinds.find_word(
            np.array(self.distinct, str)[is_known], counts[is_known], missing
        )
        if found is not None:
            where = self.first_of(self.distinct.index(found[0]))
            raise label_kinds.word_error(where, *found)

    def encode(
        self,
        missing: Sequence[str] = (),
        is_known: np.ndarray | None = None,
    ) -> tuple[np.ndarray, tuple[str, ...]]:
        """The class of each row, and the names of classes.

        Args:
            missing: sequence of strings, what marks missing labels.
            is_known: bool array, which of `distinct` are classes, since the
                others are only in rows that are left out; `None` if all are.
        """
        if is_known is None:
            is_known = np.ones(len(self.distinct), bool)
        known = np.flatnonzero(is_known)
        size = len(known)
        texts = np.array(self.distinct, str)[known]
        # Twice, since a label of its own for each example is no class.
        found, class_names = classes.encode_labels(
            np.tile(texts, 2),
            lambda i: self.first_of(int(known[i % size])),
            missing=missing,
        )
        small = np.min_scalar_type(len(class_names))
        class_of = np.zeros(len(is_known), small)
        class_of[known] = found[:size]
        for i, codes in enumerate(self._codes):
            self._codes[i] = class_of[codes]
        return np.concatenate(self._codes), class_names
