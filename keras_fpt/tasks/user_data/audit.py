"""What is suspicious about a person's data, found before anything is learned.

Readers report what they see in a file, and `build.make_task` what it sees in
the examples. `docs/audit.md` explains each kind of finding with an example.
"""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something about the data that may make the answer wrong.

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


def check(findings: Sequence[Finding], strict: bool) -> None:
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
