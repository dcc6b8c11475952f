"""Labels of more rows than fit into memory as text."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data import classes

if TYPE_CHECKING:
    import pandas as pd

MAX_LABELS = 2**16


class Labels:
    """Collects labels as small numbers, in the order of first appearance.

    Args:
        where: function from a row to words that say where it is, for errors.
    """

    def __init__(self, where: Callable[[int], str]) -> None:
        self._where = where
        self._code_of: dict[str, int] = {}
        self._first: list[int] = []
        self._codes: list[np.ndarray] = []
        self._count = 0

    def add(self, cells: "pd.Series", rows: np.ndarray | None = None) -> None:
        """Adds the labels of some rows.

        Args:
            cells: `pandas.Series` of texts.
            rows: int array of their rows, from 0; `None` if none is left out.
        """
        import pandas as pd

        codes, distinct = pd.factorize(cells.to_numpy(object))
        for text in distinct:
            if text not in self._code_of:
                self._code_of[text] = len(self._code_of)
                is_first = codes == list(distinct).index(text)
                place = int(np.argmax(is_first))
                self._first.append(
                    self._count + place if rows is None else int(rows[place])
                )
        if len(self._code_of) > MAX_LABELS:
            raise ValueError(
                f"{self._where(self._count)}: there are more than "
                f"{MAX_LABELS:,} different labels up to here. To predict "
                "numbers, use task_type='regression' (--task-type regression)."
            )
        code_of = np.array([self._code_of[text] for text in distinct])
        small = np.min_scalar_type(len(self._code_of))
        self._codes.append(code_of[codes].astype(small))
        self._count += len(cells)

    @property
    def distinct(self) -> list[str]:
        """The labels, in the order of first appearance."""
        return [*self._code_of]

    def first_of(self, index: int) -> str:
        """Words that say where one of `distinct` is first."""
        return self._where(self._first[index])

    def codes(self) -> np.ndarray:
        """The index in `distinct` of each row."""
        return np.concatenate(self._codes)

    def encode(
        self, missing: Sequence[str] = ()
    ) -> tuple[np.ndarray, tuple[str, ...]]:
        """The class of each row, and the names of classes.

        Args:
            missing: sequence of strings, what marks missing labels.
        """
        # Twice, since a label of its own for each example is no class.
        class_of, class_names = classes.encode_labels(
            np.array([*self._code_of] * 2, str),
            lambda i: self.first_of(i % len(self._first)),
            missing=missing,
        )
        small = np.min_scalar_type(len(class_names))
        class_of = class_of[: len(self._first)].astype(small)
        for i, codes in enumerate(self._codes):
            self._codes[i] = class_of[codes]
        return np.concatenate(self._codes), class_names
