"""Reads data sets of Hugging Face's `datasets` that do not fit into memory."""

import os
from collections.abc import Iterator, Sequence

import numpy as np

from keras_fpt.tasks.user_data.arrays import (
    array_on_disk,
    arrow_folders,
    label_texts,
)
from keras_fpt.tasks.user_data.arrays.npz_files import Saved

# So many different texts of groups and splits are kept once.
MAX_SHARED = 2**16


def num_bytes(path: str | os.PathLike) -> int:
    """How many bytes the Arrow files of a data set have."""
    return sum(
        file.stat().st_size
        for folder in arrow_folders.split_folders(path)
        for file in arrow_folders.data_files(folder)
        if file.is_file()
    )


def read_arrays(
    path: str | os.PathLike,
    label_name: str | None = None,
    columns: Sequence[str] = (),
) -> Saved:
    """Reads sequences and labels as `arrow_folders.read_arrays` does.

    Sequences and labels are read from the files again when they are needed.

    Args:
        path: the folder.
        label_name: string, or `None`, as well.
        columns: names of other columns to read.

    Raises:
        ValueError: the folder is damaged, or a column is missing.
    """
    parts = dict(
        zip(
            arrow_folders.split_folders(path),
            arrow_folders.open_parts(path),
            strict=True,
        )
    )
    first = next(iter(parts.values()))
    if label_name is not None:
        label_name = arrow_folders.find_label_column(first, label_name, path)
    for each in columns:
        arrow_folders.texts_of(first, each, path)  # Raises if it is missing.
    name = arrow_folders.find_sequences(first, {label_name, *columns}, path)
    found: dict[str, list[str]] = {each: [] for each in columns}
    sizes = {}
    shared: dict[str, str] = {}
    # At least one column, to count its rows.
    read = [*found] or [name if label_name is None else label_name]
    for folder, part in parts.items():
        sizes[folder] = 0
        for table in arrow_folders.read_tables(folder, read):
            sizes[folder] += len(table)
            for each in found:
                texts = arrow_folders.texts_of(
                    part._replace(table=table), each, path
                )
                if len(shared) < MAX_SHARED:  # Equal texts take memory once.
                    texts = [shared.setdefault(text, text) for text in texts]
                found[each] += texts
        if not sizes[folder]:
            raise ValueError(f"`{folder}` has no rows.")

    def blocks() -> Iterator[list[np.ndarray]]:
        for folder in parts:
            for table in arrow_folders.read_tables(folder, [name]):
                for chunk in table[name].chunks:
                    yield arrow_folders.rows_of(
                        chunk, f"`{path}`, column '{name}'"
                    )

    def text_blocks(column: str) -> Iterator[list[str]]:
        for folder, part in parts.items():
            for table in arrow_folders.read_tables(folder, [column]):
                yield arrow_folders.texts_of(
                    part._replace(table=table), column, path
                )

    size = sum(sizes.values())

    def texts_on_disk(column: str) -> label_texts.TextsOnDisk:
        return label_texts.TextsOnDisk(size, lambda: text_blocks(column))

    names = [part.split or "" for part in parts.values()]
    return Saved(
        array_on_disk.SequencesOnDisk(size, blocks),
        None if label_name is None else texts_on_disk(label_name),
        np.repeat(np.array(names, object), [*sizes.values()])
        if len(parts) > 1
        else None,
        {each: np.array(texts) for each, texts in found.items()},
        (f"sequences: the column '{name}'",),
        groups={
            each: texts_on_disk(each)
            for each in arrow_folders.group_columns(
                [*parts.values()], {name, label_name, *columns}
            )
        },
    )
