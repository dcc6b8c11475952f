"""Finds columns with misleading numbers: sentinels and constants."""

from collections.abc import Sequence

import numpy as np

from keras_fpt.tasks.user_data.audit.audited_table import Table
from keras_fpt.tasks.user_data.audit.findings import (
    Finding,
    ignore,
    name_columns,
    quote,
)

# Numbers that are used for missing values.
KNOWN = (-9, -99, -200, -999, -9999, -99999, -32768, 999, 9999, 99999, 999999)
# Numbers from which on -1 marks what is missing, as an age.
AGES = 10
FAR = 3.0
REPEATS = 3
OUT_OF_RANGE = 0.2
MIN_TEST = 20
UNLIKELY = 1e-3


def constant_columns(table: Table) -> list[str]:
    """The columns with only one value."""
    is_constant = np.ptp(table.values, axis=0) == 0
    return [
        name
        for name, found in zip(table.columns, is_constant, strict=True)
        if found
    ]


def constant_in_train(table: Table) -> list[str]:
    """The columns of one value in the train rows, and of others elsewhere."""
    is_constant = np.ptp(table.values[table.train], axis=0) == 0
    return [
        name
        for name, found in zip(table.columns, is_constant, strict=True)
        if found
    ]


def find_constants(
    constant: Sequence[str], in_train: Sequence[str]
) -> list[Finding]:
    """Findings about the columns that the functions above return."""
    findings = []
    if constant:
        findings.append(
            Finding(
                "constant-column",
                f"{name_columns(constant, 'has', 'have')} only one value.",
                f"Leave out what is constant: {ignore(constant)}",
            )
        )
    if in_train:
        findings.append(
            Finding(
                "constant-in-train",
                f"{name_columns(in_train, 'is', 'are')} constant in train but "
                "not in the other splits.",
                "A model cannot learn what it means. Leave out: "
                f"{ignore(in_train)}",
            )
        )
    return findings


def find_sentinels(table: Table) -> list[Finding]:
    """Columns whose extreme repeats and lies far off the rest."""
    found: dict[float, list[str]] = {}
    for name, column in zip(table.columns, table.values.T, strict=True):
        for value in sentinels(column):
            found.setdefault(value, []).append(name)
    findings = []
    for value, names in found.items():
        columns = [list(table.columns).index(name) for name in names]
        share = np.mean(table.values[:, columns] == value)
        text = table.spell(names[0], value)
        findings.append(
            Finding(
                "sentinel",
                f"{name_columns(names, 'holds', 'hold')} {text} in "
                f"{share:.1%} of the rows, far off all other values.",
                f"If it marks missing values: --missing {quote(text)} --fill "
                "median.",
            )
        )
    return findings


def sentinels_in_targets(values: np.ndarray) -> list[Finding]:
    """Finds numbers to predict that may mark missing labels.

    Args:
        values: float array `(n, targets)`.
    """
    found = {
        value
        for column in np.asarray(values, float).T
        for value in sentinels(column)
        if _is_beyond(value, column[column != value])
    }
    return [
        Finding(
            "sentinel",
            f"{np.mean(values == value):.1%} of the labels are {value:.15g}, "
            "far off all others.",
            f"If it marks missing labels: --missing {value:.15g} "
            "--drop-missing.",
        )
        for value in sorted(found)
    ]


def _is_beyond(value: float, others: np.ndarray) -> bool:
    """Whether a number is farther from all others than they are apart."""
    return np.abs(others - value).min() > np.ptp(others)


def sentinels(column: np.ndarray) -> list[float]:
    """Up to two extremes of a column that repeat and lie far off."""
    found: list[float] = []
    rest = column
    for _ in range(2):
        for value, is_low in ((rest.min(), True), (rest.max(), False)):
            others = rest[rest != value]
            repeats = len(rest) - len(others)
            if repeats < REPEATS or value != np.round(value):
                continue
            if _is_far(value, others, is_low):
                found.append(float(value))
                rest = others
                break
        else:
            break
    return found


def _is_far(value: float, others: np.ndarray, is_low: bool) -> bool:
    if not len(others):
        return False
    low, high = others.min(), others.max()
    if low == high or len(np.unique(others[:1000])) < REPEATS:
        return False
    gap = low - value if is_low else value - high
    # Beside a few small numbers, -1 may be one more.
    if value == -1 and is_low and low >= AGES:
        return True
    if value in KNOWN:
        # A negative number among measurements that cannot be negative.
        return gap > high - low or (is_low and low >= 0 and value < 0)
    return gap > FAR * (high - low)


def find_out_of_range(table: Table) -> list[Finding]:
    """Columns whose test values lie outside the range of train."""
    if len(table.test) < MIN_TEST or len(table.train) < MIN_TEST:
        return []
    train, test = table.values[table.train], table.values[table.test]
    low, high = train.min(axis=0), train.max(axis=0)
    is_outside = (test < low) | (test > high)
    share = is_outside.mean(axis=0)
    found = [
        (name, part)
        for index, (name, part) in enumerate(
            zip(table.columns, share, strict=True)
        )
        if part > OUT_OF_RANGE
        and _is_beyond_chance(is_outside[:, index], table)
    ]
    return [
        Finding(
            "outside-train-range",
            f"In {part:.0%} of the test rows, the column '{name}' is outside "
            "the range of the train rows.",
            "A model has seen no such values. If it drifts with time, give "
            f"changes instead of levels, or leave it out: {ignore([name])}",
        )
        for name, part in found[:3]
    ]


def _is_beyond_chance(is_outside: np.ndarray, table: Table) -> bool:
    """Whether so many groups of test are outside by more than chance.

    That one group lies beyond all groups of train has the probability
    2 / (groups of train + 1).
    """
    from scipy import stats

    if table.groups is None:
        return True
    groups = table.groups[table.test]
    count = len(np.unique(groups[is_outside]))
    likely = 2 / (len(np.unique(table.groups[table.train])) + 1)
    by_chance = stats.binom.sf(count - 1, len(np.unique(groups)), likely)
    return by_chance < UNLIKELY / len(table.columns)
