"""The examples that the scikit-learn estimators take."""

from typing import Any

import numpy as np

from keras_fpt.tasks import sequences


def is_of_sequences(X: Any) -> bool:
    """Whether examples are sequences of vectors, not rows of a table."""
    if hasattr(X, "ndim"):
        return X.ndim == 3 or (X.ndim == 1 and np.ndim(X[0]) == 2)
    return isinstance(X, (list, tuple)) and len(X) > 0 and np.ndim(X[0]) == 2


def stack(X: Any) -> Any:
    """Sequences of vectors in one array or ragged tensor.

    Raises:
        ValueError: they differ in width, or hold NaN or infinity.
    """
    rows = [np.asarray(row, np.float64) for row in X]
    for index, row in enumerate(rows):
        if row.ndim != 2 or row.shape[1] != rows[0].shape[1] or not len(row):
            raise ValueError(
                f"Example {index} has shape {row.shape}. Expected sequences "
                f"(tokens, channels) of one width, as {rows[0].shape}."
            )
        if not np.isfinite(row).all():
            raise ValueError(f"Example {index} holds NaN or infinity.")
    return sequences.stack(rows)


def statistics(x: Any) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the standard deviation of each column or channel."""
    is_table = not sequences.is_ragged(x) and x.ndim == 2
    return sequences.statistics(x if is_table else sequences.concatenate(x))
