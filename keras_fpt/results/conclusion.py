"""The conclusion of `compare`: is a frozen language model worth it?

The verdicts of sweeps and reports are in `verdicts.py`.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.presets import Preset
from keras_fpt.results import rising, run_labels, verdicts
from keras_fpt.results.arm_results import (
    ArmResult,
    arm_results,
    at_best_rates,
)
from keras_fpt.results.baselines import (
    FROZEN_MODEL,
    RULES,
    STEPS_PROBE,
    Baseline,
)
from keras_fpt.results.run_table import read_history
from keras_fpt.results.statistics import (
    Scores,
    difference,
    is_shown_above,
)
from keras_fpt.runs import folder

_OURS = "fpt"
# How many candidates that may be as good are named.
_NAMED = 3
Candidate = ArmResult | Baseline


def conclude(
    runs: Any, baselines: Sequence[Baseline], preset: str | None = None
) -> str | None:
    """States in one sentence whether it is worth it, by how much, at what cost.

    The frozen model is the best on validation of the arm `fpt` and its linear
    probes; it is compared with the best of all others. Of those that are equal
    on validation, one without gradient steps is chosen. Small validation splits
    choose the other one by chance, so the frozen model is worth it only if it
    is shown to be better on test than each of the others. The interval of the
    difference on the test split covers both the seeds and the choice of the
    test examples. Of runs with several numbers of training examples, those with
    all of them count.

    Args:
        runs: `pandas.DataFrame` of `load_runs`, of one task; `None` if there
            are none.
        baselines: list of its `Baseline`s, at least one.
        preset: string, the frozen model's, if no run says it.

    Returns:
        String, or `None` if the frozen model has no final run and no probe.
    """
    if runs is None or not runs["final"].any():
        return conclude_results([], baselines, preset)
    baselines = [each for each in baselines if each.size is None] or baselines
    results = at_best_rates(arm_results(_with_all_examples(runs)))
    return conclude_results(results, baselines, preset)


def conclude_results(
    results: Sequence[ArmResult],
    baselines: Sequence[Baseline],
    preset: str | None = None,
) -> str | None:
    """`conclude`, from what each arm has reached at its best rate.

    Args:
        results: list of `ArmResult`, of one task.
        baselines: list of its `Baseline`s, at least one.
        preset: string, the frozen model's, if no run says it.
    """
    ours = [
        result
        for result in results
        if result.arm == _OURS and (result.rows["status"] == "finished").any()
    ]
    forms: list[Candidate] = [*ours]
    forms += [b for b in baselines if b.name in FROZEN_MODEL]
    others: list[Candidate] = [r for r in results if r.arm != _OURS]
    others += [b for b in baselines if b.name not in FROZEN_MODEL]
    if not forms or not others:
        return None
    mine, best = _best(forms), _best(others)
    gain = difference(_scores(mine, baselines), _scores(best, baselines))
    measure = mine.measure
    searched = [each for each in (mine, best) if isinstance(each, ArmResult)]
    at_edge = [each for each in searched if each.edge]
    floor, floor_name = _floor(results, baselines)
    has_learned = floor is None or is_shown_above(
        _scores(mine, baselines), floor
    )
    not_below = []
    judgment = "is not shown to be worth it"
    if at_edge:
        judgment = "cannot be judged yet"
    elif gain.low > 0 and has_learned:
        not_below = [
            each
            for each in others
            if each is not best and _may_be_as_good(each, mine, baselines)
        ]
        if not not_below:
            judgment = "is worth it"
    elif gain.high < 0:
        judgment = "is not worth it"
    interval = verdicts.describe(gain, gain.p_value, 1)
    if np.isnan(gain.low):
        interval = "no interval can be given from one seed"
    reached = measure.show(_scores(mine, baselines).value, 1)
    form = "" if len(forms) == 1 else f" as {_name(mine)}, its best form,"
    sentence = (
        f"A frozen {_model(ours, preset)} {judgment} on {baselines[0].task}:"
        f"{form} its test {measure.title} of {reached} is "
        f"{measure.amount(abs(gain.gain))} {measure.side(gain.gain)} that of "
        f"{_name(best)}, the "
        f"best of all others on validation ({interval})"
        f"{_but(not_below)}. Its whole search took "
        f"{_search_seconds(mine):.0f} s{_training(mine)}; that of "
        f"{_name(best)} took {_search_seconds(best):.0f} s."
    )
    for each in at_edge:
        sentence += (
            f" The best learning rate of {each.name}, {each.learning_rate:g}, "
            f"is the {each.edge} of those tried, so a better one may lie "
            f"beyond: give a larger budget{_to_the_same(each)}."
        )
    every: list[Candidate] = [*results, *baselines]
    spent = sum(map(_search_seconds, every))
    for each in searched:
        sentence += _still_rising(each, spent)
    if not has_learned and floor is not None:
        sentence += (
            f" It is not shown to have learned the task: the rule "
            f"'{floor_name}' reaches {measure.show(floor.value, 1)}."
        )
    return sentence


def _with_all_examples(runs: Any) -> Any:
    """The runs with all training examples, if there are any."""
    if "train_examples" not in runs:
        return runs
    is_all = runs["train_examples"].map(run_labels.is_none)
    return runs[is_all] if (is_all & runs["final"]).any() else runs


def _best(candidates: Sequence[Candidate]) -> Candidate:
    """The best on validation; of equal ones, the simplest."""
    return max(
        candidates,
        key=lambda each: (
            # Accuracies of runs are of single precision.
            round(each.validation_score, 6),
            _simplicity(each),
        ),
    )


def _simplicity(candidate: Candidate) -> int:
    """A rank by which candidates are chosen that are equal on validation.

    One without gradient steps comes before one that trains, and of probes the
    one whose tokens were not joined into patches.
    """
    if isinstance(candidate, ArmResult):
        return -1
    return int(candidate.name == STEPS_PROBE)


def _may_be_as_good(
    other: Candidate, mine: Candidate, baselines: Sequence[Baseline]
) -> bool:
    """Whether the test does not show that another candidate is worse."""
    found = difference(_scores(mine, baselines), _scores(other, baselines))
    # Without an interval, such as of one seed, nothing is shown.
    return not found.low > 0


def _but(others: Sequence[Candidate]) -> str:
    """The best of the candidates that are not shown to be worse."""
    ranked = sorted(others, key=_test_score, reverse=True)
    if not ranked:
        return ""
    named = [
        f"{_name(each)} ({each.measure.show(_test_value(each), 1)})"
        for each in ranked[:_NAMED]
    ]
    more = len(ranked) - len(named)
    named += [f"{more} more"] * bool(more)
    return ", but is not shown to be better than " + ", ".join(named)


def _test_score(candidate: Candidate) -> float:
    if isinstance(candidate, ArmResult):
        return candidate.scores.mean
    return candidate.score("test")


def _test_value(candidate: Candidate) -> float:
    return float(candidate.measure.value(_test_score(candidate)))


def _name(candidate: Candidate) -> str:
    return candidate.name.replace("_", " ")


def _model(ours: Sequence[ArmResult], preset: str | None) -> str:
    if ours:
        preset = str(ours[0].rows["preset"].iloc[0])
    return "model" if preset is None else Preset.parse(preset).name


def _floor(
    results: Sequence[ArmResult], baselines: Sequence[Baseline]
) -> tuple[Scores | None, str]:
    """The best simple rule, as the runs kept it, or that of a baseline."""
    for result in results:
        if result.floor is not None:
            floor = result.floor
            return _counted(floor.scores, baselines), floor.name
    for baseline in baselines:
        if baseline.name in RULES:
            rule = baseline.measure.floor_rule
            return _scores(baseline, baselines), rule
    return None, ""


def _scores(candidate: Candidate, baselines: Sequence[Baseline]) -> Scores:
    if isinstance(candidate, ArmResult):
        return _counted(candidate.scores, baselines)
    right = candidate.right
    return Scores(
        np.array([candidate.score("test")]),
        None if right is None else right[None],
        num_examples=candidate.test_examples,
        varies=False,
        measure=candidate.measure,
    )


def _counted(scores: Scores, baselines: Sequence[Baseline]) -> Scores:
    """Scores with the number of test examples.

    Runs of earlier versions did not keep it.
    """
    if scores.num_examples is not None:
        return scores
    return dataclasses.replace(scores, num_examples=baselines[0].test_examples)


def _search_seconds(candidate: Candidate) -> float:
    """The seconds of a candidate's whole search."""
    if isinstance(candidate, Baseline):
        return candidate.seconds
    return candidate.search_seconds


