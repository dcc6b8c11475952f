"""The stratified split of so many examples that even indices are large."""

from collections.abc import Iterator

import numpy as np

from keras_fpt.tasks.user_data import splitting

TRAIN, VALIDATION, TEST = range(3)
AT_ONCE = 2**20


def stratified(y: np.ndarray, num_classes: int) -> np.ndarray:
    """Makes the split of `splitting.stratified`, in less memory.

    Args:
        y: int array `(n,)` of classes, of a small dtype.
        num_classes: int.

    Returns:
        uint8 array `(n,)`, the index in `splitting.SPLITS` of each example.
    """
    # Of any dtype, NumPy shuffles in the same order.
    shuffled = np.arange(len(y), dtype=np.min_scalar_type(len(y)))
    np.random.default_rng(splitting.SEED).shuffle(shuffled)
    counts = sum(
        np.bincount(y[part], minlength=num_classes) for part in slices(len(y))
    )
    # By class, and without the first of each class, see `splitting`.
    sizes = np.maximum(counts - 1, 0)
    codes = _codes_by_class(len(y), int(sizes.sum()))
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
