"""Groups in the IDs of a table's rows, such as people in P03_12."""

import pathlib
import re
from collections.abc import Sequence

import numpy as np

from keras_fpt.tasks.user_data.audit.findings import Finding
from keras_fpt.tasks.user_data.media import file_names
from keras_fpt.tasks.user_data.targets import Labels


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
