"""Means over seeds, differences of two means, and their 95% intervals."""

from collections.abc import Sequence

import numpy as np

CONFIDENCE = 0.95


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


def difference(
    ours: Sequence[float], theirs: Sequence[float]
) -> tuple[float, float, float]:
    """How much higher one mean is than another, with its 95% interval.

    Args:
        ours: sequence of floats, one per seed.
        theirs: likewise; the variances may differ (Welch).

    Returns:
        Tuple of the difference and the ends of its interval, which are NaN
        if one of the two has a single value, or neither varies.
    """
    from scipy import stats

    a, b = np.asarray(ours, float), np.asarray(theirs, float)
    gain = a.mean() - b.mean()
    # Student's t is not defined for values that do not vary.
    if min(len(a), len(b)) < 2 or not (a.var() or b.var()):
        return gain, np.nan, np.nan
    test = stats.ttest_ind(a, b, equal_var=False)
    low, high = test.confidence_interval(CONFIDENCE)
    return gain, low, high
