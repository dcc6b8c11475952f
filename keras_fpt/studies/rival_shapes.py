"""Models whose labels have the shape that all rivals use, `(n, answers)`.

Models of several labels also have `scores`, higher where a label is more
likely.
"""

from typing import Any, NamedTuple

import numpy as np


class Single:
    """A model with one answer, as one whose labels are `(n, 1)`."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, x: Any, y: np.ndarray) -> None:
        self.model.fit(x, y[:, 0])

    def predict(self, x: Any) -> np.ndarray:
        return self.model.predict(x)[:, None]


class Rows:
    """A model whose answers have as many axes as its labels, `(n, targets)`."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, x: Any, y: np.ndarray) -> None:
        self.targets = y.shape[1]
        self.model.fit(x, y)

    def predict(self, x: Any) -> np.ndarray:
        return np.asarray(self.model.predict(x)).reshape(-1, self.targets)

    def scores(self, x: Any) -> np.ndarray:
        """Probabilities, or the numbers that are compared with 0."""
        give = getattr(self.model, "predict_proba", None)
        found = np.asarray((give or self.model.decision_function)(x))
        # Of a single label, there may be a column for its absence, or none.
        return found.reshape(len(found), -1)[:, -self.targets :]


class Flat:
    """A model of all numbers of an example."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, x: np.ndarray, y: np.ndarray) -> None:
        self.model.fit(x.reshape(len(x), -1), y)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.model.predict(x.reshape(len(x), -1))


class PerToken:
    """A model that predicts each output token separately.

    Args:
        model: the model, whose labels are `(tokens, labels_per_token)`.
        labels_per_token: int.
    """

    def __init__(self, model: Any, labels_per_token: int) -> None:
        self.model, self.labels_per_token = model, labels_per_token

    def fit(self, x: np.ndarray, y: np.ndarray) -> None:
        tokens = x.reshape(-1, x.shape[-1])
        self.model.fit(tokens, y.reshape(-1, self.labels_per_token))

    def predict(self, x: np.ndarray) -> np.ndarray:
        answers = self.model.predict(x.reshape(-1, x.shape[-1]))
        return np.asarray(answers).reshape(len(x), -1)

    def scores(self, x: np.ndarray) -> np.ndarray:
        return self.model.scores(x.reshape(-1, x.shape[-1])).reshape(len(x), -1)


class TokenStates(NamedTuple):
    """The states of some tokens of some sequences.

    Args:
        states: float array `(tokens, dim)`.
        places: int array `(tokens, 2)`, of the sequence and within it.
        shape: tuple of ints, how many sequences there are, and their length.
    """

    states: np.ndarray
    places: np.ndarray
    shape: tuple[int, ...]


class EachToken:
    """A model of tokens, from their `TokenStates`, in labels `(n, tokens)`.

    It predicts the tokens whose states there are; others have -1. If all that
    it is fitted to have one label, it predicts that.
    """

    def __init__(self, model: Any) -> None:
        self.model, self.only = model, None

    def fit(self, x: TokenStates, y: np.ndarray) -> None:
        own = y[tuple(x.places.T)]
        labels = np.unique(own)
        self.only = labels[0] if len(labels) == 1 else None
        if self.only is None:
            self.model.fit(x.states, own)

    def predict(self, x: TokenStates) -> np.ndarray:
        answers = np.full(x.shape, -1)
        places = tuple(x.places.T)
        if self.only is not None:
            answers[places] = self.only
        elif len(x.states):
            answers[places] = self.model.predict(x.states)
        return answers
