"""Sums of numbers that come in parts."""

import numpy as np
import pytest

from keras_fpt.tasks import pairwise

pytestmark = pytest.mark.backend_free


@pytest.mark.parametrize("count", [1, 7, 129, 1000, 1027, 100_003])
@pytest.mark.parametrize("columns", [1, 3])
def test_sums_are_those_of_numpy_to_the_last_bit(monkeypatch, count, columns):
    rng = np.random.default_rng(count)
    values = rng.normal(size=(count, columns)) * 10.0 ** rng.integers(
        -6, 6, (count, columns)
    )
    expected = [np.ascontiguousarray(each).sum() for each in values.T]
    places = np.sort(rng.integers(0, count, 5))
    for at_once in (128, 1000):
        monkeypatch.setattr(pairwise, "AT_ONCE", at_once)
        parts = iter(np.split(values, places))
        found = pairwise.sum_of_columns(parts, count)
        np.testing.assert_array_equal(found, expected)
    if columns == 1:
        np.testing.assert_array_equal(values.sum(axis=0), expected)
        assert values.mean() == expected[0] / count
    else:
        flat = pairwise.sum_of_columns(
            iter([values.reshape(-1, 1)]), values.size
        )
        assert flat[0] == values.sum()
