"""Finds columns of groups whose examples are in train and in test.

A column is one of groups by its name, such as `patient_id`, or, if it is no
input of the model, because its values tell the class too well for chance.
"""

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from keras_fpt.tasks.user_data.audit.findings import Finding, quote
from keras_fpt.tasks.user_data.targets import Labels

if TYPE_CHECKING:
    import pandas as pd

# Names of columns of people and other groups, in `snake` case.
GROUP_NAME = re.compile(
    r"(?:^|_)(?:user|subject|subj|individual|person|people|participant|"
    r"patient|speaker|recording|session|trial|family|cluster|scaffold|group|"
    r"donor|animal|mouse|site|hospital|device|video|slide)"
    r"(?:s|_?id|_?no|_?nr|_?number|_?name)?$"
)
# Fewer are kinds, such as school subjects, and no three splits.
MIN_GROUPS = 5
# Codes of classes, and finer classes, have fewer values for each class.
VALUES_PER_CLASS = 3
# The required evidence against chance, as -log of its probability.
SURE = 14.0


def snake(name: str) -> str:
    """A column's name in lower case, with underscores between its words."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


def is_named_group(name: str) -> bool:
    """Whether a column's name is one of groups."""
    return GROUP_NAME.search(snake(name)) is not None


def find_named(
    frame: "pd.DataFrame",
    known: Collection[str | None],
    train: np.ndarray,
    test: np.ndarray,
) -> list[Finding]:
    """Columns named like groups whose values are in train and in test.

    Args:
        frame: `pandas.DataFrame` of all columns, a row per example.
        known: strings or `None`s, the columns that are not looked at.
        train: int array, the rows of the train split.
        test: int array, the rows of the test split.

    Returns:
        A list of `Finding`s.
    """
    findings = []
    for name in frame.columns:
        if name in known or not is_named_group(name):
            continue
        codes, size = _groups(frame, name)
        shared = len(np.intersect1d(codes[train], codes[test])) if size else 0
        if shared:
            findings.append(named_finding(name, shared, size))
    return findings


def named_finding(
    name: str, shared: int, size: int, is_sample: bool = False
) -> Finding:
    """The finding about a column that is named like groups.

    Args:
        name: string, the column.
        shared: int, how many of its values are in train and in test.
        size: int, of how many values.
        is_sample: bool, whether the column has further values.
    """
    return Finding(
        "groups-across-splits",
        f"{shared:,} of the {_values(name, size, is_sample)} have rows in "
        "train and in test.",
        "If new data comes from others, keep each in one split: "
        f"--split-group {quote(name)}.",
        is_leak=True,
    )


def one_class_finding(
    name: str, shared: int, size: int, is_sample: bool = False
) -> Finding:
    """The finding about a column of which each value has one class.

    Args:
        name, shared, size, is_sample: as for `named_finding`.
    """
    return Finding(
        "groups-across-splits",
        f"Each of the {_values(name, size, is_sample)} occurs with one class "
        f"only, and {shared:,} of them are in train and in test.",
        "If they are recordings, people or other sources, and new "
        "data comes from others, keep each in one split: "
        f"--split-group {quote(name)}.",
    )


def _values(name: str, size: int, is_sample: bool) -> str:
    looked_at = " that were looked at" if is_sample else ""
    return f"{size:,} values of the column '{name}'{looked_at}"


def find_beside(
    frame: "pd.DataFrame",
    known: Collection[str | None],
    labels: Labels,
    splits: dict[str, np.ndarray],
) -> list[Finding]:
    """Columns of groups in a table whose other columns are no inputs.

    Such a table lists files, strings or records. Besides those that are named
    like groups, these are columns of which each value occurs with one class
    only, in too many examples for chance, as recordings and people do.

    Args:
        frame: `pandas.DataFrame` of all columns, a row per example.
        known: strings or `None`s, the columns that are not looked at.
        labels: `Labels` of the examples.
        splits: dict from splits to int arrays of rows.

    Returns:
        A list of `Finding`s.
    """
    train, test = splits["train"], splits["test"]
    findings = find_named(frame, known, train, test)
    if not labels.has_classes:
        return findings
    for name in frame.columns:
        if name in known or is_named_group(name):
            continue
        codes, size = _groups(frame, name)
        if size <= VALUES_PER_CLASS * len(labels.class_names):
            continue
        shared = len(np.intersect1d(codes[train], codes[test]))
        if shared and evidence(codes, size, labels) > SURE:
            findings.append(one_class_finding(name, shared, size))
    return findings


def _groups(frame: "pd.DataFrame", name: str) -> tuple[np.ndarray, int]:
    """The groups of a column, by number, -1 where missing, and how many.

    There are none if its values are too few or too many for groups.
    """
    import pandas as pd

    column = frame[name]
    codes, values = pd.factorize(column.where(column != ""))
    if not may_be_groups(len(values), len(codes)):
        return codes, 0
    # What has no group shares none.
    return np.where(codes < 0, len(values) + np.arange(len(codes)), codes), len(
        values
    )


def may_be_groups(size: int, num_examples: int) -> bool:
    """Whether a column has neither too few nor too many different values."""
    return MIN_GROUPS <= size <= num_examples / 2


def evidence(codes: np.ndarray, size: int, labels: Labels) -> float:
    """How unlikely it is that groups have one class each, by chance.

    Args:
        codes: int array `(n,)`, the group of each example; `size` or more
            where it has none.
        size: int, how many groups there are.
        labels: `Labels` of the n examples.

    Returns:
        Float, -log of the probability; 0 if a group has several classes.
    """
    is_grouped = codes < size
    codes, y = codes[is_grouped], labels.y[is_grouped]
    if len(np.unique(np.stack([codes, y]), axis=1)[0]) > size:
        return 0.0
    return surprise(np.bincount(codes), np.bincount(labels.y))


def surprise(sizes: np.ndarray, class_counts: np.ndarray) -> float:
    """-log of the probability that groups have one class each, by chance.

    Args:
        sizes: int array, the number of examples of each group.
        class_counts: int array, the number of examples of each class.
    """
    # That of a group of n is the sum of the shares of classes to the power n.
    shares = class_counts[class_counts > 0] / class_counts.sum()
    numbers, counts = np.unique(sizes, return_counts=True)
    chances = [special.logsumexp(number * np.log(shares)) for number in numbers]
    return float(-(counts * chances).sum())
