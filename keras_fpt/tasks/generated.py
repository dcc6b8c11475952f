"""Examples that are generated on the fly as tf.data pipelines."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_fpt.tasks.task import Origin

PAPER_ORIGIN = Origin(
    "generated as in Lu et al., 2021, section 2.2",
    "none needed",
    "Lu, Grover, Abbeel and Mordatch, 2021, Pretrained Transformers as "
    "Universal Computation Engines, arXiv:2103.05247",
)
# Streams of random numbers. No two splits share one, for any seed.
STREAMS = {"train": 0, "validation": 1, "test": 2}
SIZES = {"validation": 500, "test": 2000}
# Held-out examples are generated in blocks of this size, so that they are the
# same for every batch size.
BLOCK_SIZE = 100


@dataclasses.dataclass(frozen=True)
class Generated:
    """Endless training examples, and 500 + 2,000 held-out ones.

    Args:
        make_batch: function of `(batch_size, seed)` that returns `(x, y)`;
            `seed` is an integer tensor of shape `(2,)` for TensorFlow's
            stateless random functions.
    """

    make_batch: Callable

    held_out_splits = tuple(SIZES)
    # There are no files that could change.
    fingerprint = None

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
            is_augmented: ignored: no example is changed.
        """
        numbers = tf.data.Dataset.counter(first_batch)
        return numbers.map(self._maker(batch_size, seed, "train")).prefetch(2)

    def held_out(self, split: str, batch_size: int) -> tf.data.Dataset:
        """One pass over a held-out split."""
        size = SIZES[split]
        blocks = tf.data.Dataset.range(size // BLOCK_SIZE)
        blocks = blocks.map(self._maker(BLOCK_SIZE, 0, split))
        batches = blocks.rebatch(batch_size).prefetch(2)
        # Keras warns at the end of a data set of unknown length.
        return batches.apply(
            tf.data.experimental.assert_cardinality(-(-size // batch_size))
        )

    def size(self, split: str) -> int | None:
        """The number of examples of a split; `None` if it is endless."""
        return SIZES.get(split)

    def labels(self, split: str) -> np.ndarray | None:
        """The labels of a split; `None` if it is endless."""
        return self._labels.get(split)

    @functools.cached_property
    def _labels(self) -> dict[str, np.ndarray]:
        """The labels of each held-out split, computed once."""
        labels = {}
        for split in SIZES:
            batches = self.held_out(split, BLOCK_SIZE).as_numpy_iterator()
            labels[split] = np.concatenate([y for _, y in batches])
        return labels

    def order(self, split: str) -> np.ndarray:
        """The order of a held-out split's examples in one pass, as indices."""
        return np.arange(SIZES[split])

    def groups(self, split: str) -> None:
        """`None`: examples are not grouped."""

    def _maker(self, size: int, seed: int, split: str) -> Callable:
        stream = tf.constant([seed, STREAMS[split]], tf.int32)
        return lambda number: self.make_batch(
            size, tf.random.fold_in(stream, number, alg="philox")
        )
