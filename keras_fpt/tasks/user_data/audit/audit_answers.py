"""Audits the labels of examples that have several, or one for each token."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from keras_fpt.tasks.user_data.audit.findings import Finding, name_columns


def find_in_labels(
    answers: Mapping[str, np.ndarray], names: Sequence[str]
) -> list[Finding]:
    """What is suspicious about several labels per example.

    Args:
        answers: dict from splits to int arrays `(n, labels)` of 0 and 1.
        names: sequence of strings, the labels.

    Returns:
        A list of `Finding`s.
    """
    everything = np.concatenate(list(answers.values()))
    shares = everything.mean(axis=0)
    is_constant = (shares == 0) | (shares == 1)
    findings = []
    if is_constant.any():
        constant = [names[i] for i in np.flatnonzero(is_constant).tolist()]
        findings.append(
            Finding(
                "constant-label",
                f"{name_columns(constant, 'is', 'are', 'label')} the same for "
                "all examples, so there is nothing to learn, and no AUROC.",
                "Leave such labels out.",
            )
        )
    for split, rows in answers.items():
        is_absent = (rows.sum(axis=0) == 0) & ~is_constant
        findings += _absent(split, is_absent, names)
    findings += _equal_labels(everything, is_constant, names)
    return findings


def find_in_tokens(
    answers: Mapping[str, np.ndarray], names: Sequence[str]
) -> list[Finding]:
    """What is suspicious about a label for each token.

    Args:
        answers: dict from splits to int arrays `(n, tokens)`, -1 where a
            token has no label.
        names: sequence of strings, the classes.

    Returns:
        A list of `Finding`s.
    """
    findings = []
    for split, rows in answers.items():
        is_absent = ~np.isin(np.arange(len(names)), rows)
        findings += _absent(split, is_absent, names)
    return findings


def _absent(
    split: str, is_absent: np.ndarray, names: Sequence[str]
) -> list[Finding]:
    if not is_absent.any():
        return []
    absent = [names[i] for i in np.flatnonzero(is_absent).tolist()]
    what = "learned" if split == "train" else "measured there"
    return [
        Finding(
            "label-not-in-split",
            f"{name_columns(absent, 'is', 'are', 'label')} in no example of "
            f"{split}, and cannot be {what}.",
            "Label more examples, or give the split: --split-column COLUMN.",
        )
    ]


def _equal_labels(
    rows: np.ndarray, is_constant: np.ndarray, names: Sequence[str]
) -> list[Finding]:
    """Labels that all examples have together, or not at all."""
    varied = np.flatnonzero(~is_constant)
    findings = []
    # `np.unique` of columns takes memory for each of the rows' fields.
    first: dict[bytes, int] = {}
    for index in varied.tolist():
        column = np.ascontiguousarray(rows[:, index])
        of_first = first.setdefault(hashlib.sha256(column.data).digest(), index)
        if of_first != index:
            one, other = names[of_first], names[index]
            findings.append(
                Finding(
                    "equal-labels",
                    f"Every example that has the label '{one}' has "
                    f"'{other}', and the other way round.",
                    "Leave out one of them, if they are copies.",
                )
            )
    return findings
