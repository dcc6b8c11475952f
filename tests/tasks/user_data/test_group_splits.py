import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_fpt.tasks.user_data import splitting

pytestmark = pytest.mark.backend_free
ROW = "row {}".format


def split(y, **request):
    return splitting.split_examples(
        np.asarray(y), ROW, splitting.SplitRequest(**request)
    )


def people(num=20, examples=12, seed=0):
    """Labels of 3 unequal classes, and the names of people, shuffled."""
    generator = np.random.default_rng(seed)
    groups = generator.permutation(np.repeat(np.arange(num), examples))
    y = generator.choice(3, len(groups), p=[0.6, 0.3, 0.1])
    return y, [f"p{group}" for group in groups]


def test_without_a_request_the_split_is_stratified():
    y, _ = people()
    splits, words = split(y)
    assert words == "seeded, stratified"
    for name, indices in splitting.stratified(y).items():
        np.testing.assert_array_equal(splits[name], indices)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 9)),
        min_size=1,
        max_size=60,
    )
)
def test_groups_stay_whole_and_train_has_every_class(pairs):
    y, groups = map(np.array, zip(*pairs, strict=True))
    try:
        splits, _ = split(y, groups=groups)
    except ValueError as error:
        # At most as many groups as classes are kept for training.
        assert len(set(groups)) < len(set(y)) + 2
        assert "too few groups" in str(error)
        return
    indices = np.concatenate(list(splits.values()))
    assert sorted(indices) == list(range(len(y)))
    assert all(len(part) for part in splits.values())
    assert set(y[splits["train"]]) == set(y)
    found = [set(groups[part]) for part in splits.values()]
    assert sum(map(len, found)) == len(set(groups))


def test_grouped_splits_have_the_sizes_and_shares_of_others():
    y, groups = people(50)
    splits, words = split(y, groups=groups, groups_from="person")
    assert words == (
        "seeded, stratified, by person: 36 train, 4 validation, 10 test"
    )
    shares = np.bincount(y) / len(y)
    for indices in (splits["train"], splits["test"]):
        found = np.bincount(y[indices], minlength=3) / len(indices)
        np.testing.assert_allclose(found, shares, atol=0.05)


def test_one_large_group_is_not_for_testing():
    groups = ["big"] * 90 + [f"p{i}" for i in range(30)]
    splits, _ = split(np.arange(120) % 2, groups=groups)
    assert set(range(90)) <= set(splits["train"])
    assert 12 <= len(splits["test"]) <= 18


@pytest.mark.parametrize("grouped", [False, True])
def test_every_example_is_tested_in_one_fold(grouped):
    y, groups = people()
    tests = []
    for fold in range(1, 5):
        splits, words = split(
            y, folds=4, fold=fold, groups=groups if grouped else None
        )
        assert words.startswith(f"fold {fold} of 4")
        tests.append(splits["test"])
        together = np.concatenate(list(splits.values()))
        assert sorted(together) == list(range(len(y)))
        assert 12 <= len(splits["validation"]) <= 24
        if grouped:
            found = [
                {groups[i] for i in indices} for indices in splits.values()
            ]
            assert sum(map(len, found)) == 20
    assert sorted(np.concatenate(tests)) == list(range(len(y)))
    for indices in tests:
        shares = np.bincount(y[indices]) / len(indices)
        np.testing.assert_allclose(
            shares, np.bincount(y) / len(y), atol=0.06 if grouped else 0.02
        )


def test_names_of_splits_may_be_written_in_any_way():
    names = ["Training", "TRAIN", " train"] * 10
    names += ["Dev", "VALID"] * 2 + ["Testing", "eval", "TEST"]
    splits, words = split(
        np.arange(37) % 2, names=names, names_from="column set"
    )
    assert [len(part) for part in splits.values()] == [30, 5, 2]
    assert words == "column set"


@pytest.mark.parametrize(
    ("others", "sizes"),
    [(["train"], [9, 1, 2]), (["train", "test"], [5, 2, 5])],
)
def test_eval_is_for_validation_only_with_a_test_split(others, sizes):
    names = ["Eval"] * 2 + others * (10 // len(others))
    splits, _ = split(np.arange(12) % 2, names=names)
    assert [len(part) for part in splits.values()] == sizes


def test_given_test_examples_with_groups_validate_whole_groups():
    y, groups = people()
    names = ["test" if group in ("p0", "p1") else "train" for group in groups]
    splits, words = split(y, names=names, groups=groups)
    assert words == "as given; validation by group"
    found = [{groups[i] for i in indices} for indices in splits.values()]
    assert [len(part) for part in found] == [16, 2, 2]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train", "tune"], "row 1: unknown split 'tune'"),
        (
            ["train", "val"],
            r"for testing: the split \(column set\) has only 'train' and "
            r"'val'.*--test",
        ),
        (["test", "val"], "No example is for training"),
    ],
)
def test_names_that_make_no_split_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        split([0, 1] * 10, names=names * 10, names_from="column set")


@pytest.mark.parametrize("missing", ["", " ", "NA", "nan", None, np.nan])
def test_a_missing_group_is_named(missing):
    groups = ["a", "b", missing, "c"]
    with pytest.raises(ValueError, match="row 2: the person is missing"):
        split([0, 1, 0, 1], groups=groups, groups_from="person")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"groups": list("aabb") * 3}, "too few groups: 2 by group"),
        ({"groups": list("abab") * 3, "folds": 3}, "Give folds=2 or fewer"),
        (
            {"groups": list("aaaabbbbcddd"), "folds": 2},
            "All 1 examples of a class are in one fold",
        ),
        ({"folds": 13}, r"one per example \(12\) but received 13"),
        ({"folds": 1}, "from 2 folds"),
        ({"folds": 3, "fold": 4}, "a fold from 1 to 3 but received 4"),
        ({"fold": 2}, "--folds"),
        ({"folds": 2}, "row 8: it is the only example of its class"),
        ({"folds": 2, "names": ["train"] * 12}, "so there are no folds"),
        ({"groups": "a"}, "Expected 12 groups but received 1"),
    ],
)
def test_requests_that_cannot_be_met_say_why(request_, message):
    y = [0, 1, 0, 1, 0, 1, 0, 1, 2, 0, 1, 0]
    with pytest.raises(ValueError, match=message):
        split(y, **request_)


def test_the_split_of_groups_is_fixed():
    y, groups = people()
    first, _ = split(y, groups=groups)
    again, _ = split(y, groups=np.array(groups, object))
    for name in splitting.SPLITS:
        np.testing.assert_array_equal(first[name], again[name])
