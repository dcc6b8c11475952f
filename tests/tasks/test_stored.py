import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_fpt.tasks.stored import Examples, Stored

pytestmark = pytest.mark.backend_free

BATCH_SIZE = 8


def ragged(lengths):
    """Sequences whose tokens tell the sequence and the position in it."""
    rows = [1000 * n + np.arange(size) + 1 for n, size in enumerate(lengths)]
    return tf.RaggedTensor.from_row_lengths(
        np.concatenate(rows).astype(np.int32), lengths
    )


def stored(lengths):
    examples = Examples(ragged(lengths), np.arange(len(lengths), dtype="int32"))
    return Stored(lambda: {"train": examples, "validation": examples})


def protein_lengths(size):
    """Lengths that are distributed like those of protein domains."""
    lengths = np.random.default_rng(0).lognormal(4.95, 0.6, size)
    return lengths.astype(int).clip(20, 999)


def batches(dataset, count=None):
    rows = dataset.as_numpy_iterator()
    return list(rows if count is None else itertools.islice(rows, count))


@pytest.fixture(scope="module")
def data():
    return stored(protein_lengths(500))


def test_every_epoch_holds_each_example_once(data):
    # 5 windows of 400 examples are 4 epochs of 500.
    labels = [y for _, y in batches(data.train(BATCH_SIZE, 1, 0), 250)]
    assert np.bincount(np.concatenate(labels)).tolist() == [4] * 500
    # One window lies within the first epoch.
    assert np.bincount(np.concatenate(labels[:50])).max() == 1


def test_epochs_have_different_orders():
    data = stored(protein_lengths(400))
    labels = np.concatenate(
        [y for _, y in batches(data.train(BATCH_SIZE, 1, 0), 100)]
    )
    first, second = labels[:400], labels[400:]
    assert sorted(first) == sorted(second) == list(range(400))
    assert (first != second).any()


@pytest.mark.parametrize("size", [1, 3])
def test_fewer_examples_than_a_batch(size):
    data = stored([5] * size)
    x, y = batches(data.train(BATCH_SIZE, 0, 0), 1)[0]
    assert x["tokens"].shape == (BATCH_SIZE, 5)
    assert set(y) == set(range(size))


def test_tokens_under_the_mask_are_the_examples(data):
    lengths = protein_lengths(500)
    held_out = batches(data.held_out("validation", BATCH_SIZE))
    for x, y in held_out + batches(data.train(BATCH_SIZE, 1, 0), 60):
        tokens, mask = x["tokens"], x["padding_mask"]
        assert tokens.shape == mask.shape
        places = np.arange(tokens.shape[1])
        # On the right, and of the example's own length.
        np.testing.assert_array_equal(mask, places < lengths[y][:, None])
        expected = 1000 * y[:, None] + places + 1
        np.testing.assert_array_equal(tokens, expected * mask)


@pytest.mark.parametrize(
    ("size", "longest", "padded"),
    [
        (1, 100, 16),
        (16, 100, 16),
        (17, 100, 32),
        (129, 400, 192),
        (385, 400, 400),  # no sequence is longer
        (1024, 1500, 1024),
        (1025, 1500, 1500),
    ],
)
def test_a_batch_is_padded_to_the_shortest_length_that_fits(
    size, longest, padded
):
    data = stored([size, longest])
    for dataset in (
        data.train(1, 0, 0).take(50),
        data.held_out("validation", 1),
    ):
        shapes = {x["tokens"].shape[1] for x, _ in dataset}
        assert shapes == {padded, longest}


def test_float_tokens_keep_their_width():
    rows = np.arange(24, dtype=np.float32).reshape(8, 3)
    x = tf.RaggedTensor.from_row_lengths(rows, [5, 3])
    examples = Examples(x, np.array([0, 1], np.int32))
    data = Stored(lambda: {"validation": examples})
    dataset = data.held_out("validation", 2)
    assert dataset.element_spec[0]["tokens"].shape.as_list()[2] == 3
    ((x, y),) = batches(dataset)
    assert y.tolist() == [1, 0]
    assert x["tokens"].shape == (2, 5, 3)
    np.testing.assert_array_equal(x["tokens"][1, :5], rows[:5])
    assert not x["tokens"][0, 3:].any()


def test_little_of_a_batch_is_padding():
    lengths = protein_lengths(2000)
    real = padded = 0
    for x, _ in batches(stored(lengths).train(32, 0, 0), 200):
        real += x["padding_mask"].sum()
        padded += x["padding_mask"].size
    assert padded < 1.3 * real


def test_short_batches_do_not_always_come_first(data):
    found = batches(data.train(BATCH_SIZE, 1, 0), 50)
    longest = [x["padding_mask"].sum(1).max() for x, _ in found]
    assert longest != sorted(longest)


def test_same_seed_same_batches(data):
    one, two, other = (
        [y.tolist() for _, y in batches(data.train(BATCH_SIZE, seed, 0), 25)]
        for seed in (3, 3, 4)
    )
    assert one == two
    assert one != other


@pytest.mark.parametrize("first_batch", [1, 7, 50, 63])
def test_begins_at_any_batch(data, first_batch):
    whole = batches(data.train(BATCH_SIZE, 3, 0), first_batch + 3)
    later = batches(data.train(BATCH_SIZE, 3, first_batch), 3)
    for (x, y), (x_later, y_later) in zip(
        whole[first_batch:], later, strict=True
    ):
        np.testing.assert_array_equal(y, y_later)
        np.testing.assert_array_equal(x["tokens"], x_later["tokens"])


def test_held_out_is_one_pass_in_the_order_of_lengths(data):
    lengths = protein_lengths(500)
    orders = [
        np.concatenate([y for _, y in data.held_out("validation", size)])
        for size in (7, 64)
    ]
    np.testing.assert_array_equal(*orders)
    assert sorted(orders[0]) == list(range(500))
    assert (np.diff(lengths[orders[0]]) >= 0).all()
