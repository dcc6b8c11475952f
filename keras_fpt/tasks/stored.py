"""Examples that are held in memory or on disk, as tf.data pipelines.

Pipelines have no hidden random state: a batch depends only on the seed and its
number, so it is the same on every backend and in every run, and a
pipeline can begin at any batch at no cost.
"""

import dataclasses
import functools
import hashlib
import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_fpt.compat import tensorflow_index_shuffle
from keras_fpt.tasks import sequence_store

# This many batches are drawn together and sorted by length, so that a batch
# holds sequences of similar lengths.
BATCHES_SORTED_TOGETHER = 50
# Sequences are padded to one of a few lengths, since some backends compile
# the model again for each new shape.
PADDED_LENGTHS = (16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
# The path of a row's file, before its number.
_PATH = re.compile(r"^`.*`, (?=row \d+$)")
# Streams of random numbers for training.
ORDER, BATCH_ORDER, AUGMENTATION = 0, 1, 2


class Examples(NamedTuple):
    """The examples of one split.

    Args:
        x: array `(n, ...)` with examples of one shape, or a `tf.RaggedTensor`
            of `n` sequences of different lengths: int32 tokens, or float32
            tokens of one width. Either may be on disk, in a `SequenceStore`.
        y: int array `(n,)` or `(n, answers)`, such as labels of 0 and 1, or
            the classes of tokens. Batches hold at least int32. Or float32
            array `(n, targets)`, the numbers of a regression.
        names: list of n strings that say where each example is from (a file,
            a row), or something else that gives them one after the other, or
            `None`.
        groups: int array `(n,)`, the number of the group that each example
            belongs to, such as the recording of a window, so that examples of
            one group are similar; `None` if examples are not grouped.
    """

    x: Any
    y: np.ndarray
    names: Iterable[str] | None = None
    groups: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Stored:
    """Examples in memory or on disk, read when they are first needed.

    Each training epoch is another permutation of all examples.

    Args:
        read: function without arguments that returns a dict from the names
            of splits (`train`, `validation`, `test` and any others) to
            `Examples`.
        encode: function from a batch of `x` to tokens, inside tf.data;
            `None` if `x` already holds tokens.
        augment: function of a batch of `x` and a seed of shape `(2,)` that
            returns another `x` for training; `None` for no augmentation.
        more_splits: tuple of the names of held-out splits other than
            validation and test.
        pad_token: int, sequences are padded with this token to the longest of
            their batch, without a mask. `None` pads them to one of a few
            lengths, with a mask.
        is_per_token: bool, whether labels `(n, longest)` are of tokens, -1
            beyond the end of a sequence. All sequences of a split are then
            padded to its longest one.
    """

    read: Callable[[], Mapping[str, Examples]]
    encode: Callable | None = None
    augment: Callable | None = None
    more_splits: tuple[str, ...] = ()
    pad_token: int | None = None
    is_per_token: bool = False

    @property
    def held_out_splits(self) -> tuple[str, ...]:
        """The names of the splits that are not for training."""
        return ("validation", "test", *self.more_splits)

    @functools.cached_property
    def splits(self) -> Mapping[str, Examples]:
        """The examples of all splits, by name."""
        return self.read()

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash of all examples of all splits, a hexadecimal string.

        It follows from what the examples are, and not from where the files
        lie that they were read from.
        """
        return self._digest(_without_path)

    @property
    def former_fingerprint(self) -> str:
        """The fingerprint of version 0.1.0.

        There, the names of a table's strings had the table's path in them.
        """
        return self._digest(lambda name: name)

    def _digest(self, spell: Callable) -> str:
        digest = hashlib.sha256()
        for split, (x, y, names, _) in self.splits.items():
            spelled = None if names is None else map(spell, names)
            _hash_names(digest, split, spelled)
            if _is_ragged(x):
                digest.update(_lengths(x).astype(np.int64).data)
            if isinstance(x, tf.RaggedTensor):
                x = x.flat_values
            for part in sequence_store.chunks(_as_array(x)):
                digest.update(np.ascontiguousarray(part).data)
            for part in sequence_store.chunks(y):
                part = part.astype(_label_type(y))
                digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()

    def train(
        self,
        batch_size: int,
        seed: int,
        first_batch: int,
        is_augmented: bool = True,
    ) -> tf.data.Dataset:
        """Endless batches, from batch number `first_batch`.

        Args:
            batch_size: int.
            seed: int.
            first_batch: int.
            is_augmented: bool, whether examples are changed by `augment`.
        """
        x, y, *_ = self.splits["train"]
        longest = _longest(x) if _is_ragged(x) else None

        def make(number, indices):
            rows, labels = _gather(x, y, indices)
            if longest is not None:
                return self._pad(rows, longest), labels
            if self.augment and is_augmented:
                stream = tf.constant([seed, AUGMENTATION], tf.int32)
                rows = self.augment(
                    rows, tf.random.fold_in(stream, number, alg="philox")
                )
            return self._tokens(rows), labels

        indices = self.train_indices(batch_size, seed, first_batch)
        return indices.map(make).prefetch(2)

    def train_indices(
        self, batch_size: int, seed: int, first_batch: int
    ) -> tf.data.Dataset:
        """The indices of the examples in the batches of `train`.

        Returns:
            An endless `tf.data.Dataset` of pairs of int64: a batch's number,
            and the indices of its examples, `(batch_size,)`.
        """
        x, y, *_ = self.splits["train"]
        size = len(y)
        lengths = _lengths(x) if _is_ragged(x) else None
        choose = _choose if lengths is None else _choose_similar_lengths
        numbers = tf.data.Dataset.counter(first_batch)
        return numbers.map(
            lambda number: (
                number,
                choose(lengths, number, batch_size, size, seed),
            )
        )

    def held_out(self, split: str, batch_size: int) -> tf.data.Dataset:
        """One pass over a held-out split, in the order of `order`."""
        x, y, *_ = self.splits[split]
        return self.in_order(x, self.order(split), batch_size, y)

    def order(self, split: str) -> np.ndarray:
        """The order of a split's examples in one pass, as indices.

        Sequences of different lengths are sorted by length.
        """
        x, y, *_ = self.splits[split]
        if _is_ragged(x):
            return np.argsort(_lengths(x), kind="stable")
        return np.arange(len(y))

    def in_order(
        self,
        x: Any,
        order: np.ndarray,
        batch_size: int,
        y: np.ndarray | None = None,
    ) -> tf.data.Dataset:
        """Batches of examples, in a given order.

        Args:
            x: as in `Examples`.
            order: int array of indices in `x`.
            batch_size: int.
            y: as in `Examples`; if `None`, batches hold only `x`.
        """
        longest = _longest(x) if _is_ragged(x) else None
        batches = tf.data.Dataset.range(len(order)).batch(batch_size)

        def make(places):
            (indices,) = _gather_rows([order], places)
            rows, labels = _gather(x, y, indices)
            tokens = (
                self._tokens(rows)
                if longest is None
                else self._pad(rows, longest)
            )
            return tokens if y is None else (tokens, labels)

        return batches.map(make).prefetch(2)

    def size(self, split: str) -> int:
        """The number of examples of a split."""
        return len(self.splits[split].y)

    def labels(self, split: str) -> np.ndarray:
        """The labels of a split."""
        return self.splits[split].y

    def groups(self, split: str) -> np.ndarray | None:
        """The groups of a split's examples, see `Examples`."""
        return self.splits[split].groups

    def _pad(self, x, longest):
        if self.pad_token is None:
            return _pad(x, longest, self.is_per_token)
        return x.to_tensor(self.pad_token)

    def _tokens(self, x):
        return self.encode(x) if self.encode else x


def _hash_names(digest, split, names):
    """Hashes `repr((split, names))`, of which names may not fit into memory."""
    if names is None:
        digest.update(repr((split, None)).encode())
        return
    digest.update(f"({split!r}, [".encode())
    separator = ""
    names = iter(names)
    while some := ", ".join(map(repr, itertools.islice(names, 10_000))):
        digest.update(f"{separator}{some}".encode())
        separator = ", "
    digest.update(b"])")


def _without_path(name):
    """The name of an example, without the path of the table that it is from."""
    is_text = isinstance(name, str) and _PATH.match(name)
    return _PATH.sub("", name) if is_text else name


def _is_ragged(x):
    if sequence_store.is_on_disk(x):
        return x.lengths is not None
    return isinstance(x, tf.RaggedTensor)


def _lengths(x):
    """The lengths of sequences of different lengths."""
    if sequence_store.is_on_disk(x):
        return x.lengths
    return x.row_lengths().numpy()


def _as_array(x):
    return x if sequence_store.is_on_disk(x) else np.asarray(x)


def _label_type(y):
    """The type of the labels in batches, which may be stored as a smaller one.

    Losses take int32, which also is what fingerprints are computed from.
    """
    return y.dtype if y.dtype.kind == "f" else np.result_type(y.dtype, np.int32)


def _gather_rows(arrays, indices):
    """Rows of arrays, which TensorFlow's graph then contains no copy of."""
    if not arrays:
        return []

    def read(indices):
        return [array[indices] for array in arrays]

    types = [tf.as_dtype(array.dtype) for array in arrays]
    rows = tf.numpy_function(read, [indices], types)
    for row, array in zip(rows, arrays, strict=True):
        row.set_shape([*indices.shape, *array.shape[1:]])
    return rows


def _gather(x, y, indices):
    """The examples with some indices: rows of `x` and of `y`.

    Labels are `None` if `y` is.
    """
    arrays = [] if y is None else [_as_array(y)]
    if not _is_ragged(x):
        rows, *labels = _gather_rows([_as_array(x), *arrays], indices)
    elif isinstance(x, tf.RaggedTensor):
        rows = tf.gather(x, indices)
        labels = _gather_rows(arrays, indices)
    else:
        # All tokens of the batch, which are more or fewer than its lengths.
        rows = tf.numpy_function(x.__getitem__, [indices], x.dtype)
        rows.set_shape([None, *x.shape[2:]])
        lengths, *labels = _gather_rows([x.lengths, *arrays], indices)
        rows = tf.RaggedTensor.from_row_lengths(rows, lengths, validate=False)
    labels = [tf.cast(each, _label_type(y)) for each in labels]
    return rows, labels[0] if labels else None


def _shuffled(positions, size, seed):
    """The examples at some positions in an endless row of shuffled epochs."""
    keys = tf.stack(
        [
            tf.fill(tf.shape(positions), tf.constant(seed, tf.int64)),
            positions // size,
        ]
        + [tf.fill(tf.shape(positions), tf.constant(ORDER, tf.int64))],
        1,
    )
    last = tf.constant(size - 1, tf.int64)
    return tensorflow_index_shuffle.index_shuffle(positions % size, keys, last)


def _choose(lengths, number, batch_size, size, seed):
    positions = number * batch_size + tf.range(batch_size, dtype=tf.int64)
    return _shuffled(positions, size, seed)


def _choose_similar_lengths(lengths, number, batch_size, size, seed):
    together = BATCHES_SORTED_TOGETHER
    window = number // together
    positions = window * together * batch_size + tf.range(
        together * batch_size, dtype=tf.int64
    )
    indices = _shuffled(positions, size, seed)
    (chosen,) = _gather_rows([lengths], indices)
    indices = tf.gather(indices, tf.argsort(chosen, stable=True))
    # Batches of short sequences must not always come first.
    key = tf.stack([tf.constant(seed, tf.int64), window, BATCH_ORDER])
    last = tf.constant(together - 1, tf.int64)
    batch = tensorflow_index_shuffle.index_shuffle(number % together, key, last)
    return tf.reshape(indices, (together, batch_size))[batch]


def _longest(x):
    if sequence_store.is_on_disk(x):
        return x.shape[1]
    return int(x.bounding_shape()[1])


def _pad(x, longest, to_longest=False):
    """Pads a batch of sequences on the right, and makes its mask.

    Args:
        x: the `tf.RaggedTensor` of the batch.
        longest: int, the length of the split's longest sequence. Batches are
            not padded beyond it: a model may have no more positions.
        to_longest: bool, whether every batch is padded to it.
    """
    lengths = tf.cast(x.row_lengths(), tf.int32)
    shorter = () if to_longest else PADDED_LENGTHS
    choices = [n for n in shorter if n < longest] + [longest]
    choices = tf.constant(choices, tf.int32)
    fits = choices >= tf.reduce_max(lengths)
    length = tf.reduce_min(tf.boolean_mask(choices, fits))
    shape = [-1, length, *x.shape[2:]]
    tokens = x.to_tensor(shape=tf.cast(tf.stack(shape), tf.int64))
    tokens.set_shape([None, None, *x.shape[2:]])
    return {
        "tokens": tokens,
        "padding_mask": tf.sequence_mask(lengths, length, tf.int32),
    }
