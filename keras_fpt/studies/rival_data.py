"""A task's examples as arrays for rivals, and their kind of data."""

from typing import Any, NamedTuple, Self

import numpy as np

from keras_fpt.tasks import Stored, Task

# The maximum size of the data that a model is fitted to. Beyond it, fewer
# examples are used.
MAX_VALUES = 20_000_000
# Training examples of a task that generates them endlessly.
GENERATED_EXAMPLES = 10_000
BATCH_SIZE = 500
# The kinds of data.
SERIES, STRINGS, IMAGES, TABLE = "series", "strings", "images", "table"
OTHER = "other"
# A table with one example per row is treated as series from this many columns
# on.
SERIES_COLUMNS = 24


class Rows(NamedTuple):
    """Examples in memory, padded to the longest of the task.

    Args:
        tokens: array `(n, sequence_length)` of integers, padded with the
            task's vocabulary size, or `(n, sequence_length, dim)` of floats,
            padded with zeros.
        lengths: int array `(n,)`, how many tokens are real.
        y: int array `(n, answers)`, also of 0 and 1 of several labels; of
            labels per token `(n, sequence_length)`, -1 where there is none;
            or float array `(n, targets)`.
        origins: int array `(n,)`, those of the `Task.history` of validation
            and test; otherwise `None`.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    y: np.ndarray
    origins: np.ndarray | None = None

    @property
    def flat(self) -> np.ndarray:
        """One row of numbers per example: `(n, sequence_length * dim)`."""
        return self.tokens.reshape(len(self.tokens), -1)

    def part(self, rows: slice | np.ndarray) -> Self:
        """Some of the examples."""
        origins = None if self.origins is None else self.origins[rows]
        arrays = self.tokens[rows], self.lengths[rows], self.y[rows]
        return type(self)(*arrays, origins)


def data_kind(task: Task) -> str:
    """The kind of a task's data, which decides on its rivals.

    Args:
        task: a `Task`.

    Returns:
        String: `SERIES`, float tokens in an order; `STRINGS`, integer tokens;
        `IMAGES`; `TABLE`, one example per row of few columns; or `OTHER` for
        tasks that generate their examples or have several answers.
    """
    answers = task.num_output_tokens * task.labels_per_token
    if not isinstance(task.data, Stored) or answers > 1:
        return OTHER
    if task.picture is not None:
        return IMAGES
    if task.vocabulary_size is not None:
        return STRINGS
    is_by_row = getattr(task.reader, "is_by_row", False)
    if is_by_row and task.sequence_length < SERIES_COLUMNS:
        return TABLE
    return SERIES


def read_splits(task: Task) -> dict[str, Rows]:
    """The examples of a task's splits.

    Args:
        task: a `Task`.

    Returns:
        Dict from `train`, `validation` and `test` to `Rows`. Of train, at most
        as many examples as have `MAX_VALUES` numbers, neither repeated nor
        augmented, in a seeded order.
    """
    width = task.sequence_length * (task.input_dim or 1)
    size = task.data.size("train") or GENERATED_EXAMPLES
    size = max(1, min(size, MAX_VALUES // width))
    held_out = {
        split: _rows(task, task.held_out(split, BATCH_SIZE))
        for split in ("validation", "test")
    }
    if task.history is not None:
        held_out = {
            split: rows._replace(
                origins=task.history.origins[split][task.data.order(split)]
            )
            for split, rows in held_out.items()
        }
    return {"train": _train_rows(task, size), **held_out}


def _train_rows(task: Task, size: int) -> Rows:
    if not isinstance(task.data, Stored):
        batches = task.datasets(BATCH_SIZE).train.take(-(-size // BATCH_SIZE))
        return _rows(task, batches).part(slice(size))
    x, y, *_ = task.data.splits["train"]
    order = np.random.default_rng(0).permutation(len(y))[:size]
    return _rows(task, task.data.in_order(x, order, BATCH_SIZE, y))


def _rows(task: Task, batches: Any) -> Rows:
    tokens, labels = zip(*batches.as_numpy_iterator(), strict=True)
    padded, lengths = zip(
        *(_padded(task, each) for each in tokens), strict=True
    )
    y = np.concatenate(labels)
    y = y.reshape(len(y), -1)
    if task.is_per_token:
        missing = task.sequence_length - y.shape[1]
        y = np.pad(y, [(0, 0), (0, missing)], constant_values=-1)
    return Rows(np.concatenate(padded), np.concatenate(lengths), y)


def _padded(task: Task, tokens: Any) -> tuple[np.ndarray, np.ndarray]:
    """A batch of tokens, padded to the longest of the task, and lengths."""
    if isinstance(tokens, dict):
        tokens, mask = tokens["tokens"], tokens["padding_mask"].astype(bool)
    else:
        mask = np.ones(tokens.shape[:2], bool)
    padding = task.vocabulary_size or 0
    missing = task.sequence_length - tokens.shape[1]
    shape = (*mask.shape, *(1 for _ in tokens.shape[2:]))
    tokens = np.where(mask.reshape(shape), tokens, padding)
    widths = [(0, 0), (0, missing)] + [(0, 0)] * (tokens.ndim - 2)
    tokens = np.pad(tokens, widths, constant_values=padding)
    return tokens, mask.sum(1)
