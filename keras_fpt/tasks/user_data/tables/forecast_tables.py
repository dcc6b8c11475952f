"""Tables of series in time, whose next rows are forecast."""

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.stored import Examples
from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import given_files
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path
from keras_fpt.tasks.user_data.tables import (
    cells,
    forecast_build,
    forecast_columns,
    forecast_notes,
    future_rows,
    large_forecasts,
    missing_rows,
    series_windows,
    table_columns,
    table_files,
    table_order,
    table_reader,
    table_structure,
    times,
    windows,
)
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables.series_reader import SeriesReader

if TYPE_CHECKING:
    import pandas as pd

# The rows of a context, in horizons.
_HORIZONS = 4


@prefix_errors_with_path
def from_series(
    path: str | os.PathLike,
    target_column: str | Sequence[str],
    horizon: int | None = None,
    context: int | None = None,
    group_column: str | Sequence[str] | None = None,
    time_column: str | None = None,
    stride: int | None = None,
    missing: str | Sequence[str] = (),
    fill: str | None = None,
    drop_missing: bool = False,
    header: bool | None = None,
    encoding: str | None = None,
    strict: bool = False,
    verbose: bool = True,
    task_type: str = "forecast",
    future_column: str | Sequence[str] | None = None,
) -> Task:
    """Makes a task from a table: to forecast the next rows of a series.

    Each row is a step of time. An example is `context` successive rows, and
    its labels are the `horizon` rows that follow. The last fifth of each
    series is for testing, and the last tenth of the rest for validation, each
    at least a horizon long. What is forecast in a split lies within it;
    contexts reach back into the split before, which is known by then. No
    example holds rows of two series, or a gap in time: a step of more than 5
    times the median step. Columns are standardized with the mean and the
    standard deviation of the training rows, and so are the task's errors.

    Args:
        path: a table, as of `from_csv`.
        target_column: string or strings, the columns that are forecast, each
            from the past of all of them. Other columns are not used.
        horizon: int, how many rows are forecast.
        context: int, how many rows a forecast is made from. `None` is four
            times the horizon.
        group_column: string or strings (one key), the columns that tell
            series apart; `None` is one series.
        time_column: string, a column of numbers or dates by which the rows of
            each series are sorted; `None` is the order of the file.
        stride: int, rows from one training example to the next; `None` is 1.
            Validation and test have a forecast from every row.
        missing: string, number or several, what marks missing cells, as of
            `from_csv`.
        fill: `"median"` or `"forward"`, how missing cells of contexts are
            filled, as of `from_csv`. No example has a missing cell in what is
            forecast. `None` refuses missing cells.
        drop_missing: bool, whether to leave out examples with a missing cell.
        header: bool, whether the first row names the columns; see `from_csv`.
        encoding: string, the encoding of text that is not UTF-8.
        strict: bool, whether a leak that is found is an error.
        verbose: bool, whether to log a description of the data.
        task_type: `"forecast"`.
        future_column: string or strings, columns of numbers that are known in
            advance, such as holidays or prices. They are not forecast, and
            the model reads them over the horizon as well as over the context.
            Rows at the end of a series that hold them alone are not used in
            training.

    Returns:
        A `Task`, whose labels are of shape `(n, horizon, columns)`. With
        `future_column` its inputs are contexts and horizons, with 0 for what
        is forecast, see `keras_fpt.FPTForecaster`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: a column is missing or holds no numbers; a cell is
            missing; or the series are too short for an example of each split.

    Example:

    ```python
    task = keras_fpt.tasks.from_series(
        "sunspots.csv", target_column="activity", horizon=11
    )
    ```

    Source: Zhou et al., 2021, "Informer", arXiv 2012.07436, for splits by time
    whose contexts reach back.
    """
    if task_type != "forecast":
        raise ValueError(
            "Expected task_type (--task-type) to be forecast but received "
            f"'{task_type}'."
        )
    if horizon is None:
        raise ValueError(
            "Say how many rows to forecast with horizon (--horizon)."
        )
    context = _HORIZONS * horizon if context is None else context
    series_windows.check_sizes(context, horizon, stride)
    missing_rows.check_fill(fill)
    request = forecast_build.Request(
        str(path),
        table_structure.as_tuple(target_column),
        table_structure.as_tuple(future_column),
        horizon,
        context,
        stride or 1,
        table_structure.as_tuple(group_column),
        time_column,
        cells.as_words(missing),
        fill,
        drop_missing,
        header,
        encoding,
        strict,
        verbose,
    )
    task = large_forecasts.make_task(request)
    return _task_in_memory(request) if task is None else task


