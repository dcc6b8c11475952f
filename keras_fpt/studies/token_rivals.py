"""Rivals for a label per token: models of each token and its neighbors.

A linear model and boosting see the tokens before and after, as an expert would
give them, where a causal language model sees only those before.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_fpt.results import baselines
from keras_fpt.studies import rival_data
from keras_fpt.studies.rival_data import Rows
from keras_fpt.tasks import Task

# How many neighbors on each side are seen is chosen together with the rest.
_LOGISTIC = tuple(
    {"neighbors": neighbors, "C": strength}
    for neighbors, strength in (
        *((4, 0.1), (0, 0.1), (16, 0.1), (1, 0.1), (4, 1.0), (16, 0.01)),
        *((16, 1.0), (4, 0.01), (1, 10.0), (0, 10.0)),
    )
)
_BOOSTING = tuple(
    {"neighbors": neighbors, "learning_rate": rate, "max_iter": iterations}
    for neighbors, rate, iterations in (
        *((4, 0.1, 30), (0, 0.1, 30), (16, 0.1, 30), (1, 0.1, 30)),
        *((4, 0.1, 100), (16, 0.1, 100)),
    )
)
# Numbers that are predicted from at a time.
_PREDICTED = 2_000_000


class NeighborsModel:
    """A model of the classes of tokens, from each token and its neighbors.

    Beyond the first and the last real token of a sequence, that token is
    repeated. If the windows of all tokens would have more than
    `rival_data.MAX_VALUES` numbers, a seeded choice of them is used.

    Args:
        model: a classifier of scikit-learn, of rows of numbers.
        neighbors: int, how many are seen on each side.
    """

    def __init__(self, model: Any, neighbors: int) -> None:
        self.model = model
        self.offsets = np.arange(-neighbors, neighbors + 1)

    def fit(self, rows: Rows, y: np.ndarray) -> None:
        """Fits the model.

        Args:
            rows: `Rows`.
            y: int array `(n, tokens)`, -1 where a token has no label.
        """
        places = np.argwhere(y >= 0)
        most = rival_data.MAX_VALUES // self._width(rows)
        if len(places) > most:
            order = np.random.default_rng(0).permutation(len(places))
            places = places[np.sort(order[:most])]
        labels = y[tuple(places.T)]
        self.model.fit(self._windows(rows, places), labels)

    def predict(self, rows: Rows) -> np.ndarray:
        """The classes of all real tokens, `(n, tokens)`; others are -1."""
        steps = np.arange(rows.tokens.shape[1])
        is_real = steps < rows.lengths[:, None]
        places = np.argwhere(is_real)
        size = max(1, _PREDICTED // self._width(rows))
        answers = np.full(is_real.shape, -1)
        answers[is_real] = np.concatenate(
            [
                self.model.predict(self._windows(rows, places[i : i + size]))
                for i in range(0, len(places), size)
            ]
        )
        return answers

    def _width(self, rows: Rows) -> int:
        return len(self.offsets) * (rows.tokens[0, 0].size)

    def _windows(self, rows: Rows, places: np.ndarray) -> np.ndarray:
        """The numbers around tokens, a row for each."""
        examples, steps = places.T
        last = rows.lengths[examples, None] - 1
        around = np.clip(steps[:, None] + self.offsets, 0, last)
        return rows.tokens[examples[:, None], around].reshape(len(places), -1)


def logistic_regression(
    task: Task, setting: Mapping[str, float]
) -> NeighborsModel:
    """Logistic regression; integer tokens become indicators."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    scaler: Any = StandardScaler()
    if task.vocabulary_size is not None:
        scaler = OneHotEncoder(handle_unknown="ignore")
    model = LogisticRegression(C=setting["C"], max_iter=200)
    return NeighborsModel(
        make_pipeline(scaler, model), int(setting["neighbors"])
    )


def gradient_boosting(
    task: Task, setting: Mapping[str, float]
) -> NeighborsModel:
    """Histogram gradient boosting; integer tokens become categories."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    neighbors = int(setting["neighbors"])
    # It takes at most this many categories.
    is_categorical = task.vocabulary_size and task.vocabulary_size < 255
    columns = list(range(2 * neighbors + 1)) if is_categorical else None
    model = HistGradientBoostingClassifier(
        learning_rate=setting["learning_rate"],
        max_iter=int(setting["max_iter"]),
        early_stopping=False,
        categorical_features=columns,
        random_state=0,
    )
    return NeighborsModel(model, neighbors)


# Names, settings and makers of `rival_models.Rival`.
MODELS = (
    (baselines.LOGISTIC_REGRESSION, _LOGISTIC, logistic_regression),
    (baselines.GRADIENT_BOOSTING, _BOOSTING, gradient_boosting),
)
