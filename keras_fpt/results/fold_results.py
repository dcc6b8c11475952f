"""The results of arms and baselines over all folds of a cross-validation."""

import dataclasses
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from keras_fpt.results.arm_results import ArmResult, Floor
from keras_fpt.results.baselines import Baseline
from keras_fpt.results.statistics import Scores


def join_arms(folds: Sequence[Sequence[ArmResult]]) -> list[ArmResult]:
    """Each arm's results on the test examples of all folds.

    Every example is tested once, by the runs of its own fold, whose learning
    rate was chosen without it. The training examples of folds overlap, so the
    intervals cover the seeds and the choice of test examples, and not that of
    the training examples (Bengio and Grandvalet, 2004).

    Args:
        folds: for each fold, the `ArmResult`s of one task.

    Returns:
        List of `ArmResult`, of the arms that every fold has. The learning rate
        is that of the first fold, or of the first whose best one is at the
        edge of those tried.
    """
    return [
        _join_arm(parts)
        for parts in _aligned(
            folds, lambda each: (each.arm, each.settings, each.batch_size)
        )
    ]


def join_baselines(folds: Sequence[Sequence[Baseline]]) -> list[Baseline]:
    """Each baseline's results on the test examples of all folds.

    Args:
        folds: for each fold, the `Baseline`s of one task.

    Returns:
        List of `Baseline`, of those that every fold has. The settings are
        those of the first fold, and the seconds the sum.
    """
    return [
        _join_baseline(parts)
        for parts in _aligned(folds, lambda each: each.name)
    ]


def _aligned(folds: Sequence[Sequence[Any]], key: Any) -> list[list[Any]]:
    """For each key that all folds have, its entry in each of them."""
    by_key: list[dict[Hashable, Any]] = [
        {key(each): each for each in fold} for fold in folds
    ]
    return [
        [entries[name] for entries in by_key]
        for name in by_key[0]
        if all(name in entries for entries in by_key)
    ]


def _join_arm(parts: Sequence[ArmResult]) -> ArmResult:
    import pandas as pd

    edges = [each.edge for each in parts]
    at_edge = [each for each in parts if each.edge]
    shown = (at_edge or list(parts))[0]
    return dataclasses.replace(
        parts[0],
        steps=max(each.steps for each in parts),
        learning_rate=shown.learning_rate,
        edge=shown.edge if at_edge else (None if None in edges else ""),
        validation_score=float(
            np.mean([each.validation_score for each in parts])
        ),
        scores=_join([each.scores for each in parts]),
        floor=_join_floors([each.floor for each in parts]),
        rows=pd.concat([each.rows for each in parts]),
        search_seconds=sum(each.search_seconds for each in parts),
    )


def _join(parts: Sequence[Scores]) -> Scores:
    seeds = min(len(each.seeds) for each in parts)
    counts = [each.num_examples for each in parts if each.num_examples]
    varies = any(each.varies for each in parts)
    kept = [x.examples[:seeds] for x in parts if x.examples is not None]
    if len(kept) < len(parts):
        is_counted = len(counts) == len(parts)
        means = np.average(
            [each.seeds[:seeds] for each in parts],
            axis=0,
            weights=counts if is_counted else None,
        )
        total = sum(counts) if is_counted else None
        return Scores(
            means, None, None, total, varies, measure=parts[0].measure
        )
    examples = np.concatenate(kept, axis=1)
    return Scores(
        examples.mean(axis=1),
        examples,
        _join_groups(parts),
        examples.shape[1],
        varies,
        parts[0].measure,
    )


def _join_groups(parts: Sequence[Scores]) -> np.ndarray | None:
    """Groups are of one fold, so those of different folds are different."""
    if all(each.groups is None for each in parts):
        return None
    joined: list[np.ndarray] = []
    for each in parts:
        groups = each.groups
        if groups is None:
            groups = np.arange(each.num_examples or 0)
        _, numbers = np.unique(groups, return_inverse=True)
        first = joined[-1].max() + 1 if joined and len(joined[-1]) else 0
        joined.append(numbers + first)
    return np.concatenate(joined)


def _join_floors(parts: Sequence[Floor | None]) -> Floor | None:
    """The best rule of each fold, if every fold has one."""
    found = [each for each in parts if each is not None]
    if len(found) < len(parts):
        return None
    # The folds' best rules may differ; together they are at least as good as
    # any one.
    return Floor(
        " or ".join(dict.fromkeys(each.name for each in found)),
        _join([each.scores for each in found]),
        float(np.mean([each.validation_score for each in found])),
    )


def _join_baseline(parts: Sequence[Baseline]) -> Baseline:
    tested = [each.test_examples for each in parts]
    trained = [each.train_examples for each in parts]
    right = None
    if all(each.right is not None for each in parts):
        right = np.concatenate([each.right for each in parts])
    measure = parts[0].measure

    def mean(name: str, weights: Sequence[int] | None) -> float:
        """The mean of a metric, and of an RMSE the root of the mean square."""
        values = np.array([each.values[name] for each in parts], float)
        if not name.endswith(measure.name):
            return float(np.average(values, weights=weights))
        scores = measure.score(values)
        return float(measure.value(np.average(scores, weights=weights)))

    weights = {"train": trained, "validation": None, "test": tested}
    joined: dict[str, Any] = {
        name: mean(name, weights[name.split("_")[0]])
        for name in parts[0].values
    }
    if parts[0].errors is not None:
        joined = {"errors": joined}
    aurocs = [each.test_auroc for each in parts if each.test_auroc is not None]
    if len(aurocs) == len(parts):
        joined["test_auroc"] = float(np.average(aurocs, weights=tested))
    return dataclasses.replace(
        parts[0],
        **joined,
        seconds=sum(each.seconds for each in parts),
        train_examples=round(np.mean(trained)),
        test_examples=sum(tested),
        right=right,
    )
