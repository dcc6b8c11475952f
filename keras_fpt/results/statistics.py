"""Test scores of arms, their differences, 95% intervals and p-values.

All intervals and p-values of reports, sweeps and `compare` are computed here.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from keras_fpt.runs import measures

CONFIDENCE = 0.95
_SEEDS_AND_EXAMPLES = "seeds and test examples"
_SEEDS = "seeds"
_EXAMPLES = "test examples"


@dataclasses.dataclass(frozen=True, eq=False)
class Scores:
    """The test scores of one arm: its accuracies, or negative squared errors.

    Args:
        seeds: float array `(seeds,)`, the mean score of each seed.
        examples: float array `(seeds, examples)`, the score of each test
            example, such as the share of its answers that is right; `None` if
            it was not kept.
        groups: int array `(examples,)`, which examples belong together, such as
            windows of one recording; `None` if examples are not grouped.
        num_examples: int, or `None` if it is unknown.
        varies: bool, whether another seed could give another score.
        measure: the `Measure` whose scores they are.
    """

    seeds: np.ndarray
    examples: np.ndarray | None = None
    groups: np.ndarray | None = None
    num_examples: int | None = None
    varies: bool = True
    measure: measures.Measure = measures.ACCURACY

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return float(np.mean(self.seeds))

    @property
    def value(self) -> float:
        """The mean as a value of the measure, such as an RMSE."""
        return float(self.measure.value(self.mean))

    @property
    def is_counted(self) -> bool:
        """Whether it is known how much the choice of examples matters."""
        if self.num_examples is None:
            return False
        # Nothing but the examples themselves bounds the variance of errors.
        return self.examples is not None or not self.measure.is_error


@dataclasses.dataclass(frozen=True)
class Difference:
    """How much better one arm's test scores are than another's.

    Args:
        gain: float, the difference of the means, as one of values: by how much
            an accuracy is higher, or an RMSE lower.
        low: float, the lower end of its 95% interval; NaN if there is none.
        high: float, the upper end.
        p_value: float, of the hypothesis that there is no difference (two
            sides); NaN if there is no interval.
        covers: string, what the interval covers, such as `"seeds and test
            examples"`.
        is_paired: bool, whether both arms were compared example by example.
        measure: the `Measure`.
    """

    gain: float
    low: float
    high: float
    p_value: float
    covers: str
    is_paired: bool
    measure: measures.Measure = measures.ACCURACY


def mean_and_interval(values: Sequence[float]) -> tuple[float, float]:
    """A mean, and half the width of its 95% interval by Student's t.

    Args:
        values: sequence of floats, one per seed.

    Returns:
        Tuple of the mean, and half the interval's width, which is NaN for
        fewer than two values.

    >>> mean, half = mean_and_interval([0.8, 0.9, 1.0])
    >>> f"{mean:.2f} ± {half:.2f}"
    '0.90 ± 0.25'
    """
    from scipy import stats

    array = np.asarray(values, dtype=float)
    if len(array) < 2:
        return array.sum() if len(array) else np.nan, np.nan
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, len(array) - 1)
    return array.mean(), quantile * stats.sem(array)


def difference(ours: Scores, theirs: Scores) -> Difference:
    """How much better one arm's test scores are than another's.

    Both the seeds and the test examples are taken as drawn at random. If it
    is known which examples each run got right, arms are compared example by
    example, and examples of one group count as drawn together. Otherwise each
    arm counts as tested on different examples, which gives a wider interval. If
    the number of examples is unknown, or that of errors which were not kept,
    only the seeds count.

    Errors are compared as squared errors. A difference of mean squared errors,
    and its interval, are then divided by the sum of both RMSEs, which makes a
    difference of RMSEs of it.

    Args:
        ours: `Scores`.
        theirs: `Scores` of the same measure.

    Returns:
        A `Difference`. It has no interval if an arm that varies with its seed
        has one seed only.

    Source: the variance of a difference whose readers (here seeds) and cases
    (here examples) are both random is that of Obuchowski and Rockette, 1995,
    with Hillis's degrees of freedom (2007); for a binary answer it has Agresti
    and Min's correction (2005), one pair of opposite answers more than seen.

    >>> ours = Scores(np.array([0.90, 0.91, 0.92]))
    >>> theirs = Scores(np.array([0.80, 0.81, 0.82]))
    >>> found = difference(ours, theirs)
    >>> f"{found.gain:.2f}, {found.low:.3f} to {found.high:.3f}"
    '0.10, 0.077 to 0.123'
    """
    measure = ours.measure
    gain, unit = ours.mean - theirs.mean, measure.unit(ours.mean, theirs.mean)
    is_paired = _can_be_paired(ours, theirs)
    is_counted = is_paired or (ours.is_counted and theirs.is_counted)
    varies = [arm.varies for arm in (ours, theirs)]
    covers = _SEEDS if any(varies) else _EXAMPLES
    if any(varies) and is_counted:
        covers = _SEEDS_AND_EXAMPLES
    if any(arm.varies and len(arm.seeds) < 2 for arm in (ours, theirs)) or not (
        is_counted or any(varies)
    ):
        nothing = (np.nan,) * 3
        return Difference(gain * unit, *nothing, covers, is_paired, measure)
    # Variances of the mean, each with its degrees of freedom.
    parts = [_of_seeds(arm) for arm in (ours, theirs) if arm.varies]
    if is_paired:
        parts.append(_of_paired_examples(ours, theirs))
    elif is_counted:
        parts += [_of_examples(ours), _of_examples(theirs)]
    low, high, p_value = _interval(gain, parts)
    numbers = gain * unit, low * unit, high * unit, p_value
    return Difference(*numbers, covers, is_paired, measure)


def is_shown_above(ours: Scores, rule: Scores) -> bool:
    """Whether an arm is shown to be better than a simple rule.

    Of an arm with one seed it is the trained model that is judged, so that
    only the test examples are drawn: whether another seed would do as well is
    not known.

    Args:
        ours: `Scores` of the arm.
        rule: `Scores` of the rule.
    """
    if len(ours.seeds) == 1:
        ours = dataclasses.replace(ours, varies=False)
    return difference(ours, rule).low > 0


def adjusted(p_values: Sequence[float]) -> np.ndarray:
    """p-values of claims that are made together, adjusted by Holm's method.

    Args:
        p_values: sequence of floats; a NaN counts as 1.

    Returns:
        float array. Where it is below 0.05, the claim holds though it is one
        of many: the probability of any false claim is 5% at most.

    Source: Holm, 1979.

    >>> adjusted([0.01, 0.04, float("nan")]).tolist()
    [0.03, 0.08, 1.0]
    """
    from statsmodels.stats import multitest

    if not len(p_values):
        return np.zeros(0)
    values = np.nan_to_num(np.asarray(p_values, float), nan=1.0)
    return multitest.multipletests(values, method="holm")[1]


def _can_be_paired(ours: Scores, theirs: Scores) -> bool:
    return (
        ours.examples is not None
        and theirs.examples is not None
        and ours.examples.shape[1] == theirs.examples.shape[1]
    )


def _of_seeds(arm: Scores) -> tuple[float, float]:
    """The variance of a mean over seeds, and its degrees of freedom."""
    return arm.seeds.var(ddof=1) / len(arm.seeds), len(arm.seeds) - 1


def _of_examples(arm: Scores) -> tuple[float, float]:
    """The variance that the choice of examples adds to a mean.

    It is the largest that accuracies can have.
    """
    if arm.measure.is_error:
        assert arm.examples is not None
        errors = arm.examples.mean(axis=0)
        return errors.var(ddof=1) / len(errors), len(errors) - 1
    assert arm.num_examples is not None
    variance = arm.mean * (1 - arm.mean) + 1 / (2 * arm.num_examples)
    return variance / arm.num_examples, np.inf


def _of_paired_examples(ours: Scores, theirs: Scores) -> tuple[float, float]:
    """The variance that the choice of examples, or of groups, adds.

    What another seed changes in single examples is part of the variance of
    seeds, and is taken off here.
    """
    a, b = ours.examples, theirs.examples
    assert a is not None and b is not None
    count = a.shape[1]
    groups = ours.groups if ours.groups is not None else theirs.groups
    if groups is None:
        groups = np.arange(count)
    _, numbers = np.unique(groups, return_inverse=True)
    size = numbers.max() + 1

    def squares(deviations: np.ndarray) -> float:
        sums = np.bincount(numbers, deviations, size)
        return size / max(size - 1, 1) * float(np.sum(sums**2)) / count**2

    pairs = a.mean(axis=0) - b.mean(axis=0)
    variance = squares(pairs - pairs.mean())
    if not ours.measure.is_error:
        variance += 1 / count**2
    for arm, right in ((ours, a), (theirs, b)):
        if not arm.varies:
            continue
        seeds = len(right)
        own = right - right.mean(axis=1, keepdims=True)
        own = own - own.mean(axis=0)
        variance -= sum(map(squares, own)) / (seeds - 1) / seeds
    return max(variance, 0.0), max(size - 1, 1)


def _interval(
    gain: float, parts: Sequence[tuple[float, float]]
) -> tuple[float, float, float]:
    """The ends of an interval, and the p-value, by Satterthwaite's formula."""
    from scipy import stats

    variance = sum(part for part, _ in parts)
    if variance == 0:
        # Seeds that do not vary, with nothing known of the examples: there is
        # no chance in these numbers that could be computed.
        return np.nan, np.nan, np.nan
    # Zero where nothing but the examples of known variance is drawn.
    spread = sum(part**2 / df for part, df in parts)
    freedom = variance**2 / spread if spread else np.inf
    error = np.sqrt(variance)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, freedom) * error
    p_value = 2 * stats.t.sf(abs(gain) / error, freedom)
    return gain - half, gain + half, float(p_value)
