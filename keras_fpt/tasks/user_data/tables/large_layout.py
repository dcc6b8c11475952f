"""The sequences of a large table: stretches of rows, and their splits.

Rows must be in their order in the file. In memory are, for each row, its
label and its split, and where groups, gaps in time and labels change.
"""

import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_fpt.tasks.user_data import audit, splitting
from keras_fpt.tasks.user_data.tables import (
    group_runs,
    large_files,
    large_groups,
    large_labels,
    large_splits,
    large_times,
    table_columns,
    table_groups,
)
from keras_fpt.tasks.user_data.tables.table_structure import Structure

if TYPE_CHECKING:
    import pandas as pd

LOGGER = logging.getLogger(__name__)


class Stretches(NamedTuple):
    """Successive rows that are a sequence, or that windows are cut from.

    Args:
        starts: int array `(n,)`, the first row of each.
        lengths: int array `(n,)`.
        groups: int array `(n,)`, the number of the group of each.
        splits: int array `(n,)`, the index in `splitting.SPLITS` of each.
        split_by: string, how the rows were split, in words.
        together: int array `(n,)`, numbers of the groups that stay in one
            split, if they are larger; or `None`.
        breaks: int array, the rows that nothing is filled from before.
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


class Watch:
    """Notes the structure of a large table's rows while they are parsed.

    Args:
        files: the `LargeFiles`.
        structure: a `Structure`.
        drop_missing: bool, as for `tables.from_csv`.
    """

    def __init__(
        self,
        files: large_files.LargeFiles,
        structure: Structure,
        drop_missing: bool = False,
    ) -> None:
        self.files = files
        self.structure = structure
        self.runs = group_runs.GroupRuns(files.known, structure.keys)
        self.names: large_labels.Labels | None = None
        self.together: large_groups.GroupNumbers | None = None
        self.times: large_times.LargeTimes | None = None
        if structure.split_column is not None:
            if files.known.splits is not None:
                raise ValueError(
                    f"`{files.known.paths[0]}`: give split_column "
                    "(--split-column), or validation and test files, not both."
                )
            self.names = large_labels.Labels(files.where)
        if structure.split_group and structure.split_group != structure.keys:
            self.together = large_groups.GroupNumbers(
                structure.split_group, drop_missing and structure.is_by_row
            )
        if structure.time_column is not None:
            self.times = large_times.LargeTimes(structure.time_column)

    def frames(
        self, frames: Iterable["pd.DataFrame"]
    ) -> Iterator["pd.DataFrame"]:
        """Yields parts of the table, and notes their structure."""
        for frame in self.runs.watch(frames):
            if self.names is not None:
                name = str(self.structure.split_column)
                path = large_files.path_of(frame)
                self.names.add(table_columns.column(frame, name, path))
            if self.together is not None:
                self.together.add(frame)
            if self.times is not None:
                self.times.add(frame)
            yield frame

    def close(self) -> None:
        """Removes files that are not needed any more."""
        if self.times is not None:
            self.times.close()

    def split_names(self) -> tuple[np.ndarray, list[str], str] | None:
        """The split that is given for each row, as `large_splits.Given`."""
        if self.names is not None:
            words = f"column {self.structure.split_column}"
            return self.names.codes(), self.names.distinct, words
        found = self.files.row_splits()
        if found is None:
            return None
        return *found, self.files.known.words

    def steps(self) -> large_times.Steps | None:
        """The steps of time, if there are any.

        Returns:
            `Steps`; `None` if rows are not in their order, which is logged.
        """
        path, keys = self.files.known.paths[0], self.structure.keys
        wanted = [*keys]
        if self.times is not None:
            wanted.append(str(self.structure.time_column))
        advice = f"Sort the file by {' and '.join(wanted)} to read it in parts."
        if self.runs.are_scattered:
            LOGGER.warning(
                f"`{path}` is read into memory as a whole, since the rows of a "
                f"group by {' and '.join(keys)} are not together. {advice}"
            )
            return None
        if self.times is None:
            return large_times.Steps(None, np.array([], int), 0, -1)
        steps = None
        if self.times.are_alike:
            steps = self.times.steps(np.array(self.runs.starts))
        if steps is None:
            LOGGER.warning(
                f"`{path}` is read into memory as a whole, since its rows are "
                f"not sorted by {self.structure.time_column}, or the times are "
                f"not in ISO 8601. {advice}"
            )
        return steps


def lay_out(
    watch: Watch, y: np.ndarray, class_names: tuple[str, ...]
) -> Stretches | None:
    """The sequences of the rows, or the stretches that windows are cut from.

    Args:
        watch: a `Watch` of all rows.
        y: int array `(rows,)` of classes, of a small dtype.
        class_names: tuple of strings.

    Returns:
        `Stretches`; `None` if the rows must be sorted first.

    Raises:
        ValueError: as `table_layout.lay_out`.
    """
    steps = watch.steps()
    if steps is None:
        return None
    structure, files = watch.structure, watch.files.known
    groups = np.array(watch.runs.starts)
    together = None if watch.together is None else watch.together.numbers()
    if together is not None:
        _check_constant(
            together,
            watch,
            f"the {' and '.join(structure.split_group)}",
            lambda row: together[row],
        )
    findings = large_times.findings(steps, structure, files)
    breaks = np.union1d(groups, steps.gaps)
    if structure.window is None:
        starts = groups
        split_of, words = _split_of_groups(watch, y, class_names, together)
        splits = split_of
    else:
        split_of, words = _split_of_rows(watch, y, len(class_names), together)
        changes = [breaks, _changes(split_of)]
        if structure.within_label:
            changes.append(_changes(y))
        starts = np.unique(np.concatenate(changes))
        splits = split_of[starts]
    return Stretches(
        starts,
        np.diff(np.append(starts, len(y))),
        np.searchsorted(groups, starts, side="right") - 1,
        splits.astype(int),
        words,
        None if together is None else together[starts],
        breaks,
        steps.time_gap,
        len(steps.gaps),
        findings,
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
    watch: Watch,
    what: str,
    name_of: Callable[[int], Any],
    advice: str = "",
) -> None:
    """Checks, as `table_groups.check_constant`, what is noted for each row."""
    starts = np.array(watch.runs.starts)
    wrong = np.setdiff1d(_changes(values), starts)
    if len(wrong):
        row = int(wrong[0])
        group = int(np.searchsorted(starts, row, side="right")) - 1
        raise table_groups.contradiction(
            watch.files.known,
            row,
            int(starts[group]),
            what,
            name_of,
            watch.runs.names[group],
            advice,
        )


def _split_of_groups(
    watch: Watch,
    y: np.ndarray,
    class_names: tuple[str, ...],
    together: np.ndarray | None,
) -> tuple[np.ndarray, str]:
    """The number of the split of each group, and words."""
    structure, files = watch.structure, watch.files.known
    _check_constant(
        y,
        watch,
        "the label",
        lambda row: class_names[y[row]],
        " If labels change within a group, cut it into windows with window "
        "(--window).",
    )
    starts = np.array(watch.runs.starts)
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
        names = np.array(distinct, str)[codes[starts]]
    request = splitting.SplitRequest(
        names,
        words,
        None if together is None else together[starts],
        " and ".join(structure.split_group or structure.keys),
        structure.folds,
        structure.fold,
    )
    if structure.split_group and together is None:  # It is the key.
        request = dataclasses.replace(request, groups=np.arange(len(starts)))
    splits, split_by = splitting.split_examples(
        y[starts].astype(np.int32),
        lambda index: f"`{files.paths[0]}`, {watch.runs.names[index]}",
        request,
    )
    return large_splits.as_codes(splits, len(starts)), split_by


def _split_of_rows(
    watch: Watch, y: np.ndarray, num_classes: int, together: np.ndarray | None
) -> tuple[np.ndarray, str]:
    """The number of the split of each row of windows, and words."""
    structure, files = watch.structure, watch.files
    given = watch.split_names()
    if not structure.keys:
        return _split_of_series(watch, len(y), given)
    starts = np.array(watch.runs.starts)
    lengths = np.diff(np.append(starts, len(y)))
    by = " and ".join(structure.split_group or structure.keys)
    is_free = given is None and structure.folds is None
    if is_free and not structure.split_group:
        most = np.array(
            [
                np.bincount(own[own >= 0], minlength=num_classes).argmax()
                for a, n in zip(starts.tolist(), lengths.tolist(), strict=True)
                for own in [y[a : a + n]]
            ]
        )
        splits = splitting.stratified(most)
        if all(map(len, splits.values())):
            split = large_splits.as_codes(splits, len(most))
            return np.repeat(split, lengths), f"seeded, by {by}"
    groups = together
    if groups is None:
        number = np.arange(len(starts), dtype=np.min_scalar_type(len(starts)))
        groups = np.repeat(number, lengths)
    request = splitting.SplitRequest(
        groups=groups,
        groups_from=by,
        folds=structure.folds,
        fold=structure.fold,
    )
    names = watch.names
    return large_splits.split(
        y,
        num_classes,
        request,
        files.where,
        given,
        files.where if names is None else names.first_of,
    )


def _split_of_series(
    watch: Watch, size: int, given: large_splits.Given | None
) -> tuple[np.ndarray, str]:
    """The number of the split of each row of a series, and words."""
    structure, names = watch.structure, watch.names
    by = "in the order of the file"
    if structure.time_column is not None:
        by = f"by time: {structure.time_column}"
    if given is not None:
        codes, distinct, words = given
        split, has_validation = large_splits.codes_of_names(
            codes,
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
