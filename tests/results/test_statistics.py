import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats
from statsmodels.stats import contingency_tables

from keras_fpt.results.statistics import Scores, adjusted, difference

pytestmark = pytest.mark.backend_free


def arm(right, groups=None, varies=True):
    right = np.asarray(right, float)
    return Scores(right.mean(axis=1), right, groups, right.shape[1], varies)


class Draw:
    """Draws runs whose answers depend on the seed, the example, the group.

    An answer is right if a sum of normal variables is above a threshold:
    `seed`, `example` and `group` are their standard deviations, and `noise`
    that of what a seed changes in a single example.
    """

    def __init__(self, seed, example, group, noise):
        self.generator = np.random.default_rng(0)
        self.scales = seed, example, group, noise

    def __call__(self, accuracy, seeds, groups):
        by_seed, by_example, by_group, noise = self.scales
        normal = self.generator.normal
        count = len(groups)
        total = self.shared + normal(size=count) * 0.5 * by_example
        total = total + normal(size=groups.max() + 1)[groups] * by_group
        total = total + normal(size=(seeds, 1)) * by_seed
        total = total + normal(size=(seeds, count)) * noise
        scale = np.sqrt(
            1.25 * by_example**2 + by_group**2 + by_seed**2 + noise**2
        )
        return total > -scale * special.ndtri(accuracy)

    def share(self, count):
        """Draws how hard each example is for every arm."""
        self.shared = self.generator.normal(size=count) * self.scales[1]


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize(
    ("count", "size", "scales"),
    [
        # Seeds matter, or do not; examples are in groups of `size`.
        (100, 1, (0.0, 1.0, 0.0, 0.5)),
        (100, 1, (0.3, 0.5, 0.0, 1.0)),
        (1000, 1, (0.1, 1.0, 0.0, 1.0)),
        (1000, 1, (0.0, 0.0, 0.0, 1.0)),
        (1000, 20, (0.05, 1.0, 0.7, 0.5)),
        (1000, 20, (0.2, 1.0, 0.7, 0.5)),
        pytest.param(10_000, 1, (0.05, 1.0, 0.0, 0.5), marks=pytest.mark.slow),
        pytest.param(10_000, 50, (0.1, 1.0, 0.7, 1.0), marks=pytest.mark.slow),
    ],
)
def test_intervals_cover_the_difference_as_often_as_they_say(
    seeds, count, size, scales
):
    draw, covered, repeats = Draw(*scales), 0, 1000
    groups = np.arange(count) // size
    for _ in range(repeats):
        draw.share(count)
        ours = arm(draw(0.8, seeds, groups), groups)
        theirs = arm(draw(0.7, seeds, groups), groups)
        found = difference(ours, theirs)
        covered += found.low <= 0.1 <= found.high
    assert 0.93 <= covered / repeats <= 0.97


@pytest.mark.parametrize("count", [100, 1000])
def test_intervals_of_arms_that_do_not_vary(count):
    """One fitted model against another, and against a frozen arm."""
    draw, covered = Draw(0.1, 1.0, 0.0, 0.5), np.zeros(2)
    groups = np.arange(count)
    for _ in range(1000):
        draw.share(count)
        draw.scales = 0.0, 1.0, 0.0, 0.0
        fitted = [arm(draw(a, 1, groups), varies=False) for a in (0.8, 0.7)]
        draw.scales = 0.05, 1.0, 0.0, 0.5
        trained = arm(draw(0.8, 3, groups))
        for index, ours in enumerate((fitted[0], trained)):
            found = difference(ours, fitted[1])
            covered[index] += found.low <= 0.1 <= found.high
    assert (covered / 1000 >= 0.93).all() and (covered / 1000 <= 0.97).all()


def test_without_kept_examples_intervals_are_not_too_narrow():
    draw, covered = Draw(0.05, 1.0, 0.0, 0.5), 0
    groups = np.arange(500)
    for _ in range(500):
        draw.share(500)
        arms = [
            Scores(draw(a, 3, groups).mean(axis=1), num_examples=500)
            for a in (0.8, 0.7)
        ]
        found = difference(*arms)
        covered += found.low <= 0.1 <= found.high
    assert covered / 500 >= 0.94


