"""Splits that keep whole groups of examples, such as people, together."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks.user_data.tables import cells

SEED = 0
ADVICE = (
    "Add groups, or give the split itself: in a column, or as separate files "
    "with validation (--validation) and test (--test)."
)


def number_groups(
    groups: Sequence[Any],
    size: int,
    where: Callable[[int], str],
    groups_from: str,
) -> np.ndarray:
    """Numbers groups from 0, in the order in which they appear.

    Args:
        groups: sequence of n values; equal ones are one group.
        size: int, n.
        where: function from an example's index to words that say where it
            is, for errors.
        groups_from: string, where the groups are from, in words.

    Returns:
        int array `(n,)`.

    Raises:
        ValueError: there are not n values, or one is missing.
    """
    import pandas as pd

    if len(groups) != size:
        raise ValueError(
            f"Expected {size:,} groups but received {len(groups):,}."
        )
    if isinstance(groups, np.ndarray) and groups.dtype.kind in "iu":
        return pd.factorize(groups)[0]  # Numbers are not missing.
    numbers, distinct = pd.factorize(pd.Series(groups, dtype=object))
    is_missing = np.array(
        [str(value).strip().lower() in cells.MISSING for value in distinct]
    )
    # `factorize` itself gives -1 to None and NaN.
    wrong = np.flatnonzero(np.append(is_missing, True)[numbers])
    if len(wrong):
        raise ValueError(
            f"{where(int(wrong[0]))}: the {groups_from} is missing, so "
            "nothing says which examples must stay in one split. Fill it in, "
            "or leave such examples out."
        )
    return numbers


def stratified_groups(
    y: np.ndarray,
    groups: np.ndarray,
    test_part: int,
    validation_part: int,
    groups_from: str,
) -> dict[str, np.ndarray]:
    """Splits whole groups, with the same share of each class if possible.

    Enough groups that every class is in one of them are always for training.

    Args:
        y: int array `(n,)` of classes.
        groups: int array `(n,)`, numbers of groups.
        test_part: int, 5 for a fifth.
        validation_part: int, 10 for a tenth of the rest.
        groups_from: string, where the groups are from, in words.

    Returns:
        A dict from splits to sorted int arrays of indices in `y`.

    Raises:
        ValueError: there are too few groups.
    """
    pinned = _groups_with_every_class(y, groups)
    num_groups = len(np.unique(groups))
    if num_groups - len(pinned) < 2:
        raise ValueError(
            f"There are too few groups: {num_groups} by {groups_from}. Whole "
            f"groups stay in one split, {len(pinned)} must be for training so "
            "that it has every class, and validation and test need one each. "
            f"{ADVICE}"
        )
    is_free = ~np.isin(groups, pinned)
    test = _best_part(y, groups, is_free, len(y) / test_part, leave=1)
    rest = ~np.isin(groups, test)
    validation = _best_part(
        y, groups, is_free & rest, rest.sum() / validation_part
    )
    is_validation = np.isin(groups, validation)
    return {
        "train": np.flatnonzero(rest & ~is_validation),
        "validation": np.flatnonzero(is_validation),
        "test": np.flatnonzero(~rest),
    }


def held_out_groups(
    y: np.ndarray, groups: np.ndarray, part: int, groups_from: str
) -> np.ndarray:
    """Sorted indices of whole groups, about one part of all examples.

    Args:
        y: int array `(n,)` of classes.
        groups: int array `(n,)`, numbers of groups.
        part: int, 10 for a tenth.
        groups_from: string, where the groups are from, in words.

    Raises:
        ValueError: there are too few groups.
    """
    pinned = _groups_with_every_class(y, groups)
    is_free = ~np.isin(groups, pinned)
    if not is_free.any():
        raise ValueError(
            f"There are too few groups by {groups_from} to validate with some "
            f"of them: train has {len(np.unique(groups))}, and all are needed "
            f"for training so that it has every class. {ADVICE}"
        )
    chosen = _best_part(y, groups, is_free, len(y) / part)
    return np.flatnonzero(np.isin(groups, chosen))


def fold_of_groups(
    y: np.ndarray, groups: np.ndarray, folds: int, fold: int, groups_from: str
) -> np.ndarray:
    """Sorted indices of the whole groups of one fold.

    Args:
        y: int array `(n,)` of classes.
        groups: int array `(n,)`, numbers of groups.
        folds: int, the number of folds.
        fold: int, from 1 to `folds`.
        groups_from: string, where the groups are from, in words.

    Raises:
        ValueError: there are fewer groups than folds, or all examples of a
            class are in one fold.
    """
    num_groups = len(np.unique(groups))
    if num_groups < folds:
        raise ValueError(
            f"{folds} folds need as many groups, but there are {num_groups} "
            f"by {groups_from}. Give folds={num_groups} or fewer (--folds)."
        )
    number = _folds(y, groups, folds)
    for label in np.unique(y):
        if len(np.unique(number[y == label])) < 2:
            raise ValueError(
                f"All {np.sum(y == label):,} examples of a class are in one "
                f"fold, since they are in too few groups by {groups_from}: "
                "that fold has none of them to learn from. Give fewer folds "
                "(--folds), or leave the class out."
            )
    return np.flatnonzero(number == fold - 1)


def _best_part(
    y: np.ndarray,
    groups: np.ndarray,
    is_free: np.ndarray,
    size: float,
    leave: int = 0,
) -> np.ndarray:
    """The groups whose examples of each class are nearest to a share.

    Args:
        y: int array `(n,)` of classes.
        groups: int array `(n,)`, numbers of groups.
        is_free: bool array `(n,)`, which examples may be chosen.
        size: float, the number of examples to choose.
        leave: int, how many free groups to leave at least.
    """
    free = np.unique(groups[is_free])
    parts = min(len(free), max(2, round(is_free.sum() / max(size, 1))))
    if parts < 2:
        return free
    number = _folds(y[is_free], groups[is_free], parts)
    y = _from_zero(y)
    num_classes = int(y.max()) + 1
    wanted = np.bincount(y, minlength=num_classes) * size / len(y)
    best, least = free[:1], np.inf
    for index in range(parts):
        is_in = number == index
        chosen = np.unique(groups[is_free][is_in])
        counts = np.bincount(y[is_free][is_in], minlength=num_classes)
        distance = np.abs(counts - wanted).sum()
        if distance < least and len(free) - len(chosen) >= leave:
            best, least = chosen, distance
    return best


def _from_zero(y: np.ndarray) -> np.ndarray:
    """Labels, in which rows without one, -1, are a class of their own."""
    return y - min(0, int(y.min()))


def _folds(y: np.ndarray, groups: np.ndarray, folds: int) -> np.ndarray:
    """The fold of each example, from 0, by scikit-learn.

    Groups are shuffled here, since the shuffling of `StratifiedGroupKFold`
    differs between its versions.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    order = np.random.default_rng(SEED).permutation(int(groups.max()) + 1)
    y = _from_zero(y)
    # scikit-learn wants a class with as many examples as there are folds.
    stratum = y if np.bincount(y).max() >= folds else np.zeros_like(y)
    number = np.empty(len(y), int)
    with warnings.catch_warnings():
        # Of classes with fewer examples than folds.
        warnings.simplefilter("ignore", UserWarning)
        parts = StratifiedGroupKFold(folds).split(
            np.zeros(len(y)), stratum, order[groups]
        )
        for index, (_, test) in enumerate(parts):
            number[test] = index
    return number


def _groups_with_every_class(y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """A few groups that together have every class, rare classes first."""
    pairs = np.unique(np.stack([y, groups]), axis=1)
    groups_of = {
        int(label): pairs[1, pairs[0] == label] for label in np.unique(y)
    }
    classes_of: dict[int, set[int]] = {}
    for label, group in pairs.T.tolist():
        classes_of.setdefault(group, set()).add(label)
    sizes = np.bincount(groups)
    missing, chosen = set(groups_of), []
    for label in sorted(groups_of, key=lambda label: len(groups_of[label])):
        if label in missing:
            # The largest of those with the most classes that are missing.
            group = max(
                groups_of[label].tolist(),
                key=lambda group: (
                    len(classes_of[group] & missing),
                    sizes[group],
                ),
            )
            chosen.append(group)
            missing -= classes_of[group]
    return np.array(chosen, int)
