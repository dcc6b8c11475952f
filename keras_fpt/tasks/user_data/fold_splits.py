"""The folds of a cross-validation of examples without groups."""

import warnings
from collections.abc import Callable

import numpy as np

SEED = 0


def stratified_fold(
    y: np.ndarray, folds: int, fold: int, where: Callable[[int], str]
) -> np.ndarray:
    """The examples of one fold, with the same share of each class.

    Args:
        y: int array `(n,)` of classes.
        folds: int, the number of folds.
        fold: int, from 1 to `folds`.
        where: function from an example's index to words that say where it
            is, for errors.

    Returns:
        A sorted int array of indices in `y`.

    Raises:
        ValueError: a class has only one example.
    """
    from sklearn.model_selection import StratifiedKFold

    lone = np.flatnonzero(np.bincount(y)[y] < 2)
    if len(lone):
        raise ValueError(
            f"{where(int(lone[0]))}: it is the only example of its class, so "
            "the fold that tests it has none to learn from. Leave it out, or "
            "leave out folds (--folds)."
        )
    kfold = StratifiedKFold(folds, shuffle=True, random_state=SEED)
    stratum = y if np.bincount(y).max() >= folds else np.zeros_like(y)
    with warnings.catch_warnings():
        # Of classes with fewer examples than folds.
        warnings.simplefilter("ignore", UserWarning)
        parts = list(kfold.split(np.zeros(len(y)), stratum))
    return np.sort(parts[fold - 1][1])
