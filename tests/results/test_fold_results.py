"""Arms and baselines over the test examples of several folds."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from keras_fpt.results import (
    ArmResult,
    Baseline,
    compare_arms,
    join_arms,
    join_baselines,
)
from keras_fpt.results.arm_results import Floor
from keras_fpt.results.statistics import Scores

pytestmark = pytest.mark.backend_free


def accuracies(examples, groups=None):
    examples = np.array(examples, float)
    count = examples.shape[1]
    return Scores(examples.mean(axis=1), examples, groups, count)


def arm(name, found, **changes):
    rows = pd.DataFrame({"task": ["people"], "arm": [name]})
    result = ArmResult(name, "", 10, None, 1e-3, 0.5, found, "", None, rows)
    return dataclasses.replace(result, **changes)


def test_each_example_counts_once():
    first = accuracies([[1, 1, 1, 0], [1, 1, 0, 0]])
    second = accuracies([[0, 0], [1, 0]])
    (joined,) = join_arms([[arm("fpt", first)], [arm("fpt", second)]])
    np.testing.assert_array_equal(
        joined.scores.examples, [[1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 1, 0]]
    )
    np.testing.assert_allclose(joined.scores.seeds, [0.5, 0.5])
    assert joined.scores.num_examples == 6
    assert len(joined.rows) == 2


def test_groups_of_different_folds_are_different():
    first = accuracies([[1, 1, 0]], np.array([4, 4, 9]))
    second = accuracies([[1, 0]])
    third = accuracies([[1, 0]], np.array([4, 4]))
    (joined,) = join_arms([[arm("fpt", x)] for x in (first, second, third)])
    np.testing.assert_array_equal(joined.scores.groups, [0, 0, 1, 2, 3, 4, 4])


def test_what_was_not_kept_counts_by_the_folds_sizes():
    kept = accuracies([[1, 1, 1, 1, 1, 1]])
    unknown = Scores(np.array([0.0]), num_examples=2)
    (joined,) = join_arms([[arm("fpt", kept)], [arm("fpt", unknown)]])
    np.testing.assert_allclose(joined.scores.seeds, [0.75])
    assert joined.scores.examples is None
    assert joined.scores.num_examples == 8


def test_an_arm_that_a_fold_lacks_is_left_out():
    found = accuracies([[1, 0]])
    folds = [[arm("fpt", found), arm("random", found)], [arm("fpt", found)]]
    assert [each.arm for each in join_arms(folds)] == ["fpt"]


def test_an_edge_in_one_fold_leaves_the_verdict_open():
    better, worse = np.ones((3, 50)), np.zeros((3, 50))
    folds = [
        [
            arm("fpt", accuracies(better), edge=edge, learning_rate=rate),
            arm("random", accuracies(worse)),
        ]
        for edge, rate in (("", 1e-3), ("highest", 1e-2))
    ]
    (sentence,) = compare_arms(join_arms(folds), ("fpt", "random"))
    assert "0.01, is the highest of those tried" in sentence
    (sentence,) = compare_arms(join_arms(folds[:1] * 2), ("fpt", "random"))
    assert sentence.startswith("fpt is above random by 100.0 points")


def test_the_rule_to_beat_is_the_best_of_each_fold():
    found = accuracies([[1, 0]])
    floors = [
        Floor(name, dataclasses.replace(found, varies=False), share)
        for name, share in (("majority class", 0.4), ("first bit", 0.6))
    ]
    (joined,) = join_arms([[arm("fpt", found, floor=each)] for each in floors])
    assert joined.floor.name == "majority class or first bit"
    np.testing.assert_allclose(joined.floor.validation_score, 0.5)
    assert joined.floor.scores.examples.shape == (1, 4)
    assert not joined.floor.scores.varies


def test_baselines_are_joined_as_arms_are():
    def baseline(accuracy, test, right):
        return Baseline(
            *("people", "logistic_regression", "C = 1"),
            *(1.0, accuracy, accuracy, 3.0, 100, test, np.array(right)),
        )

    (joined,) = join_baselines(
        [[baseline(1.0, 3, [1, 1, 1])], [baseline(0.0, 1, [0])]]
    )
    assert (joined.test_accuracy, joined.validation_accuracy) == (0.75, 0.5)
    assert (joined.test_examples, joined.seconds) == (4, 6.0)
    np.testing.assert_array_equal(joined.right, [1, 1, 1, 0])
