"""The stratified split of so many examples that even indices are large."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from keras_fpt.tasks.user_data import group_splits, splitting

# Of rows that are in no split, the last.
TRAIN, VALIDATION, TEST, LEFT_OUT = range(4)
AT_ONCE = 2**20
# A given split: the index of each example's name, int array `(n,)`; the
# names; and words that say where they are from.
Given = tuple[np.ndarray, list[str], str]


def stratified(y: np.ndarray, num_classes: int) -> np.ndarray:
    """Makes the split of `splitting.stratified`, in less memory.

    Args:
        y: int array `(n,)` of classes, of a small dtype.
        num_classes: int.

    Returns:
        uint8 array `(n,)`, the index in `splitting.SPLITS` of each example.
    """
    return _spread(y, num_classes, lambda size: _codes_by_class(len(y), size))


def split(
    y: np.ndarray,
    num_classes: int,
    request: splitting.SplitRequest,
    where: Callable[[int], str],
    given: Given | None = None,
    first_of: Callable[[int], str] | None = None,
) -> tuple[np.ndarray, str]:
    """Makes the split of `splitting.split_examples`.

    Args:
        y: int array `(n,)` of classes, of a small dtype.
        num_classes: int.
        request: a `SplitRequest` without names.
        where: function from an example to words that say where it is, for
            errors.
        given: the split of each example that is given, or `None`.
        first_of: function from the index of a given name to words that say
            where it is first.

    Returns:
        A tuple: as `stratified`, and a string that says how the examples were
        split.

    Raises:
        ValueError: as for `splitting.split_examples`.
    """
    is_plain = request.folds is None and request.fold == 1
    if given is None and is_plain and request.groups is None:
        return stratified(y, num_classes), "seeded, stratified"
    if given is None or not is_plain:
        if given is not None:  # Which is refused beside folds.
            request = dataclasses.replace(
                request, names=[], names_from=given[2]
            )
        splits, words = splitting.split_examples(
            y.astype(np.int32), where, request
        )
        return as_codes(splits, len(y)), words
    codes, distinct, words = given
    named = dataclasses.replace(request, names_from=words)
    found, has_validation = codes_of_names(codes, distinct, named, first_of)
    if not has_validation:
        is_train = found == TRAIN
        if request.groups is None:
            found[is_train] = _held_out(y[is_train], num_classes)
        else:
            words += f"; validation by {request.groups_from}"
            chosen = group_splits.held_out_groups(
                y[is_train].astype(np.int32),
                np.asarray(request.groups)[is_train],
                splitting.VALIDATION_PART,
                request.groups_from,
            )
            found[np.flatnonzero(is_train)[chosen]] = VALIDATION
    return found, words


def codes_of_names(
    codes: np.ndarray,
    distinct: Sequence[str],
    request: splitting.SplitRequest,
    first_of: Callable[[int], str] | None,
) -> tuple[np.ndarray, bool]:
    """The splits that names mean, and whether one is for validation.

    Args:
        codes, distinct: as in `Given`.
        request: a `SplitRequest` that says where the names are from.
        first_of: as for `split`.
    """
    few = dataclasses.replace(request, names=[*distinct])
    splits = splitting.from_any_names(
        few, np.zeros(len(distinct), int), first_of or str
    )
    return as_codes(splits, len(distinct))[codes], len(splits["validation"]) > 0


def as_codes(splits: Mapping[str, np.ndarray], size: int) -> np.ndarray:
    """The index in `splitting.SPLITS` of each example, uint8 array `(size,)`.

    Args:
        splits: what `splitting.stratified` returns.
        size: int.
    """
    codes = np.zeros(size, np.uint8)
    for code, name in enumerate(splitting.SPLITS):
        codes[splits[name]] = code
    return codes


def _held_out(y: np.ndarray, num_classes: int) -> np.ndarray:
    """Training examples of which a tenth is for validation."""
    count = round(len(y) / splitting.VALIDATION_PART)

    def codes(size: int) -> np.ndarray:
        found = np.full(size, TRAIN, np.uint8)
        for places in _evenly_spaced(size, count):
            found[places] = VALIDATION
        return found

    return _spread(y, num_classes, codes)


def _spread(
    y: np.ndarray, num_classes: int, make_codes: Callable[[int], np.ndarray]
) -> np.ndarray:
    """Gives splits, which are in the order of classes, to examples.

    Args:
        y: int array `(n,)` of classes.
        num_classes: int.
        make_codes: function from a number of examples to their splits.
    """
    # Of any dtype, NumPy shuffles in the same order.
    shuffled = np.arange(len(y), dtype=np.min_scalar_type(len(y)))
    np.random.default_rng(splitting.SEED).shuffle(shuffled)
    counts = sum(
        np.bincount(y[part], minlength=num_classes) for part in slices(len(y))
    )
    # By class, and without the first of each class, see `splitting`.
    sizes = np.maximum(counts - 1, 0)
    codes = make_codes(int(sizes.sum()))
    split = np.full(len(y), TRAIN, np.uint8)
    first = np.cumsum(sizes) - sizes
    seen = np.zeros(num_classes, int)
    for part in slices(len(y)):
        examples = shuffled[part]
        labels = y[examples]
        for label in np.unique(labels):
            of_class = examples[labels == label]
            start = seen[label]
            seen[label] += len(of_class)
            of_class = of_class[int(start == 0) :]
            place = first[label] + max(start - 1, 0)
            split[of_class] = codes[place : place + len(of_class)]
    return split


def _codes_by_class(num_examples: int, size: int) -> np.ndarray:
    """The splits of examples that are sorted by class."""
    codes = np.full(size, TRAIN, np.uint8)
    num_test = round(num_examples / splitting.TEST_PART)
    for places in _evenly_spaced(size, num_test):
        codes[places] = TEST
    num_validation = round(
        (num_examples - num_test) / splitting.VALIDATION_PART
    )
    chosen = _evenly_spaced(size - min(num_test, size), num_validation)
    wanted = np.concatenate([*chosen, np.empty(0, int)])
    passed = 0
    for part in slices(size):
        free = np.flatnonzero(codes[part] == TRAIN)
        low, high = np.searchsorted(wanted, [passed, passed + len(free)])
        codes[part][free[wanted[low:high] - passed]] = VALIDATION
        passed += len(free)
    return codes


def _evenly_spaced(size: int, count: int) -> Iterator[np.ndarray]:
    """Yields the places that `splitting` chooses, some at a time."""
    count = min(count, size)
    for part in slices(count):
        steps = np.arange(part.start, part.stop)
        yield ((steps + 0.5) * size / max(count, 1)).astype(np.int64)


def slices(size: int) -> Iterator[slice]:
    """Yields slices of `AT_ONCE` places, which together are `range(size)`."""
    for start in range(0, size, AT_ONCE):
        yield slice(start, min(start + AT_ONCE, size))
