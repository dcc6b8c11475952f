"""The numbers that a regression predicts for sequences of a table's rows."""

import numpy as np

from keras_fpt.tasks.user_data import given_files, targets
from keras_fpt.tasks.user_data.tables.table_structure import Layout, Structure


def check_structure(structure: Structure) -> None:
    """Raises `ValueError` where an option is only for classes."""
    chosen = {
        "min_label_share": structure.min_label_share is not None,
        "within_label": structure.within_label,
    }
    for name, is_given in chosen.items():
        if is_given:
            raise ValueError(
                f"{name} (--{name.replace('_', '-')}) is for classes, but this "
                "is a regression, in which a window's label is the mean of its "
                "rows'. Leave it out."
            )


def row_labels(
    encoded: targets.Labels, structure: Structure
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The labels to lay out a table by: classes, tenths, or one for all.

    Args:
        encoded: `Labels` of the rows.
        structure: the table's `Structure`.

    Returns:
        A tuple: int array `(rows,)`, and the names of its values.
    """
    if not encoded.is_regression or structure.is_by_row:
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
        `Labels`: for a regression, the number of the row or of the group, or
        the mean over the rows of a window.

    Raises:
        ValueError: the rows of a group have different numbers.
    """
    if encoded.targets is None:
        return targets.Labels(layout.labels, encoded.class_names)
    found = layout.sequences
    numbers = encoded.targets[found.order, 0]
    means = np.array(
        [
            numbers[start : start + length].mean()
            for start, length in zip(found.starts, found.lengths, strict=True)
        ]
    )
    notes = encoded.notes
    if structure.window is not None:
        notes = (*notes, "the label of a window is the mean of its rows'")
    else:
        _check_constant(numbers, layout, files)
        means = numbers[found.starts]
    return targets.of_targets(means[:, None], notes)


def _check_constant(
    numbers: np.ndarray, layout: Layout, files: given_files.Files
) -> None:
    for index, (start, length) in enumerate(
        zip(layout.sequences.starts, layout.sequences.lengths, strict=True)
    ):
        own = numbers[start : start + length]
        if own.min() != own.max():
            raise ValueError(
                f"`{files.paths[0]}`, {layout.names[index]}: the label goes "
                f"from {own.min():g} to {own.max():g} within the group. "
                "Expected one number per group; if labels change within a "
                "group, cut it into windows with window (--window)."
            )
