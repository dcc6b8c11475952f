"""Windows of the rows of a table, each within one split and one stretch."""

import dataclasses
import os

import numpy as np

from keras_fpt.tasks.user_data import audit, given_files, splitting
from keras_fpt.tasks.user_data.tables import table_groups, table_order, windows
from keras_fpt.tasks.user_data.tables.table_structure import Layout, Structure

MIXED_ADVICE = (
    "--min-label-share 0.9 leaves such windows out, --within-label starts a "
    "new window where the label changes, and --group-column keeps recordings "
    "apart."
)


def lay_out(
    labels: np.ndarray,
    structure: Structure,
    files: given_files.Files,
    request: splitting.SplitRequest,
    ordered: table_order.Ordered,
) -> Layout:
    """Cuts the ordered rows of a table into windows, and splits them.

    No window holds rows of two groups or splits, or a gap in time. Windows in
    which no label is the most common are left out.

    Args:
        labels: int array `(rows,)` of classes.
        structure: `Structure` with a window.
        files: the `Files` that the rows are from.
        request: `SplitRequest` for the rows.
        ordered: the rows' `Ordered`.

    Raises:
        ValueError: a split has no window; or as `splitting.split_examples`.
    """
    window = structure.window or 1
    stride = structure.stride or window
    if structure.keys:
        split_of, words = _split_of_groups(labels, files, request, ordered)
    else:
        split_of, words = _split_of_series(structure, files, request, ordered)
    is_first = ordered.is_first | ordered.is_gap | _changes(split_of)
    if structure.within_label:
        is_first |= _changes(labels[ordered.order])
    stretches = windows.Sequences(ordered.order, *windows.stretches(is_first))
    cut, _ = windows.windows(stretches, window, stride, structure.keep_rest)
    most = windows.majority(cut, labels)
    groups = _window_groups(cut, structure, request, ordered, stride)
    least = (structure.min_label_share or 0) * window
    is_kept = ~most.is_tie & (most.counts >= least)
    notes = left_out(
        stretches.lengths,
        most,
        is_kept,
        structure,
        len(ordered.groups.names),
    )
    if ordered.is_gap.any():
        notes.insert(
            0,
            gaps_note(int(ordered.is_gap.sum()), structure, ordered.time_gap),
        )
    findings = [
        *ordered.findings,
        *mixed_windows(most, is_kept, window, structure),
    ]
    kept = cut.select(is_kept)
    split_of_window = split_of[kept.starts]
    splits = {
        split: np.flatnonzero(split_of_window == number)
        for number, split in enumerate(splitting.SPLITS)
    }
    for number, (split, indices) in enumerate(splits.items()):
        if not len(indices):
            is_in_split = split_of == number
            own = stretches.lengths[is_in_split[stretches.starts]]
            refuse_empty(
                split,
                int(is_in_split.sum()),
                int(own.max(initial=0)),
                window,
                files.paths[0],
            )
    return Layout(
        kept,
        ordered.window_names(kept),
        most.labels[is_kept],
        splits,
        words,
        ordered.time_gap,
        notes,
        findings,
        None if groups is None else groups[is_kept],
    )


def _changes(values: np.ndarray) -> np.ndarray:
    """Where a value differs from the one before."""
    changes = np.zeros(len(values), bool)
    changes[1:] = values[1:] != values[:-1]
    return changes


def _split_of_groups(
    labels: np.ndarray,
    files: given_files.Files,
    request: splitting.SplitRequest,
    ordered: table_order.Ordered,
) -> tuple[np.ndarray, str]:
    """The number of the split of each ordered row, by groups, and words."""
    groups = ordered.groups
    split_of = np.empty(len(labels), np.int8)
    if request.names is None and request.folds is None:
        majority = windows.majority(ordered.whole, labels).labels
        splits = splitting.stratified(majority)
        # With few groups and many labels, it has none for testing.
        if request.groups is None and all(map(len, splits.values())):
            of_group = np.empty(len(majority), np.int8)
            for number, indices in enumerate(splits.values()):
                of_group[indices] = number
            numbers = groups.numbers[ordered.order]
            return of_group[numbers], f"seeded, by {request.groups_from}"
    if request.groups is None:
        request = dataclasses.replace(request, groups=groups.numbers)
    else:
        table_groups.check_constant(
            groups, request.groups, f"the {request.groups_from}", files
        )
    splits, words = splitting.split_examples(labels, files.where, request)
    for number, indices in enumerate(splits.values()):
        split_of[indices] = number
    return split_of[ordered.order], words


