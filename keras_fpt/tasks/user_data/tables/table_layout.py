"""Makes sequences of a table's rows, and splits them."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fpt.tasks.user_data import given_files, splitting
from keras_fpt.tasks.user_data.tables import (
    sampling_steps,
    table_columns,
    table_groups,
    table_order,
    table_windows,
    windows,
)
from keras_fpt.tasks.user_data.tables.table_structure import Layout, Structure

if TYPE_CHECKING:
    import pandas as pd


def lay_out(
    frame: "pd.DataFrame",
    labels: np.ndarray,
    class_names: Sequence[str],
    structure: Structure,
    files: given_files.Files,
) -> Layout:
    """Makes sequences of a table's rows, and splits them.

    Args:
        frame: what `table_files.read_table` returned.
        labels: int array `(rows,)` of classes.
        class_names: sequence of strings.
        structure: `Structure`.
        files: the `Files` that the rows are from.

    Raises:
        ValueError: a column does not exist; rows of a group contradict each
            other; a split has no window; or as `splitting.split_examples`.
    """
    row_splits, splits_from = files.split_names, files.words
    if structure.split_column is not None:
        if row_splits is not None:
            raise ValueError(
                f"`{files.paths[0]}`: give split_column (--split-column), or "
                "validation and test files, not both."
            )
        cells = table_columns.column(
            frame, structure.split_column, files.paths[0]
        )
        row_splits = cells.to_numpy(str)
        splits_from = f"column {structure.split_column}"
    together = None
    if structure.split_group:
        together = table_groups.find_groups(frame, structure.split_group, files)
    request = splitting.SplitRequest(
        row_splits,
        splits_from,
        None if together is None else together.numbers,
        " and ".join(structure.split_group or structure.keys),
        structure.folds,
        structure.fold,
    )
    spellings = table_groups.Spellings(
        [*structure.split_group, *structure.keys]
    )
    spellings.add(frame)
    layout = _laid_out(frame, labels, class_names, structure, files, request)
    return layout._replace(findings=[*layout.findings, *spellings.findings()])


def _laid_out(
    frame: "pd.DataFrame",
    labels: np.ndarray,
    class_names: Sequence[str],
    structure: Structure,
    files: given_files.Files,
    request: splitting.SplitRequest,
) -> Layout:
    """The layout, once it is known how to split; arguments as above."""
    if structure.is_by_row:
        return _each_row(labels, files, request)
    ordered = table_order.in_order(
        frame, structure.keys, structure.time_column, files
    )
    if structure.window is None:
        layout = _each_group(labels, class_names, files, request, ordered)
    else:
        layout = table_windows.lay_out(
            labels, structure, files, request, ordered
        )
    if ordered.steps is None:
        return layout
    steps = sampling_steps.steps_of_sequences(
        ordered.steps, ordered.is_first, labels, layout.sequences
    )
    return layout._replace(steps=steps)


def _each_row(
    labels: np.ndarray,
    files: given_files.Files,
    request: splitting.SplitRequest,
) -> Layout:
    splits, words = splitting.split_examples(labels, files.where, request)
    return Layout(
        windows.each_row(len(labels)),
        files.row_names,
        labels.astype(np.int32),
        splits,
        words,
        groups=request.groups,
    )


def _each_group(
    labels: np.ndarray,
    class_names: Sequence[str],
    files: given_files.Files,
    request: splitting.SplitRequest,
    ordered: table_order.Ordered,
) -> Layout:
    groups = ordered.groups
    table_groups.check_constant(
        groups,
        np.array(class_names, object)[labels],
        "the label",
        files,
        " If labels change within a group, cut it into windows with window "
        "(--window).",
    )
    y = labels[groups.first_rows].astype(np.int32)
    request = _of_groups(request, groups, files)
    splits, words = splitting.split_examples(
        y, _where_group(groups, files), request
    )
    findings = list(ordered.findings)
    if ordered.is_gap.any():
        findings.append(ordered.gaps(files))
    return Layout(
        ordered.whole,
        groups.names,
        y,
        splits,
        words,
        ordered.time_gap,
        findings=findings,
        groups=request.groups,
    )


def _of_groups(
    request: splitting.SplitRequest,
    groups: table_groups.Groups,
    files: given_files.Files,
) -> splitting.SplitRequest:
    """The request for groups instead of rows."""
    first = groups.first_rows
    chosen: dict[str, Any] = {}
    for field, words in (
        ("names", f"the split ({request.names_from})"),
        ("groups", f"the {request.groups_from}"),
    ):
        values = getattr(request, field)
        if values is not None:
            table_groups.check_constant(groups, values, words, files)
            values = values[first]
        chosen[field] = values
    return dataclasses.replace(request, **chosen)


def _where_group(
    groups: table_groups.Groups, files: given_files.Files
) -> Callable[[int], str]:
    return lambda index: f"`{files.paths[0]}`, {groups.names[index]}"


def lay_out_new(
    frame: "pd.DataFrame",
    group_column: Sequence[str],
    time_column: str | None,
    time_gap: float | None,
    window: int | None,
    stride: int | None,
    path: str | os.PathLike,
    keep_rest: bool = False,
    is_noted: bool = False,
) -> tuple[windows.Sequences, list[str]]:
    """Makes sequences of the rows of a new file, which need no labels.

    Args:
        frame: what `table_files.read_table` returned.
        group_column: sequence of strings, the columns of one key.
        time_column: string, or `None`.
        time_gap: float, the longest step of time within a window, or `None`.
        window: int, or `None`.
        stride: int, or `None` if there is no window.
        path: the table's file, for errors.
        keep_rest: bool, as for `windows.windows`; a group that is shorter
            than a window is then a sequence as well.
        is_noted: bool, whether to log steps of time unlike those of training.

    Returns:
        A tuple: the sequences, and their names.

    Raises:
        ValueError: a column does not exist; a group or a time is missing; a
            group is shorter than a window.
    """
    files = given_files.Files((str(path),), (len(frame),))
    if window is None and not group_column:
        return windows.each_row(len(frame)), files.row_names
    ordered = table_order.in_order(
        frame, group_column, time_column, files, time_gap
    )
    if is_noted:
        ordered.log_step(time_column, files.paths[0])
    whole = ordered.whole
    if window is None:
        return whole, ordered.groups.names
    short = np.flatnonzero(whole.lengths < window)
    if len(short) and not keep_rest:
        raise ValueError(
            f"`{path}`, {ordered.groups.names[short[0]]}: "
            f"{whole.lengths[short[0]]} rows are fewer than a window of "
            f"{window}."
        )
    is_first = ordered.is_first | ordered.is_gap
    stretches = windows.Sequences(ordered.order, *windows.stretches(is_first))
    cut, _ = windows.windows(stretches, window, stride or window, keep_rest)
    if not len(cut.starts):
        raise ValueError(no_window(path, time_column, window, time_gap))
    return cut, ordered.window_names(cut)


def no_window(
    path: str | os.PathLike,
    time_column: str | None,
    window: int | None,
    time_gap: float | None,
) -> str:
    """The error that gaps in time leave no window.

    Args:
        path, time_column, window, time_gap: as for `lay_out_new`.
    """
    return (
        f"`{path}`: gaps in {time_column} leave no window of {window} rows. A "
        f"gap is a step of more than {time_gap or 0:g}, from the steps of "
        "training: are the times of this file in another unit?"
    )
