"""Finds columns of a table that each predict the class."""

import contextlib
import math
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

from keras_fpt.tasks.user_data.audit.audited_table import Table
from keras_fpt.tasks.user_data.audit.findings import (
    Finding,
    ignore,
    name_columns,
)

# The required evidence against chance, as -log of its probability: for the
# values of one column, and for a tree, before the number of columns is added.
SURE = 14.0
SURE_OF_TREE = 9.0
# The number of rows by which columns of few values are found.
GLANCE = 20_000
# Rows times columns that trees see, in train and in test.
CELLS = 500_000
MAX_ROWS = 20_000
MIN_SAMPLE = 200
SOLVED = 0.99
# Test rows, of which fewer tell too little, and folds for those.
FEW = 100
FOLDS = 5


class Score(NamedTuple):
    """How well a tree predicts the class from one column.

    Args:
        accuracy: float, on held-out rows.
        majority: float, the accuracy of the majority class of train.
        train_accuracy: float, on the train rows.
        is_sure: bool, whether such an accuracy by chance is ruled out.
    """

    accuracy: float
    majority: float
    train_accuracy: float
    is_sure: bool

    @property
    def is_above_chance(self) -> bool:
        """Whether it is clearly better than the majority class."""
        return self.is_sure and self.accuracy - self.majority > 0.05

    @property
    def solves(self) -> bool:
        """Whether the other columns add nothing."""
        return (
            min(self.accuracy, self.train_accuracy) >= SOLVED
            and self.is_above_chance
        )

    @property
    def words(self) -> str:
        """The score as the end of a sentence."""
        return (
            f"alone predicts {self.accuracy:.1%} of the held-out rows "
            f"(majority class {self.majority:.1%})"
        )


def find_twins(table: Table) -> tuple[list[Finding], set[str]]:
    """Finds columns of few values that determine the label.

    Args:
        table: an `audited_table.Table`.

    Returns:
        A list of `Finding`s, and the columns that they name.
    """
    twins = []
    units = _units(table)
    for name, column in zip(table.columns, table.values.T, strict=True):
        codes = _few_values(column)
        if codes is None:
            continue
        counts = _crosstab(codes, table.labels, len(table.class_names))
        if _is_pure(counts, units):
            twins.append(name)
    indicators = {} if twins else _find_indicators(table, units)
    findings = []
    if twins:
        findings.append(
            Finding(
                "label-twin",
                f"{name_columns(twins, 'alone determines', 'each determine')} "
                "the class: each value occurs with one class only.",
                f"If it is made from the label, leave it out: {ignore(twins)}",
                is_leak=True,
            )
        )
    named = sorted(
        {*sum(indicators.values(), [])}, key=list(table.columns).index
    )
    if named:
        classes = " or ".join(table.class_names[c] for c in indicators)
        findings.append(
            Finding(
                "label-indicators",
                f"{name_columns(named, 'tells', 'together tell')} exactly "
                f"which rows have the class {classes}, as one-hot labels do.",
                f"If made from the label, leave out: {ignore(named)}",
                # One perfect feature of one class may be a fact of nature.
                is_leak=len(named) > 1
                and len(indicators) >= len(table.class_names) - 1,
            )
        )
    return findings, {*twins, *named}


def find_solvers(table: Table) -> list[Finding]:
    """Finds columns from each of which a small tree predicts the class.

    Args:
        table: an `audited_table.Table`.

    Returns:
        A list of `Finding`s.
    """
    findings = []
    for index, name in enumerate(table.columns):
        score = tree_score(table, index)
        if score is not None and score.solves:
            findings.append((name, score))
    return [
        Finding(
            "one-column-solves",
            f"The column '{name}' {score.words}, by a small tree.",
            "Nothing else needs to be learned: if new data lacks the column, "
            f"leave it out: {ignore([name])}",
        )
        for name, score in findings[:3]
    ]