def _training(mine: Candidate) -> str:
    """The time of one training of the frozen model, and the adapter's size."""
    if isinstance(mine, Baseline):
        return ""
    first = mine.rows[mine.rows["status"] == "finished"].iloc[0]
    adapter = pathlib.Path(first["folder"], folder.ADAPTER)
    return (
        f" (one training {mine.rows['wall_seconds'].mean():.0f} s), with "
        f"{first['trainable_parameters']:,.0f} trained parameters and an "
        f"adapter of {adapter.stat().st_size / 1e6:.2f} MB"
    )


def _still_rising(result: ArmResult, spent: float) -> str:
    """A sentence, if a learning curve was still improving at its end.

    Args:
        result: an `ArmResult`.
        spent: float, seconds that all candidates took.
    """
    finished = result.rows[result.rows["status"] == "finished"]
    measure = result.measure
    rise = rising.gain(
        [read_history(path) for path in finished["folder"]], measure
    )
    if not rise:
        return ""
    minutes = int(np.ceil(2.5 * spent / 60))
    steps = result.trained_steps
    how = f"--steps {2 * steps} --budget {minutes}m, in a new folder"
    if result.can_train_on:
        how = f"compare --resume with this folder and --budget {minutes}m"
    return (
        f" The validation {measure.title} of {result.name} was still "
        f"{measure.trend(rise)} in the last quarter of its {steps:,} "
        f"steps: twice as many would tell ({how})."
    )


def _to_the_same(result: ArmResult) -> str:
    """Which folder a comparison with a larger budget is given."""
    return " (--resume)" if result.can_train_on else ", and a new folder"