def test_seeds_alone_give_the_interval_of_welch():
    ours, theirs = [0.8, 0.84, 0.9, 0.85], [0.7, 0.75, 0.6]
    found = difference(Scores(np.array(ours)), Scores(np.array(theirs)))
    welch = stats.ttest_ind(ours, theirs, equal_var=False)
    low, high = welch.confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.p_value == pytest.approx(welch.pvalue)
    assert found.covers == "seeds" and not found.is_paired


def test_two_models_that_do_not_vary_are_compared_by_example():
    """McNemar's test without a correction has the same statistic."""
    generator = np.random.default_rng(0)
    ours, theirs = generator.random((2, 1, 5000)) < [[[0.8]], [[0.78]]]
    found = difference(arm(ours, varies=False), arm(theirs, varies=False))
    table = np.histogram2d(ours[0], theirs[0], bins=2)[0]
    mcnemar = contingency_tables.mcnemar(table, exact=False, correction=False)
    assert found.covers == "test examples" and found.is_paired
    assert found.p_value == pytest.approx(mcnemar.pvalue, rel=0.02)


def test_groups_widen_the_interval():
    generator = np.random.default_rng(0)
    easy = np.repeat(generator.random(20) < 0.5, 10)
    ours = np.tile(easy, (3, 1)) | (generator.random((3, 200)) < 0.3)
    theirs = generator.random((3, 200)) < 0.3
    groups = np.repeat(np.arange(20), 10)
    alone = difference(arm(ours), arm(theirs))
    grouped = difference(arm(ours, groups), arm(theirs, groups))
    assert grouped.gain == alone.gain
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)


def test_examples_count_where_seeds_hardly_vary():
    """An interval over seeds alone would leave out most of the chance."""
    generator = np.random.default_rng(0)
    base = generator.random(100) < 0.8
    ours = np.stack([base] * 3)
    theirs = np.stack([generator.random(100) < 0.7] * 3)
    theirs[0, 0] ^= True
    paired = difference(arm(ours), arm(theirs))
    seeds = difference(Scores(ours.mean(axis=1)), Scores(theirs.mean(axis=1)))
    assert seeds.high - seeds.low < 0.05 < paired.high - paired.low


def test_a_perfect_arm_is_not_certain():
    right, wrong = np.ones((3, 50)), np.ones((3, 50))
    wrong[:, 0] = 0
    found = difference(arm(right), arm(wrong))
    assert found.low < 0 < found.gain < found.high


@pytest.mark.parametrize("varies", [True, False])
def test_one_seed_has_no_interval_unless_it_does_not_vary(varies):
    right = np.arange(100)[None] < 80
    found = difference(arm(right, varies=varies), arm(right, varies=False))
    assert np.isnan(found.low) == varies
    assert np.isnan(found.p_value) == varies


def test_claims_together_are_corrected():
    """With true null hypotheses, at most one page in 20 has a false claim."""
    generator, wrong = np.random.default_rng(0), 0
    for _ in range(200):
        p_values = [
            difference(
                Scores(generator.normal(size=4)),
                Scores(generator.normal(size=4)),
            ).p_value
            for _ in range(10)
        ]
        wrong += bool((adjusted(p_values) < 0.05).any())
    assert wrong / 200 <= 0.06


rights = st.integers(2, 4).flatmap(
    lambda seeds: st.lists(
        st.lists(st.booleans(), min_size=8, max_size=8),
        min_size=seeds,
        max_size=seeds,
    )
)


@given(rights, rights, st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_swapping_arms_mirrors_their_difference(ours, theirs, groups):
    groups = np.array(groups)
    there = difference(arm(ours, groups), arm(theirs, groups))
    back = difference(arm(theirs, groups), arm(ours, groups))
    np.testing.assert_allclose(
        (there.gain, there.low, there.high, there.p_value),
        (-back.gain, -back.high, -back.low, back.p_value),
        atol=1e-12,
    )


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_arms_that_do_not_vary_differ_by_their_examples_alone():
    ours, theirs = (
        Scores(np.full(3, mean), num_examples=1000) for mean in (0.9, 0.8)
    )
    found = difference(ours, theirs)
    normal = stats.norm.ppf(0.975) * np.sqrt((0.9 * 0.1 + 0.8 * 0.2) / 1000)
    assert found.high - found.gain == pytest.approx(normal, rel=0.01)
