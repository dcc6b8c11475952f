"""Fixed splits of the user's data into train, validation and test."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks.user_data import fold_splits, group_splits, named_splits

SPLITS = named_splits.SPLITS
# How people write them, in any case.
SPELLINGS = {
    "train": ("train", "training", "trn", "fit"),
    "validation": ("validation", "valid", "val", "dev", "development"),
    "test": ("test", "testing", "tst", "holdout", "eval", "evaluation"),
}
# They are for validation where others are for testing.
EITHER = ("eval", "evaluation")
TEST_PART = 5  # a fifth
VALIDATION_PART = 10  # a tenth of the rest
SEED = 0


@dataclasses.dataclass(frozen=True)
class SplitRequest:
    """A request for how to split examples.

    Args:
        names: sequence or array of n strings, the split of each example, or
            `None`.
        names_from: string, where the names are from, in words.
        groups: sequence or array of n values, or `None`. Examples with equal
            values stay in one split.
        groups_from: string, where the groups are from, in words.
        folds: int, the number of folds of a cross-validation, or `None`.
        fold: int, from 1 to `folds`, the fold that is for testing.
    """

    names: Any = None
    names_from: str = "as given"
    groups: Any = None
    groups_from: str = "group"
    folds: int | None = None
    fold: int = 1


def split_examples(
    y: np.ndarray, where: Callable[[int], str], request: SplitRequest
) -> tuple[dict[str, np.ndarray], str]:
    """Splits examples into train, validation and test.

    Without names, groups and folds it is `stratified`. With groups, all
    examples of a group are in one split, and the splits have the same share
    of each class as well as that can be. With folds, one of them is for
    testing and a tenth of the rest for validation. With names, a tenth of the
    training examples is for validation if no example is.

    Args:
        y: int array `(n,)` of classes.
        where: function from an example's index to words that say where it
            is, for errors.
        request: a `SplitRequest`.

    Returns:
        A tuple: a dict as `stratified` returns, and a string that says how
        the examples were split.

    Raises:
        ValueError: names are unknown, or none is for training or for
            testing; a group is missing; there are too few groups; or the
            request contradicts itself.
    """
    _check_folds(request, len(y))
    groups = None
    if request.groups is not None:
        groups = group_splits.number_groups(
            request.groups, len(y), where, request.groups_from
        )
    by_group = f"by {request.groups_from}"
    if request.names is not None:
        splits = from_any_names(request, y, where)
        if len(splits["validation"]):
            return splits, request.names_from
        if groups is None:
            words = request.names_from
            return _with_validation(splits, y, None, ""), words
        words = f"{request.names_from}; validation {by_group}"
        return _with_validation(splits, y, groups, request.groups_from), words
    if request.folds is not None:
        words = f"fold {request.fold} of {request.folds}, seeded, stratified"
        test = (
            fold_splits.stratified_fold(y, request.folds, request.fold, where)
            if groups is None
            else group_splits.fold_of_groups(
                y, groups, request.folds, request.fold, request.groups_from
            )
        )
        splits = {
            "train": np.setdiff1d(np.arange(len(y)), test),
            "validation": np.array([], int),
            "test": test,
        }
        splits = _with_validation(splits, y, groups, request.groups_from)
    elif groups is None:
        return stratified(y), "seeded, stratified"
    else:
        words = "seeded, stratified"
        splits = group_splits.stratified_groups(
            y, groups, TEST_PART, VALIDATION_PART, request.groups_from
        )
    if groups is not None:
        counts = ", ".join(
            f"{len(np.unique(groups[indices])):,} {name}"
            for name, indices in splits.items()
        )
        words += f", {by_group}: {counts}"
    return splits, words


def split_name(name: str) -> str | None:
    """The split that a name means, in any spelling, or `None`."""
    name = str(name).strip().lower()
    return next(
        (split for split, names in SPELLINGS.items() if name in names), None
    )


def _check_folds(request: SplitRequest, size: int) -> None:
    folds, fold = request.folds, request.fold
    if folds is None:
        if fold != 1:
            raise ValueError(
                "A fold needs the number of folds: give folds (--folds), too."
            )
        return
    if request.names is not None:
        raise ValueError(
            f"The split is given ({request.names_from}), so there are no "
            "folds. Leave out either."
        )
    if not 2 <= folds <= size:
        raise ValueError(
            f"Expected from 2 folds to one per example ({size:,}) but "
            f"received {folds}."
        )
    if not 1 <= fold <= folds:
        raise ValueError(
            f"Expected a fold from 1 to {folds} but received {fold}."
        )


def from_any_names(
    request: SplitRequest, y: np.ndarray, where: Callable[[int], str]
) -> dict[str, np.ndarray]:
    """The examples of each split by names in any spelling.

    Args:
        request: a `SplitRequest` with names.
        y: int array `(n,)` of classes.
        where: as for `split_examples`.

    Raises:
        ValueError: a name is unknown, or none is for training or testing.
    """
    codes, names = named_splits.numbered(request.names)
    distinct = sorted({*names})
    # An unknown name stays as it is, and is refused with its place.
    meaning = {name: split_name(name) or name for name in distinct}
    either = [name for name in meaning if name.strip().lower() in EITHER]
    others = [meaning[name] for name in meaning if name not in either]
    if "test" in others:
        meaning |= dict.fromkeys(either, "validation")
    splits = named_splits.by_code(
        codes, [meaning[name] for name in names], y, where
    )
    for split, remedy in (
        ("train", ""),
        (
            "test",
            " Or give a file or folder of them with test (--test), or leave "
            "the given split out: a fifth is then held out.",
        ),
    ):
        if not len(splits[split]):
            found = " and ".join(f"'{name}'" for name in distinct)
            raise ValueError(
                f"No example is for {split}ing: the split "
                f"({request.names_from}) has only {found}. Name some examples "
                f"'{split}'.{remedy}"
            )
    return splits


def _with_validation(
    splits: dict[str, np.ndarray],
    y: np.ndarray,
    groups: np.ndarray | None,
    groups_from: str,
) -> dict[str, np.ndarray]:
    """Moves a tenth of the training examples to validation."""
    train = splits["train"]
    if groups is None:
        held_out = _evenly_spaced(
            _rest_by_class(y[train]), round(len(train) / VALIDATION_PART)
        )
    else:
        held_out = group_splits.held_out_groups(
            y[train], groups[train], VALIDATION_PART, groups_from
        )
    return splits | {
        "train": np.delete(train, held_out),
        "validation": np.sort(train[held_out]),
    }


def stratified(y: np.ndarray) -> dict[str, np.ndarray]:
    """Makes a fixed, seeded split with the same share of each class.

    A fifth is for testing and a tenth of the rest for validation. The first
    example of each class, in the shuffled order, is always for training.

    Args:
        y: int array `(n,)` of classes.

    Returns:
        A dict from `train`, `validation` and `test` to sorted int arrays of
        indices in `y`.
    """
    rest = _rest_by_class(y)
    num_test = round(len(y) / TEST_PART)
    test = _evenly_spaced(rest, num_test)
    # The rest is still in the order of its classes.
    rest = rest[~np.isin(rest, test)]
    validation = _evenly_spaced(
        rest, round((len(y) - num_test) / VALIDATION_PART)
    )
    train = np.ones(len(y), bool)
    train[test] = train[validation] = False
    return {
        "train": np.flatnonzero(train),
        "validation": np.sort(validation),
        "test": np.sort(test),
    }


def _evenly_spaced(ordered: np.ndarray, count: int) -> np.ndarray:
    """Some elements, evenly spaced."""
    count = min(count, len(ordered))
    return ordered[
        ((np.arange(count) + 0.5) * len(ordered) / max(count, 1)).astype(int)
    ]


def chronological(size: int) -> dict[str, np.ndarray]:
    """Splits a time series by time.

    The last fifth is for testing, and the last tenth of the rest for
    validation.

    Args:
        size: int, how many rows there are.

    Returns:
        As `stratified`.
    """
    rows = np.split(np.arange(size), chronological_starts(size))
    return dict(zip(SPLITS, rows, strict=True))


def chronological_starts(size: int) -> list[int]:
    """The rows at which `chronological` begins validation and test."""
    test = size - size // TEST_PART
    return [test - test // VALIDATION_PART, test]


def series_from_names(
    request: SplitRequest, where: Callable[[int], str]
) -> tuple[dict[str, np.ndarray], str]:
    """Splits a time series as its rows say.

    If no row is for validation, the last tenth of the training rows is.

    Args:
        request: a `SplitRequest` with the name of each row's split, in the
            order of time.
        where: function from a row's index to words that say where it is, for
            errors.

    Returns:
        As `split_examples`.

    Raises:
        ValueError: a name is unknown, or no row is for training or testing.
    """
    splits = from_any_names(
        request,
        np.zeros(0 if request.names is None else len(request.names), int),
        where,
    )
    words = request.names_from
    if not len(splits["validation"]):
        splits |= _last_tenth(splits["train"])
        words += "; validation: the last tenth of train"
    return splits, words


def fold_of_series(size: int, request: SplitRequest) -> dict[str, np.ndarray]:
    """Splits a time series so that one block of several is for testing.

    The last tenth of the other rows is for validation.

    Args:
        size: int, how many rows there are.
        request: a `SplitRequest` with folds.

    Returns:
        As `stratified`.
    """
    _check_folds(request, size)
    blocks = np.array_split(np.arange(size), request.folds or 1)
    test = blocks.pop(request.fold - 1)
    return _last_tenth(np.concatenate(blocks)) | {"test": test}


def _last_tenth(train: np.ndarray) -> dict[str, np.ndarray]:
    size = len(train) - len(train) // VALIDATION_PART
    return {"train": train[:size], "validation": train[size:]}


def from_names(
    names: Sequence[str], y: np.ndarray, where: Callable[[int], str]
) -> dict[str, np.ndarray]:
    """Makes the split that a column or the folders give.

    If no example is for validation, a fixed, seeded, stratified tenth of the
    training examples is.

    Args:
        names: list of n strings: `train`, `validation` (`valid`, `val`),
            `test`.
        y: int array `(n,)` of classes.
        where: function from an example's index to words that say where it
            is, for errors.

    Returns:
        As `stratified`.

    Raises:
        ValueError: a name is unknown, or there are not as many names as
            examples.
    """
    splits = named_splits.by_code(*named_splits.numbered(names), y, where)
    if len(splits["validation"]):
        return splits
    return _with_validation(splits, y, None, "")


def _rest_by_class(y: np.ndarray) -> np.ndarray:
    """Shuffled indices by class, without the first of each class."""
    shuffled = np.random.default_rng(SEED).permutation(len(y))
    by_class = shuffled[np.argsort(y[shuffled], kind="stable")]
    is_first = np.diff(y[by_class], prepend=-1) != 0
    return by_class[~is_first]


def check_splits(
    splits: dict[str, np.ndarray], y: np.ndarray, class_names: Sequence[str]
) -> None:
    """Checks that no split is empty and that train has every class.

    Raises:
        ValueError: a split is empty, or a class has no training example.
    """
    for name, indices in splits.items():
        if not len(indices):
            raise ValueError(
                f"The {name} split has no example: {len(y)} examples are too "
                "few, or none is assigned to it."
            )
    counts = np.bincount(y[splits["train"]], minlength=len(class_names))
    if not counts.all():
        name = class_names[int(np.argmin(counts))]
        raise ValueError(f"The class '{name}' has no training example.")
