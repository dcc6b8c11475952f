"""What the audit of examples reads."""

from typing import Any, NamedTuple

import numpy as np


class Checked(NamedTuple):
    """The examples, as the audit receives them.

    Args:
        x: as in `Examples`, all examples.
        y: int array `(n,)` of classes.
        splits: dict from splits to int arrays of indices in `x`.
        groups: int array `(n,)`, or `None`.
        is_given: bool, whether the split was given, rather than drawn.
        is_by_row: bool, whether tokens are the cells of a row, rather than
            successive measurements.
        is_image: bool, whether examples are images.
        known: the kinds of what the reader has found.
        channel_names: the columns of a token, or those of the tokens of a row;
            an empty tuple if they have no names.
        symbols: what the integer tokens stand for; an empty tuple if that is
            not known.
    """

    x: Any
    y: np.ndarray
    splits: dict[str, np.ndarray]
    groups: np.ndarray | None = None
    is_given: bool = False
    is_by_row: bool = False
    is_image: bool = False
    known: frozenset[str] = frozenset()
    channel_names: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
