"""Verdicts: what the numbers say about two arms, and the paper's claims.

For sweeps and reports; the conclusion of `compare` is in `conclusion.py`.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.results import run_table
from keras_fpt.results.statistics import difference

_OURS = "fpt"
_CLAIMS = {
    "random": "Pretraining on language helps",
    "statistics": "It is not only the statistics of the pretrained weights",
    "bit": "Language is better to pretrain on than bit memory",
    "vit": "Language is better to pretrain on than images",
    "finetune": "Frozen is better than finetuned",
    "full": "Frozen is better than trained from scratch",
    "lstm": "It is better than an LSTM trained from scratch",
}


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim of the paper or its critics, and the evidence on it.

    Args:
        text: string.
        status: string, `holds`, `does not hold` or `cannot be told`.
        evidence: string, a sentence with the numbers.
    """

    text: str
    status: str
    evidence: str


def status(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Whether one arm is above another.

    Args:
        ours: sequence of its accuracies, one per seed.
        theirs: sequence of the other's.

    Returns:
        String: `holds`, `does not hold` or `cannot be told`.
    """
    _, low, high = difference(ours, theirs)
    if low > 0:
        return "holds"
    return "does not hold" if high < 0 else "cannot be told"


def verdict(
    name: str, ours: Sequence[float], other: str, theirs: Sequence[float]
) -> str:
    """A sentence on two arms' accuracies that the numbers support.

    Args:
        name: string, an arm.
        ours: sequence of its accuracies, one per seed.
        other: string, another arm.
        theirs: sequence of that one's.

    >>> verdict("fpt", [0.90, 0.91, 0.92], "random", [0.80, 0.81, 0.82])
    'fpt is above random by 10.0 points (95% interval 7.7 to 12.3).'
    """
    gain, low, high = (100 * x for x in difference(ours, theirs))
    if np.isnan(low):
        return (
            f"Whether {name} is above {other} cannot be told from "
            f"{len(ours)} and {len(theirs)} runs: the difference is "
            f"{gain:.1f} points, and no interval can be given."
        )
    interval = f"(95% interval {low:.1f} to {high:.1f})"
    if low > 0:
        return f"{name} is above {other} by {gain:.1f} points {interval}."
    if high < 0:
        return f"{name} is below {other} by {-gain:.1f} points {interval}."
    return (
        f"Whether {name} is above {other} cannot be told at this budget: the "
        f"difference is {gain:.1f} points {interval}."
    )


def arm_verdicts(runs: Any, arms: Sequence[str]) -> list[str]:
    """What can be said about the first arm compared with each of the others.

    Args:
        runs: `pandas.DataFrame` of `load_runs`, of one task.
        arms: sequence of arms' names.

    Returns:
        List of sentences about test accuracy.
    """
    accuracies = _test_accuracies(run_table.finished_final(runs))
    first, *others = arms
    return [
        verdict(first, accuracies[first], other, accuracies[other])
        for other in others
        if first in accuracies and other in accuracies
    ]


def claims(runs: Any) -> list[Claim]:
    """What one task's final runs say about the paper's claims.

    Args:
        runs: `pandas.DataFrame` of `load_runs`.

    Returns:
        List of `Claim`, for arms that have finished runs with the same
        settings as those of `fpt`.
    """
    judged = []
    final = run_table.finished_final(runs)
    for settings, group in final.groupby("settings", sort=False):
        accuracies = _test_accuracies(group)
        if _OURS not in accuracies:
            continue
        ours = accuracies[_OURS]
        judged += [
            Claim(
                f"{text} ({settings})" if settings else text,
                status(ours, accuracies[arm]),
                verdict(_OURS, ours, arm, accuracies[arm]),
            )
            for arm, text in _CLAIMS.items()
            if arm in accuracies
        ]
    return judged


def _test_accuracies(runs: Any) -> dict[str, list[float]]:
    """Dict from arms to test accuracies, one per run."""
    return {
        arm: rows["test_accuracy"].to_list()
        for arm, rows in runs.groupby("arm")
    }
