"""Windows for forecasts: a context, and the rows that follow it."""

from collections.abc import Mapping
from numbers import Integral
from typing import NamedTuple

import numpy as np

from keras_fpt.tasks.forecast_history import History, Stretch
from keras_fpt.tasks.user_data import splitting
from keras_fpt.tasks.user_data.tables import table_order, windows


class SplitWindows(NamedTuple):
    """The windows of the ordered rows of some series, by split.

    Args:
        starts: dict from splits to int arrays of places in the order of rows,
            at which contexts begin.
        is_train: bool array `(rows,)`, which ordered rows are for training.
        longest: int, the rows of the longest stretch without a gap.
    """

    starts: dict[str, np.ndarray]
    is_train: np.ndarray
    longest: int


def check_sizes(context: int, horizon: int, stride: int | None = None) -> None:
    """Raises `ValueError` unless each is a whole number of at least 1."""
    sizes = {"horizon": horizon, "context": context}
    if stride is not None:
        sizes["stride"] = stride
    for name, value in sizes.items():
        is_whole = isinstance(value, Integral) and not isinstance(value, bool)
        if not is_whole or value < 1:
            raise ValueError(
                f"Expected {name} (--{name}) to be at least 1 and a whole "
                f"number but received {value!r}."
            )


def cut(
    ordered: table_order.Ordered,
    context: int,
    horizon: int,
    stride: int,
    unknown: np.ndarray,
) -> SplitWindows:
    """Splits each series by time, and cuts its parts into windows.

    The last fifth of each series, and at least a horizon of it, is the test;
    the last tenth of the rest, likewise, is validation. What is forecast in a
    part lies within it, while contexts reach back into the part before. No
    window holds rows of two series, or a gap in time.

    Args:
        ordered: the rows' `Ordered`.
        context: int, how many rows a forecast is made from.
        horizon: int, how many rows are forecast.
        stride: int, rows from one window of train to the next. Validation and
            test have a forecast from every row.
        unknown: int array `(series,)`, how many of the last rows of each are
            in no part, since they are still to come.
    """
    size = len(ordered.order)
    is_train = np.zeros(size, bool)
    found: dict[str, list[np.ndarray]] = {name: [] for name in splitting.SPLITS}
    starts, lengths = windows.stretches(ordered.is_first | ordered.is_gap)
    ends = starts + lengths
    for first, length, ahead in zip(
        *windows.stretches(ordered.is_first), unknown, strict=True
    ):
        bounds = first + part_bounds(int(length - ahead), horizon)
        is_train[first : bounds[1]] = True
        own = slice(*np.searchsorted(starts, [first, first + length]).tolist())
        for begin, end in zip(starts[own], ends[own], strict=True):
            for number, name in enumerate(splitting.SPLITS):
                low = max(begin + context, bounds[number])
                high = min(end, bounds[number + 1]) - horizon
                step = stride if name == "train" else 1
                found[name].append(np.arange(low, high + 1, step) - context)
    return SplitWindows(
        {name: np.concatenate(each) for name, each in found.items()},
        is_train,
        int(lengths.max()),
    )


def history(
    values: np.ndarray,
    is_train: np.ndarray,
    ordered: table_order.Ordered,
    starts: Mapping[str, np.ndarray],
    context: int,
) -> History:
    """The rows of some series, cut where a cell is missing or time has a gap.

    Args:
        values: float array `(rows, columns)`, in the order of the series.
        is_train: bool array `(rows,)`, as of `SplitWindows`.
        ordered: the rows' `Ordered`.
        starts: dict from splits to int arrays, as of `SplitWindows`.
        context: int, how many rows a forecast is made from.
    """
    is_known = np.isfinite(values).all(axis=1)
    begins = ordered.is_first | ordered.is_gap
    begins[1:] |= is_known[1:] != is_known[:-1]
    places, lengths = windows.stretches(begins)
    stretches = [
        Stretch(first, first + int(is_train[first:stop].sum()), stop)
        for first, stop in zip(
            places.tolist(), (places + lengths).tolist(), strict=True
        )
        if is_known[first]
    ]
    origins = {split: each + context for split, each in starts.items()}
    return History(values, tuple(stretches), origins)


def part_bounds(length: int, horizon: int) -> np.ndarray:
    """Where train, validation and test begin in a series, and its end.

    Args:
        length: int, the rows of the series.
        horizon: int, how many rows validation and test have at least.

    Returns:
        int array `(4,)`.
    """
    parts = splitting.chronological(length)
    test = max(length - max(len(parts["test"]), horizon), 0)
    validation = max(test - max(len(parts["validation"]), horizon), 0)
    return np.array([0, validation, test, length])


def has_truth(
    starts: np.ndarray, context: int, horizon: int, is_missing: np.ndarray
) -> np.ndarray:
    """Which windows have every cell of what is forecast.

    Args:
        starts: int array `(n,)`, where contexts begin.
        context, horizon: ints.
        is_missing: bool array `(rows, columns)`, in the order of the series.

    Returns:
        bool array `(n,)`.
    """
    origins = starts + context
    return ~_any_within(origins, origins + horizon, is_missing)


def is_complete(
    starts: np.ndarray, size: int, is_missing: np.ndarray
) -> np.ndarray:
    """Which windows of some size have every cell; as `has_truth`."""
    return ~_any_within(starts, starts + size, is_missing)


def _any_within(
    starts: np.ndarray, ends: np.ndarray, is_missing: np.ndarray
) -> np.ndarray:
    before = np.concatenate([[0], np.cumsum(is_missing.any(axis=1))])
    return before[ends] > before[starts]
