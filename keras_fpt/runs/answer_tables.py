"""Tables of predictions, where examples have several labels or tokens have."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from keras_fpt import files

# Between the names of the labels that an example has, and what it has that has
# none; both can be read as labels again.
BETWEEN, NONE = ";", "[]"


def of_labels(
    names: Sequence[str],
    label_names: Sequence[str],
    logits: np.ndarray,
    labels: np.ndarray | None = None,
) -> Any:
    """The labels that are predicted, with the probability of each.

    Args:
        names: sequence of n strings, the examples.
        label_names: sequence of strings.
        logits: float array `(n, labels)`.
        labels: array `(n, labels)` of 0 and 1, the true ones, or `None`.

    Returns:
        A `pandas.DataFrame` with `example`, `prediction` (the names of the
        labels whose probability is above a half, with `;` between them, or
        `[]`),
        `probability_<label>` for each, and `label`, if they are given.
    """
    import pandas as pd

    columns: dict[str, Any] = {
        "example": list(map(files.without_doubled_words, names)),
        "prediction": _joined(logits > 0, label_names),
    }
    probabilities = special.expit(logits.astype(np.float64))
    for number, name in enumerate(label_names):
        columns[f"probability_{name}"] = probabilities[:, number]
    if labels is not None:
        columns["label"] = _joined(labels > 0, label_names)
    return pd.DataFrame(columns)


def _joined(has_label: np.ndarray, names: Sequence[str]) -> list[str]:
    return [
        BETWEEN.join(names[i] for i in np.flatnonzero(row).tolist()) or NONE
        for row in has_label
    ]


def of_tokens(
    names: Sequence[str],
    classes: Sequence[str],
    probabilities: np.ndarray,
    labels: np.ndarray | None = None,
) -> Any:
    """The class of each token, with the probabilities of all classes.

    Args:
        names: sequence of n strings, the tokens.
        classes: sequence of strings.
        probabilities: float array `(n, classes)`.
        labels: int array `(n,)`, the true classes, -1 where there is none; or
            `None`.

    Returns:
        A `pandas.DataFrame` with `example`, `prediction`,
        `probability_<class>` for each class, and `label`, if they are given.
    """
    import pandas as pd

    columns: dict[str, Any] = {
        "example": list(map(files.without_doubled_words, names)),
        "prediction": [classes[i] for i in probabilities.argmax(axis=1)],
    }
    for number, name in enumerate(classes):
        columns[f"probability_{name}"] = probabilities[:, number]
    if labels is not None:
        columns["label"] = [classes[i] if i >= 0 else "" for i in labels]
    return pd.DataFrame(columns)


def mean_probabilities(logits: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The probabilities of tokens, averaged over the windows that hold them.

    Args:
        logits: float array `(n, tokens, classes)`.
        places: int array `(n, tokens)`, which token of all each is, -1 for
            padding.

    Returns:
        float64 array `(size, classes)`, where `size` is the number of places.
    """
    is_real = places >= 0
    found = special.softmax(logits[is_real].astype(np.float64), axis=-1)
    size = int(places.max()) + 1
    counts = np.bincount(places[is_real], minlength=size)
    total = np.zeros((size, logits.shape[-1]))
    np.add.at(total, places[is_real], found)
    return total / counts[:, None]
