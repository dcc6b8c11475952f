import hashlib

import numpy as np
import pytest

from keras_fpt import tasks

pytestmark = pytest.mark.backend_free


def batches(dataset, count):
    return [(x.numpy(), y.numpy()) for x, y in dataset.take(count)]


def test_xor_is_the_exclusive_or_of_the_two_strings():
    for x, y in batches(tasks.get("bit_xor").datasets().train, 5):
        assert set(np.unique(x)) == {-1.0, 1.0}
        first, second = x[:, :5, 0], x[:, 5:, 0]
        np.testing.assert_array_equal(y, first * second < 0)


def test_memory_answers_with_one_of_the_strings():
    for x, y in batches(tasks.get("bit_memory").datasets().train, 3):
        strings = x.reshape(len(x), 6, 1000)
        full, masked = strings[:, :5], strings[:, 5]
        answer = 2.0 * y - 1
        assert set(np.unique(full)) == {-1.0, 1.0}
        # It agrees with all bits that are shown, and is one of the five.
        np.testing.assert_array_equal(answer * (masked != 0), masked)
        assert (full == answer[:, None]).all(-1).sum(1).tolist() == [1] * 64
        assert 0.45 < (masked == 0).mean() < 0.55


@pytest.mark.parametrize("name", ["bit_xor", "bit_memory"])
class TestStreams:
    def test_same_seed_same_examples(self, name):
        task = tasks.get(name)
        one = batches(task.datasets(8, seed=3).train, 2)
        two = batches(task.datasets(8, seed=3).train, 2)
        other = batches(task.datasets(8, seed=4).train, 2)
        np.testing.assert_array_equal(one[1][0], two[1][0])
        assert (one[1][0] != other[1][0]).any()
        assert (one[0][0] != one[1][0]).any()

    def test_begins_at_any_batch(self, name):
        task = tasks.get(name)
        later = batches(task.datasets(8, first_batch=3).train, 1)[0]
        np.testing.assert_array_equal(
            later[0], batches(task.datasets(8).train, 4)[3][0]
        )

    def test_held_out_examples_depend_on_nothing(self, name):
        task = tasks.get(name)

        def collect(split, batch_size, seed):
            dataset = getattr(task.datasets(batch_size, seed), split)
            return np.concatenate([x.numpy() for x, _ in dataset])

        assert len(collect("validation", 64, 0)) == 500
        test = collect("test", 64, 0)
        assert len(test) == 2000
        np.testing.assert_array_equal(test, collect("test", 300, 9))

    def test_splits_share_no_stream(self, name):
        splits = tasks.get(name).datasets(100)
        first = [next(iter(split))[0].numpy().tobytes() for split in splits]
        assert len(set(first)) == 3

    def test_golden(self, name):
        digest = hashlib.sha256()
        splits = tasks.get(name).datasets(batch_size=32, seed=1)
        for split in splits:
            for x, y in batches(split, 2):
                digest.update(x.astype("<f4").tobytes())
                digest.update(y.astype("<i4").tobytes())
        assert digest.hexdigest()[:16] == GOLDEN[name]


def test_memory_examples_of_train_and_test_differ():
    splits = tasks.get("bit_memory").datasets(64)
    train = {row.tobytes() for x, _ in batches(splits.train, 20) for row in x}
    test = {row.tobytes() for x, _ in batches(splits.test, 40) for row in x}
    assert len(train) == 1280 and not train & test


GOLDEN = {"bit_xor": "371899c7744b00cb", "bit_memory": "009aaab4733b1747"}
