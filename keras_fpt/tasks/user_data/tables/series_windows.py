"""Windows for forecasts: a context, and the rows that follow it."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from keras_fpt.tasks.forecast_history import History, Stretch
from keras_fpt.tasks.ranges import Ranges
from keras_fpt.tasks.user_data import splitting


class SplitWindows(NamedTuple):
    """The windows of the ordered rows of some series, by split.

    Args:
        starts: dict from splits to `Ranges` of places in the order of rows,
            at which contexts begin.
        is_train: bool array `(rows,)`, which ordered rows are for training.
        longest: int, the rows of the longest stretch without a gap.
    """

    starts: dict[str, Ranges]
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
    series: np.ndarray,
    stretches: np.ndarray,
    size: int,
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
        series: int array, the place of the first row of each series.
        stretches: int array, the places of the first rows of each series, and
            of those that follow a gap in time.
        size: int, the rows of all series.
        context: int, how many rows a forecast is made from.
        horizon: int, how many rows are forecast.
        stride: int, rows from one window of train to the next. Validation and
            test have a forecast from every row.
        unknown: int array `(series,)`, how many of the last rows of each are
            in no part, since they are still to come.
    """
    is_train = np.zeros(size, bool)
    found: dict[str, list[tuple[int, int]]] = {n: [] for n in splitting.SPLITS}
    lengths = np.diff(np.append(series, size))
    ends = np.append(stretches[1:], size)
    for first, length, ahead in zip(series, lengths, unknown, strict=True):
        bounds = first + part_bounds(int(length - ahead), horizon)
        is_train[first : bounds[1]] = True
        own = slice(
            *np.searchsorted(stretches, [first, first + length]).tolist()
        )
        for begin, end in zip(stretches[own], ends[own], strict=True):
            for number, name in enumerate(splitting.SPLITS):
                low = max(begin + context, bounds[number])
                high = min(end, bounds[number + 1]) - horizon
                step = stride if name == "train" else 1
                count = max(0, (high - low) // step + 1)
                found[name].append((int(low) - context, int(count)))
    starts = {}
    for name, each in found.items():
        firsts, counts = np.array(each).T
        step = stride if name == "train" else 1
        starts[name] = Ranges(firsts, counts, step)
    return SplitWindows(starts, is_train, int((ends - stretches).max()))


def history(
    values: Any,
    is_known: np.ndarray,
    is_train: np.ndarray,
    stretches: np.ndarray,
    starts: Mapping[str, Ranges],
    context: int,
) -> History:
    """The rows of some series, cut where a cell is missing or time has a gap.

    Args:
        values: float array `(rows, columns)`, in the order of the series.
        is_known: bool array `(rows,)`, which rows lack no cell.
        is_train: bool array `(rows,)`, as of `SplitWindows`.
        stretches: as for `cut`.
        starts: dict from splits to `Ranges`, where contexts begin.
        context: int, how many rows a forecast is made from.
    """
    begins = np.zeros(len(is_known), bool)
    begins[stretches] = True
    begins[1:] |= is_known[1:] != is_known[:-1]
    places = np.flatnonzero(begins)
    found = [
        Stretch(first, first + int(is_train[first:stop].sum()), stop)
        for first, stop in zip(
            places.tolist(),
            np.append(places[1:], len(begins)).tolist(),
            strict=True,
        )
        if is_known[first]
    ]
    origins = {split: each.plus(context) for split, each in starts.items()}
    return History(values, tuple(found), origins)


def part_bounds(length: int, horizon: int) -> np.ndarray:
    """Where train, validation and test begin in a series, and its end.

    Args:
        length: int, the rows of the series.
        horizon: int, how many rows validation and test have at least.

    Returns:
        int array `(4,)`.
    """
    validation, test = splitting.chronological_starts(length)
    in_validation = test - validation
    test = max(min(test, length - horizon), 0)
    validation = max(test - max(in_validation, horizon), 0)
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
    rows = np.flatnonzero(is_missing.any(axis=1))
    return ~_any_within(origins, origins + horizon, rows)


def without(
    starts: Mapping[str, Ranges], low: int, high: int, is_missing: np.ndarray
) -> dict[str, Ranges]:
    """The windows that have every cell of some of their rows.

    Args:
        starts: dict from splits to `Ranges`, where contexts begin.
        low, high: ints, the rows from `low` to before `high` of each window.
        is_missing: bool array `(rows,)`, whether a row lacks a cell.
    """
    rows = np.flatnonzero(is_missing)
    if not len(rows):
        return {**starts}
    return {
        split: each.kept(
            lambda places: ~_any_within(places + low, places + high, rows)
        )
        for split, each in starts.items()
    }


def _any_within(
    starts: np.ndarray, ends: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Whether one of some sorted rows is from a start to before its end."""
    return np.searchsorted(rows, ends) > np.searchsorted(rows, starts)
