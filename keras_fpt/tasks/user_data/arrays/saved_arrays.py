"""Reads arrays in files, and saved `tf.data.Dataset`s."""

import os
import pathlib
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.files import unpacking
from keras_fpt.tasks.user_data import sequences
from keras_fpt.tasks.user_data.arrays import (
    array_on_disk,
    arrow_folders,
    arrow_streams,
    batches,
    label_texts,
    npz_files,
    ts_files,
)
from keras_fpt.tasks.user_data.arrays.npz_files import Saved
from keras_fpt.tasks.user_data.tables import (
    missing_rows,
    table_columns,
    table_files,
)

# The version that `tf.data.Dataset.save` writes.
SNAPSHOT_VERSION = 2


def is_saved_dataset(path: str | os.PathLike) -> bool:
    """Whether a folder was written by `tf.data.Dataset.save`."""
    return pathlib.Path(path, "dataset_spec.pb").is_file()


def read(
    path: str | os.PathLike,
    label_name: str | None = "y",
    columns: Sequence[str] = (),
    rank: int | None = None,
    may_lack: bool = False,
) -> Saved:
    """Reads examples from a file, or from a saved data set.

    Args:
        path: an `.npz` file; an `.npy` file, which contains only `x`; or the
            folder of a `tf.data.Dataset` that was saved with
            `dataset.save(path)`; a `.ts` file; or a folder of `datasets`.
        label_name: string, the array of the labels; `None` reads no labels.
        columns: names of other arrays to read, one value an example.
        rank: int, the rank of one sequence in a data set without labels.
        may_lack: bool, whether values of a `.ts` file may be missing.

    Returns:
        `Saved`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is damaged, or has no array of such a name.
    """
    if is_saved_dataset(path):
        if columns:
            raise ValueError(
                f"`{path}` is a tf.data.Dataset of pairs (x, y), so it has no "
                f"'{columns[0]}'."
            )
        return _read_dataset(path, label_name is not None, rank)
    if pathlib.Path(path).suffix.lower() == ".ts":
        if columns:
            raise ValueError(
                f"`{path}`: a .ts file has no column '{columns[0]}'."
            )
        return ts_files.read(path, may_lack)
    if arrow_folders.is_saved_dataset(path):
        is_large = arrow_streams.num_bytes(path) > sequences.MAX_BYTES_IN_MEMORY
        folders: Any = arrow_streams if is_large else arrow_folders
        return folders.read_arrays(path, label_name, columns)
    if zipfile.is_zipfile(path):
        _check_archive_size(path)
    try:
        loaded: Any = None
        if pathlib.Path(path).suffix.lower() == ".npy":
            loaded = array_on_disk.open_npy(path)
        if loaded is None:
            # Pickled objects could run code.
            loaded = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file `{path}`.") from None
    except npz_files.UNREADABLE as error:
        raise npz_files.unreadable(path, error) from error
    if isinstance(loaded, np.ndarray | array_on_disk.ArrayOnDisk):
        loaded = {"x": loaded}
    return npz_files.collect(loaded, path, label_name, columns)


def read_with_splits(
    path: str | os.PathLike,
    validation: str | os.PathLike | None,
    test: str | os.PathLike | None,
    label_name: str | None = "y",
    columns: Sequence[str] = (),
    may_lack: bool = False,
) -> Saved:
    """Reads examples from files for training, validation and testing.

    Args:
        path: as for `read`, the examples for training.
        validation: path likewise, or `None`.
        test: path likewise, or `None`.
        label_name: as for `read`.
        columns: as for `read`.
        may_lack: as for `read`.

    Returns:
        `Saved`, with a split unless there is only `path`.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: as for `read`; or `path` contains several splits already.
    """
    saved = read(path, label_name, columns, None, may_lack)
    parts, files = {"train": saved}, [path]
    for split, file in (("validation", validation), ("test", test)):
        if file is not None:
            parts[split] = read(file, label_name, columns, None, may_lack)
            files.append(file)
    if len(parts) == 1:
        return saved
    if saved.split is not None:
        raise ValueError(
            f"`{path}` contains several splits already. Leave out validation "
            "(--validation) and test (--test)."
        )
    return Saved(
        _joined([part.x for part in parts.values()]),
        None
        if label_name is None
        else label_texts.join([part.y for part in parts.values()]),
        [name for name, part in parts.items() for _ in range(len(part.x))],
        {
            name: np.concatenate([p.columns[name] for p in parts.values()])
            for name in columns
        },
        () if saved.is_raw else saved.notes,
        [
            f"{pathlib.Path(file).name}, {name}"
            for file, part in zip(files, parts.values(), strict=True)
            for name in part.names or ()
        ]
        if saved.names
        else None,
        saved.is_raw,
        saved.is_regression,
        {
            name: label_texts.join([p.groups[name] for p in parts.values()])
            for name in saved.groups
            if all(name in part.groups for part in parts.values())
        },
    )


