"""The structure of a table: groups, windows, and their sequences."""

import dataclasses
import numbers
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_fpt.tasks.user_data import audit
from keras_fpt.tasks.user_data.tables import windows


def check_window(window: int | None, stride: int | None) -> None:
    """Raises `ValueError` unless both are at least 1, or `None`."""
    for name, value in (("window", window), ("stride", stride)):
        if value is None:
            continue
        if not isinstance(value, numbers.Integral) or value < 1:
            raise ValueError(
                f"Expected {name} to be at least 1 and a whole number but "
                f"received {value!r}."
            )
    if stride is not None and window is None:
        raise ValueError("A stride needs a window.")


def as_tuple(columns: str | Sequence[str] | None) -> tuple[str, ...]:
    """One column, several or none as a tuple."""
    if columns is None:
        return ()
    return (columns,) if isinstance(columns, str) else tuple(columns)


@dataclasses.dataclass(frozen=True)
class Structure:
    """The structure of a table's rows; see `tables.from_csv`.

    Args:
        group_column: tuple of strings, the columns of one key.
        time_column: string, or `None`.
        window: int, or `None`.
        stride: int, or `None` for the window.
        min_label_share: float, or `None`.
        within_label: bool.
        split_column: string, or `None`.
        split_group: tuple of strings, the columns of one key.
        folds: int, or `None`.
        fold: int, from 1.
        keep_rest: bool, whether the last rows, which fill no window, are a
            shorter one.
    """

    group_column: tuple[str, ...] = ()
    time_column: str | None = None
    window: int | None = None
    stride: int | None = None
    min_label_share: float | None = None
    within_label: bool = False
    split_column: str | None = None
    split_group: tuple[str, ...] = ()
    folds: int | None = None
    fold: int = 1
    keep_rest: bool = False

    def __post_init__(self) -> None:
        check_window(self.window, self.stride)
        if self.window is None:
            for name, value in (
                ("min_label_share", self.min_label_share is not None),
                ("within_label", self.within_label),
            ):
                if value:
                    raise ValueError(
                        f"{name} (--{name.replace('_', '-')}) needs a window."
                    )
        if not 0 <= (self.min_label_share or 0) <= 1:
            raise ValueError(
                "Expected min_label_share to be from 0 to 1 but received "
                f"{self.min_label_share}."
            )
        if self.time_column is not None and self.is_by_row:
            raise ValueError(
                "time_column (--time-column) sorts the rows of groups or "
                "windows, and needs group_column or window. To leave the "
                "column out, use ignore_column (--ignore-column)."
            )

    @property
    def is_by_row(self) -> bool:
        """Whether each row is a sequence."""
        return not self.group_column and self.window is None

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of groups, at whose ends windows end."""
        if self.window is not None and not self.group_column:
            return self.split_group
        return self.group_column

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that it names, which are no values."""
        single = (self.time_column, self.split_column)
        named = [name for name in single if name is not None]
        return (*self.group_column, *named, *self.split_group)


class Layout(NamedTuple):
    """The sequences of a table and their splits.

    Args:
        sequences: `windows.Sequences`.
        names: list of each sequence's name.
        labels: int32 array, the most common label of each.
        splits: dict from splits to int arrays of indices in `sequences`.
        split_by: string, how the sequences were split, in words.
        time_gap: float, the longest step of time within a window, or `None`.
        notes: list of strings, further notes for the user.
        findings: list of what is suspicious.
        groups: int array, the group that each sequence was cut from, or with
            whose other sequences it shares rows; `None` if there are no groups.
        steps: float array `(n, 2)`, see `sampling_steps.steps_of_sequences`,
            or `None`.
    """

    sequences: windows.Sequences
    names: list[str]
    labels: np.ndarray
    splits: dict[str, np.ndarray]
    split_by: str
    time_gap: float | None = None
    notes: Sequence[str] = ()
    findings: Sequence[audit.Finding] = ()
    groups: np.ndarray | None = None
    steps: np.ndarray | None = None

    def rows(self, split: str) -> np.ndarray:
        """The rows in a split's sequences, sorted."""
        return self.sequences.select(self.splits[split]).rows()

    def without(self, is_left_out: np.ndarray) -> "Layout":
        """The layout without the sequences that hold certain rows.

        Args:
            is_left_out: bool array `(rows,)`.
        """
        ordered = is_left_out[self.sequences.order]
        before = np.concatenate([[0], np.cumsum(ordered)])
        ends = self.sequences.starts + self.sequences.lengths
        is_kept = before[ends] == before[self.sequences.starts]
        place = np.cumsum(is_kept) - 1
        kept = np.flatnonzero(is_kept)
        return self._replace(
            sequences=self.sequences.select(kept),
            names=[self.names[i] for i in kept],
            labels=self.labels[kept],
            splits={
                split: place[indices[is_kept[indices]]]
                for split, indices in self.splits.items()
            },
            notes=[
                *self.notes,
                *windows.left_out(
                    len(is_kept) - len(kept), len(is_kept), "windows"
                ),
            ],
            groups=None if self.groups is None else self.groups[kept],
            steps=None if self.steps is None else self.steps[kept],
        )
