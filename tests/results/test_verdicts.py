import numpy as np
import pytest

from keras_fpt.results import statistics, verdicts

pytestmark = pytest.mark.backend_free


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        ([0.80, 0.81, 0.82], "fpt is above other by 10.0 points (95% interval"),
        ([0.97, 0.98, 0.99], "fpt is below other by 7.0 points (95% interval"),
        ([0.7, 0.99, 0.9], "cannot be told at this budget"),
        ([0.5], "no interval can be given"),
    ],
)
def test_verdicts_say_what_the_numbers_support(theirs, words):
    sentence = verdicts.verdict("fpt", [0.90, 0.91, 0.92], "other", theirs)
    assert words in sentence


def test_the_interval_of_a_difference_covers_it_as_often_as_it_says():
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        ours = generator.normal(0.8, 0.02, 4)
        theirs = generator.normal(0.7, 0.05, 3)
        _, low, high = statistics.difference(ours, theirs)
        covered += low < 0.1 < high
    assert 0.92 < covered / 1000 < 0.98
