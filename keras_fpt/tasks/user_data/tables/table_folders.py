"""Folders of Parquet files that are parts of one table."""

import os
import pathlib
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data.media import visible
from keras_fpt.tasks.user_data.tables import table_arrow

if TYPE_CHECKING:
    import pandas as pd


def is_table_folder(path: str | os.PathLike) -> bool:
    """Whether a folder contains only Parquet files.

    Files whose names begin with a dot or an underscore, which the programs
    that write such folders leave there, do not count.
    """
    path = pathlib.Path(path)
    if not path.is_dir() or visible.subfolders(path):
        return False
    suffixes = {file.suffix.lower() for file in _files_in(path)}
    return bool(suffixes) and suffixes <= {*table_arrow.PARQUET}


def check_not_partitioned(path: pathlib.Path) -> None:
    """Raises `ValueError` for a table in folders such as `year=2024`."""
    inner = visible.subfolders(path)
    if not inner or not all("=" in folder.name for folder in inner):
        return
    files = visible.visible_files(path, "**/*.parquet")
    if files:
        key = inner[0].name.partition("=")[0]
        raise ValueError(
            f"`{path}` is one table, of which the names of folders are the "
            f"column '{key}', as Spark and pandas write it. Write it as a "
            f"file: pandas.read_parquet({str(path)!r}).to_parquet("
            "'table.parquet')."
        )


def files_of(path: str | os.PathLike) -> list[pathlib.Path]:
    """The files of a table: those of a folder, or one.

    They are sorted by name, `part.2` before `part.10`: rows may be a series.
    """
    path = pathlib.Path(path)
    if not is_table_folder(path):
        return [path]
    return sorted(_files_in(path), key=_by_number)


def _by_number(file: pathlib.Path) -> list[tuple[str, int]]:
    """A name as text and numbers, by turns."""
    return [
        (text, int(number or 0))
        for text, number in re.findall(r"(\D*)(\d*)", file.name)
    ]


def num_bytes(path: str | os.PathLike) -> int:
    """Roughly, how many bytes the cells of a table take as numbers."""
    return sum(map(_num_bytes_of_file, files_of(path)))


def check_same_columns(
    parts: Iterable[tuple[pathlib.Path, Iterator["pd.DataFrame"]]],
) -> Iterator["pd.DataFrame"]:
    """Yields the parts of several files, and checks that they fit together.

    Args:
        parts: pairs of a file and an iterator over its parts.

    Raises:
        ValueError: a file has other columns than the first.
    """
    first: tuple[pathlib.Path, list[str]] | None = None
    for file, frames in parts:
        for frame in frames:
            columns = list(frame.columns)
            first = first or (file, columns)
            if columns != first[1]:
                differing = {*columns} ^ {*first[1]} or {*columns}
                raise ValueError(
                    f"`{file}` has other columns than `{first[0]}`, or in "
                    f"another order: look at '{min(differing)}'. All files of "
                    "a folder are parts of one table."
                )
            yield frame


def _files_in(path: pathlib.Path) -> list[pathlib.Path]:
    return [file for file in visible.visible_files(path) if file.name[0] != "_"]


def _num_bytes_of_file(path: pathlib.Path) -> int:
    if path.suffix.lower() not in table_arrow.PARQUET or not path.is_file():
        return path.stat().st_size if path.is_file() else 0
    import pyarrow as pa
    import pyarrow.parquet

    try:
        metadata = pyarrow.parquet.read_metadata(path)
    except (pa.ArrowException, OSError):
        return 0  # The error is that of reading it.
    cells = metadata.num_rows * metadata.num_columns
    return cells * np.dtype(float).itemsize
