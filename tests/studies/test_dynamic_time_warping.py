import numpy as np
import pytest

from keras_fpt.studies.dynamic_time_warping import NearestNeighbor, distances
from keras_fpt.studies.rival_data import Rows

pytestmark = pytest.mark.backend_free


def by_definition(a, b, window):
    """The cheapest path through the table of pairs, cell by cell."""
    band = window * max(len(a), len(b)) + abs(len(a) - len(b))
    cost = np.full((len(a) + 1, len(b) + 1), np.inf)
    cost[0, 0] = 0
    for i in range(len(a)):
        for j in range(len(b)):
            if abs(i - j) <= band:
                before = min(cost[i, j], cost[i + 1, j], cost[i, j + 1])
                cost[i + 1, j + 1] = before + ((a[i] - b[j]) ** 2).sum()
    return cost[-1, -1]


@pytest.mark.parametrize("window", [0.0, 0.2, 1.0])
def test_distances_are_those_of_the_definition(window):
    rng = np.random.default_rng(0)
    series = rng.normal(size=(7, 2))
    lengths = np.array([7, 4, 9, 1])
    others = rng.normal(size=(4, 9, 2))
    found = distances(series, others, lengths, window)
    expected = [
        by_definition(series, other[:length], window)
        for other, length in zip(others, lengths, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    if window == 0:
        euclidean = ((series - others[0, :7]) ** 2).sum()
        assert found[0] == pytest.approx(euclidean)


def test_the_nearest_answers():
    """A step that comes later is the same step, if time may be warped."""
    tokens = np.zeros((3, 10, 1))
    tokens[0, 2:], tokens[1, 2:4], tokens[2, 7:] = 1, 1, 1
    rows = Rows(tokens, np.full(3, 10), np.array([[0], [1], [0]]))
    model = NearestNeighbor(1.0)
    model.fit(rows.part(slice(2)), rows.y[:2])
    assert model.predict(rows).tolist() == rows.y.tolist()
