"""Examples that are made on the fly, from a seed and a number."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_fpt.tasks.task import Origin

ORIGIN = Origin(
    "generated as in Lu et al., 2021, section 2.2",
    "none needed",
    "Lu, Grover, Abbeel and Mordatch, 2021, Pretrained Transformers as "
    "Universal Computation Engines, arXiv:2103.05247",
)
# The streams of random numbers. No two splits share one, whatever the seed.
STREAMS = {"train": 0, "validation": 1, "test": 2}
SIZES = {"validation": 500, "test": 2000}
# Held-out examples are made in blocks of this size, so that they are the same
# for every batch size.
BLOCK_SIZE = 100


@dataclasses.dataclass(frozen=True)
class Generated:
    """Examples without end, and 500 + 2,000 held out.

    Args:
        make_batch: function of `(batch_size, seed)` that returns `(x, y)`;
            `seed` is an integer tensor of shape `(2,)` for TensorFlow's
            stateless random functions.
    """

    make_batch: Callable

    held_out_splits = tuple(SIZES)

    def train(self, batch_size, seed, first_batch):
        """Batches from number `first_batch` on, without end."""
        numbers = tf.data.Dataset.counter(first_batch)
        return numbers.map(self._maker(batch_size, seed, "train")).prefetch(2)

    def held_out(self, split, batch_size):
        """One pass over a held-out split."""
        size = SIZES[split]
        blocks = tf.data.Dataset.range(size // BLOCK_SIZE)
        blocks = blocks.map(self._maker(BLOCK_SIZE, 0, split))
        batches = blocks.rebatch(batch_size).prefetch(2)
        # Keras warns at the end of a data set of unknown length.
        return batches.apply(
            tf.data.experimental.assert_cardinality(-(-size // batch_size))
        )

    def size(self, split):
        """How many examples a split has; `None` is without end."""
        return SIZES.get(split)

    def labels(self, split):
        """The labels of a split; `None` where it is without end."""
        if split not in SIZES:
            return None
        batches = self.held_out(split, BLOCK_SIZE).as_numpy_iterator()
        return np.concatenate([y for _, y in batches])

    def _maker(self, size, seed, split):
        stream = tf.constant([seed, STREAMS[split]], tf.int32)
        return lambda number: self.make_batch(
            size, tf.random.fold_in(stream, number, alg="philox")
        )
