"""Several labels per example: columns of 0 and 1, or names in one cell."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from keras_fpt.tasks.user_data.tables import cells

# What stands between the names in a cell. The first that is in a cell is
# taken; unless it is one of the first two, only where labels are said to be
# several, since names of classes have commas and spaces, too.
SEPARATORS = (";", "|", ",", " ")
TELLING = SEPARATORS[:2]
WORDS = {"true": 1, "yes": 1, "false": 0, "no": 0}
NEITHER = -1
# The number of examples that are processed at a time.
AT_ONCE = 2**20
_LIST = re.compile(r"\s*[\[({](.*)[\])}]\s*", re.DOTALL)
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
EMPTY_ADVICE = (
    "Write [] where an example has none of the labels, or leave such examples "
    "out with drop_missing (--drop-missing)."
)


class Several(NamedTuple):
    """Which labels each example has.

    Args:
        indicators: int8 array `(n, labels)` of 0 and 1.
        names: tuple of strings, the labels' names.
        note: string, what the user should know.
    """

    indicators: np.ndarray
    names: tuple[str, ...]
    note: str


def as_indicators(labels: np.ndarray) -> np.ndarray:
    """Labels as 0 and 1.

    Args:
        labels: array of numbers, or of texts such as 0, 1.0, true or no.

    Returns:
        int8 array of the same shape, -1 where a label is neither.
    """
    if labels.dtype.kind in "biuf":
        return np.where(
            labels == 1, 1, np.where(labels == 0, 0, NEITHER)
        ).astype(np.int8)
    distinct, inverse = np.unique(labels.astype(str), return_inverse=True)
    values = [_as_indicator(text) for text in distinct.tolist()]
    return np.array(values, np.int8)[inverse.reshape(labels.shape)]


def _as_indicator(text: str) -> int:
    text = text.strip().lower()
    number = cells.as_number(text)
    if number is not None:
        return int(number) if number in (0, 1) else NEITHER
    return WORDS.get(text, NEITHER)


def is_one_hot(indicators: np.ndarray) -> bool:
    """Whether each example has one of several labels, and no other."""
    return indicators.shape[1] > 1 and all(
        (indicators[start : start + AT_ONCE].sum(axis=1) == 1).all()
        for start in range(0, len(indicators), AT_ONCE)
    )


def from_columns(
    labels: np.ndarray,
    names: Sequence[str],
    where: Callable[[int], str],
    missing: Sequence[str] = (),
) -> Several:
    """Labels from columns of 0 and 1.

    Args:
        labels: array `(n, labels)`.
        names: sequence of strings, the columns; if there are none, labels are
            named by their numbers.
        where: function from an example's index to words that say where it is.
        missing: strings that mark missing labels.

    Raises:
        ValueError: a label is neither 0 nor 1.
    """
    found = as_indicators(labels)
    what = "column" if names else "label"
    names = tuple(names) or tuple(map(str, range(labels.shape[1])))
    wrong = np.argwhere(found == NEITHER)
    if len(wrong):
        row, column = map(int, wrong[0])
        cell = labels[row, column]
        place = f"{where(row)}, {what} '{names[column]}'"
        if cells.is_missing([str(cell)], missing)[0]:
            raise ValueError(
                f"{place}: the label is missing ('{cell}'). Fill it in, or "
                "leave such examples out with drop_missing (--drop-missing)."
            )
        raise ValueError(
            f"{place}: expected 0 or 1 (or false or true), which say whether "
            f"an example has the label, but received '{cell}'. To predict "
            "numbers, use task_type='regression' (--task-type regression)."
        )
    note = f"{found.shape[1]} labels of 0 and 1: an example may have several"
    return Several(found, names, note)


def find_separator(distinct: Sequence[str]) -> str | None:
    """What stands between names, where cells tell that they hold several.

    It is told by lists in brackets in all cells; or by cells with `;` or `|`,
    if each of the names between them is also in another cell.

    Args:
        distinct: sequence of different strings.

    Returns:
        A separator, which for lists is `"["`; or `None`.
    """
    if not len(distinct):
        return None
    if all(_LIST.fullmatch(cell) for cell in distinct):
        return "["
    for separator in TELLING:
        several = [cell for cell in distinct if separator in cell]
        if not several:
            continue
        cells_of: dict[str, int] = {}
        for cell in distinct:
            for name in split(cell, separator):
                cells_of[name] = cells_of.get(name, 0) + 1
        found = [split(cell, separator) for cell in several]
        if all(len(names) > 1 for names in found) and all(
            cells_of[name] > 1 for names in found for name in names
        ):
            return separator
    return None


def split(cell: str, separator: str | None) -> list[str]:
    """The names in a cell, each once.

    Args:
        cell: string; a list in brackets is read as one, whatever separates
            the names in other cells.
        separator: string, or `None` if a cell is one name.
    """
    inner = _LIST.fullmatch(cell)
    if inner is not None:
        text = inner[1]
        quoted = _QUOTED.findall(text)
        parts = (
            [first or second for first, second in quoted]
            if quoted
            else text.split(",")
        )
    else:
        parts = [cell] if separator is None else cell.split(separator)
    return list(dict.fromkeys(p.strip() for p in parts if p.strip()))


def from_cells(
    labels: np.ndarray,
    where: Callable[[int], str],
    separator: str | None = None,
    missing: Sequence[str] = (),
    known: Sequence[str] | None = None,
) -> Several:
    """Labels from cells that hold several names.

    Args:
        labels: array `(n,)` of strings.
        where: function from an example's index to words that say where it is.
        separator: string; `None` finds it.
        missing: strings that mark missing labels.
        known: sequence of strings, the names of the training; `None` takes
            all names that are found, sorted.

    Raises:
        ValueError: a label is missing, or not known.
    """
    texts = labels.astype(str)
    distinct, first, inverse = np.unique(
        texts, return_index=True, return_inverse=True
    )
    is_missing = cells.is_missing(distinct, missing)
    if is_missing.any():
        row = int(first[is_missing].min())
        raise ValueError(
            f"{where(row)}: the label is missing ('{texts[row]}'). "
            f"{EMPTY_ADVICE}"
        )
    if separator is None:
        separator = _separator(distinct.tolist(), known)
    found = [split(cell, separator) for cell in distinct.tolist()]
    names = sorted({name for each in found for name in each})
    if known is not None:
        unknown = sorted(set(names) - set(known))
        if unknown:
            row = min(
                int(first[i])
                for i, each in enumerate(found)
                if unknown[0] in each
            )
            raise ValueError(
                f"{where(row)}: the label '{unknown[0]}' is not one of the "
                f"run's labels, {', '.join(known)}."
            )
        names = list(known)
    index_of = {name: index for index, name in enumerate(names)}
    rows = np.zeros((len(distinct), len(names)), np.int8)
    for indicators, each in zip(rows, found, strict=True):
        indicators[[index_of[name] for name in each]] = 1
    between = (
        "lists"
        if separator in (None, "[")
        else f"names with '{separator}' between them"
    )
    return Several(
        rows[inverse.reshape(texts.shape)],
        tuple(names),
        f"{len(names)} labels, from cells of {between}: an example may have "
        "several (--task-type classification takes each cell as one class)",
    )


def _separator(
    distinct: Sequence[str], known: Sequence[str] | None
) -> str | None:
    """What stands between the names in some of the cells, or `None`."""
    used = [s for s in SEPARATORS if any(s in cell for cell in distinct)]
    if known is None:
        return find_separator(distinct) or next(iter(used), None)
    for separator in (None, *used):
        names = {name for cell in distinct for name in split(cell, separator)}
        if names <= set(known):
            return separator
    return next(iter(used), None)


def strata(
    indicators: np.ndarray, names: Sequence[str]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Classes by which examples are split: the rarest label that each has.

    So the few examples of a rare label are shared between the splits.

    Args:
        indicators: int8 array `(n, labels)`.
        names: sequence of strings.

    Returns:
        A tuple: int32 array `(n,)`, and the classes' names.
    """
    order = np.argsort(indicators.sum(axis=0, dtype=int), kind="stable")
    rarest = np.empty(len(indicators), np.min_scalar_type(len(names)))
    counts = np.zeros(len(names) + 1, int)
    for start in range(0, len(indicators), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        ordered = indicators[part, order]
        rarest[part] = np.where(
            ordered.any(axis=1), order[ordered.argmax(axis=1)], len(names)
        )
        counts += np.bincount(rarest[part], minlength=len(counts))
    found = np.flatnonzero(counts)
    place = np.cumsum(counts > 0, dtype=np.int32) - 1
    of_class = [*names, "none"]
    return place[rarest], tuple(of_class[i] for i in found)
