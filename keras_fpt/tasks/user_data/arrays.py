"""Arrays, and any iterable of batches, as a task."""

import dataclasses
import pathlib
import zipfile
import zlib

import numpy as np

from keras_fpt.files import unpacking
from keras_fpt.tasks.user_data import build, classes, sequences, splitting
from keras_fpt.tasks.user_data.source_errors import names_source

# What NumPy raises on files that are damaged or no arrays.
UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    NotImplementedError,  # a kind of compression
    RuntimeError,  # encryption; and deep nesting
    MemoryError,  # where a header promises more than there is
    zipfile.BadZipFile,
    zlib.error,
)
# What `tf.data.Dataset.save` writes.
SNAPSHOT_VERSION = 2
# Larger integers are measurements rather than symbols.
LARGEST_VOCABULARY = 1_000_000


@dataclasses.dataclass(frozen=True)
class ArrayReader:
    """How saved arrays become sequences.

    Args:
        input_dim: int, width of float tokens, or `None`.
        vocabulary_size: int, for integer tokens, or `None`.
    """

    input_dim: int | None
    vocabulary_size: int | None

    def read(self, path):
        """The sequences of an `.npy` or `.npz` file or a saved data set.

        Raises:
            ValueError: they are not as those that the task was made of.
        """
        rank = 1 if self.input_dim is None else 2
        x = as_sequences(read_arrays(path, ("x",), rank)[0])
        values = sequences.tokens_of(x)
        if (values.ndim == 1) != (self.input_dim is None):
            raise ValueError(
                f"`{path}` holds tokens of another kind: expected "
                f"{self._expected()}."
            )
        if values.ndim == 2 and values.shape[1] != self.input_dim:
            raise ValueError(
                f"`{path}` holds tokens of width {values.shape[1]}: expected "
                f"{self._expected()}."
            )
        if values.ndim == 1 and values.max() >= self.vocabulary_size:
            raise ValueError(
                f"`{path}` holds the token {values.max()}: expected "
                f"{self._expected()}."
            )
        return x, [f"example {i + 1}" for i in range(x.shape[0])]

    def _expected(self):
        if self.input_dim is None:
            return f"integers below {self.vocabulary_size}"
        return f"floats of width {self.input_dim}"


def from_arrays(
    x, y, class_names=None, split=None, name="arrays", verbose=True
):
    """A task from arrays of sequences and labels.

    Values are taken as they are. Networks like numbers of about unit size:
    subtract the mean and divide by the standard deviation of your training
    examples where yours are not so.

    Args:
        x: float array `(n, tokens, dim)`; float array `(n, tokens)`, which
            are tokens of width 1; integer array `(n, tokens)`; or a list of n
            such sequences, `(tokens, dim)` or `(tokens,)`, of any lengths.
        y: n labels: integers or strings.
        class_names: sequence of strings; labels are then names in it, or
            places in it. `None` takes the classes from the labels, sorted.
        split: n strings, `train`, `validation` or `test`; `None` makes a
            fixed, seeded fifth test and a tenth of the rest validation, with
            the share of each class kept.
        name: string, the task's name.
        verbose: bool, whether to print what was found.

    Returns:
        A `Task`.

    Raises:
        ValueError: shapes, numbers or labels that cannot be used. It says
            which example.

    Example:

    ```python
    x = np.random.normal(size=(500, 30, 6)).astype("float32")
    y = np.where(x.mean(axis=(1, 2)) > 0, "up", "down")
    task = keras_fpt.tasks.from_arrays(x, y)
    model = keras_fpt.FPTClassifier.from_preset("gpt2_tiny_en", task=task)
    ```
    """
    x = as_sequences(x)
    if x.shape[0] != len(y):
        raise ValueError(
            f"Expected as many labels as sequences but received {len(y):,} "
            f"and {x.shape[0]:,}."
        )
    y, class_names = classes.number(y, _where, class_names)
    if split is None:
        places, split_by = splitting.stratified(y), "seeded, stratified"
    else:
        places, split_by = splitting.given(list(split), y, _where), "as given"
    values = sequences.tokens_of(x)
    vocabulary_size = int(values.max()) + 1 if values.ndim == 1 else None
    input_dim = None if vocabulary_size else values.shape[1]
    note = f"values from {values.min():.4g} to {values.max():.4g}"
    if vocabulary_size:
        note += ", taken for symbols: give measurements as floats"
    return build.task(
        name,
        x,
        y,
        class_names,
        places,
        split_by,
        ArrayReader(input_dim, vocabulary_size),
        vocabulary_size=vocabulary_size,
        notes=[note],
        verbose=verbose,
    )