def tree_score(table: Table, index: int) -> Score | None:
    """How well a small tree predicts the class from one column.

    It grows from a sample of the train rows, and is judged by a sample of the
    test rows, or, if these are few, by cross-validation on both.

    Args:
        table: an `audited_table.Table`.
        index: int, the column.

    Returns:
        A `Score`, or `None` if there are too few rows.
    """
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.tree import DecisionTreeClassifier

    size = min(MAX_ROWS, max(MIN_SAMPLE, CELLS // table.values.shape[1]))
    train, test = _sample(table.train, size), _sample(table.test, size)
    if len(train) < 8 or len(test) < 2:
        return None
    column, labels = table.values[:, index : index + 1], table.labels
    tree = DecisionTreeClassifier(
        max_leaf_nodes=min(4 * len(table.class_names), 256),
        min_samples_leaf=2,
        random_state=0,
    )
    with _quiet():
        tree.fit(column[train], labels[train])
    in_train = float(np.mean(tree.predict(column[train]) == labels[train]))
    majority = int(np.bincount(labels[train]).argmax())
    score = _score(table, test, tree.predict(column[test]), majority, in_train)
    is_alone = table.groups is None and not table.is_series
    if score.is_sure or not is_alone or len(test) >= FEW or in_train < SOLVED:
        return score
    # More rows tell more: each is predicted from the others.
    rows = np.concatenate([train, test])
    folds = KFold(FOLDS, shuffle=True, random_state=0)
    with _quiet():
        answers = cross_val_predict(tree, column[rows], labels[rows], cv=folds)
    return _score(table, rows, answers, majority, in_train)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps scikit-learn from warning of many classes, which users chose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _score(
    table: Table,
    rows: np.ndarray,
    answers: np.ndarray,
    majority: int,
    train_accuracy: float,
) -> Score:
    """The score of a tree's answers for some rows."""
    labels = table.labels[rows]
    accuracy = float(np.mean(answers == labels))
    base = float(np.mean(labels == majority))
    # Rows of one group, or of a stretch with one label, count as one.
    surprise = _count_units(table, rows) * _divergence(accuracy, base)
    is_sure = surprise > SURE_OF_TREE + math.log(len(table.columns))
    return Score(accuracy, base, train_accuracy, is_sure)


def _sample(rows: np.ndarray, size: int) -> np.ndarray:
    """Some of the rows, evenly spaced."""
    if len(rows) <= size:
        return rows
    return rows[np.linspace(0, len(rows) - 1, size).astype(int)]


def _divergence(accuracy: float, base: float) -> float:
    """The Chernoff bound's exponent for a share of hits above its mean."""
    if accuracy <= base or base <= 0:
        return 0.0
    total = accuracy * math.log(accuracy / base)
    if accuracy < 1:
        total += (1 - accuracy) * math.log((1 - accuracy) / (1 - base))
    return total


def _units(table: Table) -> np.ndarray:
    """The number of independent rows, or groups of rows, of each class."""
    labels, size = table.labels, len(table.class_names)
    if table.groups is not None:
        pairs = np.unique(np.stack([table.groups, labels]), axis=1)
        labels = pairs[1]
    return np.bincount(labels, minlength=size)


def _count_units(table: Table, rows: np.ndarray) -> int:
    """The number of independent units of a split."""
    labels = table.labels[rows]
    if table.groups is not None:
        pairs = np.stack([table.groups[rows], labels])
        return np.unique(pairs, axis=1).shape[1]
    if table.is_series:
        return int(np.count_nonzero(np.diff(labels))) + 1
    return len(rows)


def _few_values(column: np.ndarray) -> np.ndarray | None:
    """Numbers for the values of a column, if these are few."""
    import pandas as pd

    glance = column[:GLANCE]
    if len(np.unique(glance)) > max(2, len(glance) / 4):
        return None
    codes, values = pd.factorize(column)
    return codes if 2 <= len(values) <= len(column) / 4 else None


def _crosstab(
    codes: np.ndarray, labels: np.ndarray, num_classes: int
) -> np.ndarray:
    size = codes.max() + 1
    flat = np.bincount(
        codes * num_classes + labels, minlength=size * num_classes
    )
    return flat.reshape(size, num_classes)


def _is_pure(counts: np.ndarray, units: np.ndarray) -> bool:
    """Whether each value has one class, and chance is ruled out.

    Of all ways to give the labels to the units, at most classes ** values
    are pure.
    """
    if (np.count_nonzero(counts, axis=1) > 1).any():
        return False
    ways = gammaln(units.sum() + 1) - gammaln(units + 1).sum()
    return len(counts) * math.log(len(units)) < ways - SURE


def _find_indicators(table: Table, units: np.ndarray) -> dict[int, list[str]]:
    """Columns of two values that are one-hot copies of classes.

    Those that copy a class together never have their value in one row, and
    have it in exactly the rows of the class.

    Returns:
        A dict from classes to columns.
    """
    marks = [
        (name, column == value)
        for name, column in zip(table.columns, table.values.T, strict=True)
        if (values := _two_values(column)) is not None
        for value in values
    ]
    found = {}
    n = units.sum()
    for label, count in enumerate(units):
        ways = gammaln(n + 1) - gammaln(count + 1) - gammaln(n - count + 1)
        left = table.labels == label
        names: list[str] = []
        for name, mark in sorted(marks, key=lambda item: -item[1].sum()):
            if name not in names and not (mark & ~left).any():
                left = left & ~mark
                names.append(name)
        # Every further column is one more choice among all of them.
        choices = len(names) * math.log(2 * len(marks) + 2)
        if names and not left.any() and choices < ways - SURE:
            found[label] = names
    return found


def _two_values(column: np.ndarray) -> tuple[float, float] | None:
    low, high = column.min(), column.max()
    is_binary = ((column == low) | (column == high)).all()
    return (low, high) if is_binary and low < high else None
