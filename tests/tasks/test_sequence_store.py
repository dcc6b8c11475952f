import os
import weakref

import numpy as np
import pytest
import tensorflow as tf

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.stored import Examples, Stored

pytestmark = pytest.mark.backend_free


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_FPT_HOME", str(tmp_path))
    return tmp_path


def write(sequences):
    with sequence_store.SequenceWriter() as writer:
        if isinstance(sequences, np.ndarray):
            for start in range(0, len(sequences), 700):
                writer.extend(sequences[start : start + 700])
        else:
            for sequence in sequences:
                writer.append(sequence)
        return writer.finish()


def random(*shape, dtype="float32"):
    values = np.random.default_rng(0).uniform(0, 255, shape)
    return values.astype(dtype)


def random_ragged(dtype, *width):
    lengths = np.random.default_rng(1).integers(1, 60, 2000)
    return [random(length, *width, dtype=dtype) for length in lengths]


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((3, 1), "float32"),
        ((5,), "int32"),
        ((70, 70, 3), "uint8"),
        ((2,), "f8"),
    ],
)
def test_reads_as_an_array(shape, dtype):
    x = random(2500 if len(shape) < 3 else 9, *shape, dtype=dtype)
    store = write(x)
    assert (store.shape, store.dtype) == (x.shape, x.dtype)
    indices = np.random.default_rng(2).integers(0, len(x), 100)
    np.testing.assert_array_equal(store[indices], x[indices])
    np.testing.assert_array_equal(store[3:7], x[3:7])
    np.testing.assert_array_equal(store[:], x)
    assert store[indices[:0]].shape == (0, *shape)
    view = sequence_store.Selection(store, indices)
    assert view.shape == (100, *shape)
    np.testing.assert_array_equal(view[50:], x[indices][50:])
    parts = list(sequence_store.chunks(view))
    np.testing.assert_array_equal(np.concatenate(parts), x[indices])


@pytest.mark.parametrize(("width", "dtype"), [((), "int32"), ((6,), "float32")])
def test_reads_sequences_of_different_lengths(width, dtype):
    x = random_ragged(dtype, *width)
    store = write(x)
    lengths = np.array([len(each) for each in x])
    np.testing.assert_array_equal(store.lengths, lengths)
    assert store.shape == (2000, lengths.max(), *width)
    indices = np.random.default_rng(2).integers(0, 2000, 100)
    expected = np.concatenate([x[i] for i in indices])
    np.testing.assert_array_equal(store[indices], expected)
    view = sequence_store.Selection(store, indices)
    np.testing.assert_array_equal(view.lengths, lengths[indices])
    np.testing.assert_array_equal(view[:], expected)


def test_an_index_that_no_sequence_has():
    store = write(random(10, 2))
    for index in (-1, 10):
        with pytest.raises(IndexError, match="from 0 to 9"):
            store[np.array([index])]


def test_a_sequence_of_another_shape():
    with (
        pytest.raises(ValueError, match=r"float32 \(3, 1\), but .* \(3, 2\)"),
        sequence_store.SequenceWriter() as writer,
    ):
        writer.extend(random(4, 3, 1))
        writer.append(random(3, 2))


@pytest.mark.skipif(os.name != "posix", reason="open files have names there")
def test_nothing_is_left_on_disk(home):
    store = write(random(10, 2))
    assert len(store) == 10
    assert not [path for path in home.rglob("*") if path.is_file()]
    with (
        pytest.raises(KeyboardInterrupt),
        sequence_store.SequenceWriter(),
    ):
        raise KeyboardInterrupt
    assert not [path for path in home.rglob("*") if path.is_file()]


def in_memory_and_on_disk(x):
    """The same examples twice, all splits with some of them."""
    y = np.random.default_rng(3).integers(0, 3, len(x)).astype(np.int32)
    indices = np.random.default_rng(4).permutation(len(x))
    parts = {"train": indices[:-300], "validation": indices[-300:]}
    store = write(x)
    if isinstance(x, list):
        lengths = [len(each) for each in x]
        x = tf.RaggedTensor.from_row_lengths(np.concatenate(x), lengths)
    else:
        x = tf.constant(x)
    in_memory = {
        split: Examples(tf.gather(x, part), y[part])
        for split, part in parts.items()
    }
    on_disk = {
        split: Examples(
            sequence_store.Selection(store, part), y[part].astype(np.uint8)
        )
        for split, part in parts.items()
    }
    return Stored(lambda: in_memory), Stored(lambda: on_disk)


@pytest.mark.parametrize("kind", ["equal", "different"])
def test_disk_and_memory_give_the_same_batches(kind):
    x = random(2000, 6, 1) if kind == "equal" else random_ragged("int32")
    pair = in_memory_and_on_disk(x)
    assert pair[0].fingerprint == pair[1].fingerprint
    np.testing.assert_array_equal(*(data.order("validation") for data in pair))
    for first, second in (
        [data.train(32, 5, 49) for data in pair],
        [data.held_out("validation", 64) for data in pair],
    ):
        specs = [tf.nest.flatten(each.element_spec) for each in (first, second)]
        for one, two in zip(*specs, strict=True):
            assert one.is_compatible_with(two)
        for one, two in zip(first.take(6), second.take(6), strict=True):
            one, two = tf.nest.flatten(one), tf.nest.flatten(two)
            for expected, received in zip(one, two, strict=True):
                assert expected.dtype == received.dtype
                np.testing.assert_array_equal(expected, received)


def test_nothing_is_copied_into_the_graph():
    x, y = random(100_000, 10, 1), np.zeros(100_000, np.int32)
    data = Stored(lambda: {"train": Examples(x, y), "test": Examples(x, y)})
    for dataset in (data.train(4, 0, 0), data.held_out("test", 4)):
        captured = [
            each
            for function in dataset._functions()
            for each in function.function.captured_inputs
        ]
        assert sum(each.shape.num_elements() for each in captured) < 100


def test_batches_that_have_been_read_are_let_go(monkeypatch):
    monkeypatch.setattr(sequence_store, "BATCH_BYTES", 100)
    with sequence_store.SequenceWriter() as writer:
        for i in range(300):
            writer.append(np.full(1 + i % 5, i, np.int32))
        store = writer.finish()
    read, refs, alive = store._batch, [], []

    def watched(number):
        alive.append(sum(ref() is not None for ref in refs))
        batch = read(number)
        refs.append(weakref.ref(batch[0]))
        return batch

    store._batch = watched
    first = store._starts
    np.testing.assert_array_equal(
        store[first], np.repeat(first, store.lengths[first])
    )
    assert len(refs) > 20 and max(alive) <= sequence_store.BATCHES_KEPT + 1
