"""Reads data sets of Hugging Face's `datasets`, saved with `save_to_disk`.

Only their Arrow files are read, with PyArrow; no code of a data set is run.
"""

import os
import pathlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_fpt.files import json_files
from keras_fpt.tasks.user_data.arrays.npz_files import Saved
from keras_fpt.tasks.user_data.audit import audit_groups

STATE, INFO, SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"
LABELS = ("y", "label", "labels", "target", "class")


class Part(NamedTuple):
    """One split of a data set.

    Args:
        split: string, or `None` if the data set has no splits.
        table: `pyarrow.Table`.
        class_names: dict from the columns that are classes to their names.
        images: tuple of strings, the columns that are images.
    """

    split: str | None
    table: Any
    class_names: dict[str, list[str]]
    images: tuple[str, ...] = ()


def is_saved_dataset(path: str | os.PathLike) -> bool:
    """Whether a folder was written by `save_to_disk`."""
    folder = pathlib.Path(path)
    return (folder / SPLITS).is_file() or (
        (folder / STATE).is_file() and (folder / INFO).is_file()
    )


def read_arrays(
    path: str | os.PathLike,
    label_name: str | None = None,
    columns: Sequence[str] = (),
) -> Saved:
    """Reads sequences of numbers and labels.

    Args:
        path: the folder.
        label_name: string, the column of labels; `"y"` takes the only column
            that is a class, or is named so; `None` reads no labels.
        columns: names of other columns to read.

    Raises:
        ValueError: the folder is damaged, or a column is missing.
    """
    parts = read_parts(path)
    first = parts[0]
    found = None
    if label_name is not None:
        found = find_label_column(first, label_name, path)
    name = find_sequences(first, {found, *columns}, path)
    x: list[np.ndarray] = []
    for part in parts:
        for chunk in _column(part, name, path).chunks:
            x += rows_of(chunk, f"`{path}`, column '{name}'")
    return Saved(
        x,
        None
        if found is None
        else [value for part in parts for value in texts_of(part, found, path)],
        _split_names(parts),
        {
            name: np.array(
                [v for part in parts for v in texts_of(part, name, path)]
            )
            for name in columns
        },
        (f"sequences: the column '{name}'",),
        groups={
            each: np.array(
                [v for part in parts for v in texts_of(part, each, path)]
            )
            for each in group_columns(parts, {name, found, *columns})
        },
    )


def group_columns(
    parts: Sequence[Part], others: Collection[str | None]
) -> list[str]:
    """The columns that are named like groups and that all parts have.

    Args:
        parts: `Part`s.
        others: strings or `None`s, columns that are something else.
    """
    return [
        field.name
        for field in parts[0].table.schema
        if audit_groups.is_named_group(field.name)
        and _has_values(field.type)
        and field.name not in others
        and all(field.name in part.table.column_names for part in parts)
    ]


def read_parts(path: str | os.PathLike) -> list[Part]:
    """Reads the tables of all splits.

    Raises:
        ValueError: a file is damaged.
    """
    return [
        _read_part(folder, split)
        for folder, split in split_folders(path).items()
    ]


def open_parts(path: str | os.PathLike) -> list[Part]:
    """What `read_parts` returns, in which tables have no rows.

    Raises:
        ValueError: a file is damaged.
    """
    return [
        _open_part(folder, split)
        for folder, split in split_folders(path).items()
    ]


def split_folders(path: str | os.PathLike) -> dict[pathlib.Path, str | None]:
    """The folders of all splits, and the names of the splits."""
    folder = pathlib.Path(path)
    if not (folder / SPLITS).is_file():
        return {folder: None}
    splits = json_files.read_object(folder / SPLITS).get("splits")
    if not isinstance(splits, list) or not splits:
        raise ValueError(f"`{folder / SPLITS}` names no splits.")
    return {
        folder / _plain_name(split, folder / SPLITS): split for split in splits
    }


