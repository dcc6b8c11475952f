"""Tasks from arrays, or from an iterable of batches."""

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import (
    batches,
    build,
    classes,
    saved_arrays,
    sequences,
    splitting,
)
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path

# Larger integers are assumed to be measurements rather than symbols.
MAX_VOCABULARY_SIZE = 1_000_000


@dataclasses.dataclass(frozen=True)
class ArrayReader:
    """How saved arrays become sequences.

    Args:
        input_dim: int, width of float tokens, or `None`.
        vocabulary_size: int, for integer tokens, or `None`.
    """

    input_dim: int | None
    vocabulary_size: int | None

    def read(self, path: str | os.PathLike) -> tuple[Any, list[str]]:
        """Reads the sequences of a new file, and their names.

        Args:
            path: as for `saved_arrays.read_arrays`.

        Raises:
            ValueError: the sequences are not like those that the task was
                made from.
        """
        rank = 1 if self.input_dim is None else 2
        x = as_sequences(saved_arrays.read_arrays(path, ("x",), rank)[0])
        values = sequences.concatenate(x)
        if (values.ndim == 1) != (self.input_dim is None):
            raise ValueError(
                f"`{path}` holds a different kind of tokens: expected "
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

    def _expected(self) -> str:
        if self.input_dim is None:
            return f"integers below {self.vocabulary_size}"
        return f"floats of width {self.input_dim}"


def from_arrays(
    x: Any,
    y: Any,
    class_names: Sequence[str] | None = None,
    split: Sequence[str] | None = None,
    name: str = "arrays",
    verbose: bool = True,
) -> Task:
    """Makes a task from arrays of sequences and labels.

    Values are not changed. Networks train best on values with mean 0 and
    standard deviation 1: standardize yours with the mean and the standard
    deviation of your training examples.

    Args:
        x: float array `(n, tokens, dim)`; float array `(n, tokens)`, whose
            tokens have width 1; integer array `(n, tokens)`; or a list of n
            such sequences, `(tokens, dim)` or `(tokens,)`, of any lengths.
        y: n labels: integers or strings.
        class_names: sequence of strings, the classes in their order; each
            label is then one of them, or its index. `None` takes the classes
            from the labels, sorted.
        split: n strings, `train`, `validation` or `test`. If `None`, a fixed,
            seeded fifth of the examples is for testing and a tenth of the
            rest for validation, and each split has the same share of each
            class.
        name: string, the task's name.
        verbose: bool, whether to log a description of the data.

    Returns:
        A `Task`.

    Raises:
        ValueError: shapes, values or labels cannot be used. The error names
            the example.

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
    y, class_names = classes.encode_labels(y, _where, class_names)
    if split is None:
        splits, split_by = splitting.stratified(y), "seeded, stratified"
    else:
        splits = splitting.from_names(list(split), y, _where)
        split_by = "as given"
    values = sequences.concatenate(x)
    vocabulary_size = int(values.max()) + 1 if values.ndim == 1 else None
    input_dim = None if vocabulary_size else values.shape[1]
    note = f"values from {values.min():.4g} to {values.max():.4g}"
    if vocabulary_size:
        note += ", used as symbols; give measurements as floats"
    return build.make_task(
        name,
        x,
        y,
        class_names,
        splits,
        split_by,
        ArrayReader(input_dim, vocabulary_size),
        vocabulary_size=vocabulary_size,
        notes=[note],
        verbose=verbose,
    )


def from_dataset(
    dataset: Iterable,
    class_names: Sequence[str] | None = None,
    name: str = "dataset",
    verbose: bool = True,
) -> Task:
    """Makes a task from a `tf.data.Dataset` or any loader that Keras accepts.

    The data set is read once, to its end, and held in memory. If yours does
    not fit into memory, pass it to `FPTClassifier.fit` directly.

    Args:
        dataset: finite iterable of `(x, y)`, single examples or batches,
            e.g. a `tf.data.Dataset`, a Grain loader or data set, or a
            `torch.utils.data.DataLoader`. `x` is as in `from_arrays`, or a
            dict of `tokens` and `padding_mask`.
        class_names: as for `from_arrays`.
        name: string, the task's name.
        verbose: bool, whether to log a description of the data.

    Returns:
        A `Task`.

    Raises:
        ValueError: the data set is infinite or empty, or its elements are not
            examples.
    """
    x, y = batches.collect_examples(dataset)
    return from_arrays(x, y, class_names, name=name, verbose=verbose)


@prefix_errors_with_path
def from_saved(
    path: str | os.PathLike,
    class_names: Sequence[str] | None = None,
    verbose: bool = True,
) -> Task:
    """Makes a task from saved arrays or a saved data set.

    Args:
        path: an `.npz` file with the arrays `x` and `y` (`np.savez`), or the
            folder of a `tf.data.Dataset` of `(x, y)` that was saved with
            `dataset.save(path)`.
        class_names: as for `from_arrays`.
        verbose: bool, whether to log a description of the data.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is damaged or holds something else.
    """
    x, y = saved_arrays.read_arrays(path, ("x", "y"))
    return from_arrays(
        x,
        y,
        class_names,
        name=pathlib.Path(path).resolve().stem,
        verbose=verbose,
    )


def as_sequences(x: Any) -> Any:
    """Converts arrays or lists to sequences of equal or different lengths.

    Args:
        x: as for `from_arrays`.

    Returns:
        As `sequences.stack`: float32 `(n, tokens, dim)`, int32 `(n, tokens)`,
        or a `tf.RaggedTensor` of such sequences.

    Raises:
        ValueError: `x` does not hold sequences, or holds NaN or infinity.
    """
    if isinstance(x, np.ndarray) and x.ndim > 1 and not x.size:
        # Its shape alone may promise more rows than fit into memory.
        raise ValueError(
            "Expected sequences of at least one token but received an array "
            f"of shape {x.shape}."
        )
    # Iterating over a pandas.DataFrame would give its columns.
    rows = [np.asarray(row) for row in getattr(x, "to_numpy", lambda: x)()]
    if not rows:
        raise ValueError("Expected sequences but received none.")
    checked = [_check_sequence(row, i) for i, row in enumerate(rows)]
    kinds = {(row.dtype, row.shape[1:]) for row in checked}
    if len(kinds) > 1:
        other = next(
            number
            for number, row in enumerate(checked)
            if (row.dtype, row.shape[1:])
            != (checked[0].dtype, checked[0].shape[1:])
        )
        raise ValueError(
            f"Expected sequences of one type and width but example {other} "
            f"is {rows[other].dtype} {rows[other].shape} and example 0 is "
            f"{rows[0].dtype} {rows[0].shape}."
        )
    return sequences.stack(checked)


def _check_sequence(row: np.ndarray, number: int) -> np.ndarray:
    """Float32 `(tokens, dim)` or int32 `(tokens,)`, after checks."""
    if row.dtype.kind not in "iufb":
        raise ValueError(
            f"Example {number} has the type {row.dtype}. Expected numbers."
        )
    if row.ndim == 3:
        raise ValueError(
            f"Example {number} has shape {row.shape}, which is not a "
            "sequence. If these are images, make sequences of them with "
            "keras_fpt.tasks.patches(images, size)."
        )
    if row.ndim not in (1, 2) or not len(row):
        raise ValueError(
            f"Example {number} has shape {row.shape}. Expected a sequence, "
            "(tokens, dim) or (tokens,), of at least one token."
        )
    if row.ndim == 1 and row.dtype.kind in "iub":
        if row.min() < 0 or row.max() >= MAX_VOCABULARY_SIZE:
            invalid = row.min() if row.min() < 0 else row.max()
            raise ValueError(
                f"Example {number} holds the token {invalid}. Expected "
                f"integers from 0 to {MAX_VOCABULARY_SIZE - 1:,}. Give "
                "measurements as floats."
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


def _where(index: int) -> str:
    return f"Example {index}"
