"""The sequences of a large table: stretches of rows, and their splits.

Rows that are in another order in the file are sorted on disk. In memory are,
for each row, its label and its split, and where groups, gaps in time and labels
change. A row is counted in the file, and a place where the rows are sorted.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from keras_fpt.tasks.user_data import audit, splitting
from keras_fpt.tasks.user_data.tables import (
    large_order,
    large_splits,
    large_watch,
    table_groups,
)


class Stretches(NamedTuple):
    """Successive rows that are a sequence, or that windows are cut from.

    Args:
        starts: int array `(n,)`, the place of the first row of each.
        lengths: int array `(n,)`.
        groups: int array `(n,)`, the number of the group of each.
        splits: int array `(n,)`, the index in `splitting.SPLITS` of each.
        split_by: string, how the rows were split, in words.
        together: int array `(n,)`, numbers of the groups that stay in one
            split, if they are larger; or `None`.
        breaks: int array, the places that nothing is filled from before.
        time_gap: float, the longest step of time within one, or `None`.
        num_gaps: int, how many rows follow a gap in time.
        findings: tuple of what is suspicious.
    """

    starts: np.ndarray
    lengths: np.ndarray
    groups: np.ndarray
    splits: np.ndarray
    split_by: str
    together: np.ndarray | None
    breaks: np.ndarray
    time_gap: float | None
    num_gaps: int
    findings: tuple[audit.Finding, ...]


def lay_out(
    watch: large_watch.Watch,
    order: large_order.Order,
    y: np.ndarray,
    class_names: tuple[str, ...],
) -> Stretches:
    """The sequences of the rows, or the stretches that windows are cut from.

    Args:
        watch: a `Watch` of all rows.
        order: their `Order`.
        y: int array `(rows,)` of classes, of a small dtype.
        class_names: tuple of strings.

    Raises:
        ValueError: as `table_layout.lay_out`.
    """
    structure, groups, steps = watch.structure, watch.runs.starts, watch.steps()
    together = None
    if watch.together is not None:
        of_rows = watch.together.numbers()
        _check_constant(
            of_rows,
            watch,
            f"the {' and '.join(structure.split_group)}",
            of_rows.__getitem__,
        )
        together = of_rows[watch.runs.first_rows]
    breaks = np.union1d(groups, steps.gaps)
    if structure.window is None:
        starts = groups
        split_of, words = _split_of_groups(watch, y, class_names, together)
        splits = split_of
    else:
        split_of, words = _split_of_rows(
            watch, order, y, len(class_names), together
        )
        changes = [breaks, _changes(split_of)]
        if structure.within_label:
            changes.append(_changes(order.take(y)))
        starts = np.unique(np.concatenate(changes))
        splits = split_of[starts]
    numbers = np.searchsorted(groups, starts, side="right") - 1
    return Stretches(
        starts,
        np.diff(np.append(starts, len(y))),
        numbers,
        splits.astype(int),
        words,
        None if together is None else together[numbers],
        breaks,
        steps.time_gap,
        len(steps.gaps),
        watch.findings(steps, order),
    )


def _changes(values: np.ndarray) -> np.ndarray:
    """The places whose value differs from the one before."""
    found = [
        part.start + np.flatnonzero(values[part] != values[_before(part)])
        for part in large_splits.slices(len(values))
    ]
    return np.concatenate([*found, np.array([], int)])


def _before(part: slice) -> Any:
    """The places one before those of a slice; the first one for itself."""
    if part.start:
        return slice(part.start - 1, part.stop - 1)
    return np.maximum(np.arange(part.start, part.stop) - 1, 0)


def _check_constant(
    values: np.ndarray,
    watch: large_watch.Watch,
    what: str,
    name_of: Callable[[int], Any],
    advice: str = "",
) -> None:
    """Checks, as `table_groups.check_constant`, what is noted for each row."""
    first_rows = watch.runs.first_rows
    expected = values[first_rows]
    for part in large_splits.slices(len(values)):
        groups = watch.runs.numbers(part)
        wrong = np.flatnonzero(values[part] != expected[groups])
        if len(wrong):
            group = int(groups[wrong[0]])
            raise table_groups.contradiction(
                watch.files.known,
                part.start + int(wrong[0]),
                int(first_rows[group]),
                what,
                name_of,
                watch.runs.names[group],
                advice,
            )


def _split_of_groups(
    watch: large_watch.Watch,
    y: np.ndarray,
    class_names: tuple[str, ...],
    together: np.ndarray | None,
) -> tuple[np.ndarray, str]:
    """The number of the split of each group, and words.

    Args:
        watch, y, class_names: as for `lay_out`.
        together: int array `(groups,)`, or `None`.
    """
    structure, files = watch.structure, watch.files.known
    if len(class_names) > 1:
        _check_constant(
            y,
            watch,
            "the label",
            lambda row: class_names[y[row]],
            " If labels change within a group, cut it into windows with window "
            "(--window).",
        )
    first_rows = watch.runs.first_rows
    given = watch.split_names()
    names, words = None, "as given"
    if given is not None:
        codes, distinct, words = given
        _check_constant(
            codes,
            watch,
            f"the split ({words})",
            lambda row: distinct[codes[row]],
        )
        names = np.array(distinct, str)[codes[first_rows]]
    request = splitting.SplitRequest(
        names,
        words,
        together,
        " and ".join(structure.split_group or structure.keys),
        structure.folds,
        structure.fold,
    )
    if structure.split_group and together is None:  # It is the key.
        request = dataclasses.replace(
            request, groups=np.arange(len(first_rows))
        )
    splits, split_by = splitting.split_examples(
        y[first_rows].astype(np.int32),
        lambda index: f"`{files.paths[0]}`, {watch.runs.names[index]}",
        request,
    )
    return large_splits.as_codes(splits, len(first_rows)), split_by


def _split_of_rows(
    watch: large_watch.Watch,
    order: large_order.Order,
    y: np.ndarray,
    num_classes: int,
    together: np.ndarray | None,
) -> tuple[np.ndarray, str]:
    """The number of the split of each place of windows, and words.

    Args:
        watch, order, y: as for `lay_out`.
        num_classes: int.
        together: int array `(groups,)`, or `None`.
    """
    structure, files, runs = watch.structure, watch.files, watch.runs
    given = watch.split_names()
    if not structure.keys:
        return _split_of_series(watch, order, len(y), given)
    by = " and ".join(structure.split_group or structure.keys)
    is_free = given is None and structure.folds is None
    if is_free and not structure.split_group:
        placed = order.take(y)
        most = np.array(
            [
                np.bincount(own[own >= 0], minlength=num_classes).argmax()
                for a, n in zip(
                    runs.starts.tolist(), runs.sizes.tolist(), strict=True
                )
                for own in [placed[a : a + n]]
            ]
        )
        splits = splitting.stratified(most)
        if all(map(len, splits.values())):
            split = large_splits.as_codes(splits, len(most))
            return np.repeat(split, runs.sizes), f"seeded, by {by}"
    of_group = np.arange(len(runs.names)) if together is None else together
    groups = np.empty(len(y), np.min_scalar_type(len(runs.names)))
    for part in large_splits.slices(len(y)):
        groups[part] = of_group[runs.numbers(part)]
    request = splitting.SplitRequest(
        groups=groups,
        groups_from=by,
        folds=structure.folds,
        fold=structure.fold,
    )
    names = watch.names
    split, words = large_splits.split(
        y,
        num_classes,
        request,
        files.where,
        given,
        files.where if names is None else names.first_of,
    )
    return order.take(split), words


def _split_of_series(
    watch: large_watch.Watch,
    order: large_order.Order,
    size: int,
    given: large_splits.Given | None,
) -> tuple[np.ndarray, str]:
    """The number of the split of each place of a series, and words."""
    structure, names = watch.structure, watch.names
    by = "in the order of the file"
    if structure.time_column is not None:
        by = f"by time: {structure.time_column}"
    if given is not None:
        codes, distinct, words = given
        split, has_validation = large_splits.codes_of_names(
            order.take(codes),
            distinct,
            splitting.SplitRequest(names_from=words),
            watch.files.where if names is None else names.first_of,
        )
        if not has_validation:
            is_train = np.flatnonzero(split == large_splits.TRAIN)
            count = len(is_train) // splitting.VALIDATION_PART
            split[is_train[len(is_train) - count :]] = large_splits.VALIDATION
            words += "; validation: the last tenth of train"
        return split, words
    if structure.folds is not None or structure.fold != 1:
        request = splitting.SplitRequest(
            folds=structure.folds, fold=structure.fold
        )
        splits = splitting.fold_of_series(size, request)
        words = f"fold {structure.fold} of {structure.folds}, blocks {by}"
        return large_splits.as_codes(splits, size), words
    return large_splits.as_codes(splitting.chronological(size), size), by
