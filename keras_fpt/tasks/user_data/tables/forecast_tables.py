"""Tables of series in time, whose next rows are forecast."""

import dataclasses
import logging
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from keras_fpt.tasks import seasons
from keras_fpt.tasks.forecast_history import History
from keras_fpt.tasks.stored import Examples, Stored
from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import (
    audit,
    build,
    given_files,
)
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path
from keras_fpt.tasks.user_data.tables import (
    cells,
    forecast_columns,
    forecast_notes,
    future_rows,
    missing_rows,
    series_windows,
    table_columns,
    table_files,
    table_order,
    table_reader,
    table_structure,
    windows,
)
from keras_fpt.tasks.user_data.tables import columns as columns_
from keras_fpt.tasks.user_data.tables.series_reader import SeriesReader

LOGGER = logging.getLogger(__name__)
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
    words = cells.as_words(missing)
    targets = table_structure.as_tuple(target_column)
    known_columns = table_structure.as_tuple(future_column)
    columns = (*targets, *known_columns)
    keys = table_structure.as_tuple(group_column)
    frame = table_files.read_table(path, header, encoding)
    files = given_files.Files((str(path),), (len(frame),))
    forecast_columns.check_named(
        frame, columns, (*keys, *filter(None, [time_column])), path
    )
    values = forecast_columns.read_numbers(
        frame, columns, known_columns, files, words
    )
    ordered = table_order.in_order(frame, keys, time_column, files)
    unknown = np.zeros(len(ordered.groups.names), int)
    if known_columns:
        unknown = future_rows.count(ordered, values, len(targets))
    if fill is None and not drop_missing:
        columns_.check_no_missing(
            future_rows.without(values, ordered, unknown, len(targets)),
            frame,
            columns,
            files.where,
        )
    order = ordered.order
    found = series_windows.cut(ordered, context, horizon, stride or 1, unknown)
    is_missing = np.isnan(values)[order]
    starts, left_out = _with_truth(
        found.starts, context, horizon, is_missing, len(targets), fill is None
    )
    _check_splits(starts, found, ordered, context, horizon, path)

    train_rows = np.sort(order[found.is_train])
    known = values[train_rows]
    fillers = forecast_columns.medians(known, columns, path)
    table_reader.check_magnitudes(np.nan_to_num(known), columns, path)
    mean, scale = forecast_columns.statistics(known)
    size = len(targets)
    reader = SeriesReader(
        targets,
        tuple(mean[:size].tolist()),
        tuple(scale[:size].tolist()),
        context,
        horizon,
        keys,
        time_column,
        ordered.time_gap,
        words,
        fill,
        fillers if fill else (),
        header,
        encoding,
        future_columns=known_columns,
        future_mean=tuple(mean[size:].tolist()),
        future_scale=tuple(scale[size:].tolist()),
    )
    filled = table_reader.fill_missing(
        values, reader.kinds, fill, frame, keys, time_column, files
    )
    scaled = reader.standardized(filled, path)
    examples = {
        split: _examples(scaled, ordered, chosen, reader)
        for split, chosen in starts.items()
    }
    history = series_windows.history(
        scaled[order, :size], found.is_train, ordered, starts, context
    )
    reader = dataclasses.replace(reader, season=_find_season(history))
    findings = [
        *ordered.findings,
        *forecast_notes.irregular_steps(frame, time_column, ordered, files),
        *forecast_notes.sentinels(known, columns),
    ]
    if time_column is None:
        findings += forecast_notes.other_order(
            frame, (*columns, *keys), ordered, files
        )
    task = Task(
        name=pathlib.Path(path).resolve().stem,
        description=(
            f"{context:,} rows of {_count(size, 'column')} -> the "
            f"next {_count(horizon, 'row')}{_known_words(known_columns)}"
        ),
        num_classes=0,
        sequence_length=context + reader.unknown_rows,
        data=Stored(lambda: examples),
        recipe=build.RECIPE,
        input_dim=len(columns),
        class_names=(),
        num_targets=horizon * size,
        horizon=horizon,
        future_dim=len(known_columns),
        simple_rules=reader.rules,
        reader=reader,
        findings=tuple(findings),
        history=history,
    )
    if verbose:
        by = (
            f"by time: {time_column}"
            if time_column
            else "in the order of the file"
        )
        notes = [
            f"series: {len(ordered.groups.names):,}, of up to "
            f"{found.longest:,} rows without a gap",
            *table_columns.format_notes(frame),
            *forecast_notes.gap_notes(ordered, time_column),
            *left_out,
            *missing_rows.unused_notes(frame, columns, words),
            forecast_notes.season_note(reader.season, context),
        ]
        LOGGER.info("\n".join(build.describe_task(task, by, notes)))
        audit.log_findings(findings)
    audit.check_findings(findings, strict)
    return task


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + "s" * (number != 1)


def _known_words(known_columns: Sequence[str]) -> str:
    if not known_columns:
        return ""
    return f", of which {', '.join(known_columns)} is known"


def _with_truth(
    starts: dict[str, np.ndarray],
    context: int,
    horizon: int,
    is_missing: np.ndarray,
    columns: int,
    needs_context: bool,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """The windows that no missing cell is in, and a note on the others."""
    kept = {}
    for split, each in starts.items():
        is_kept = (
            series_windows.is_complete(each, context + horizon, is_missing)
            if needs_context
            else series_windows.has_truth(
                each, context, horizon, is_missing[:, :columns]
            )
        )
        kept[split] = each[is_kept]
    count = sum(len(starts[name]) - len(kept[name]) for name in kept)
    what = "missing cells" if needs_context else "missing cells in the horizon"
    return kept, [f"left out: {count:,} examples with {what}"] * bool(count)


def _check_splits(
    starts: dict[str, np.ndarray],
    found: series_windows.SplitWindows,
    ordered: table_order.Ordered,
    context: int,
    horizon: int,
    path: str | os.PathLike,
) -> None:
    """Checks that each split has an example."""
    for split, each in starts.items():
        if len(each):
            continue
        if len(found.starts[split]):
            raise ValueError(
                f"`{path}`: every example of the {split} split has a missing "
                "cell. Fill the contexts with fill (--fill), or give a longer "
                "table."
            )
        lengths = ordered.whole.lengths
        bounds = series_windows.part_bounds(int(lengths.max()), horizon)
        sizes = np.diff(bounds)
        needed = size = context + horizon
        while series_windows.part_bounds(needed, horizon)[1] < size:
            needed += 1
        raise ValueError(
            f"`{path}`: the {split} split has no example of {context} + "
            f"{horizon} rows (context + horizon). The longest series has "
            f"{lengths.max():,} rows, {found.longest:,} without a gap in time, "
            f"of which {sizes[0]:,} are for training, {sizes[1]:,} for "
            f"validation and {sizes[2]:,} for testing. At least {needed:,} "
            "without a gap are needed. Use a shorter horizon (--horizon) or "
            "context (--context), or give a longer table."
        )


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


def _find_season(history: History) -> int | None:
    """The season of the training rows without a missing cell."""
    parts = [
        history.values[each.start : each.train_stop]
        for each in history.stretches
        if each.train_stop - each.start > 2
    ]
    if not parts:
        return None
    return seasons.find(parts, np.ones(history.values.shape[1]))
