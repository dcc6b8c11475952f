"""The series that the examples of a forecast were cut from."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from keras_fpt.tasks.ranges import Ranges


class Stretch(NamedTuple):
    """Rows of one series that follow one another, without a missing cell.

    Args:
        start, stop: ints, the places of its first row and after its last.
        train_stop: int, the place after its last row for training.
    """

    start: int
    train_stop: int
    stop: int


@dataclasses.dataclass(frozen=True)
class History:
    """All rows of a forecast's series, for models that read whole series.

    Args:
        values: float array `(rows, columns)`, which may be on disk, one
            series after the other, each in the order of time, standardized as
            the examples are.
        stretches: tuple of `Stretch`, in the order of rows.
        origins: dict from splits to int arrays `(n,)`, or `Ranges`: for each
            example of `Task.data`, the place of the first row that is forecast.
    """

    values: np.ndarray
    stretches: tuple[Stretch, ...]
    origins: Mapping[str, np.ndarray | Ranges]

    def stretch_numbers(self, origins: np.ndarray) -> np.ndarray:
        """In which of `stretches` some origins lie, int array `(n,)`."""
        starts = [each.start for each in self.stretches]
        return np.searchsorted(starts, origins, side="right") - 1
