"""Bit memory: recall a string of bits from a part of it."""

import numpy as np
import tensorflow as tf

from keras_fpt.tasks.generated import PAPER_ORIGIN, Generated
from keras_fpt.tasks.task import Recipe, Task

NUM_STRINGS = 5
NUM_BITS = 1000
BITS_PER_TOKEN = 50
TOKENS_PER_STRING = NUM_BITS // BITS_PER_TOKEN


def task(data_dir: str | None = None) -> Task:
    """Five strings of 1000 bits, then one of them with half its bits masked.

    Bits are -1 and +1, and masked bits are 0. The labels are all bits of the
    masked string, 50 for each of the last 20 tokens.

    Source: Lu et al., 2021, section 2.2.
    """
    return Task(
        name="bit_memory",
        description="five strings of bits, one repeated half masked -> its "
        "bits",
        num_classes=2,
        sequence_length=(NUM_STRINGS + 1) * TOKENS_PER_STRING,
        data=Generated(make_batch),
        origin=PAPER_ORIGIN,
        recipe=Recipe(steps=1000, dropout=0.0),
        input_dim=BITS_PER_TOKEN,
        num_output_tokens=TOKENS_PER_STRING,
        labels_per_token=BITS_PER_TOKEN,
        simple_rules={"copying the shown bits": copy_shown_bits},
        answer_tokens=recalled_tokens,
    )


def recalled_tokens(x: np.ndarray) -> np.ndarray:
    """The positions of the tokens that contain the bits of the masked string.

    Args:
        x: float array `(batch, 120, 50)`, see `make_batch`.

    Returns:
        int array `(batch, 20)`.
    """
    strings = x.reshape(len(x), NUM_STRINGS + 1, NUM_BITS)
    agreement = np.einsum("bsn,bn->bs", strings[:, :-1], strings[:, -1])
    first = agreement.argmax(axis=1)[:, None] * TOKENS_PER_STRING
    return first + np.arange(TOKENS_PER_STRING)


def copy_shown_bits(x: np.ndarray) -> np.ndarray:
    """Answers each bit that is shown, and 0 for each that is masked.

    Args:
        x: float array `(batch, 120, 50)`, see `make_batch`.

    Returns:
        int array `(batch, 1000)`.
    """
    return (x[:, -TOKENS_PER_STRING:] > 0).reshape(len(x), NUM_BITS).astype(int)


def make_batch(batch_size: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Tokens `(batch, 120, 50)` of -1, 0 and +1, labels `(batch, 1000)`."""
    seeds = tf.unstack(tf.random.split(seed, 3, alg="philox"))
    bits = tf.random.stateless_uniform(
        (batch_size, NUM_STRINGS, NUM_BITS), seeds[0], 0, 2, tf.int32, "philox"
    )
    chosen = tf.random.stateless_uniform(
        (batch_size,), seeds[1], 0, NUM_STRINGS, tf.int32, alg="philox"
    )
    shown = tf.random.stateless_uniform(
        (batch_size, NUM_BITS), seeds[2], 0, 2, tf.int32, alg="philox"
    )
    answer = tf.gather(bits, chosen, axis=1, batch_dims=1)
    masked = (2 * answer - 1) * shown
    x = tf.concat([2 * bits - 1, masked[:, None]], axis=1)
    x = tf.reshape(x, (batch_size, -1, BITS_PER_TOKEN))
    return tf.cast(x, tf.float32), answer
