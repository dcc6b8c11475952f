"""Models whose labels have the shape that all rivals use, `(n, answers)`."""

from typing import Any

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


class EachToken:
    """A model that predicts every token, in labels `(n, tokens)`.

    Tokens whose label is -1 are left out. If all others have one label, it is
    predicted.
    """

    def __init__(self, model: Any) -> None:
        self.model, self.only = model, None

    def fit(self, x: np.ndarray, y: np.ndarray) -> None:
        has_label = y >= 0
        labels = np.unique(y[has_label])
        self.only = labels[0] if len(labels) == 1 else None
        if self.only is None:
            self.model.fit(x[has_label], y[has_label])

    def predict(self, x: np.ndarray) -> np.ndarray:
        if self.only is not None:
            return np.full(x.shape[:2], self.only)
        answers = self.model.predict(x.reshape(-1, x.shape[-1]))
        return np.asarray(answers).reshape(x.shape[:2])