def from_dataset(dataset, class_names=None, name="dataset", verbose=True):
    """A task from a `tf.data.Dataset` or any loader that Keras accepts.

    It is read once, to its end, and held in memory. Data that is larger goes
    to `FPTClassifier.fit` as it is.

    Args:
        dataset: finite iterable of `(x, y)`, single examples or batches of
            them, e.g. a `tf.data.Dataset`, a Grain loader or data set, or a
            `torch.utils.data.DataLoader`. `x` is as in `from_arrays`, or a
            dict of `tokens` and `padding_mask`.
        class_names: as in `from_arrays`.
        name: string, the task's name.
        verbose: bool, whether to print what was found.

    Returns:
        A `Task`.

    Raises:
        ValueError: it does not end, is empty, or holds something else.
    """
    x, y = collect(dataset)
    return from_arrays(x, y, class_names, name=name, verbose=verbose)


@names_source
def from_saved(path, class_names=None, verbose=True):
    """A task from arrays or a data set in files.

    Args:
        path: an `.npz` file with the arrays `x` and `y` (`np.savez`), or the
            folder of a `tf.data.Dataset` of `(x, y)` that was saved with
            `dataset.save(path)`.
        class_names: as in `from_arrays`.
        verbose: bool, whether to print what was found.

    Returns:
        A `Task`.

    Raises:
        ValueError, FileNotFoundError: the file is not there or not so.
    """
    x, y = read_arrays(path, ("x", "y"))
    return from_arrays(
        x,
        y,
        class_names,
        name=pathlib.Path(path).resolve().stem,
        verbose=verbose,
    )


def is_saved_dataset(path):
    """Whether a folder was written by `tf.data.Dataset.save`."""
    return pathlib.Path(path, "dataset_spec.pb").is_file()


def read_arrays(path, names, rank=None):
    """Arrays by name, from one of the files that `from_saved` takes.

    Args:
        path: an `.npy` file holds the first array only.
        names: tuple, `("x",)` or `("x", "y")`.
        rank: int, the rank of one sequence where there is no `y`.
    """
    import tensorflow as tf

    if is_saved_dataset(path):
        try:
            return collect(_load_dataset(path), rank)
        except tf.errors.OpError as error:
            raise ValueError(
                f"The data set in `{path}` is damaged: {error.message}"
            ) from error
    if zipfile.is_zipfile(path):
        _check_archive(path)
    try:
        # Not pickled objects, which could run code.
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


def _check_archive(path):
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    packed = sum(entry.compress_size for entry in entries)
    unpacked = sum(entry.file_size for entry in entries)
    unpacking.check(packed, unpacked, path)


def _unreadable(path, error):
    return ValueError(f"Cannot read arrays from `{path}`: {error}")


def _load_dataset(path):
    """A saved data set, once it is known that TensorFlow can be let near it.

    TensorFlow waits, without end, for a data set that others still write,
    reads the folder that a file names, wherever it is, and crashes where two
    files contradict each other.
    """
    import tensorflow as tf
    from google.protobuf import message
    from tensorflow.core.protobuf import snapshot_pb2

    file = pathlib.Path(path, "snapshot.metadata")
    # What others still write has text there, which begins with no such byte.
    content = file.read_bytes() if file.is_file() else b""
    record = snapshot_pb2.SnapshotMetadataRecord()
    try:
        record.ParseFromString(content)
    except message.DecodeError:
        content = b""
    if not content.startswith(b"\x12") or not record.run_id.isdigit():
        raise ValueError(
            f"The data set in `{path}` is damaged, or not whole yet: "
            f"`{file.name}` is not what dataset.save writes."
        )
    try:
        dataset = tf.data.Dataset.load(str(path))
    # A damaged specification raises errors of almost any type.
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
    return dataset


