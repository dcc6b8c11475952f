"""tf.data pipelines whose every batch follows from a seed and its number.

Nothing is drawn from a hidden state, so a batch is the same on every backend
and in every run, and a pipeline can begin at any batch at no cost.
"""

import tensorflow as tf

from keras_fpt.tasks.task import Splits

# The streams of random numbers that a generated task draws from. No two
# splits share one, whatever the seed.
TRAIN, VALIDATION, TEST = 0, 1, 2
VALIDATION_SIZE = 500
TEST_SIZE = 2000
# Held-out examples are made in blocks of this size, so that they are the same
# for every batch size.
BLOCK_SIZE = 100


def generated_splits(make_batch, batch_size, seed, first_batch):
    """Splits of examples that are made on the fly.

    Args:
        make_batch: function of `(batch_size, seed)` that returns `(x, y)`;
            `seed` is an integer tensor of shape `(2,)` for TensorFlow's
            stateless random functions.
        batch_size: int.
        seed: int, for the training examples.
        first_batch: int, the first training batch.

    Returns:
        `Splits`, with 500 validation and 2,000 test examples.
    """

    def make(size, seed, split):
        stream = tf.constant([seed, split], tf.int32)
        return lambda number: make_batch(
            size, tf.random.fold_in(stream, number, alg="philox")
        )

    def held_out(split, size):
        blocks = tf.data.Dataset.range(size // BLOCK_SIZE)
        blocks = blocks.map(make(BLOCK_SIZE, 0, split))
        batches = blocks.rebatch(batch_size).prefetch(2)
        # Keras warns at the end of a data set of unknown length.
        return batches.apply(
            tf.data.experimental.assert_cardinality(-(-size // batch_size))
        )

    train = tf.data.Dataset.counter(first_batch)
    return Splits(
        train.map(make(batch_size, seed, TRAIN)).prefetch(2),
        held_out(VALIDATION, VALIDATION_SIZE),
        held_out(TEST, TEST_SIZE),
    )


def array_splits(
    train, validation, test, encode, batch_size, seed, first_batch
):
    """Splits of examples that are held in memory.

    Each training epoch is another permutation of all examples.

    Args:
        train: tuple `(x, y)` of arrays; likewise `validation` and `test`.
        encode: function from a batch of `x` to tokens, inside tf.data.
        batch_size: int.
        seed: int, for the order of the training examples.
        first_batch: int, the first training batch.

    Returns:
        `Splits`.
    """

    def one_pass(x, y):
        dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(batch_size)
        return dataset.map(lambda x, y: (encode(x), y)).prefetch(2)

    x, y = tf.constant(train[0]), tf.constant(train[1])
    size = len(train[0])

    def train_batch(number):
        places = number * batch_size + tf.range(batch_size, dtype=tf.int64)
        epochs = places // size
        keys = tf.stack(
            [tf.fill([batch_size], tf.constant(seed, tf.int64)), epochs], 1
        )
        # The public tf.random.experimental.index_shuffle pads the wrong axis
        # of a batch of keys to the three numbers that the op takes.
        chosen = tf.raw_ops.RandomIndexShuffle(
            index=places % size,
            seed=tf.pad(keys, [[0, 0], [0, 1]]),
            max_index=tf.constant(size - 1, tf.int64),
        )
        return encode(tf.gather(x, chosen)), tf.gather(y, chosen)

    endless = tf.data.Dataset.counter(first_batch).map(train_batch).prefetch(2)
    return Splits(endless, one_pass(*validation), one_pass(*test))
