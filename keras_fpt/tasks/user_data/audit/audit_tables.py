"""Audits the columns of a table that become a model's inputs.

Every look is cheap: columns are sorted or counted once, and trees grow from a
sample of the rows. A column that is found twice is named once, by the first
of the looks.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks.user_data.audit import (
    audit_groups,
    audit_labels,
    audit_overlaps,
    audit_values,
)
from keras_fpt.tasks.user_data.audit.audited_table import Table, spell_number
from keras_fpt.tasks.user_data.audit.findings import (
    Finding,
    ignore,
    name_columns,
    quote,
)
from keras_fpt.tasks.user_data.tables import cells

if TYPE_CHECKING:
    import pandas as pd

# Names of columns of IDs.
ID_NAME = re.compile(r"(?:^|_)(?:id|ids|uuid|index|idx|key|serial|row|nr|no)$")
FOLD_NAME = re.compile(r"(?:fold|split|part|cv)[ _-]*\d+$|\d+[ _-]?fold$")
SPLIT_NAMES = {"train", "training", "test", "testing", "val", "validation"}
MIN_ROWS = 10
# What rows below a table say that sum it up.
TOTAL = re.compile(
    r"(?:grand |sub-?)?totals?|sums?|averages?|avg|means?|overall|all|"
    r"gesamt(?:summe)?|summe|insgesamt|mittelwert|somme|moyenne|totale?",
    re.IGNORECASE,
)
# The required evidence against chance, as -log of its probability.
SURE = 14.0


def audit_table(
    frame: "pd.DataFrame",
    values: np.ndarray,
    columns: Sequence[str],
    labels: np.ndarray,
    class_names: Sequence[str],
    train_rows: np.ndarray,
    test_rows: np.ndarray,
    keys: Sequence[str] = (),
    is_by_row: bool = True,
    kept_together: Sequence[str] = (),
    is_category: np.ndarray | None = None,
) -> list[Finding]:
    """Audits a table and its split.

    Args:
        frame: `pandas.DataFrame` of all columns.
        values: float array `(rows, columns)`, the inputs as in the file.
        columns: sequence of strings, the columns of the inputs.
        labels: int array `(rows,)` of classes.
        class_names: sequence of strings.
        train_rows: int array of the rows in training sequences.
        test_rows: int array of the rows in test sequences.
        keys: sequence of strings, the columns that group rows.
        is_by_row: bool, whether each row is a sequence.
        kept_together: sequence of strings, columns of groups that are kept in
            one split, and other columns that are known.
        is_category: bool array `(columns,)`, whether a column's numbers stand
            for texts; `None` if none do.

    Returns:
        A list of `Finding`s.
    """
    groups = None
    if keys:
        groups = frame.groupby(list(keys), sort=False).ngroup().to_numpy()

    def spell(name: str, value: float) -> str:
        """Dates as they are in the file."""
        row = int(np.argmax(values[:, list(columns).index(name)] == value))
        cell = str(frame[name].iloc[row])
        is_number = cells.as_number(cell) is not None
        return spell_number(name, value) if is_number else cell

    table = Table(
        values,
        columns,
        labels,
        class_names,
        train_rows,
        test_rows,
        groups,
        not is_by_row,
        () if is_category is None else tuple(np.array(columns)[is_category]),
        spell=spell,
    )
    findings = [*find_in_table(table.labeled()), *find_total(frame)]
    if is_by_row:
        known = {*keys, *kept_together}
        findings += audit_groups.find_named(
            frame, known, table.train, table.test
        )
    return findings


def find_total(
    frame: "pd.DataFrame", others: Sequence["pd.DataFrame"] = ()
) -> list[Finding]:
    """Finds a last row that says that it sums up the others, in any column.

    Args:
        frame: `pandas.DataFrame` of the last rows, or of all.
        others: sequence of `pandas.DataFrame`s of other rows, which do not
            have the word, either.
    """
    last = frame.iloc[-1]
    for name in frame.columns:
        word = str(last[name]).strip().rstrip(":")
        if not TOTAL.fullmatch(word):
            continue
        parts = [part[name] for part in (frame, *others) if name in part]
        if sum((part == last[name]).sum() for part in parts) == 1:
            return [
                Finding(
                    "total-row",
                    f"The last row holds '{last[name]}' in the column '{name}',"
                    " as no other row does, and is read as an example.",
                    "If it sums up the others, delete it.",
                )
            ]
    return []


def find_in_table(table: Table) -> list[Finding]:
    """Audits the columns of a table.

    Args:
        table: a `Table`.

    Returns:
        A list of `Finding`s.
    """
    if len(table.values) < MIN_ROWS:
        return []
    constant = audit_values.constant_columns(table)
    varied = table.without({*constant})
    numbers = varied.numbers()
    orders = {
        name: words
        for name, column in zip(numbers.columns, numbers.values.T, strict=True)
        if (words := _order(column, name, table)) is not None
    }
    findings = [
        *_folds_as_classes(table.class_names),
        *_row_numbers(orders, varied),
    ]
    rest = varied.without({*orders})
    twins, named = audit_labels.find_twins(rest)
    findings += twins
    rest = rest.without(named)
    blocks = _blocks(rest)
    findings += _groups_as_features(blocks)
    late = audit_values.constant_in_train(rest)
    findings += audit_values.find_constants(constant, late)
    rest = rest.without({*blocks, *late}).numbers()
    findings += audit_labels.find_solvers(rest)
    findings += audit_values.find_sentinels(rest)
    findings += audit_values.find_out_of_range(rest)
    if not table.is_series and table.groups is None:
        cells_ = numbers.without({*orders})
        findings += audit_overlaps.find_shared_cells(
            cells_.values, cells_.train, cells_.test
        )
    return findings


def _order(column: np.ndarray, name: str, table: Table) -> str | None:
    """The way in which a column counts or grows, in words, or `None`."""
    steps = np.diff(column)
    n = len(column)
    if steps[0] and np.ptp(steps) <= 1e-6 * abs(steps[0]):
        if abs(steps[0]) == 1:
            return f"counts the rows ({column[0]:.12g} to {column[-1]:.12g})"
        return f"changes by {steps[0]:g} from each row to the next"
    if (steps >= 0).all() or (steps <= 0).all():
        distinct = np.count_nonzero(steps) + 1
        if distinct >= max(MIN_ROWS, n / 50):
            verb = "grows" if steps.sum() > 0 else "falls"
            return f"only {verb} from row to row"
    elif table.groups is not None or table.is_series:
        return _order_within_groups(steps, table)
    if (column == np.round(column)).all() and n >= 2 * MIN_ROWS:
        ordered = np.sort(column)
        if (np.diff(ordered) > 0).all():
            # If n numbers are drawn from a range, some would be equal.
            surprise = n * (n - 1) / 2 / (ordered[-1] - ordered[0] + 1)
            if surprise > SURE or ID_NAME.search(audit_groups.snake(name)):
                return "is a different whole number in each row, as IDs are"
    return None


def _order_within_groups(steps: np.ndarray, table: Table) -> str | None:
    """As `_order`, for a column that starts again in each group."""
    n = len(steps) + 1
    if table.groups is not None:
        steps = steps[np.diff(table.groups) == 0]
        if len(steps) < n / 2:
            return None
    if len(steps) < MIN_ROWS:
        return None
    for sign, verb in ((1, "grows"), (-1, "falls")):
        signed = steps * sign
        # Without groups, a few restarts are allowed.
        share = 1.0 if table.groups is not None else 0.99
        if np.mean(signed > 0) >= share:
            return f"only {verb} within a series, as times do"
    return None


def _row_numbers(orders: dict[str, str], table: Table) -> list[Finding]:
    """Findings about columns that number rows, leaks if they predict."""
    findings = []
    for name, words in orders.items():
        index = list(table.columns).index(name)
        score = audit_labels.tree_score(table, index)
        predicts = score is not None and score.is_above_chance
        more = f" and {score.words}" if score is not None and predicts else ""
        kind = "time-as-feature" if table.is_series else "row-numbers"
        advice = f"Leave it out: {ignore([name])}"
        if table.is_series and not table.are_files:
            advice = (
                f"Leave it out, or sort by it: --time-column {quote(name)}."
            )
        findings.append(
            Finding(
                kind,
                f"The column '{name}' {words}{more}.",
                advice,
                is_leak=bool(predicts),
            )
        )
    return findings


def _blocks(table: Table) -> list[str]:
    """Columns of a series that are constant over long stretches."""
    if not table.is_series or table.groups is not None:
        return []
    found = []
    n = len(table.values)
    for name, column in zip(table.columns, table.values.T, strict=True):
        runs = np.count_nonzero(np.diff(column)) + 1
        if not 2 <= runs <= n / 20:
            continue
        if runs == len(np.unique(column)) and (
            runs >= 5 or audit_groups.is_named_group(name)
        ):
            found.append(name)
    return found


def _groups_as_features(found: Sequence[str]) -> list[Finding]:
    if not found:
        return []
    return [
        Finding(
            "group-as-feature",
            f"{name_columns(found, 'has', 'have')} one stretch of rows for "
            "each value, as people and recordings have.",
            f"Keep their rows apart: --group-column {quote(found[0])}. Or "
            f"leave out: {ignore(found)}",
        )
    ]


def _folds_as_classes(class_names: Sequence[str]) -> list[Finding]:
    names = [name.strip().lower() for name in class_names]
    if not (
        all(FOLD_NAME.fullmatch(name) for name in names)
        or SPLIT_NAMES.issuperset(names)
    ):
        return []
    return [
        Finding(
            "folds-as-classes",
            f"The classes {', '.join(class_names[:8])} look like folds or "
            "splits, not like answers.",
            "Name another column with --label-column, and this one with "
            "--split-column.",
        )
    ]
