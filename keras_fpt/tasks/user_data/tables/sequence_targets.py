"""The labels of sequences of a table's rows that are not one class each."""

from collections.abc import Sequence

import numpy as np

from keras_fpt.tasks.user_data import given_files, targets
from keras_fpt.tasks.user_data.tables import windows
from keras_fpt.tasks.user_data.tables.table_structure import Layout, Structure

# The share of a window's rows that have a label, for the window to have it.
SHARE = 0.5


def check_per_token(
    is_per_token: bool, structure: Structure, label_columns: Sequence[str]
) -> None:
    """Raises `ValueError` where rows cannot have a label each."""
    if is_per_token and structure.is_by_row:
        raise ValueError(
            "task_type='tokens' (--task-type tokens) is for a label in each "
            "row of a series: give window (--window), or group_column "
            "(--group-column)."
        )
    if is_per_token and len(label_columns) > 1:
        raise ValueError(
            "task_type='tokens' (--task-type tokens) takes one column of "
            f"labels but received {len(label_columns)}: "
            f"{', '.join(label_columns)}."
        )


def check_structure(structure: Structure) -> None:
    """Raises `ValueError` where an option is for one class per sequence."""
    chosen = {
        "min_label_share": structure.min_label_share is not None,
        "within_label": structure.within_label,
    }
    for name, is_given in chosen.items():
        if is_given:
            raise ValueError(
                f"{name} (--{name.replace('_', '-')}) is for classes, of "
                "which a window has one, and these labels are numbers, "
                "several, or one for each row. Leave it out."
            )


def row_labels(
    encoded: targets.Labels, structure: Structure
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The labels to lay out a table by: classes, tenths, or one for all.

    It is one class for all where rows of a group may have different labels.

    Args:
        encoded: `Labels` of the rows.
        structure: the table's `Structure`.

    Returns:
        A tuple: int array `(rows,)`, and the names of its values.
    """
    is_one_class = encoded.has_classes and not structure.keep_rest
    if is_one_class or structure.is_by_row:
        return encoded.y, encoded.class_names
    # Windows would be left out where no tenth is the most common.
    return np.minimum(encoded.y, 0), ("",)


def of_sequences(
    encoded: targets.Labels,
    layout: Layout,
    structure: Structure,
    files: given_files.Files,
) -> targets.Labels:
    """The labels of sequences.

    Args:
        encoded: `Labels` of the rows.
        layout: the `Layout` of the rows in sequences.
        structure: the table's `Structure`.
        files: the `Files` that the rows are from, for errors.

    Returns:
        `Labels`: for a regression, the numbers of the row or of the group, or
        the means over the rows of a window; of several labels those of the
        row or of the group, or those that at least half of a window's rows
        have; and where each row has a label, all of them.

    Raises:
        ValueError: the rows of a group have different numbers.
    """
    if structure.keep_rest:
        return _of_rows(encoded, layout)
    rows = encoded.answers if encoded.targets is None else encoded.targets
    if rows is None:
        return targets.Labels(layout.labels, encoded.class_names)
    found, notes = layout.sequences, encoded.notes
    if structure.window is not None:
        values = window_means(rows, found)
        notes = (*notes, of_window(encoded))
    else:
        ordered = rows[found.order]
        for column in ordered.T:
            _check_constant(column, layout, files)
        values = ordered[found.starts]
    if encoded.targets is not None:
        return targets.of_targets(values, notes)
    return targets.of_indicators(
        (values >= SHARE).astype(np.int8), encoded.answer_names, notes
    )


def of_window(encoded: targets.Labels) -> str:
    """Says what the label of a window is."""
    if encoded.is_regression:
        return "the label of a window is the mean of its rows'"
    return "a window has the labels that at least half of its rows have"


def window_means(rows: np.ndarray, found: windows.Sequences) -> np.ndarray:
    """The means over the rows of each sequence.

    Args:
        rows: array `(rows, columns)`.
        found: `windows.Sequences`.

    Returns:
        float64 array `(sequences, columns)`.
    """
    ordered = rows[found.order]
    return np.array(
        [
            ordered[start : start + length].mean(axis=0)
            for start, length in zip(found.starts, found.lengths, strict=True)
        ]
    )


def _of_rows(encoded: targets.Labels, layout: Layout) -> targets.Labels:
    """The labels of all rows of each sequence."""
    found = layout.sequences
    answers = token_labels(encoded.y, found)
    count = int((encoded.y == targets.UNLABELED).sum())
    notes = notes_of_tokens(encoded.notes, found.lengths, count)
    return targets.of_tokens(answers, encoded.class_names, notes)


def notes_of_tokens(
    notes: Sequence[str], lengths: np.ndarray, count: int
) -> tuple[str, ...]:
    """What the user should know of rows that have a label each.

    Args:
        notes: sequence of strings, the notes on the rows' labels.
        lengths: int array `(n,)`, the rows of each sequence.
        count: int, how many rows have no label.
    """
    found = [
        *notes,
        "each row has a label of its own; the last rows of a stretch, which "
        "fill no window, are a shorter one"
        if lengths.min() < lengths.max()
        else "each row has a label of its own",
    ]
    if count:
        found.append(
            f"without a label: {count:,} rows, which are read and do not count"
        )
    return tuple(found)


def token_labels(y: np.ndarray, found: windows.Sequences) -> np.ndarray:
    """The labels of the rows of each sequence.

    Args:
        y: int array `(rows,)`.
        found: `windows.Sequences`.

    Returns:
        int32 array `(sequences, longest)`, -1 beyond the end of a sequence.
    """
    place = np.arange(found.lengths.max(initial=1))
    is_real = place < found.lengths[:, None]
    at = np.where(is_real, found.starts[:, None] + place, 0)
    labels = np.where(is_real, y[found.order][at], targets.UNLABELED)
    return labels.astype(np.int32)


def _check_constant(
    numbers: np.ndarray, layout: Layout, files: given_files.Files
) -> None:
    for index, (start, length) in enumerate(
        zip(layout.sequences.starts, layout.sequences.lengths, strict=True)
    ):
        own = numbers[start : start + length]
        if own.min() != own.max():
            where = f"`{files.paths[0]}`, {layout.names[index]}"
            raise contradiction(where, own)


def contradiction(where: str, own: np.ndarray) -> ValueError:
    """The error about a group whose rows have different numbers.

    Args:
        where: string, where the group is.
        own: array `(rows,)` of its numbers.
    """
    return ValueError(
        f"{where}: the label goes from {own.min():g} to {own.max():g} within "
        "the group. Expected one number per group; if labels change within a "
        "group, cut it into windows with window (--window)."
    )
