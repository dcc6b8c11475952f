"""The conclusion of `compare`: is a frozen language model worth it?

The verdicts of sweeps and reports are in `verdicts.py`.
"""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.presets import Preset
from keras_fpt.results import verdicts
from keras_fpt.results.arm_results import (
    ArmResult,
    arm_results,
    at_best_rates,
)
from keras_fpt.results.baselines import Baseline
from keras_fpt.results.statistics import Accuracies, difference
from keras_fpt.runs import folder

_OURS = "fpt"


def conclude(runs: Any, baselines: Sequence[Baseline]) -> str | None:
    """Says in one sentence whether it is worth it, by how much, at what cost.

    The frozen model is compared with the best of all others by validation
    accuracy. The interval of the difference in test accuracy covers both the
    seeds and the choice of the test examples.

    Args:
        runs: `pandas.DataFrame` of `load_runs`, of one task.
        baselines: list of its `Baseline`s, at least one.

    Returns:
        String, or `None` if the arm `fpt` has no final run at its defaults.
    """
    return conclude_results(at_best_rates(arm_results(runs)), baselines)


def conclude_results(
    results: Sequence[ArmResult], baselines: Sequence[Baseline]
) -> str | None:
    """`conclude`, from what each arm has reached at its best rate.

    Args:
        results: list of `ArmResult`, of one task.
        baselines: list of its `Baseline`s, at least one.
    """
    ours = [r for r in results if (r.arm, r.settings) == (_OURS, "")]
    mine = ours[0] if ours else None
    if mine is None or not (mine.rows["status"] == "finished").any():
        return None
    others: list[ArmResult | Baseline] = [r for r in results if r is not mine]
    others += baselines
    best = max(others, key=lambda other: other.validation_accuracy)
    name = best.name.replace("_", " ")
    gain = difference(
        _accuracies(mine, baselines), _accuracies(best, baselines)
    )
    edges = [mine, *([best] if isinstance(best, ArmResult) else [])]
    at_edge = [each for each in edges if each.edge]
    judgment = "is not shown to be worth it"
    if at_edge:
        judgment = "cannot be judged yet"
    elif gain.low > 0 and mine.has_learned:
        judgment = "is worth it"
    elif gain.high < 0:
        judgment = "is not worth it"
    first = mine.rows[mine.rows["status"] == "finished"].iloc[0]
    adapter = pathlib.Path(first["folder"], folder.ADAPTER)
    interval = verdicts.describe(gain, gain.p_value, 1)
    if np.isnan(gain.low):
        interval = "no interval can be given from one seed"
    sentence = (
        f"A frozen {Preset.parse(first['preset']).name} {judgment} on "
        f"{first['task']}: its test accuracy of {mine.accuracies.mean:.1%} is "
        f"{abs(100 * gain.gain):.1f} points "
        f"{'below' if gain.gain < 0 else 'above'} that of {name}, the best of "
        f"all others on validation ({interval}). One training took "
        f"{mine.rows['wall_seconds'].mean():.0f} s, with "
        f"{first['trainable_parameters']:,.0f} trained parameters and an "
        f"adapter of {adapter.stat().st_size / 1e6:.2f} MB; {_cost(best)}."
    )
    for each in at_edge:
        sentence += (
            f" The best learning rate of {each.name}, {each.learning_rate:g}, "
            f"is the {each.edge} of those tried, so a better one may lie "
            "beyond: give a larger budget, and a new folder."
        )
    if not mine.has_learned and mine.floor is not None:
        sentence += (
            f" It is not shown to have learned the task: the rule "
            f"'{mine.floor.name}' reaches {mine.floor.accuracies.mean:.1%}."
        )
    return sentence


def _accuracies(
    candidate: ArmResult | Baseline, baselines: Sequence[Baseline]
) -> Accuracies:
    if isinstance(candidate, ArmResult):
        found = candidate.accuracies
        if found.num_examples is None:
            # Of runs of earlier versions, which did not keep it.
            return Accuracies(
                found.seeds, num_examples=baselines[0].test_examples
            )
        return found
    right = candidate.right
    return Accuracies(
        np.array([candidate.test_accuracy]),
        None if right is None else right[None],
        num_examples=candidate.test_examples,
        varies=False,
    )


def _cost(best: ArmResult | Baseline) -> str:
    """What the best of the others took, said of what it is the time."""
    if isinstance(best, ArmResult):
        return (
            f"one of {best.name} took {best.rows['wall_seconds'].mean():.0f} s"
        )
    return (
        f"{best.name.replace('_', ' ')} took {best.seconds:.0f} s with its "
        "whole search"
    )
