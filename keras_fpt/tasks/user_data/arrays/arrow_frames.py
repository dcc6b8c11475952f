"""Reads data sets of Hugging Face's `datasets` as tables of text."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from keras_fpt.tasks.user_data.arrays import arrow_folders

if TYPE_CHECKING:
    import pandas as pd


def read_frame(
    path: str | os.PathLike,
) -> tuple["pd.DataFrame", list[str] | None]:
    """Reads the columns that are not lists, as text, and the splits.

    Args:
        path: the folder.

    Returns:
        A tuple: a `pandas.DataFrame` of strings, and the split of each row,
        or `None`.

    Raises:
        ValueError: the folder is damaged.
    """
    import pandas as pd

    frames, splits = [], []
    for frame, split in read_frames(path):
        frames.append(frame)
        splits += [split] * len(frame)
    frame = pd.concat(frames, ignore_index=True)
    return frame, splits if len(arrow_folders.split_folders(path)) > 1 else None


def read_frames(
    path: str | os.PathLike,
) -> Iterator[tuple["pd.DataFrame", str]]:
    """Yields what `read_frame` returns in parts, each of one split.

    The index counts the rows of all splits.
    """
    import pandas as pd
    import pyarrow as pa

    parts = arrow_folders.open_parts(path)
    names = [
        field.name
        for field in parts[0].table.schema
        if not (
            pa.types.is_nested(field.type)
            or arrow_folders.is_extension(field.type)
        )
        and not pa.types.is_binary(field.type)
    ]
    size = 0
    for folder, part in zip(
        arrow_folders.split_folders(path), parts, strict=True
    ):
        first = size
        for table in arrow_folders.read_tables(folder, names):
            cells = {
                name: arrow_folders.texts_of(
                    part._replace(table=table), name, path
                )
                for name in names
            }
            index = pd.RangeIndex(size, size + len(table))
            yield pd.DataFrame(cells, index, dtype=str), part.split or ""
            size += len(table)
        if size == first:
            raise ValueError(f"`{folder}` has no rows.")
