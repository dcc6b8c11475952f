"""Bit XOR: the elementwise exclusive or of two strings of bits."""

import numpy as np
import tensorflow as tf

from keras_fpt.tasks.generated import PAPER_ORIGIN, Generated
from keras_fpt.tasks.task import Recipe, Task

NUM_BITS = 5


def task(data_dir: str | None = None) -> Task:
    """Two strings of 5 bits, one bit per token; 5 bits are predicted.

    The last five tokens have one label each. Bits of the input are -1 and +1,
    since training can diverge with 0 and 1.

    Source: Lu et al., 2021, section 2.2.
    """
    return Task(
        name="bit_xor",
        description="two strings of 5 bits -> their elementwise XOR",
        num_classes=2,
        sequence_length=2 * NUM_BITS,
        data=Generated(make_batch),
        origin=PAPER_ORIGIN,
        recipe=Recipe(steps=500, dropout=0.0),
        input_dim=1,
        num_output_tokens=NUM_BITS,
        answer_tokens=other_bits,
    )


def other_bits(x: np.ndarray) -> np.ndarray:
    """The positions of the bits with which those of the output are combined.

    Args:
        x: float array `(batch, 10, 1)`, see `make_batch`.

    Returns:
        int array `(batch, 5)`.
    """
    return np.tile(np.arange(NUM_BITS), (len(x), 1))


def make_batch(batch_size: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Tokens `(batch, 10, 1)` of -1 and +1, and labels `(batch, 5)`."""
    bits = tf.random.stateless_uniform(
        (batch_size, 2, NUM_BITS), seed, 0, 2, tf.int32, alg="philox"
    )
    x = tf.reshape(2 * bits - 1, (batch_size, 2 * NUM_BITS, 1))
    return tf.cast(x, tf.float32), bits[:, 0] ^ bits[:, 1]
