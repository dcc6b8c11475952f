"""Whether a frozen language model is worth it on some data."""

import dataclasses
import math
import pathlib

import numpy as np

from keras_fpt.results import summary
from keras_fpt.runs import folder as run_folder

_OURS = "fpt"


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One way to classify a task's examples.

    Args:
        name: string.
        validation_accuracy: float, by which one is chosen.
        test_accuracies: tuple of floats, one a seed.
        varies: bool, whether another seed would give another accuracy.
        seconds: float, of one training.
    """

    name: str
    validation_accuracy: float
    test_accuracies: tuple[float, ...]
    varies: bool
    seconds: float


def conclusion(runs, baselines):
    """One sentence on one task: is it worth it, by how much, at what cost.

    Frozen is compared with what is best of all else by validation accuracy.
    The interval of the difference in test accuracy covers what the seeds and
    what the choice of the test examples make of it.

    Args:
        runs: `pandas.DataFrame` of `load_runs`, of one task.
        baselines: list of its `Baseline`s, at least one.

    Returns:
        String, or `None` where the arm `fpt`, as it comes, has no final run.
    """
    final = runs[runs["final"] & (runs["status"] == "finished")]
    groups = dict(iter(final.groupby(["arm", "settings"], sort=False)))
    ours = groups.pop((_OURS, ""), None)
    if ours is None:
        return None
    others = [_of_runs(*key, group) for key, group in groups.items()]
    others += [_of_baseline(baseline) for baseline in baselines]
    best = max(others, key=lambda other: other.validation_accuracy)
    mine = _of_runs(_OURS, "", ours)
    test_examples = baselines[0].test_examples
    found, low, high = difference(mine, best, test_examples)
    first = ours.iloc[0]
    adapter = pathlib.Path(first["folder"], run_folder.ADAPTER)
    judged = "is not shown to be worth it"
    if low > 0:
        judged = "is worth it"
    elif high < 0:
        judged = "is not worth it"
    interval = (
        f"95% interval {100 * low:.1f} to {100 * high:.1f}"
        if not math.isnan(low)
        else "no interval can be given from one seed"
    )
    return (
        f"A frozen {pathlib.Path(first['preset']).name} {judged} on "
        f"{first['task']}: its test accuracy of "
        f"{np.mean(mine.test_accuracies):.1%} is {abs(100 * found):.1f} points "
        f"{'below' if found < 0 else 'above'} that of {best.name}, the best of "
        f"all else on validation ({interval}), at {mine.seconds:.0f} s of "
        f"training against {best.seconds:.0f}, "
        f"{first['trainable_parameters']:,.0f} trained parameters and an "
        f"adapter of {adapter.stat().st_size / 1e6:.2f} MB."
    )


def difference(ours, theirs, test_examples):
    """How much higher one candidate's test accuracy is, with a 95% interval.

    Args:
        ours: a `Candidate`.
        theirs: another.
        test_examples: int.

    Returns:
        Tuple of the difference and the interval's ends, which are NaN where
        one of them varies with its seed and has one alone.
    """
    from scipy import stats

    normal = stats.norm.ppf((1 + summary.CONFIDENCE) / 2)
    means, squares = [], 0.0
    for candidate in (ours, theirs):
        mean, half = summary.mean_and_interval(candidate.test_accuracies)
        means.append(mean)
        if candidate.varies:
            squares += half**2
        # As if the two had been tested on different examples, which makes the
        # interval wider than it need be.
        squares += normal**2 * mean * (1 - mean) / test_examples
    found, half = means[0] - means[1], math.sqrt(squares)
    return found, found - half, found + half


def _of_runs(arm, settings, group):
    return Candidate(
        f"{arm} ({settings})" if settings else arm,
        group["validation_accuracy"].mean(),
        tuple(group["test_accuracy"]),
        True,
        group["wall_seconds"].mean(),
    )


def _of_baseline(baseline):
    return Candidate(
        baseline.name.replace("_", " "),
        baseline.validation_accuracy,
        (baseline.test_accuracy,),
        False,
        baseline.seconds,
    )
