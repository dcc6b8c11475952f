import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_fpt.results import convergence
from keras_fpt.results.convergence import StepsToConverge

pytestmark = pytest.mark.backend_free


def rows(*accuracies):
    return [
        {"step": 10 * (i + 1), "validation_accuracy": accuracy}
        for i, accuracy in enumerate(accuracies)
    ]


def test_accuracy_is_smoothed_over_three_evaluations():
    found = convergence.smoothed(rows(0.3, 0.6, 0.9, 0.0))
    np.testing.assert_allclose(found, [0.3, 0.45, 0.6, 0.5])


def test_one_lucky_evaluation_is_no_convergence():
    history = rows(0.5, 0.5, 0.95, 0.5, 0.9, 0.9, 0.9)
    found = convergence.steps_to_converge(history, 0.9)
    assert found == StepsToConverge(70, censored=False)


def test_a_run_that_does_not_get_there_is_censored():
    found = convergence.steps_to_converge(rows(0.5, 0.6), 0.9)
    assert found == StepsToConverge(20, censored=True)
    assert str(found) == "> 20"


def test_all_arms_have_one_threshold_above_the_floor():
    good, bad = rows(0.2, 0.9, 0.9, 0.9), rows(0.5, 0.5, 0.5, 0.5)
    threshold = convergence.common_threshold([good, bad], floor=0.5)
    assert threshold == pytest.approx(0.86)
    found = [convergence.steps_to_converge(r, threshold) for r in (good, bad)]
    # The arm that learns nothing is never there, however early it stops.
    assert found == [StepsToConverge(40, False), StepsToConverge(40, True)]


def test_below_the_floor_nothing_converges():
    threshold = convergence.common_threshold([rows(0.3, 0.4)], floor=0.5)
    assert convergence.steps_to_converge(rows(0.3, 0.4), threshold).censored


def test_area_under_the_curve():
    assert convergence.area_under_curve(rows(0.0, 1.0, 1.0)) == 0.75
    assert convergence.area_under_curve(rows(0.3)) == 0.3


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([(10, False)], "10"),
        ([(10, False), (20, False), (30, False)], "20"),
        ([(10, False), (20, False), (30, True)], "20"),
        ([(10, False), (30, True), (30, True)], "> 30"),
        ([(30, True), (40, True)], "> 40"),
        # Observed for too short a time to tell.
        ([(5, True), (10, False), (20, False), (30, False)], "20"),
    ],
)
def test_median_of_censored_runs(runs, expected):
    runs = [StepsToConverge(*run) for run in runs]
    assert str(convergence.median_steps(runs)) == expected


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=20))
def test_median_without_censoring(steps):
    runs = [StepsToConverge(step, False) for step in steps]
    found = convergence.median_steps(runs).step
    lower = np.percentile(steps, 50, method="inverted_cdf")
    assert found == lower
