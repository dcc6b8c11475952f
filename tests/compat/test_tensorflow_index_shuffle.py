"""Fails when TensorFlow's `index_shuffle` takes one seed per index."""

import numpy as np
import pytest
import tensorflow as tf

from keras_fpt.compat.tensorflow_index_shuffle import index_shuffle

pytestmark = pytest.mark.backend_free


def test_the_fault_is_still_there():
    seeds = tf.constant([[1, 2], [3, 4]])
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.random.experimental.index_shuffle(tf.range(2), seeds, 9)


def test_each_seed_is_one_permutation():
    seeds = [[1, 2, 3], [4, 5, 6]]
    index = tf.range(10, dtype=tf.int64)
    last = tf.constant(9, tf.int64)
    together = [
        index_shuffle(index, tf.constant([seed] * 10, tf.int64), last)
        for seed in seeds
    ]
    for shuffled, seed in zip(together, seeds, strict=True):
        assert sorted(shuffled.numpy()) == list(range(10))
        one_by_one = [
            index_shuffle(i, tf.constant(seed, tf.int64), last) for i in index
        ]
        np.testing.assert_array_equal(shuffled, one_by_one)
    assert (together[0].numpy() != together[1].numpy()).any()


def test_the_bits_are_those_of_the_public_function():
    # It puts this number before the two of a seed.
    first = 498247692
    public = tf.random.experimental.index_shuffle(tf.range(9), [5, 8], 8)
    ours = index_shuffle(tf.range(9), tf.constant([first, 5, 8]), 8)
    np.testing.assert_array_equal(ours, public)