def collect(dataset, rank=None):
    """All examples of an iterable: a list of sequences and a list of labels.

    Args:
        dataset: iterable of `(x, y)`; or, where `rank` is given, of `x` or
            `(x, y)`, whose `y` is not read.
        rank: int, the rank of one sequence; `None` takes an element whose
            label is a scalar for one example.

    Raises:
        ValueError: it does not end, is empty, or holds something else.
    """
    import tensorflow as tf

    if isinstance(dataset, tf.data.Dataset):
        if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise ValueError(
                "The data set does not end. Give one pass over it, for "
                "instance dataset.take(1000)."
            )
        dataset = dataset.as_numpy_iterator()
    x, y = [], []
    for number, element in enumerate(dataset):
        where = f"Element {number} of the data set"
        is_pair = isinstance(element, (tuple, list)) and len(element) == 2
        if rank is None and not is_pair:
            raise ValueError(f"{where} is not a pair of inputs and labels.")
        inputs, mask = _unmasked(element[0] if is_pair else element, where)
        if rank is None:
            labels = np.asarray(element[1])
            is_single = labels.ndim == 0
            labels = _flat_labels(labels, where)
        else:
            is_single = inputs.ndim == rank
        rows = [inputs] if is_single else list(inputs)
        if mask is not None:
            masks = [mask] if is_single else mask
            rows = [r[real] for r, real in zip(rows, masks, strict=True)]
        x += rows
        if rank is None:
            if len(rows) != len(labels):
                raise ValueError(
                    f"{where} has {len(rows)} sequences but {len(labels)} "
                    "labels."
                )
            y += labels.tolist()
    if not x:
        raise ValueError("The data set is empty.")
    return x, y


def _unmasked(inputs, where):
    """Tokens, and their mask or `None`."""
    if not isinstance(inputs, dict):
        return np.asarray(inputs), None
    missing = {"tokens", "padding_mask"} - inputs.keys()
    if missing:
        raise ValueError(f"{where} has no '{min(missing)}'.")
    mask = np.asarray(inputs["padding_mask"]).astype(bool)
    return np.asarray(inputs["tokens"]), mask


def _flat_labels(labels, where):
    if labels.ndim > 1 and labels.shape[-1] > 1:
        raise ValueError(
            f"{where} has labels of shape {labels.shape}; expected one an "
            "example. Of one-hot labels, take np.argmax(y, axis=1)."
        )
    return labels.reshape(-1)


def as_sequences(x):
    """Float32 `(n, tokens, dim)`, int32 `(n, tokens)`, or ragged ones.

    Raises:
        ValueError: `x` is not a row of sequences, or holds NaN or infinity.
    """
    # A table's columns are not its rows.
    rows = [np.asarray(row) for row in getattr(x, "to_numpy", lambda: x)()]
    if not rows:
        raise ValueError("Expected sequences but received none.")
    checked = [_checked_row(row, number) for number, row in enumerate(rows)]
    kinds = {(row.dtype, row.shape[1:]) for row in checked}
    if len(kinds) > 1:
        other = next(
            number
            for number, row in enumerate(checked)
            if (row.dtype, row.shape[1:])
            != (checked[0].dtype, checked[0].shape[1:])
        )
        raise ValueError(
            f"Example {other} is a sequence of another kind than example 0: "
            f"{rows[other].dtype} {rows[other].shape} and {rows[0].dtype} "
            f"{rows[0].shape}."
        )
    return sequences.stack(checked)


def _checked_row(row, number):
    if row.dtype.kind not in "iufb":
        raise ValueError(f"Example {number} holds no numbers but {row.dtype}.")
    if row.ndim == 3:
        raise ValueError(
            f"Example {number} has shape {row.shape}, which is no sequence "
            "but an image, perhaps. keras_fpt.tasks.patches(images, size) "
            "makes sequences of images."
        )
    if row.ndim not in (1, 2) or not len(row):
        raise ValueError(
            f"Example {number} has shape {row.shape}. Expected a sequence, "
            "(tokens, dim) or (tokens,), of at least one token."
        )
    if row.ndim == 1 and row.dtype.kind in "iub":
        if row.min() < 0 or row.max() >= LARGEST_VOCABULARY:
            odd = row.min() if row.min() < 0 else row.max()
            raise ValueError(
                f"Example {number} holds the token {odd}. Expected integers "
                f"from 0, below {LARGEST_VOCABULARY:,}. Give measurements as "
                "floats."
            )
        return row.astype(np.int32)
    with np.errstate(over="ignore"):
        numbers = row.astype(np.float32)
    bad = np.argwhere(~np.isfinite(numbers))
    if len(bad):
        raise ValueError(
            f"Example {number}, token {bad[0][0]}: expected finite numbers "
            f"(float32) but received {row[tuple(bad[0])]}."
        )
    return numbers[:, None] if row.ndim == 1 else numbers


def _where(place):
    return f"Example {place}"
