"""Makes the task of a table whose next rows are forecast."""

import logging
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_fpt.tasks import seasons
from keras_fpt.tasks.forecast_history import History
from keras_fpt.tasks.ranges import Ranges
from keras_fpt.tasks.stored import Examples, Stored
from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import audit, build
from keras_fpt.tasks.user_data.tables import series_windows
from keras_fpt.tasks.user_data.tables.series_reader import SeriesReader

LOGGER = logging.getLogger(__name__)


class Request(NamedTuple):
    """What is asked for; see `forecast_tables.from_series`.

    Args:
        path: string, the table.
        targets: tuple of strings, the columns that are forecast.
        known: tuple of strings, those that are known in advance.
        horizon, context, stride: ints.
        keys: tuple of strings, the columns that tell series apart.
        time_column: string, or `None`.
        words: tuple of strings, what marks missing cells.
        fill: string, or `None`.
        drop_missing: bool.
        header: bool, or `None`.
        encoding: string, or `None`.
        strict, verbose: bools.
    """

    path: str
    targets: tuple[str, ...]
    known: tuple[str, ...]
    horizon: int
    context: int
    stride: int
    keys: tuple[str, ...]
    time_column: str | None
    words: tuple[str, ...]
    fill: str | None
    drop_missing: bool
    header: bool | None
    encoding: str | None
    strict: bool
    verbose: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are forecast, and those known in advance."""
        return (*self.targets, *self.known)

    @property
    def not_columns(self) -> tuple[str, ...]:
        """The columns of groups and of times."""
        return (*self.keys, *filter(None, [self.time_column]))

    @property
    def may_lack(self) -> bool:
        """Whether cells may be missing."""
        return self.fill is not None or self.drop_missing


def make_reader(
    request: Request,
    mean: np.ndarray,
    scale: np.ndarray,
    fillers: Sequence[float],
    time_gap: float | None,
) -> SeriesReader:
    """The reader of new tables, whose season is not known yet.

    Args:
        request: `Request`.
        mean, scale: float arrays `(columns,)`, those of the training rows.
        fillers: sequence of floats, what fills missing cells.
        time_gap: float, the longest step of time that is no gap, or `None`.
    """
    size = len(request.targets)
    return SeriesReader(
        request.targets,
        tuple(mean[:size].tolist()),
        tuple(scale[:size].tolist()),
        request.context,
        request.horizon,
        request.keys,
        request.time_column,
        time_gap,
        request.words,
        request.fill,
        tuple(fillers) if request.fill else (),
        request.header,
        request.encoding,
        future_columns=request.known,
        future_mean=tuple(mean[size:].tolist()),
        future_scale=tuple(scale[size:].tolist()),
    )


def with_truth(
    starts: Mapping[str, Ranges], request: Request, is_missing: np.ndarray
) -> tuple[dict[str, Ranges], list[str]]:
    """The windows that no missing cell is in, and a note on the others.

    Args:
        starts: dict from splits to `Ranges`, where contexts begin.
        request: `Request`.
        is_missing: bool array `(rows,)`, whether a row lacks a cell; where
            cells are filled, of what is forecast.
    """
    low = 0 if request.fill is None else request.context
    high = request.context + request.horizon
    kept = series_windows.without(starts, low, high, is_missing)
    count = sum(len(starts[name]) - len(kept[name]) for name in kept)
    what = "missing cells" if not low else "missing cells in the horizon"
    return kept, [f"left out: {count:,} examples with {what}"] * bool(count)


def check_splits(
    starts: Mapping[str, Ranges],
    found: series_windows.SplitWindows,
    longest: int,
    request: Request,
) -> None:
    """Checks that each split has an example.

    Args:
        starts: dict from splits to `Ranges`, the windows that are used.
        found: `SplitWindows`, all windows.
        longest: int, the rows of the longest series.
        request: `Request`.
    """
    context, horizon = request.context, request.horizon
    for split, each in starts.items():
        if len(each):
            continue
        if len(found.starts[split]):
            raise ValueError(
                f"`{request.path}`: every example of the {split} split has a "
                "missing cell. Fill the contexts with fill (--fill), or give a "
                "longer table."
            )
        bounds = series_windows.part_bounds(longest, horizon)
        sizes = np.diff(bounds)
        needed = size = context + horizon
        while series_windows.part_bounds(needed, horizon)[1] < size:
            needed += 1
        raise ValueError(
            f"`{request.path}`: the {split} split has no example of {context} "
            f"+ {horizon} rows (context + horizon). The longest series has "
            f"{longest:,} rows, {found.longest:,} without a gap in time, "
            f"of which {sizes[0]:,} are for training, {sizes[1]:,} for "
            f"validation and {sizes[2]:,} for testing. At least {needed:,} "
            "without a gap are needed. Use a shorter horizon (--horizon) or "
            "context (--context), or give a longer table."
        )


def find_season(history: History, most_rows: int | None = None) -> int | None:
    """The season of the training rows without a missing cell.

    Args:
        history: `History`.
        most_rows: int, at most so many rows of a stretch are used, the last
            ones; `None` uses all.
    """

    def parts() -> Iterable[np.ndarray]:
        for start, stop, _ in history.stretches:
            if stop - start > 2:
                if most_rows is not None:
                    start = max(start, stop - most_rows)
                yield history.values[start:stop]

    return seasons.find(parts(), np.ones(history.values.shape[1]))


def make_task(
    request: Request,
    reader: SeriesReader,
    examples: Mapping[str, Examples],
    history: History,
    notes: Sequence[str],
    findings: Sequence[audit.Finding],
) -> Task:
    """Makes the task, and describes it.

    Args:
        request: `Request`.
        reader: `SeriesReader`.
        examples: dict from splits to `Examples`.
        history: `History`.
        notes: sequence of strings, lines of the description.
        findings: sequence of what is suspicious.

    Raises:
        ValueError: a leak was found, and `strict` is true.
    """
    size, width = len(request.targets), len(request.columns)
    known: Any = ""
    if request.known:
        known = f", of which {', '.join(request.known)} is known"
    task = Task(
        name=pathlib.Path(request.path).resolve().stem,
        description=(
            f"{request.context:,} rows of {_count(size, 'column')} -> the "
            f"next {_count(request.horizon, 'row')}{known}"
        ),
        num_classes=0,
        sequence_length=request.context + reader.unknown_rows,
        data=Stored(lambda: examples),
        recipe=build.RECIPE,
        input_dim=width,
        class_names=(),
        num_targets=request.horizon * size,
        horizon=request.horizon,
        future_dim=len(request.known),
        simple_rules=reader.rules,
        reader=reader,
        findings=tuple(findings),
        history=history,
    )
    if request.verbose:
        by = "in the order of the file"
        if request.time_column:
            by = f"by time: {request.time_column}"
        LOGGER.info("\n".join(build.describe_task(task, by, notes)))
        audit.log_findings(findings)
    audit.check_findings(findings, request.strict)
    return task


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + "s" * (number != 1)