def _plain_name(name: Any, file: pathlib.Path) -> str:
    """A name without folders: the files lie in the data set's own folder."""
    if not isinstance(name, str) or pathlib.PurePath(name).name != name:
        raise ValueError(f"`{file}`: expected a file name but found {name!r}.")
    return name


def data_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """The Arrow files of a split."""
    state = json_files.read_object(folder / STATE)
    files = state.get("_data_files")
    if not isinstance(files, list) or not files:
        raise ValueError(f"`{folder / STATE}` names no files of data.")
    if state.get("_indices_files"):
        raise ValueError(
            f"`{folder}` contains a selection of rows. Save them separately: "
            "dataset.flatten_indices().save_to_disk(path)."
        )
    names = [
        entry.get("filename") if isinstance(entry, dict) else None
        for entry in files
    ]
    return [folder / _plain_name(name, folder / STATE) for name in names]


def _read_part(folder: pathlib.Path, split: str | None) -> Part:
    import pyarrow as pa

    tables = []
    for file in data_files(folder):
        try:
            with pa.memory_map(str(file)) as source:
                table = pa.ipc.open_stream(source).read_all()
            # PyArrow itself would read beyond the end of damaged columns.
            table.validate(full=True)
            tables.append(table)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"Cannot read `{file}`: {error}") from error
    try:
        table = pa.concat_tables(tables)
    except pa.ArrowException as error:
        raise ValueError(f"`{folder}`: {error}") from error
    if not len(table):
        raise ValueError(f"`{folder}` has no rows.")
    return _make_part(folder, split, table)


def _open_part(folder: pathlib.Path, split: str | None) -> Part:
    """A split without its rows."""
    import pyarrow as pa

    file = data_files(folder)[0]
    try:
        with pa.OSFile(str(file)) as source:
            table = pa.ipc.open_stream(source).schema.empty_table()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"Cannot read `{file}`: {error}") from error
    return _make_part(folder, split, table)


def _make_part(folder: pathlib.Path, split: str | None, table: Any) -> Part:
    """A split, of which a table has the rows or only the columns."""
    features = json_files.read_object(folder / INFO).get("features") or {}
    classes = {}
    for name, feature in features.items():
        names = feature.get("names") if isinstance(feature, dict) else None
        if isinstance(names, list) and name in table.column_names:
            classes[name] = [str(n) for n in names]
    images = tuple(
        name
        for name, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "Image"
    )
    return Part(split, table, classes, images)


def read_tables(folder: pathlib.Path, names: Sequence[str]) -> Iterator[Any]:
    """Yields some columns of a split, a record batch at a time.

    Args:
        folder: that of the split.
        names: sequence of strings, the columns.

    Files are read rather than mapped: of a mapped file, all pages that have
    been read count as memory of the process.
    """
    import pyarrow as pa

    for file in data_files(folder):
        try:
            with pa.OSFile(str(file)) as source:
                schema = pa.ipc.open_stream(source).schema
            missing = [name for name in names if name not in schema.names]
            if missing:
                raise ValueError(f"`{file}` has no column '{missing[0]}'.")
            options = pa.ipc.IpcReadOptions(
                included_fields=sorted(map(schema.get_field_index, names))
            )
            with pa.OSFile(str(file)) as source:
                for batch in pa.ipc.open_stream(source, options=options):
                    # PyArrow would read beyond the end of damaged columns.
                    batch.validate(full=True)
                    if len(batch):
                        yield pa.Table.from_batches([batch])
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"Cannot read `{file}`: {error}") from error


def _split_names(parts: Sequence[Part]) -> list[str] | None:
    if len(parts) == 1:
        return None
    return [part.split or "" for part in parts for _ in range(len(part.table))]