def _task_in_memory(request: forecast_build.Request) -> Task:
    path, columns, size = request.path, request.columns, len(request.targets)
    frame = table_files.read_table(path, request.header, request.encoding)
    files = given_files.Files((path,), (len(frame),))
    forecast_columns.check_named(frame, columns, request.not_columns, path)
    values = forecast_columns.read_numbers(
        frame, columns, request.known, files, request.words
    )
    ordered = table_order.in_order(
        frame, request.keys, request.time_column, files
    )
    order, is_first = ordered.order, ordered.is_first
    series, lengths = windows.stretches(is_first)
    unknown = np.zeros(len(series), int)
    if request.known:
        has_number = ~np.isnan(values[order, :size]).all(axis=1)
        unknown = future_rows.count(has_number, series)
    if not request.may_lack:
        columns_.check_no_missing(
            future_rows.without(values, ordered, unknown, size),
            frame,
            columns,
            files.where,
        )
    stretches = np.flatnonzero(is_first | ordered.is_gap)
    found = series_windows.cut(
        series,
        stretches,
        len(frame),
        request.context,
        request.horizon,
        request.stride,
        unknown,
    )
    is_missing = np.isnan(values if request.fill is None else values[:, :size])
    starts, left_out = forecast_build.with_truth(
        found.starts, request, is_missing.any(axis=1)[order]
    )
    forecast_build.check_splits(starts, found, int(lengths.max()), request)

    train_rows = np.sort(order[found.is_train])
    known = values[train_rows]
    fillers = forecast_columns.medians(known, columns, path)
    table_reader.check_magnitudes(np.nan_to_num(known), columns, path)
    mean, scale = forecast_columns.statistics(known)
    reader = forecast_build.make_reader(
        request, mean, scale, fillers, ordered.time_gap
    )
    filled = table_reader.fill_missing(
        values,
        reader.kinds,
        request.fill,
        frame,
        request.keys,
        request.time_column,
        files,
    )
    scaled = reader.standardized(filled, path)
    history = series_windows.history(
        scaled[order, :size],
        np.isfinite(scaled[order, :size]).all(axis=1),
        found.is_train,
        stretches,
        starts,
        request.context,
    )
    other_order = []
    if request.time_column is None:
        other_order = forecast_notes.other_order(
            frame, (*columns, *request.keys), order, ordered.is_first, files
        )
    season = forecast_build.find_season(history)
    reader = dataclasses.replace(reader, season=season)
    return forecast_build.make_task(
        request,
        reader,
        {
            split: _examples(scaled, ordered, chosen[:], reader)
            for split, chosen in starts.items()
        },
        history,
        [
            forecast_notes.series_note(len(series), found.longest),
            *table_columns.format_notes(frame),
            *forecast_notes.gap_notes(
                int(ordered.is_gap.sum()), ordered.time_gap, request.time_column
            ),
            *left_out,
            *missing_rows.unused_notes(frame, columns, request.words),
            forecast_notes.season_note(season, request.context),
        ],
        [
            *ordered.findings,
            *forecast_notes.irregular_steps(
                _steps(frame, request.time_column, ordered, files),
                request.time_column,
                ordered.time_gap,
                lambda place: files.where(int(order[place])),
            ),
            *forecast_notes.sentinels(known, columns),
            *other_order,
        ],
    )


def _steps(
    frame: "pd.DataFrame",
    time_column: str | None,
    ordered: table_order.Ordered,
    files: given_files.Files,
) -> list[tuple[int, np.ndarray]]:
    """The steps of time, as `forecast_notes.irregular_steps` takes them."""
    if time_column is None:
        return []
    texts = table_columns.column(frame, time_column, files.paths[0])
    moments = times.parse(texts, time_column, files.where)[ordered.order]
    steps = np.diff(moments, prepend=moments[:1])
    steps[ordered.is_first] = np.nan
    return [(0, steps)]


def _examples(
    scaled: np.ndarray,
    ordered: table_order.Ordered,
    starts: np.ndarray,
    reader: SeriesReader,
) -> Examples:
    size = reader.context + reader.horizon
    cut = windows.Sequences(ordered.order, starts, np.full(len(starts), size))
    values = cut.cut(scaled)
    # Windows that overlap share rows, so they are not independent.
    series = ordered.groups.numbers[ordered.order[starts]]
    blocks = np.stack([series, starts // size])
    _, groups = np.unique(blocks, axis=1, return_inverse=True)
    return Examples(
        reader.inputs(values),
        values[:, reader.context :, : len(reader.columns)],
        ordered.window_names(cut),
        groups.ravel(),
    )
