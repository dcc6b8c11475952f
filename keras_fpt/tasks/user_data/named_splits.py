"""The examples of each split, by the split's name of each example."""

from collections.abc import Callable, Sequence

import numpy as np

SPLITS = ("train", "validation", "test")


def numbered(names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """The index of each name in the different ones, and these."""
    import pandas as pd

    codes, distinct = pd.factorize(
        np.asarray(names, object), use_na_sentinel=False
    )
    return codes, [*map(str, distinct)]


def by_code(
    codes: np.ndarray,
    names: Sequence[str],
    y: np.ndarray,
    where: Callable[[int], str],
) -> dict[str, np.ndarray]:
    """The examples of each split.

    Args:
        codes: int array `(n,)`, the index in `names` of each example.
        names: sequence of strings: `train`, `validation` (`valid`, `val`),
            `test`.
        y: int array `(n,)` of classes.
        where: function from an example's index to words that say where it
            is.

    Returns:
        A dict from `SPLITS` to sorted int arrays of indices.

    Raises:
        ValueError: a name is unknown, or there are not as many names as
            examples.
    """
    if len(codes) != len(y):
        raise ValueError(
            f"Expected {len(y):,} names of splits but received {len(codes):,}."
        )
    known = {name: code for code, name in enumerate(SPLITS)}
    known |= {"val": known["validation"], "valid": known["validation"]}
    code_of = np.array([known.get(name, -1) for name in names], np.int8)
    found = code_of[codes]
    if (found < 0).any():
        index = int(np.argmax(found < 0))
        raise ValueError(
            f"{where(index)}: unknown split '{names[codes[index]]}'. Expected "
            "train, validation or test."
        )
    return {
        name: np.flatnonzero(found == code) for code, name in enumerate(SPLITS)
    }
