"""Findings about the user's data, before training.

Readers report findings about a file, and `build.make_task` about the examples.
`docs/audit.md` explains each kind of finding with an example.
"""

import dataclasses
import logging
import shlex
from collections.abc import Sequence

LOGGER = logging.getLogger(__name__)
COLUMNS_NAMED = 5


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something about the data that may make results wrong.

    Args:
        kind: string, the finding's name in `docs/audit.md`, e.g.
            `"row-numbers"`.
        message: string, one sentence: what was found, and where.
        advice: string, one sentence: what to do, with the option's flag.
        is_leak: bool, whether the test score may count what a model cannot
            know for new data. With `strict`, such a finding is an error.
    """

    kind: str
    message: str
    advice: str
    is_leak: bool = False

    def __str__(self) -> str:
        return f"{self.message} {self.advice}"


def check_findings(findings: Sequence[Finding], strict: bool = False) -> None:
    """Raises if the audit is strict and found a leak.

    Raises:
        ValueError: a finding is a leak, and `strict` is true.
    """
    leaks = [finding for finding in findings if finding.is_leak]
    if strict and leaks:
        raise ValueError(
            f"The strict audit found {len(leaks)} "
            f"leak{'s' * (len(leaks) > 1)}: {' '.join(map(str, leaks))}"
        )


def log_findings(findings: Sequence[Finding]) -> None:
    """Logs each finding as a note, indented as a task's description is."""
    for finding in findings:
        LOGGER.info(f"  note: {finding}")


def name_columns(
    columns: Sequence[str], singular: str, plural: str, what: str = "column"
) -> str:
    """The columns as a sentence's subject, with its verb.

    Args:
        columns: sequence of strings.
        singular: string, the verb after one column.
        plural: string, the verb after several columns.
        what: string, what they are called.

    >>> name_columns(["a"], "has", "have")
    "The column 'a' has"
    >>> name_columns(["a", "b"], "has", "have")
    "The columns 'a' and 'b' have"
    """
    if len(columns) == 1:
        return f"The {what} '{columns[0]}' {singular}"
    shown = [f"'{name}'" for name in columns[:COLUMNS_NAMED]]
    more = len(columns) - len(shown)
    last = f"{more:,} more" if more else shown.pop()
    return f"The {what}s {', '.join(shown)} and {last} {plural}"


def ignore(columns: Sequence[str]) -> str:
    """The options that leave columns out, those of the first few."""
    shown = [f"--ignore-column {quote(n)}" for n in columns[:COLUMNS_NAMED]]
    return " ".join(shown) + " ..." * (len(columns) > len(shown)) + "."


def quote(name: str) -> str:
    """A column's name as it is typed in a shell."""
    return shlex.quote(name)


def share_of(count: int, total: int, what: str) -> str:
    """A share in words: 3 of 20 test examples (15.0%)."""
    return f"{count:,} of {total:,} {what}s ({count / total:.1%})"
