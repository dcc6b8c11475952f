"""Labels of more rows than fit into memory: classes, numbers, or several.

What labels are is known only when all have been read. Until then they are
collected as what they may be: as classes or names, each in a byte or two; as
numbers, in a file; and as columns of 0 and 1.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data import (
    classes,
    label_kinds,
    several_labels,
    targets,
)
from keras_fpt.tasks.user_data.tables import (
    cells,
    large_labels,
    large_numbers,
    missing_rows,
)


class Encoded(NamedTuple):
    """The labels of all rows.

    Args:
        labels: `targets.Labels`, in which classes are of a small dtype, and
            numbers to predict are float32. A row that is left out has any.
        numbers: a `SequenceStore` of float64 `(1, targets)`, the numbers to
            predict; `None` if labels are none.
        spellings: list of strings, which spellings are one class.
        notes: list of strings, what the user should know of missing labels.
    """

    labels: targets.Labels
    numbers: sequence_store.SequenceStore | None
    spellings: list[str]
    notes: list[str]


class Answers:
    """Collects labels, and encodes them as `targets.encode` does.

    Args:
        where: function from a row to words that say where it is, for errors.
        columns: sequence of strings, the columns of labels; none if labels
            are from no table.
        task_type, separator: as for `targets.encode`.
        words: sequence of strings, what marks missing cells. Those that are
            numbers are for a single column.
        may_lack: bool, whether rows without a label are left out.
    """

    def __init__(
        self,
        where: Callable[[int], str],
        columns: Sequence[str],
        task_type: str | None = None,
        separator: str | None = None,
        words: Sequence[str] = (),
        may_lack: bool = False,
    ) -> None:
        self._where = where
        self._columns = tuple(columns)
        self._task_type = task_type
        self._separator = separator
        self._words = tuple(words)
        # Numbers may be labels, which all labels tell.
        self._sure = [word for word in words if cells.as_number(word) is None]
        self._may_lack = may_lack
        self._is_out: list[np.ndarray] = []
        is_wide = len(columns) > 1
        self._texts: large_labels.Labels | None = None
        if not is_wide and task_type != targets.REGRESSION:
            self._texts = large_labels.Labels(where)
        self._indicators: list[np.ndarray] | None = None
        # The rows whose labels are not all 0 or 1, and these labels.
        self._wrong: dict[int, np.ndarray] = {}
        if is_wide and task_type in (None, targets.MULTILABEL):
            self._indicators = []
        self._numbers: large_numbers.Numbers | None = None
        if task_type in (None, targets.REGRESSION) and separator is None:
            self._numbers = large_numbers.Numbers(
                self._columns, self._sure, may_lack
            )
        self._not_numbers: ValueError | None = None
        self._notes: list[str] = []
        self.is_unlabeled = np.zeros(0, bool)

    def __enter__(self) -> "Answers":
        return self

    def __exit__(self, *error: object) -> None:
        if self._numbers is not None:
            self._numbers.close()

    def add(
        self,
        texts: np.ndarray,
        where: Callable[[int], str],
        check_numbers: Callable[[], None] | None = None,
        rows: np.ndarray | None = None,
    ) -> None:
        """Adds the labels of some rows.

        Args:
            texts: what `missing_rows.read_labels` returns.
            where: function from a place in `texts` to words that say where it
                is.
            check_numbers: function that raises `ValueError` if they cannot be
                read as numbers to predict.
            rows: int array of their rows, from 0; `None` if none is left out.

        Raises:
            ValueError: as `targets.encode`.
            NotInParts: there are too many different ones.
        """
        if not self._is_out:
            self._check_type(texts, where)
        is_out = np.zeros(len(texts), bool)
        if self._may_lack:
            is_out = missing_rows.have_none(texts, self._sure)
        self._is_out.append(is_out)
        if self._numbers is not None:
            self._add_numbers(texts, is_out, where, check_numbers)
        if self._indicators is not None:
            self._add_indicators(texts, is_out, where)
        if self._texts is not None:
            self._add_texts(texts, rows)

    def _check_type(
        self, texts: np.ndarray, where: Callable[[int], str]
    ) -> None:
        """Raises `ValueError` if options contradict each other."""
        is_one = self._task_type not in (None, targets.MULTILABEL)
        is_separated = self._separator is not None
        is_wide = len(self._columns) > 1
        if (is_separated and (is_wide or is_one)) or (
            is_wide and self._task_type == targets.CLASSIFICATION
        ):
            targets.encode(
                texts,
                where,
                self._task_type,
                columns=self._columns,
                separator=self._separator,
            )

    def _add_numbers(
        self,
        texts: np.ndarray,
        is_out: np.ndarray,
        where: Callable[[int], str],
        check_numbers: Callable[[], None] | None,
    ) -> None:
        assert self._numbers is not None
        try:
            self._numbers.add(texts, is_out, where)
            if check_numbers is not None:
                check_numbers()
        except ValueError as error:
            if self._texts is None and self._indicators is None:
                if self._may_be_classes:
                    large_numbers.refuse_word(texts, self._sure, where)
                raise
            self._not_numbers = error
            self._numbers.close()
            self._numbers = None

    @property
    def _may_be_classes(self) -> bool:
        """Whether labels that are not all numbers are classes."""
        return self._task_type is None and len(self._columns) <= 1

    def _add_indicators(
        self,
        texts: np.ndarray,
        is_out: np.ndarray,
        where: Callable[[int], str],
    ) -> None:
        assert self._indicators is not None
        found = several_labels.as_indicators(texts)
        found[is_out] = 0
        wrong = (found == several_labels.NEITHER).any(axis=1)
        if wrong.any():
            rows = np.flatnonzero(wrong)
            may_be_out = self._may_lack and (
                len(self._wrong) <= large_numbers.MAX_WRONG
            )
            if not may_be_out:
                self._refuse_indicators(
                    texts[rows], lambda i: where(int(rows[i]))
                )
                return
            first = sum(map(len, self._indicators))
            for row in rows.tolist():
                self._wrong[first + row] = texts[row]
        self._indicators.append(found)

    def _refuse_indicators(
        self, texts: np.ndarray, where: Callable[[int], str]
    ) -> None:
        """Notes that columns are not of 0 and 1, as those of some rows."""
        if self._task_type == targets.MULTILABEL:
            several_labels.from_columns(texts, self._columns, where, self._sure)
        self._indicators = None
        if self._not_numbers is not None:
            raise self._not_numbers

    def _add_texts(self, texts: np.ndarray, rows: np.ndarray | None) -> None:
        import pandas as pd

        assert self._texts is not None
        try:
            self._texts.add(pd.Series(texts, dtype=object), rows)
        except large_labels.TooManyLabels as error:
            if self._task_type == targets.CLASSIFICATION:
                raise
            if self._numbers is None or self._numbers.are_mostly_wrong:
                raise large_labels.NotInParts(str(error)) from error
            self._texts = None

    def finish(self) -> None:
        """Finds the rows without a label, which `is_unlabeled` then says.

        Raises:
            ValueError: there is one, and it may not lack.
        """
        self.is_unlabeled = np.concatenate(self._is_out)
        if self._texts is not None:
            distinct = np.array(self._texts.distinct, object)
            self._words, self._notes = missing_rows.label_words(
                distinct, self._words
            )
            if self._may_lack:
                is_missing = cells.is_missing(distinct, self._words)
                first = 0
                for codes in self._texts.parts():
                    end = first + len(codes)
                    self.is_unlabeled[first:end] |= is_missing[codes]
                    first = end
        elif self._numbers is not None and len(self._words) > len(self._sure):
            marks = [word for word in self._words if word not in self._sure]
            kept, self._notes = self._numbers.find_marks(marks)
            self._words = (*self._sure, *kept)
            for first, is_marked in self._numbers.are(kept):
                if is_marked.any() and not self._may_lack:
                    place = self._where(first + int(np.argmax(is_marked)))
                    raise ValueError(
                        f"{place}: the label is missing. "
                        f"{classes.MISSING_ADVICE}"
                    )
                rows = slice(first, first + len(is_marked))
                self.is_unlabeled[rows] |= is_marked

    def encode(self, is_left_out: np.ndarray | None = None) -> Encoded:
        """Encodes the labels, once `finish` has been called.

        Args:
            is_left_out: bool array `(rows,)`, or `None`.

        Raises:
            ValueError: as `targets.encode`.
            NotInParts: there are too many different ones.
        """
        if self._texts is not None:
            return self._from_texts(self._texts, is_left_out)
        for row, texts in self._wrong.items() if self._indicators else ():
            if is_left_out is None or not is_left_out[row]:
                self._refuse_indicators(
                    texts[None],
                    lambda _, row=row: self._where(row),  # type: ignore[misc]
                )
                break
        if self._indicators is not None:
            found = np.concatenate(self._indicators)
            found[[*self._wrong]] = 0  # of rows that are left out
            return self._from_columns(found, is_left_out)
        assert self._numbers is not None
        if self._may_be_classes:
            self._numbers.refuse_word(is_left_out, self._where)
            size = len(self.is_unlabeled)
            if is_left_out is not None:
                size -= int(is_left_out.sum())
            count, fraction = self._numbers.fractions(is_left_out)
            if 2 * count <= size:
                raise large_labels.NotInParts(
                    "it has more than "
                    f"{large_labels.MAX_DISTINCT:,} different labels."
                )
            return self._from_numbers(
                is_left_out,
                (label_kinds.note_of_fractions(fraction),),
            )
        notes: tuple[str, ...] = ()
        if self._task_type is None:
            notes = (label_kinds.note_of_columns(self._columns),)
        return self._from_numbers(is_left_out, notes)

    def _from_texts(
        self, texts: large_labels.Labels, is_left_out: np.ndarray | None
    ) -> Encoded:
        counts = texts.counts(is_left_out)
        is_known = counts > 0
        known = np.array(texts.distinct, str)[is_known]
        fraction = None
        is_several = self._task_type == targets.MULTILABEL
        if self._task_type is None:
            is_several = self._separator is not None
            if not is_several and not label_kinds.have_one_class(
                known, counts[is_known], self._words
            ):
                fraction = label_kinds.find_fraction(known, counts[is_known])
                is_several = fraction is None
        if is_several:
            return self._from_cells(texts, is_known, is_left_out)
        if fraction is not None:
            places = np.flatnonzero(is_known)
            targets.as_targets(
                known, lambda i: texts.first_of(int(places[i])), self._words
            )
            if self._not_numbers is not None:
                raise self._not_numbers
            return self._from_numbers(
                is_left_out, (label_kinds.note_of_fractions(fraction),)
            )
        if self._task_type is None:
            texts.check_no_word(counts, self._words)
        y, names = texts.encode(self._words, is_known)
        spellings = classes.spelling_notes(known, names)
        return Encoded(targets.Labels(y, names), None, spellings, self._notes)

    def _from_cells(
        self,
        texts: large_labels.Labels,
        is_known: np.ndarray,
        is_left_out: np.ndarray | None,
    ) -> Encoded:
        """Several names in each cell."""
        places = np.flatnonzero(is_known)
        found = targets.encode(
            np.array(texts.distinct, str)[places],
            lambda i: texts.first_of(int(places[i])),
            targets.MULTILABEL,
            missing=self._words,
            columns=self._columns,
            separator=self._separator,
        )
        assert found.answers is not None
        of_text = np.zeros((len(is_known), found.answers.shape[1]), np.int8)
        of_text[places] = found.answers
        answers = np.concatenate([of_text[codes] for codes in texts.parts()])
        return self._of_indicators(
            answers, found.answer_names, found.notes, is_left_out
        )

    def _from_columns(
        self, found: np.ndarray, is_left_out: np.ndarray | None
    ) -> Encoded:
        """Columns of 0 and 1."""
        kept = found if is_left_out is None else found[~is_left_out]
        if self._task_type is None and several_labels.is_one_hot(kept):
            # The first ones are as well, and are refused.
            targets.encode(kept[:2], self._where, columns=self._columns)
        several = several_labels.from_columns(
            kept[:1], self._columns, self._where
        )
        return self._of_indicators(
            found, several.names, (several.note,), is_left_out
        )

    def _of_indicators(
        self,
        answers: np.ndarray,
        names: tuple[str, ...],
        notes: tuple[str, ...],
        is_left_out: np.ndarray | None,
    ) -> Encoded:
        if is_left_out is None:
            found = targets.of_indicators(answers, names, notes)
            y = found.y.astype(np.min_scalar_type(len(names)))
        else:
            found = targets.of_indicators(answers[~is_left_out], names, notes)
            y = np.zeros(len(answers), np.min_scalar_type(len(names)))
            y[~is_left_out] = found.y
        labels = found._replace(y=y, answers=answers)
        return Encoded(labels, None, [], self._notes)

    def _from_numbers(
        self, is_left_out: np.ndarray | None, notes: tuple[str, ...]
    ) -> Encoded:
        assert self._numbers is not None
        self._numbers.check(is_left_out, self._where)
        labels = self._numbers.labels(is_left_out, notes)
        return Encoded(labels, self._numbers.store, [], self._notes)
