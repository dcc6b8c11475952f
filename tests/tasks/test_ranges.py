"""Numbers in stretches of equal steps."""

import numpy as np
import pytest

from keras_fpt.tasks import ranges
from keras_fpt.tasks.ranges import Ranges

pytestmark = pytest.mark.backend_free


def test_ranges_are_as_arrays(monkeypatch):
    monkeypatch.setattr(ranges, "_AT_ONCE", 4)
    found = Ranges([2, 7, 50, 51], [3, 0, 1, 2], 5)
    expected = np.array([2, 7, 12, 50, 51, 56])
    np.testing.assert_array_equal(found, expected)
    assert len(found) == 6
    assert found[3] == 50
    np.testing.assert_array_equal(found[1:5:2], expected[1:5:2])
    np.testing.assert_array_equal(found[[5, 0, 0]], expected[[5, 0, 0]])
    np.testing.assert_array_equal(found.plus(3), expected + 3)
    kept = found.kept(lambda numbers: numbers % 2 == 0)
    np.testing.assert_array_equal(kept, [2, 12, 50, 56])
    assert len(found.kept(lambda numbers: numbers < 0)) == 0
    for wrong in (6, [-1]):
        with pytest.raises(IndexError, match="from 0 to 5"):
            found[wrong]


@pytest.mark.parametrize("step", [1, 3])
def test_what_is_kept_is_in_stretches(monkeypatch, step):
    monkeypatch.setattr(ranges, "_AT_ONCE", 7)
    rng = np.random.default_rng(step)
    found = Ranges([0, 200], [30, 30], step)
    is_kept = rng.random(300) < 0.6
    kept = found.kept(lambda numbers: is_kept[numbers])
    numbers = np.asarray(found)
    np.testing.assert_array_equal(kept, numbers[is_kept[numbers]])
