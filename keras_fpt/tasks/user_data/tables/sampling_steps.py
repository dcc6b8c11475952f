"""Finds whether the steps of a table's times tell the class."""

from collections.abc import Mapping

import numpy as np

from keras_fpt.tasks.user_data import audit
from keras_fpt.tasks.user_data.audit import audit_properties
from keras_fpt.tasks.user_data.tables import windows
from keras_fpt.tasks.user_data.tables.table_structure import Structure

# Half of the steps of a clock differ from their median by less than this share
# of it. Those between events, such as heartbeats, are content.
EVEN = 0.1
# The share of the stretches that have such steps.
MOST = 0.9


def steps_of_sequences(
    steps: np.ndarray,
    is_first: np.ndarray,
    labels: np.ndarray,
    sequences: windows.Sequences,
) -> np.ndarray | None:
    """The median step of time around each sequence.

    That is the median of a stretch of rows of one group and label.

    Args:
        steps: float array `(rows,)`, the step from the row before to each of
            the ordered rows.
        is_first: bool array `(rows,)`, whether a row begins a group.
        labels: int array of the classes of the rows, in the order of the file.
        sequences: the n `windows.Sequences`.

    Returns:
        float array `(n, 2)`: the median step and the number of the stretch of
        each sequence; `None` if the steps are not even.
    """
    ordered = labels[sequences.order]
    begins = is_first | (np.diff(ordered, prepend=ordered[:1]) != 0)
    stretch = np.cumsum(begins) - begins[0]
    is_step = ~begins & (steps > 0)
    count = int(stretch[-1]) + 1
    medians = _medians(steps[is_step], stretch[is_step], count)
    if np.isnan(medians).all():
        return None
    away = np.abs(steps - medians[stretch])
    spread = _medians(away[is_step], stretch[is_step], count)
    is_known = ~np.isnan(medians)
    is_even = spread[is_known] <= EVEN * medians[is_known]
    if is_even.mean() < MOST:
        return None
    # A single row has no step, and tells nothing.
    medians[~is_known] = np.median(medians[is_known])
    middle = stretch[sequences.starts + sequences.lengths // 2]
    return np.stack([medians[middle], middle], axis=1)


def find_telling(
    steps: np.ndarray | None,
    y: np.ndarray,
    splits: Mapping[str, np.ndarray],
    groups: np.ndarray | None,
    structure: Structure,
) -> list[audit.Finding]:
    """Whether the class follows from the step of the column of times.

    Args:
        steps: what `steps_of_sequences` returned for n sequences.
        y: int array `(n,)` of their classes.
        splits: dict from splits to int arrays of sequences.
        groups: int array `(n,)`, see `Layout`, or `None`.
        structure: the table's `Structure`.
    """
    if steps is None or not len(steps):
        return []
    medians, units = steps.T
    if structure.keys and groups is not None:
        units = groups
    # Windows of one recording were sampled by one clock, and count once.
    _, first = np.unique(
        np.stack([units, y], axis=1), axis=0, return_index=True
    )
    place = np.full(len(steps), -1)
    place[first] = np.arange(len(first))
    places = {name: place[rows] for name, rows in splits.items()}
    return audit_properties.find_telling(
        {
            f"step of the column '{structure.time_column}'": (
                audit_properties.Property(
                    audit_properties.rounded(medians[first]),
                    audit_properties.RATE_ADVICE,
                )
            )
        },
        y[first],
        {name: rows[rows >= 0] for name, rows in places.items()},
    )


def _medians(values: np.ndarray, numbers: np.ndarray, count: int) -> np.ndarray:
    """The median of the values of each number, NaN where it has none."""
    import pandas as pd

    medians = pd.Series(values).groupby(numbers).median()
    return medians.reindex(range(count)).to_numpy(float, copy=True)