def _split_of_series(
    structure: Structure,
    files: given_files.Files,
    request: splitting.SplitRequest,
    ordered: table_order.Ordered,
) -> tuple[np.ndarray, str]:
    """The number of the split of each ordered row of a series, and words."""
    size = len(ordered.order)
    by = "in the order of the file"
    if structure.time_column is not None:
        by = f"by time: {structure.time_column}"
    if request.names is not None:
        names = np.asarray(request.names)[ordered.order]
        splits, words = splitting.series_from_names(
            dataclasses.replace(request, names=names),
            lambda place: files.where(int(ordered.order[place])),
        )
    elif request.folds is not None:
        splits = splitting.fold_of_series(size, request)
        words = f"fold {request.fold} of {request.folds}, blocks {by}"
    else:
        splits, words = splitting.chronological(size), by
    split_of = np.empty(size, np.int8)
    for number, places in enumerate(splits.values()):
        split_of[places] = number
    return split_of, words


def _window_groups(
    cut: windows.Sequences,
    structure: Structure,
    request: splitting.SplitRequest,
    ordered: table_order.Ordered,
    stride: int,
) -> np.ndarray | None:
    """Numbers of the windows that belong together; see `Layout`."""
    if structure.keys:
        numbers = request.groups
        if numbers is None:
            numbers = ordered.groups.numbers
        return numbers[ordered.order[cut.starts]]
    # Overlapping windows share rows with those up to a window further on.
    together = -(-(structure.window or 1) // stride)
    return np.arange(len(cut.starts)) // together if together > 1 else None


def gaps_note(count: int, structure: Structure, time_gap: float | None) -> str:
    """The note on gaps in time between windows."""
    return (
        f"{count:,} gaps in {structure.time_column}, of more than "
        f"{time_gap:g} each: no window holds one"
    )


def left_out(
    lengths: np.ndarray,
    most: windows.Majority,
    is_kept: np.ndarray,
    structure: Structure,
    num_groups: int,
) -> list[str]:
    """Notes on rows that are in no window, and why.

    Args:
        lengths: int array `(n,)`, the rows of each stretch.
        most: the `windows.Majority` of the windows.
        is_kept: bool array, which windows are kept.
        structure: a `Structure` with a window.
        num_groups: int.
    """
    window, notes = structure.window or 1, []
    is_short = lengths < window
    if is_short.any() and not structure.keep_rest:
        what = "groups" if len(is_short) == num_groups else "stretches"
        notes.append(
            f"left out: {int(is_short.sum()):,} {what} shorter than a window"
        )
    if most.is_tie.any():
        notes.append(
            f"left out: {int(most.is_tie.sum()):,} windows in which no label "
            "is the most common"
        )
    num_low = int(np.sum(~is_kept & ~most.is_tie))
    if num_low:
        notes.append(
            f"left out: {num_low:,} windows whose label has less than "
            f"{structure.min_label_share:g} of the rows"
        )
    return notes


def mixed_windows(
    most: windows.Majority,
    is_kept: np.ndarray,
    window: int,
    structure: Structure,
) -> list[audit.Finding]:
    """Finds windows that hold rows of several labels.

    Args:
        most, is_kept, structure: as for `left_out`.
        window: int.
    """
    is_mixed = most.counts < window
    if structure.keep_rest:  # Each row has a label of its own.
        return []
    if not is_mixed.any() or structure.min_label_share is not None:
        return []
    return [
        audit.Finding(
            "mixed-windows",
            f"{int(is_mixed.sum()):,} of {len(is_mixed):,} windows hold rows "
            "of several labels; a window has its most common one.",
            MIXED_ADVICE,
        )
    ]


def refuse_empty(
    split: str,
    count: int,
    longest: int,
    window: int,
    path: str | os.PathLike,
) -> None:
    """Raises an error that says why a split has no window.

    Args:
        split: string.
        count: int, the split's rows.
        longest: int, the rows of its longest stretch.
        window: int.
        path: the table's file.
    """
    where = f"`{path}`: the {split} split"
    if count < window:
        raise ValueError(
            f"{where} has {count:,} rows, fewer than a window of {window}."
        )
    if longest < window:
        raise ValueError(
            f"{where} has {count:,} rows, but in stretches of at most "
            f"{longest:,}, fewer than a window of {window}. Stretches end "
            "with a group, a split, a gap in time and, with within_label, a "
            "label."
        )
    raise ValueError(
        f"{where} has no window left: in all of them no label is the most "
        "common, or too few rows have it. Give a smaller window (--window) or "
        "min_label_share (--min-label-share)."
    )
