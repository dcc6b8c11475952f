"""Missing cells of recordings: fillers and statistics from training."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data import sequences


def learn(reader: Any, recordings: Any, train: np.ndarray) -> Any:
    """Takes medians, and where cells are missing, from training recordings.

    Args:
        reader: a `RecordingReader`.
        recordings: as `sequences.collect` returns, NaN for missing cells.
        train: int array of indices.

    Returns:
        A `RecordingReader`.

    Raises:
        ValueError: every training cell of a column is missing.
    """
    chosen = sequences.select(recordings, train)

    def column(index: int) -> np.ndarray:
        # One at a time, since all may not fit into memory.
        return np.concatenate(
            [rows[:, index] for rows in _rows(chosen)], dtype=float
        )

    median, flagged = [], []
    for index, name in enumerate(reader.columns):
        values = column(index)
        is_missing = np.isnan(values)
        if is_missing.all():
            raise ValueError(
                f"Column '{name}': every cell of the training recordings is "
                "missing. To leave it out, use ignore_column (--ignore-column)."
            )
        median.append(float(np.median(values[~is_missing])))
        if is_missing.any():
            flagged.append(index)
    return dataclasses.replace(
        reader, median=tuple(median), flagged=tuple(flagged)
    )


def statistics(
    recordings: Any, train: np.ndarray, num_columns: int, may_lack: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the standard deviation of each channel.

    Rows with a missing cell do not count, and channels that say which cells
    were missing stay 0 and 1.

    Args:
        recordings: as `sequences.collect` returns.
        train: int array, the training recordings.
        num_columns: int, how many of the channels hold numbers.
        may_lack: bool, whether cells may be missing.

    Returns:
        A tuple of float64 arrays `(channels,)`.
    """
    if not may_lack:
        return sequences.statistics_of(recordings, train)
    chosen = sequences.select(recordings, train)

    def complete() -> Iterator[np.ndarray]:
        for rows in _rows(chosen):
            rows = rows[~np.isnan(rows).any(axis=1)]
            if len(rows):
                yield rows

    if next(complete(), None) is None:
        raise ValueError("Every row of the training recordings lacks a cell.")
    mean, scale = sequences.streamed_statistics(complete)
    mean[num_columns:], scale[num_columns:] = 0, 1
    return mean, scale


def _rows(x: Any) -> Iterator[np.ndarray]:
    """Yields rows `(rows, columns)` of sequences, some at a time."""
    if not sequence_store.is_on_disk(x):
        yield sequences.concatenate(x)
        return
    for part in sequence_store.chunks(x):
        yield part.reshape(-1, part.shape[-1])
