"""A table of the examples and their splits."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fpt import files
from keras_fpt.files import Output, spreadsheets

if TYPE_CHECKING:
    import pandas as pd

    from keras_fpt.tasks.task import Task

COLUMNS = ("example", "split", "label", "group")
_MARK = rb"\A(\xef\xbb\xbf)?example,split,label,group\r?\n"


def split_table(task: "Task") -> "pd.DataFrame":
    """A row for each example of a task that is stored.

    Args:
        task: a `Task`.

    Returns:
        `pandas.DataFrame` with the columns `example` (its name, or its number
        in the split), `split`, `label` and `group` (the number of its group,
        empty if it has none).

    Raises:
        ValueError: the task generates its examples.
    """
    import pandas as pd

    splits = getattr(task.data, "splits", None)
    if splits is None:
        raise ValueError(
            f"The task '{task.name}' generates its examples, so there is no "
            "table of splits."
        )
    parts = []
    for split, examples in splits.items():
        count = len(examples.y)
        names = examples.names
        if names is None:
            names = [f"{split} {number + 1}" for number in range(count)]
        names = [files.without_doubled_words(str(name)) for name in names]
        groups = [""] * count if examples.groups is None else examples.groups
        cells = (names, split, _labels(task, examples.y), groups)
        parts.append(pd.DataFrame(dict(zip(COLUMNS, cells, strict=True))))
    return pd.concat(parts, ignore_index=True)


def split_output(
    path: str | os.PathLike,
    inputs: Sequence[str | os.PathLike] = (),
    overwrite: bool = False,
) -> Output:
    """The file of a table of splits, which can be checked early.

    Args:
        path: the CSV file to write.
        inputs: paths of files and folders that are read.
        overwrite: bool, whether a file that keras-fpt did not write may be
            replaced.
    """
    return Output(path, _MARK, inputs, overwrite)


def splits_to_csv(table: "pd.DataFrame") -> bytes:
    """A table of splits as CSV text, in which no cell begins a formula."""
    cells = {
        name: table[name].map(spreadsheets.escape_formula)
        for name in ("example", "label")
    }
    return table.assign(**cells).to_csv(index=False).encode()


def _labels(task: "Task", y: np.ndarray) -> Any:
    """The names of classes; several answers have spaces between them."""
    if task.is_forecast:
        rows = task.reader.in_units(y).reshape(len(y), -1)
        return [" ".join(f"{n:.6g}" for n in row) for row in rows]
    if task.is_regression:
        return [" ".join(f"{n:.9g}" for n in row) for row in y]
    names = np.array(
        task.class_names or list(map(str, range(task.num_classes))), object
    )
    if task.is_multilabel:
        return [";".join(names[row > 0]) for row in y]
    if y.ndim == 1:
        return names[y]
    if task.is_per_token:
        return [" ".join(names[row[row >= 0]]) for row in y]
    return [" ".join(row) for row in names[y.reshape(len(y), -1)]]
