"""Reads new examples with the options of training."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from keras_fpt.tasks.user_data.media import (
    image_folders,
    listed_files,
    saved_pictures,
)
from keras_fpt.tasks.user_data.strings import fasta, string_reader
from keras_fpt.tasks.user_data.tables import (
    new_series,
    series_reader,
    table_blocks,
    table_reader,
)

# Some of the examples of a new file.
Block = table_blocks.Block | fasta.Block | new_series.Block


def read_new(
    reader: Any, path: str | os.PathLike, options: Mapping[str, Any]
) -> tuple[Any, list[str]]:
    """Reads the sequences of a new file, and their names.

    Args:
        reader: the task's reader.
        path: a file or folder; also a table of files, if training had one.
        options: dict of the options that the task was made with, such as
            `file_column`.

    Returns:
        A tuple: the sequences, and list of n strings.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: a file cannot be read.
    """
    listed = listed_files.find_new(
        path,
        options.get("file_column"),
        options.get("header"),
        options.get("encoding"),
    )
    if listed is None and isinstance(reader, image_folders.ImageReader):
        with saved_pictures.as_files(path) as (files, names):
            return reader.read_files(files, names)
    if listed is None:
        return reader.read(path)
    return reader.read_files(listed.files, listed.names)


def read_new_blocks(
    reader: Any, path: str | os.PathLike, options: Mapping[str, Any]
) -> Iterator[Block] | None:
    """Reads the sequences of a new file that may not fit into memory.

    Args:
        reader, path, options: as for `read_new`.

    Returns:
        An iterator over `Block`s; `None` where `read_new` reads the file.

    Raises:
        FileNotFoundError, ValueError: as for `read_new`.
    """
    if isinstance(reader, table_reader.TableReader):
        return table_blocks.read_blocks(reader, path)
    if isinstance(reader, series_reader.SeriesReader):
        return new_series.read_blocks(reader, path)
    if isinstance(reader, fasta.FastaReader | string_reader.StringReader):
        return reader.read_blocks(path)
    return None
