"""Finds whether the steps of a large table's times tell the class."""

from typing import NamedTuple

import numpy as np

from keras_fpt.tasks.user_data import audit, targets
from keras_fpt.tasks.user_data.tables import (
    large_cuts,
    large_times,
    sampling_steps,
    windows,
)
from keras_fpt.tasks.user_data.tables.table_structure import Structure


class Sample(NamedTuple):
    """The steps of time to some of the rows of a large table.

    Args:
        places: sorted int array `(n,)` of places in the rows' `Order`.
        steps: float array `(n,)`.
        is_first: bool array `(n,)`, whether the row before is not in the
            sample, or of another group.
    """

    places: np.ndarray
    steps: np.ndarray
    is_first: np.ndarray


def sample(
    times: large_times.LargeTimes, starts: np.ndarray, places: np.ndarray
) -> Sample:
    """The steps to some rows.

    Args:
        times: the table's sorted `LargeTimes`.
        starts: int array, the place of the first row of each group.
        places: sorted int array of the rows.
    """
    found = []
    for first, steps in times.parts(starts):
        low, high = np.searchsorted(places, [first, first + len(steps)])
        found.append(steps[places[low:high] - first])
    chosen = np.concatenate(found)
    is_first = np.isnan(chosen) | (np.diff(places, prepend=-2) != 1)
    return Sample(places, np.nan_to_num(chosen), is_first)


def find_telling(
    sampled: Sample | None,
    y: np.ndarray,
    cut: large_cuts.Cut,
    labels: targets.Labels,
    splits: dict[str, np.ndarray],
    groups: np.ndarray | None,
    structure: Structure,
) -> list[audit.Finding]:
    """Whether the class follows from the steps around some sequences.

    Args:
        sampled: the `Sample` of the rows; `None` if there are no times.
        y: int array of the classes of the ordered rows.
        cut: the `Cut` of the n sequences.
        labels: their `Labels`.
        splits: dict from splits to int arrays of sequences.
        groups: int array `(n,)`, see `Layout`, or `None`.
        structure: the table's `Structure`.
    """
    if sampled is None:
        return []
    rows = sampled.places
    middles = cut.starts + cut.lengths // 2
    at = np.minimum(np.searchsorted(rows, middles), len(rows) - 1)
    chosen = np.flatnonzero(rows[at] == middles)
    if not len(chosen):
        return []
    place = np.full(len(middles), -1)
    place[chosen] = np.arange(len(chosen))
    places = {name: place[indices] for name, indices in splits.items()}
    steps = sampling_steps.steps_of_sequences(
        sampled.steps,
        sampled.is_first,
        y[rows],
        windows.Sequences(
            np.arange(len(rows)), at[chosen], np.ones(len(chosen), int)
        ),
    )
    return sampling_steps.find_telling(
        steps,
        labels.compared[chosen],
        {name: found[found >= 0] for name, found in places.items()},
        None if groups is None else groups[chosen],
        structure,
    )
