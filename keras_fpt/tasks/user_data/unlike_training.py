"""Notes on new data that is far from that of training, as in other units."""

import logging
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

LOGGER = logging.getLogger(__name__)
# In standard deviations of training; and the share of numbers so far away
# from its mean that outliers do not explain.
FAR, MOST = 10.0, 0.5
# Steps of time that are longer or shorter by this factor.
OTHER_STEP = 1.5


def log_far(
    far: np.ndarray, count: int, names: Sequence[str], path: str | os.PathLike
) -> None:
    """Logs the columns most of whose numbers are far from those of training.

    Args:
        far: int array `(columns,)`, what `count_far` returned for all rows.
        count: int, how many rows there are.
        names: sequence of strings, the columns.
        path: the new file, for the message.
    """
    for index in np.flatnonzero(far > MOST * count).tolist():
        LOGGER.warning(
            f"`{path}`, column '{names[index]}': {far[index]:,} of {count:,} "
            f"numbers are more than {FAR:g} standard deviations from the mean "
            "of training. Is it in other units?"
        )


def count_far(scaled: np.ndarray) -> np.ndarray:
    """How many numbers of each column are far from those of training.

    Args:
        scaled: float array `(rows, columns)`, standardized as in training, NaN
            for missing cells.
    """
    return (np.abs(scaled) > FAR).sum(axis=0)


def log_step(
    step: float | None,
    known: float | None,
    time_column: str | None,
    path: str | os.PathLike,
) -> None:
    """Logs that rows follow one another faster or slower than in training.

    Args:
        step: float, the median step of time of the new rows, or `None`.
        known: float, that of the training rows, or `None`.
        time_column: string, or `None`.
        path: the new file, for the message.
    """
    if not step or not known:
        return
    if 1 / OTHER_STEP <= step / known <= OTHER_STEP:
        return
    LOGGER.warning(
        f"`{path}`: the median step of {time_column} is {step:g}, but "
        f"{known:g} in training. Each row counts as one step: bring the file "
        "to the steps of training, for instance with pandas.DataFrame.resample."
    )


def log_series(
    reader: Any, ordered: Any, scaled: np.ndarray, path: str | os.PathLike
) -> None:
    """Logs other steps of time, or other units, than in training.

    Args:
        reader: a `SeriesReader`.
        ordered: `table_order.Ordered`, the new rows in their order.
        scaled: float array `(rows, columns)`, as for `count_far`.
        path: the new file, for the message.
    """
    ordered.log_step(reader.time_column, str(path))
    log_far(count_far(scaled), len(scaled), reader.all_columns, path)
