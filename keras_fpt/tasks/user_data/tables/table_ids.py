"""Groups in the IDs of a table's rows, such as people in P03_12."""

import pathlib
import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data.audit.findings import Finding
from keras_fpt.tasks.user_data.media import file_names
from keras_fpt.tasks.user_data.targets import Labels

if TYPE_CHECKING:
    import pandas as pd


def find_in_columns(
    frame: "pd.DataFrame",
    names: Collection[str],
    labels: Labels,
    splits: dict[str, np.ndarray],
) -> list[Finding]:
    """Finds groups in the IDs in columns; see `find_groups_in_ids`.

    Args:
        frame: `pandas.DataFrame` of n rows, each of which is an example.
        names: strings, columns that may be in it.
        labels, splits: as for `find_groups_in_ids`.
    """
    return [
        finding
        for name in frame.columns.intersection([*names])
        if frame[name].is_unique
        for finding in find_groups_in_ids(
            frame[name].astype(str).tolist(), name, labels, splits
        )
    ]


def find_groups_in_ids(
    ids: Sequence[str],
    column: str,
    labels: Labels,
    splits: dict[str, np.ndarray],
) -> list[Finding]:
    """Finds a part of IDs, such as P03 in P03_12, that is one of groups.

    Args:
        ids: sequence of n strings.
        column: string, where they are.
        labels: `Labels` of the examples.
        splits: dict from splits to int arrays of examples.

    Returns:
        A list of at most one `Finding`.
    """
    return file_names.find_groups(
        [
            pathlib.Path(re.sub(r"[/\\]", "-", text) + file_names.ID)
            for text in ids
        ],
        labels,
        splits,
        "write part {} into a column, and name it with --split-group",
        f"the IDs in the column '{column}'",
    )
