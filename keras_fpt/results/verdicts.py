"""Verdicts on pairs of arms, and on the paper's claims.

For sweeps and reports; the conclusion of `compare` is in `conclusion.py`.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.results.arm_results import (
    ArmResult,
    arm_results,
    at_best_rates,
)
from keras_fpt.results.statistics import (
    CONFIDENCE,
    Difference,
    adjusted,
    difference,
)

HOLDS = "holds"
DOES_NOT_HOLD = "does not hold"
CANNOT_BE_TOLD = "cannot be told"
AT_EDGE = "cannot be told: best rate at the edge"
_OURS = "fpt"
_CLAIMS = {
    "random": "Pretraining on language helps",
    "statistics": "It is not only the statistics of the pretrained weights",
    "permuted": "It is not only the entries of the pretrained weights",
    "spectrum": "It is not only their singular values",
    "bit": "Language is better to pretrain on than bit memory",
    "vit": "Language is better to pretrain on than images",
    "finetune": "Frozen is better than finetuned",
    "full": "Frozen is better than trained from scratch",
    "lstm": "It is better than an LSTM trained from scratch",
    "no_blocks": "The frozen blocks help at all",
    "one_attention": "It is better than one attention layer that trains",
    "one_block": "It is better than one block that trains",
}


@dataclasses.dataclass(frozen=True)
class Claim:
    """That one arm is above another, and the evidence on it.

    Args:
        task: string.
        text: string, the claim.
        ours: string, the arm that is claimed to be above.
        theirs: string, the other one.
        difference: `Difference` of their test scores.
        adjusted_p_value: float, by Holm's method over all claims that are
            shown together.
        status: string: `holds`, `does not hold`, `cannot be told`, or
            `cannot be told: best rate at the edge`.
        evidence: string, a sentence with the numbers.
    """

    task: str
    text: str
    ours: str
    theirs: str
    difference: Difference
    adjusted_p_value: float
    status: str
    evidence: str


def judge(
    pairs: Sequence[tuple[str, str, ArmResult, ArmResult]],
) -> list[Claim]:
    """Judges claims that are made together, each that one arm is above another.

    Args:
        pairs: list of tuples of a task, the claim's text, the arm that is
            claimed to be above, and the other one.

    Returns:
        List of `Claim`. A claim holds, or does not hold, if the p-value of the
        difference is below 0.05 after Holm's correction for the number of
        claims, if neither arm's best learning rate is at the edge of those
        tried, and if the arm that is above has learned something: it is above
            every simple rule of the task.
    """
    found = [difference(a.scores, b.scores) for *_, a, b in pairs]
    p_values = adjusted([each.p_value for each in found])
    return [
        Claim(
            task,
            text,
            ours.name,
            theirs.name,
            gain,
            float(p_value),
            _status(ours, theirs, gain, p_value),
            _sentence(ours, theirs, gain, p_value, len(pairs)),
        )
        for (task, text, ours, theirs), gain, p_value in zip(
            pairs, found, p_values, strict=True
        )
    ]


def arm_verdicts(runs: Any, arms: Sequence[str]) -> list[str]:
    """Compares the first arm with each of the others, in sentences.

    Args:
        runs: `pandas.DataFrame` of `load_runs`, of one task.
        arms: sequence of arms' names.

    Returns:
        List of sentences about the test split.
    """
    return compare_arms(at_best_rates(arm_results(runs)), arms)


def compare_arms(
    results: Sequence[ArmResult], arms: Sequence[str]
) -> list[str]:
    """`arm_verdicts`, from what each arm has reached at its best rate.

    Args:
        results: list of `ArmResult`, of one task.
        arms: sequence of arms' names.
    """
    first, *others = arms
    pairs = [
        pair
        for pair in _pairs(results, first)
        if pair[-2].arm == first and pair[-1].arm in others
    ]
    pairs.sort(key=lambda pair: others.index(pair[-1].arm))
    return [claim.evidence for claim in judge(pairs)]


def claims(runs: Any) -> list[Claim]:
    """Judges the claims of the paper and its critics by final runs.

    Args:
        runs: `pandas.DataFrame` of `load_runs`, of all tasks that are shown
            together, since the claims are corrected for their number.

    Returns:
        List of `Claim`, for arms whose final runs have the same settings,
        steps and batch size as those of `fpt`.
    """
    pairs = []
    for _, group in runs.groupby("task", sort=False):
        results = at_best_rates(arm_results(group))
        found = [p for p in _pairs(results, _OURS) if p[-1].arm in _CLAIMS]
        found.sort(key=lambda pair: list(_CLAIMS).index(pair[-1].arm))
        pairs += found
    return judge(pairs) + _not_comparable(runs, pairs)


def _not_comparable(
    runs: Any, pairs: Sequence[tuple[str, str, ArmResult, ArmResult]]
) -> list[Claim]:
    """Claims on arms that were only trained for other steps or batch sizes."""
    compared = {(task, b.arm, b.settings) for task, _, _, b in pairs}
    found = []
    for task, group in runs.groupby("task", sort=False):
        results = at_best_rates(arm_results(group))
        for ours in results:
            for theirs in results:
                key = (task, theirs.arm, theirs.settings)
                if (
                    ours.arm != _OURS
                    or theirs.arm not in _CLAIMS
                    or ours.settings != theirs.settings
                    or key in compared
                ):
                    continue
                compared.add(key)
                found.append(
                    Claim(
                        str(task),
                        _text(ours, theirs),
                        ours.name,
                        theirs.name,
                        Difference(np.nan, np.nan, np.nan, np.nan, "", False),
                        np.nan,
                        CANNOT_BE_TOLD,
                        f"{ours.name} had {ours.steps:,} steps of "
                        f"{ours.batch_size} examples and {theirs.name} "
                        f"{theirs.steps:,} of {theirs.batch_size}, which are "
                        "not comparable.",
                    )
                )
    return found


def _pairs(
    results: Sequence[ArmResult], first: str
) -> list[tuple[str, str, ArmResult, ArmResult]]:
    """An arm with each of the others of the same settings and steps."""
    return [
        (
            str(ours.rows["task"].iloc[0]),
            _text(ours, theirs),
            ours,
            theirs,
        )
        for ours in results
        for theirs in results
        if ours.arm == first
        and theirs.arm != first
        and (ours.settings, ours.steps, ours.batch_size)
        == (theirs.settings, theirs.steps, theirs.batch_size)
    ]


def _text(ours: ArmResult, theirs: ArmResult) -> str:
    text = f"{ours.arm} is above {theirs.arm}"
    if ours.arm == _OURS:
        text = _CLAIMS.get(theirs.arm, text)
    return f"{text} ({ours.settings})" if ours.settings else text


def _status(
    ours: ArmResult, theirs: ArmResult, gain: Difference, p_value: float
) -> str:
    if ours.edge or theirs.edge:
        return AT_EDGE
    better = ours if gain.gain > 0 else theirs
    if not p_value < 1 - CONFIDENCE or not better.has_learned:
        return CANNOT_BE_TOLD
    return HOLDS if gain.gain > 0 else DOES_NOT_HOLD


def _sentence(
    ours: ArmResult,
    theirs: ArmResult,
    gain: Difference,
    p_value: float,
    count: int,
) -> str:
    status = _status(ours, theirs, gain, p_value)
    measure = gain.measure
    if status in (HOLDS, DOES_NOT_HOLD):
        sentence = (
            f"{ours.name} {measure.relation(status == HOLDS)} {theirs.name} by "
            f"{measure.amount(abs(gain.gain))} "
            f"({describe(gain, p_value, count)})."
        )
        unsearched = [arm.name for arm in (ours, theirs) if arm.edge is None]
        if unsearched:
            sentence += (
                f" No other learning rate was tried for "
                f"{' and '.join(unsearched)}."
            )
        return sentence
    relation = measure.relation(True)
    begin = f"Whether {ours.name} {relation} {theirs.name} cannot be told"
    shown = measure.difference(gain.gain)
    numbers = f"{shown} ({describe(gain, p_value, count)})."
    if status == AT_EDGE:
        where = " and ".join(
            f"that of {arm.name}, {arm.learning_rate:g}, is the {arm.edge} of "
            "those tried"
            for arm in (ours, theirs)
            if arm.edge
        )
        return (
            f"{begin}: the best learning rate is at the edge: {where}, so a "
            f"better one may lie beyond. At the rates tried, {numbers}"
        )
    if np.isnan(gain.low):
        seeds = f"{len(ours.scores.seeds)} and "
        seeds += f"{len(theirs.scores.seeds)} runs"
        return f"{begin} from {seeds}: {shown}, and no interval can be given."
    better = ours if gain.gain > 0 else theirs
    if p_value < 1 - CONFIDENCE and better.floor is not None:
        return (
            f"{begin}: neither is shown to have learned the task, since the "
            f"rule '{better.floor.name}' reaches "
            f"{measure.show(better.floor.scores.value, 1)}. Between the two, "
            f"{numbers}"
        )
    return f"{begin} at this budget: {numbers}"


def describe(gain: Difference, p_value: float, count: int) -> str:
    """A difference's interval and p-values in words.

    Args:
        gain: `Difference`.
        p_value: float, adjusted.
        count: int, the number of claims that it is adjusted for.
    """
    if np.isnan(gain.low):
        return "no interval can be given"
    number = gain.measure.number
    text = (
        f"95% {gain.measure.interval} {number(gain.low)} to "
        f"{number(gain.high)} over {gain.covers}, p {_p(gain.p_value)}"
    )
    if count > 1:
        text += f" (adjusted for {count} claims, p {_p(p_value)})"
    return text


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"= {value:.2g}"
