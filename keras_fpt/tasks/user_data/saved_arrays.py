"""Reads arrays in files, and saved `tf.data.Dataset`s."""

import os
import pathlib
import zipfile
import zlib
from typing import Any

import numpy as np

from keras_fpt.files import unpacking
from keras_fpt.tasks.user_data import batches

# What NumPy raises for files that are damaged or not arrays.
UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    NotImplementedError,  # a kind of compression
    RuntimeError,  # encryption, or deep nesting
    MemoryError,  # a header that promises more data than the file has
    zipfile.BadZipFile,
    zlib.error,
)
# The version that `tf.data.Dataset.save` writes.
SNAPSHOT_VERSION = 2


def is_saved_dataset(path: str | os.PathLike) -> bool:
    """Whether a folder was written by `tf.data.Dataset.save`."""
    return pathlib.Path(path, "dataset_spec.pb").is_file()


def read_arrays(
    path: str | os.PathLike, names: tuple[str, ...], rank: int | None = None
) -> list[Any]:
    """Reads arrays from a file, or the examples of a saved data set.

    Args:
        path: an `.npz` file; an `.npy` file, which holds only `x`; or the
            folder of a `tf.data.Dataset` that was saved with
            `dataset.save(path)`.
        names: tuple of the arrays to read, `("x",)` or `("x", "y")`.
        rank: int, the rank of one sequence in a data set without labels.

    Returns:
        A list of the arrays; those of a data set are lists of examples.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is damaged, or has no array of such a name.
    """
    import tensorflow as tf

    if is_saved_dataset(path):
        try:
            return list(batches.collect_examples(_load_dataset(path), rank))
        except tf.errors.OpError as error:
            # Without the names of TensorFlow's own functions and operations.
            reason = error.message.rpartition("}} ")[2].partition(" [Op:")[0]
            raise ValueError(
                f"The data set in `{path}` is damaged or not complete: {reason}"
            ) from error
    if zipfile.is_zipfile(path):
        _check_archive_size(path)
    try:
        # Pickled objects could run code.
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            loaded = {"x": loaded}
        missing = [name for name in names if name not in loaded]
        if not missing:
            return [loaded[name] for name in names]
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file `{path}`.") from None
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    raise ValueError(
        f"`{path}` has no array '{missing[0]}'; it has "
        f"{', '.join(loaded)}. Write it with np.savez(path, x=x, y=y)."
    )


def _check_archive_size(path: str | os.PathLike) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    packed = sum(entry.compress_size for entry in entries)
    unpacked = sum(entry.file_size for entry in entries)
    unpacking.check_size(packed, unpacked, path)


def _unreadable(path: str | os.PathLike, error: Exception) -> ValueError:
    return ValueError(f"Cannot read arrays from `{path}`: {error}")


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