def find_label_column(
    part: Part, label_name: str | None, path: str | os.PathLike
) -> str:
    """The name of the column of labels.

    Raises:
        ValueError: it is missing, or several may be it.
    """
    names = part.table.column_names
    if label_name not in (None, "y"):
        _column(part, str(label_name), path)
        return str(label_name)
    for found in (
        [name for name in names if name in part.class_names],
        [name for name in LABELS if name in names],
    ):
        if len(found) == 1:
            return found[0]
    raise ValueError(
        f"`{path}` has the columns {', '.join(names)}. Name the one with the "
        "labels with label_column (--label-column)."
    )


def find_sequences(
    part: Part, others: set[str | None], path: str | os.PathLike
) -> str:
    """The name of the column of sequences, which is none of the others."""
    import pyarrow as pa

    fields = [f for f in part.table.schema if f.name not in others]
    found = [
        field.name
        for field in fields
        if pa.types.is_list(_storage(field.type))
        or pa.types.is_large_list(_storage(field.type))
        or pa.types.is_fixed_size_list(_storage(field.type))
    ]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{field.name} ({field.type})" for field in fields)
    if found:
        raise ValueError(
            f"`{path}` has several columns of sequences: {', '.join(found)}. "
            "Keep one: dataset.remove_columns(...).save_to_disk(path)."
        )
    raise ValueError(
        f"`{path}` has no column of sequences (lists of numbers). Its columns "
        f"are {listed}. For a column of text, give text_column "
        "(--text-column); write numbers as a table with dataset.to_csv(path), "
        "and images into a folder with one subfolder per class."
    )


def _has_values(kind: Any) -> bool:
    """Whether a type is one of texts or whole numbers, as groups have."""
    import pyarrow as pa

    tests = ("integer", "string", "large_string", "dictionary")
    return any(getattr(pa.types, f"is_{name}")(kind) for name in tests)


def is_extension(kind: Any) -> bool:
    """Whether a type is one of PyArrow's extensions, such as arrays."""
    import pyarrow as pa

    return isinstance(kind, pa.BaseExtensionType)


def _storage(kind: Any) -> Any:
    return kind.storage_type if is_extension(kind) else kind


def _column(part: Part, name: str, path: str | os.PathLike) -> Any:
    if name not in part.table.column_names:
        raise ValueError(
            f"`{path}` has no column '{name}'. Its columns are "
            f"{', '.join(part.table.column_names)}."
        )
    return part.table[name]


def texts_of(part: Part, name: str, path: str | os.PathLike) -> list[str]:
    """A column as text; what is missing is empty."""
    values = _column(part, name, path).to_pylist()
    names = part.class_names.get(name)
    if names is not None:
        # -1 is a class that is not known.
        values = [
            names[value]
            if isinstance(value, int) and 0 <= value < len(names)
            else None
            for value in values
        ]
    return ["" if value is None else str(value) for value in values]


def rows_of(chunk: Any, where: str) -> list[np.ndarray]:
    """The arrays `(tokens,)` or `(tokens, dim)` of a chunk of lists."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if is_extension(chunk.type):
        chunk = chunk.storage
    if chunk.null_count:
        raise ValueError(
            f"{where}: {chunk.null_count:,} sequences are missing."
        )
    lengths = pc.list_value_length(chunk).to_numpy(zero_copy_only=False)
    inner = chunk.flatten()
    if pa.types.is_nested(inner.type):
        widths = np.unique(
            pc.list_value_length(inner).to_numpy(zero_copy_only=False)
        )
        values = inner.flatten()
        if len(widths) > 1 or pa.types.is_nested(values.type):
            raise ValueError(
                f"{where}: expected lists of numbers, or lists of tokens of "
                f"one width, but found {chunk.type}, of widths "
                f"{', '.join(map(str, widths[:8]))}."
            )
        values = values.to_numpy(zero_copy_only=False)
        values = values.reshape(-1, int(widths[0]) if len(widths) else 1)
    else:
        values = inner.to_numpy(zero_copy_only=False)
    return np.split(values, np.cumsum(lengths)[:-1])
