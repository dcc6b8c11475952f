import numpy as np
import pytest

from keras_fpt import tasks
from keras_fpt.runs import RunConfig, resolve
from keras_fpt.tasks import train_subsets

pytestmark = pytest.mark.backend_free


def test_smaller_ones_are_within_larger_ones_and_classes_keep_their_share():
    labels = np.repeat([0, 1, 2], [80, 16, 4])
    labels = np.random.default_rng(0).permutation(labels)
    order = train_subsets.nested_order(labels)
    assert sorted(order) == list(range(100))
    assert sorted(labels[order[:3]]) == [0, 1, 2]
    for count in (10, 25, 50):
        shares = np.bincount(labels[order[:count]], minlength=3) / count
        assert np.abs(shares - [0.8, 0.16, 0.04]).max() < 0.15


def test_the_other_splits_stay():
    whole = tasks.get("digits")
    part = tasks.with_train_examples(whole, 30)
    smaller = tasks.with_train_examples(whole, 12)
    assert part.data.size("train") == 30
    rows = {x.tobytes() for x in part.data.splits["train"].x}
    assert {x.tobytes() for x in smaller.data.splits["train"].x} < rows
    for split in ("validation", "test"):
        assert part.data.splits[split] is whole.data.splits[split]
    assert tasks.with_train_examples(whole, 10**6) is whole


def test_names_groups_and_lengths_belong_to_the_chosen():
    x = [np.full((i % 5 + 1, 1), i, "float32") for i in range(100)]
    groups = np.arange(100) // 2
    task = tasks.from_arrays(
        x, np.arange(100) // 2 % 2, groups=groups, verbose=False
    )
    whole = task.data.splits["train"]
    part = tasks.with_train_examples(task, 20).data.splits["train"]
    kept = [int(row[0, 0]) for row in part.x]
    known = {int(row[0, 0]): i for i, row in enumerate(whole.x)}
    places = [known[number] for number in kept]
    assert len(places) == 20 and places == sorted(places)
    assert [len(row) for row in part.x] == [number % 5 + 1 for number in kept]
    assert list(part.y) == list(whole.y[places])
    assert list(part.groups) == list(whole.groups[places])


def test_impossible_arguments_are_refused():
    with pytest.raises(ValueError, match="at least 10 .* one for each class"):
        tasks.with_train_examples(tasks.get("digits"), 9)
    with pytest.raises(ValueError, match="'bit_xor' generates new"):
        tasks.with_train_examples(tasks.get("bit_xor"), 10)


def test_a_run_has_fewer_examples_and_another_name():
    run = resolve(RunConfig("digits", train_examples=20))
    assert run.task.data.size("train") == 20
    again = resolve(RunConfig("digits", train_examples=20))
    assert again.task is run.task
    assert run.identity()["train_examples"] == 20
    assert "train_examples" not in resolve(RunConfig("digits")).identity()
