"""Cells of a table: whether they are missing, and their numbers."""

import decimal
import numbers
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

# In lower case.
MISSING = ("", "nan", "na", "n/a", "none", "null", "<na>")
BOOLEANS = (
    ("false", "true"),
    ("no", "yes"),
    ("f", "t"),
    ("n", "y"),
)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def as_words(missing: Any) -> tuple[str, ...]:
    """The marks of missing cells, as strings.

    Args:
        missing: string or number, or a sequence of them; `None` for none.
    """
    if missing is None:
        return ()
    if isinstance(missing, str | numbers.Real):
        return (str(missing),)
    return tuple(map(str, missing))


def is_missing(values: Any, words: Any = ()) -> np.ndarray:
    """Finds the cells that are missing.

    Args:
        values: sequence of n strings, or of values that pandas treats as
            missing.
        words: marks of missing cells in addition to `MISSING`, see `as_words`.
            A number also stands for its other spellings: -200 for -200.0.

    Returns:
        bool array `(n,)`.
    """
    import pandas as pd

    words = as_words(words)
    texts = pd.Series(values, dtype=str).str.strip().str.lower()
    known = [*MISSING, *(word.strip().lower() for word in words)]
    missing = texts.isna() | texts.isin(known)
    floats = as_floats(words)
    if floats:
        parsed = pd.to_numeric(texts.astype(object), errors="coerce")
        missing |= parsed.isin(floats)
    return np.array(missing, bool)


def as_floats(words: Sequence[str]) -> list[float]:
    """The words that are numbers, as numbers."""
    return [float(word) for word in words if as_number(word) is not None]


def as_number(text: str) -> decimal.Decimal | None:
    """The exact value of a finite number, or `None` if it is not one."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return decimal.Decimal(text)
    except decimal.DecimalException:  # an exponent of too many digits
        return None


def are_booleans(texts: Any) -> bool:
    """Whether all texts are of one pair of `BOOLEANS`, or 0 and 1 beside it.

    Args:
        texts: `pandas.Series` of strings.
    """
    lowered = {*texts.str.lower().unique().tolist()} - {"0", "1"}
    return any(lowered <= set(pair) for pair in BOOLEANS)
