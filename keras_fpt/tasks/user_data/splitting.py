"""Fixed splits of a person's own data."""

import numpy as np

SPLITS = ("train", "validation", "test")
TEST_PART = 5  # a fifth
VALIDATION_PART = 10  # a tenth of the rest
SEED = 0


def stratified(y):
    """A fixed, seeded split that keeps the share of each class.

    A fifth is test, and a tenth of the rest validation. The first example of
    each class, in the shuffled order, is always a training example.

    Args:
        y: int array `(n,)` of classes.

    Returns:
        A dict from `train`, `validation` and `test` to sorted int arrays of
        places in `y`.
    """
    rest = _rest_by_class(y)
    num_test = round(len(y) / TEST_PART)
    test = _spread(rest, num_test)
    # Those that are left are still in the order of their classes.
    rest = rest[~np.isin(rest, test)]
    validation = _spread(rest, round((len(y) - num_test) / VALIDATION_PART))
    train = np.ones(len(y), bool)
    train[test] = train[validation] = False
    return {
        "train": np.flatnonzero(train),
        "validation": np.sort(validation),
        "test": np.sort(test),
    }


def _spread(ordered, count):
    """Evenly spaced elements."""
    count = min(count, len(ordered))
    return ordered[
        ((np.arange(count) + 0.5) * len(ordered) / max(count, 1)).astype(int)
    ]


def chronological(size):
    """The last fifth for test, a tenth of the rest before it for validation.

    Returns:
        As `stratified` does.
    """
    test = size - size // TEST_PART
    validation = test - test // VALIDATION_PART
    places = np.arange(size)
    return dict(zip(SPLITS, np.split(places, [validation, test]), strict=True))


def given(names, y, where):
    """Splits as a column or folders name them.

    Where none is for validation, it is a fixed, seeded, stratified tenth of
    train.

    Args:
        names: list of n strings: `train`, `validation` (`valid`, `val`),
            `test`.
        y: int array `(n,)` of classes.
        where: function from a place to words, for errors.

    Raises:
        ValueError: an unknown name, or not as many as examples.
    """
    if len(names) != len(y):
        raise ValueError(
            f"Expected {len(y):,} names of splits but received {len(names):,}."
        )
    known = {name: name for name in SPLITS}
    known |= {"val": "validation", "valid": "validation"}
    places = {name: [] for name in SPLITS}
    for place, name in enumerate(names):
        if name not in known:
            raise ValueError(
                f"{where(place)}: unknown split '{name}'. Expected train, "
                "validation or test."
            )
        places[known[name]].append(place)
    places = {name: np.array(value, int) for name, value in places.items()}
    if not len(places["validation"]):
        train = places["train"]
        held_out = _spread(
            _rest_by_class(y[train]), round(len(train) / VALIDATION_PART)
        )
        places["validation"] = np.sort(train[held_out])
        places["train"] = np.delete(train, held_out)
    return places


def _rest_by_class(y):
    """Shuffled places by class, without the first of each class."""
    shuffled = np.random.default_rng(SEED).permutation(len(y))
    by_class = shuffled[np.argsort(y[shuffled], kind="stable")]
    is_first = np.diff(y[by_class], prepend=-1) != 0
    return by_class[~is_first]


def check(places, y, class_names):
    """Checks that no split is empty and that train has every class.

    Raises:
        ValueError: it is not so.
    """
    for name, chosen in places.items():
        if not len(chosen):
            raise ValueError(
                f"The {name} split has no example: {len(y)} examples are too "
                "few, or are split so."
            )
    counts = np.bincount(y[places["train"]], minlength=len(class_names))
    if not counts.all():
        raise ValueError(
            f"The class '{class_names[np.argmin(counts)]}' has no training "
            "example."
        )
