"""The conclusion of `compare`: is a frozen language model worth it?

The verdicts of sweeps and reports are in `verdicts.py`.
"""

import dataclasses
import math
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.presets import Preset
from keras_fpt.results import run_table
from keras_fpt.results.baselines import Baseline
from keras_fpt.results.statistics import CONFIDENCE, mean_and_interval
from keras_fpt.runs import folder

_OURS = "fpt"


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One way to classify a task's examples.

    Args:
        name: string.
        validation_accuracy: float, by which the best one is chosen.
        test_accuracies: tuple of floats, one per seed.
        varies: bool, whether another seed would give another accuracy.
        seconds: float, for one training.
    """

    name: str
    validation_accuracy: float
    test_accuracies: tuple[float, ...]
    varies: bool
    seconds: float


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
    final = run_table.finished_final(runs)
    groups = dict(iter(final.groupby(["arm", "settings"], sort=False)))
    ours = groups.pop((_OURS, ""), None)
    if ours is None:
        return None
    others = [
        _of_runs(arm, settings, group)
        for (arm, settings), group in groups.items()
    ]
    others += [_of_baseline(baseline) for baseline in baselines]
    best = max(others, key=lambda other: other.validation_accuracy)
    mine = _of_runs(_OURS, "", ours)
    test_examples = baselines[0].test_examples
    gain, low, high = accuracy_gain(mine, best, test_examples)
    first = ours.iloc[0]
    adapter = pathlib.Path(first["folder"], folder.ADAPTER)
    judgment = "is not shown to be worth it"
    if low > 0:
        judgment = "is worth it"
    elif high < 0:
        judgment = "is not worth it"
    interval = (
        f"95% interval {100 * low:.1f} to {100 * high:.1f}"
        if not math.isnan(low)
        else "no interval can be given from one seed"
    )
    return (
        f"A frozen {Preset.parse(first['preset']).name} {judgment} on "
        f"{first['task']}: its test accuracy of "
        f"{np.mean(mine.test_accuracies):.1%} is {abs(100 * gain):.1f} points "
        f"{'below' if gain < 0 else 'above'} that of {best.name}, the best of "
        f"all others on validation ({interval}), at {mine.seconds:.0f} s of "
        f"training against {best.seconds:.0f}, "
        f"{first['trainable_parameters']:,.0f} trained parameters and an "
        f"adapter of {adapter.stat().st_size / 1e6:.2f} MB."
    )


def accuracy_gain(
    ours: Candidate, theirs: Candidate, test_examples: int
) -> tuple[float, float, float]:
    """How much higher one candidate's test accuracy is, with a 95% interval.

    Args:
        ours: a `Candidate`.
        theirs: another.
        test_examples: int.

    Returns:
        Tuple of the difference and the ends of its interval, which are NaN if
        one of the two varies with its seed and has only one.
    """
    from scipy import stats

    normal = stats.norm.ppf((1 + CONFIDENCE) / 2)
    means: list[float] = []
    squares = 0.0
    for candidate in (ours, theirs):
        mean, half = mean_and_interval(candidate.test_accuracies)
        means.append(mean)
        if candidate.varies:
            squares += half**2
        # As if the two had been tested on different examples, which makes the
        # interval wider than necessary.
        squares += normal**2 * mean * (1 - mean) / test_examples
    gain, half = means[0] - means[1], math.sqrt(squares)
    return gain, gain - half, gain + half


def _of_runs(arm: str, settings: str, group: Any) -> Candidate:
    return Candidate(
        f"{arm} ({settings})" if settings else arm,
        group["validation_accuracy"].mean(),
        tuple(group["test_accuracy"]),
        True,
        group["wall_seconds"].mean(),
    )


def _of_baseline(baseline: Baseline) -> Candidate:
    return Candidate(
        baseline.name.replace("_", " "),
        baseline.validation_accuracy,
        (baseline.test_accuracy,),
        False,
        baseline.seconds,
    )
