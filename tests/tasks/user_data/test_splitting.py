import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_fpt.tasks.user_data import splitting

pytestmark = pytest.mark.backend_free


@settings(max_examples=200)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=300))
def test_every_example_is_in_one_split_and_train_has_every_class(labels):
    y = np.array(labels)
    splits = splitting.stratified(y)
    together = np.concatenate(list(splits.values()))
    assert sorted(together) == list(range(len(y)))
    assert set(y[splits["train"]]) == set(y)


def test_shares_of_classes_are_kept():
    y = np.repeat([0, 1, 2], [500, 300, 200])
    splits = splitting.stratified(y)
    assert [len(splits[name]) for name in splitting.SPLITS] == [720, 80, 200]
    for chosen in splits.values():
        shares = np.bincount(y[chosen]) / len(chosen)
        np.testing.assert_allclose(shares, [0.5, 0.3, 0.2], atol=0.02)


def test_the_split_is_fixed_and_shuffled():
    y = np.zeros(1000, int)
    splits = splitting.stratified(y)
    again = splitting.stratified(y)
    np.testing.assert_array_equal(splits["test"], again["test"])
    assert splits["test"][:10].tolist() != list(range(10))


def test_by_time_the_last_fifth_is_test():
    splits = splitting.chronological(100)
    assert splits["train"].tolist() == list(range(72))
    assert splits["validation"].tolist() == list(range(72, 80))
    assert splits["test"].tolist() == list(range(80, 100))


def test_given_names_make_a_validation_split_where_there_is_none():
    names = ["train"] * 50 + ["test"] * 10
    splits = splitting.from_names(names, np.arange(60) % 2, str)
    assert [len(p) for p in splits.values()] == [45, 5, 10]
    assert splits["test"].tolist() == list(range(50, 60))
    assert not set(splits["train"]) & set(splits["validation"])


def test_a_lone_training_example_of_a_class_stays_in_train():
    y = np.array([0] * 19 + [1] + [0, 1])
    names = ["train"] * 20 + ["test"] * 2
    splits = splitting.from_names(names, y, str)
    assert 19 in splits["train"] and len(splits["validation"]) == 2


def test_names_of_splits_must_be_as_many_as_examples():
    with pytest.raises(ValueError, match="Expected 3 names .* received 2"):
        splitting.from_names(["train"] * 2, np.zeros(3, int), str)


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="row 1: unknown split 'dev'"):
        splitting.from_names(
            ["train", "dev"], np.zeros(2, int), "row {}".format
        )


def test_an_empty_split_is_refused():
    y = np.array([0, 1, 0, 1])
    with pytest.raises(ValueError, match="validation split has no example"):
        splitting.check_splits(splitting.stratified(y), y, ("a", "b"))


def test_a_class_without_training_examples_is_refused():
    y = np.array([0] * 80 + [1] * 20)
    with pytest.raises(ValueError, match="'b' has no training example"):
        splitting.check_splits(splitting.chronological(100), y, ("a", "b"))
