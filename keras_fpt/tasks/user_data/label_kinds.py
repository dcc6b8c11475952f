"""Finds what labels are: classes, fractions to predict, or several names."""

import shlex
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks.user_data import several_labels
from keras_fpt.tasks.user_data.tables import cells

# With fewer distinct numbers, fractions may be a mistake in a few labels.
MIN_DISTINCT = 10
# With more words than this share of the labels, numbers are classes as well.
MOST_WORDS = 0.25


def most_are_fractions(labels: Any) -> str | None:
    """The first fraction, if more than half of all labels are fractions.

    All must be numbers, of at least 10 values: a few labels such as 0.5 among
    classes that are whole numbers are a mistake.
    """
    array = np.asarray(labels)
    if array.dtype.kind not in "fUO":
        return None
    return find_fraction(*np.unique(array.astype(str), return_counts=True))


def have_one_class(
    distinct: np.ndarray, counts: np.ndarray, missing: Sequence[str] = ()
) -> bool:
    """Whether `targets.encode` finds that each example has one class.

    Args:
        distinct: array of strings, the different labels.
        counts: int array, how often each of them occurs.
        missing: sequence of strings, what marks missing labels.
    """
    known = distinct[~cells.is_missing(distinct, missing)].tolist()
    separator = several_labels.find_separator(known)
    return separator is None and find_fraction(distinct, counts) is None


def find_fraction(distinct: np.ndarray, counts: np.ndarray) -> str | None:
    """The first fraction of `most_are_fractions`, or `None`.

    Args:
        distinct, counts: as for `have_one_class`.
    """
    known = ~cells.is_missing(distinct)
    if known.sum() < MIN_DISTINCT:
        return None
    values = [cells.as_number(text) for text in distinct[known].tolist()]
    if None in values:
        return None
    is_fraction = np.array([v is not None and v % 1 != 0 for v in values])
    if 2 * counts[known][is_fraction].sum() <= counts.sum():
        return None
    return str(min(distinct[known][is_fraction].tolist()))


def check_no_word(
    labels: Any, where: Callable[[int], str], missing: Sequence[str] = ()
) -> None:
    """Checks that no label is a word where most are fractions.

    Else a single '<0.1' would make a class of each number.

    Args:
        labels: sequence of n labels.
        where: function from a label's index to words that say where it is.
        missing: sequence of strings, what marks missing labels.

    Raises:
        ValueError: there is such a word.
    """
    array = np.asarray(labels)
    if array.dtype.kind not in "UO" or array.ndim != 1:
        return
    texts = array.astype(str)
    found = find_word(*np.unique(texts, return_counts=True), missing)
    if found is not None:
        raise word_error(where(int(np.argmax(texts == found[0]))), *found)


def find_word(
    distinct: np.ndarray, counts: np.ndarray, missing: Sequence[str] = ()
) -> tuple[str, str] | None:
    """A word among labels that are mostly fractions, and a fraction.

    Args:
        distinct, counts, missing: as for `have_one_class`.
    """
    known = ~cells.is_missing(distinct, missing)
    values = [cells.as_number(text) for text in distinct[known].tolist()]
    is_word = np.array([value is None for value in values], bool)
    if not is_word.any():
        return None
    numbers = distinct[known][~is_word]
    fraction = find_fraction(numbers, counts[known][~is_word])
    share = counts[known][is_word].sum() / counts[known].sum()
    if fraction is None or share > MOST_WORDS:
        return None
    return str(distinct[known][is_word][0]), fraction


def word_error(where: str, word: str, fraction: str) -> ValueError:
    """The error about a word that `find_word` found."""
    return ValueError(
        f"{where}: the label '{word}' is not a number, but most labels are "
        f"fractions such as {fraction}. If it marks a missing label, name it "
        f"with missing (--missing {shlex.quote(word)} --drop-missing). If all "
        "labels are classes, use task_type='classification' (--task-type "
        "classification)."
    )


def note_of_columns(columns: Sequence[str]) -> str:
    """Says why columns of labels are numbers to predict."""
    return (
        f"a regression of {len(columns)} numbers, since the label columns "
        "hold others than 0 and 1"
    )


def note_of_fractions(fraction: str) -> str:
    """Says why labels are numbers to predict, of which one is given."""
    return (
        f"a regression, since most labels are fractions such as {fraction} "
        "(--task-type classification would refuse them)"
    )