def _joined(arrays: list[Any]) -> Any:
    """The sequences of several files, one after the other."""
    if any(isinstance(x, array_on_disk.ON_DISK) for x in arrays):
        return array_on_disk.join(arrays)
    return [row for x in arrays for row in x]


def one_name(
    names: Sequence[str],
    path: str | os.PathLike,
    labels: str | os.PathLike | None,
) -> str | None:
    """The array that holds the labels, by default `y`.

    Args:
        names: sequence of strings, those that are given.
        path: the file of arrays, for errors.
        labels: the file of labels, or `None`.

    Returns:
        String; `None` if labels are in a file of their own.

    Raises:
        ValueError: several are named.
    """
    if labels is not None:
        return None
    if len(names) > 1:
        raise ValueError(
            f"`{path}`: expected one array of labels, (examples, labels), but "
            f"received the names of {len(names)} (--label-column). Several "
            "columns are for a table of labels (--labels)."
        )
    return names[0] if names else "y"


def read_labels(
    path: str | os.PathLike,
    label_columns: Sequence[str] = (),
    encoding: str | None = None,
) -> np.ndarray:
    """Reads labels from a separate file.

    Args:
        path: an `.npy` file of n labels, or a table with a row per example.
        label_columns: sequence of strings, the table's columns of labels; an
            empty one takes the only one.
        encoding: string, that of a table, see `from_csv`.

    Returns:
        Array `(n,)`, or of several columns `(n, columns)`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is damaged, or has no such column.
    """
    if pathlib.Path(path).suffix.lower() == ".npy":
        return np.asarray(read(path, None).x)
    frame = table_files.read_labels(path, encoding)
    if not label_columns and len(frame.columns) > 1:
        raise ValueError(
            f"`{path}` has the columns "
            f"{table_columns.list_columns(list(frame.columns))}. Name the one "
            "with the labels with label_column (--label-column)."
        )
    names = [*label_columns] or [frame.columns[0]]
    return missing_rows.read_labels(frame, names, path)


def _read_dataset(
    path: str | os.PathLike, has_labels: bool, rank: int | None
) -> Saved:
    import tensorflow as tf

    try:
        dataset = _load_dataset(path)
        if has_labels:
            return Saved(*batches.collect_examples(dataset))
        return Saved(batches.collect_examples(dataset, rank)[0])
    except tf.errors.OpError as error:
        # Without the names of TensorFlow's own functions and operations.
        reason = error.message.rpartition("}} ")[2].partition(" [Op:")[0]
        raise ValueError(
            f"The data set in `{path}` is damaged or not complete: {reason}"
        ) from error


def _check_archive_size(path: str | os.PathLike) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except npz_files.UNREADABLE as error:
        raise npz_files.unreadable(path, error) from error
    packed = sum(entry.compress_size for entry in entries)
    unpacked = sum(entry.file_size for entry in entries)
    unpacking.check_size(packed, unpacked, path)


def _load_dataset(path: str | os.PathLike) -> Any:
    """Loads a saved data set, after checks that TensorFlow does not make.

    TensorFlow waits forever for a data set that is still being written, reads
    from any folder that the metadata names, and crashes if two files contradict
    each other. Of a file that is cut off, it reads what is left.
    """
    import tensorflow as tf
    from google.protobuf import message
    from tensorflow.core.protobuf import snapshot_pb2

    file = pathlib.Path(path, "snapshot.metadata")
    # Until a data set is complete, this file holds text instead.
    content = file.read_bytes() if file.is_file() else b""
    record = snapshot_pb2.SnapshotMetadataRecord()
    try:
        record.ParseFromString(content)
    except message.DecodeError:
        content = b""
    if not content.startswith(b"\x12") or not record.run_id.isdigit():
        raise ValueError(
            f"The data set in `{path}` is damaged or not complete yet: "
            f"`{file.name}` is not what dataset.save writes."
        )
    try:
        dataset = tf.data.Dataset.load(str(path))
    # Damaged specifications raise errors of almost any type.
    except Exception as error:
        raise ValueError(
            f"The data set in `{path}` is damaged: {error}"
        ) from error
    specs = tf.nest.flatten(dataset.element_spec)
    for spec in specs:
        if not isinstance(spec, tf.TensorSpec) or spec.dtype in (
            tf.variant,
            tf.resource,
        ):
            raise ValueError(
                f"The data set in `{path}` holds {spec}. Expected tensors of "
                "numbers or strings."
            )
    types = [spec.dtype.as_datatype_enum for spec in specs]
    if record.version != SNAPSHOT_VERSION or list(record.dtype) != types:
        raise ValueError(
            f"The data set in `{path}` is damaged: `{file.name}` contradicts "
            "dataset_spec.pb."
        )
    if record.num_elements > 0:  # Early versions of TensorFlow count nothing.
        # A file that is cut off between two records reads as a shorter one.
        count = tf.data.experimental.assert_cardinality(record.num_elements)
        dataset = dataset.apply(count)
    return dataset
