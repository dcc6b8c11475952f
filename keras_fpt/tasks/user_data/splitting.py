"""Fixed splits of the user's data into train, validation and test."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

SPLITS = ("train", "validation", "test")
TEST_PART = 5  # a fifth
VALIDATION_PART = 10  # a tenth of the rest
SEED = 0


@dataclasses.dataclass(frozen=True)
class SplitRequest:
    """How examples are to be split.

    Args:
        names: sequence of n strings, the split of each example, or `None`.
        names_from: string, where the names are from, in words.
        groups: sequence of n values, or `None`. Examples with equal values
            stay in one split.
        groups_from: string, where the groups are from, in words.
        folds: int, the number of folds of a cross-validation, or `None`.
        fold: int, from 1 to `folds`, the fold that is for testing.
    """

    names: Sequence[str] | None = None
    names_from: str = "as given"
    groups: Sequence[Any] | None = None
    groups_from: str = "group"
    folds: int | None = None
    fold: int = 1


def split_examples(
    y: np.ndarray, where: Callable[[int], str], request: SplitRequest
) -> tuple[dict[str, np.ndarray], str]:
    """Splits examples into train, validation and test.

    Args:
        y: int array `(n,)` of classes.
        where: function from an example's index to words that say where it
            is, for errors.
        request: a `SplitRequest`.

    Returns:
        A tuple: a dict as `stratified` returns, and a string that says how
        the examples were split.

    Raises:
        ValueError: names are unknown, or the request contradicts itself.
    """
    if request.names is not None:
        names = list(request.names)
        return from_names(names, y, where), request.names_from
    return stratified(y), "seeded, stratified"


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
    test = size - size // TEST_PART
    validation = test - test // VALIDATION_PART
    rows = np.split(np.arange(size), [validation, test])
    return dict(zip(SPLITS, rows, strict=True))


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
    if len(names) != len(y):
        raise ValueError(
            f"Expected {len(y):,} names of splits but received {len(names):,}."
        )
    known = {name: name for name in SPLITS}
    known |= {"val": "validation", "valid": "validation"}
    chosen: dict[str, list[int]] = {name: [] for name in SPLITS}
    for index, name in enumerate(names):
        if name not in known:
            raise ValueError(
                f"{where(index)}: unknown split '{name}'. Expected train, "
                "validation or test."
            )
        chosen[known[name]].append(index)
    splits = {name: np.array(value, int) for name, value in chosen.items()}
    if not len(splits["validation"]):
        train = splits["train"]
        held_out = _evenly_spaced(
            _rest_by_class(y[train]), round(len(train) / VALIDATION_PART)
        )
        splits["validation"] = np.sort(train[held_out])
        splits["train"] = np.delete(train, held_out)
    return splits


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
