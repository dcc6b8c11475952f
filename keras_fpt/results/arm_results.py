"""What each arm of a task has reached, with all that a verdict needs."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_fpt.results import rates, run_labels
from keras_fpt.results.statistics import Accuracies, difference
from keras_fpt.runs import test_examples
from keras_fpt.tasks import MAJORITY

# The arm and its learning rate are what is compared.
_COMMON = ("settings", "steps", "batch_size")


@dataclasses.dataclass(frozen=True, eq=False)
class ArmResult:
    """The final runs of an arm at its best settings.

    Args:
        arm: string.
        settings: string, what tells it from others of its arm, in words.
        steps: int, gradient steps of a run.
        batch_size: int, or `None` for the task's.
        learning_rate: float.
        validation_accuracy: float, the mean over seeds.
        accuracies: `Accuracies` on the test split, in which a diverged seed
            answers with the majority class.
        edge: string, `"lowest"` or `"highest"` if the best learning rate is
            that of those tried, so that a better one may lie beyond; `""` if
            it is not; `None` if only one was tried.
        floor: `Floor`, the best of the task's simple rules, or `None`.
        rows: `pandas.DataFrame`, the rows of `load_runs`.
        search_seconds: float, what all runs of the arm took, also those at
            other settings, with the same steps and batch size.
    """

    arm: str
    settings: str
    steps: int
    batch_size: int | None
    learning_rate: float
    validation_accuracy: float
    accuracies: Accuracies
    edge: str | None
    floor: "Floor | None"
    rows: Any
    search_seconds: float = np.nan

    @property
    def name(self) -> str:
        """The arm and its settings."""
        return f"{self.arm} ({self.settings})" if self.settings else self.arm

    @property
    def has_learned(self) -> bool:
        """Whether it is shown to be above every simple rule."""
        return (
            self.floor is None
            or difference(self.accuracies, self.floor.accuracies).low > 0
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Floor:
    """A simple rule, which is there without learning the task.

    Args:
        name: string.
        accuracies: its `Accuracies` on the test split.
        validation_accuracy: float, or NaN if it is unknown.
    """

    name: str
    accuracies: Accuracies
    validation_accuracy: float


def arm_results(runs: Any) -> list[ArmResult]:
    """What each arm of a task has reached, with each of its settings.

    Args:
        runs: `pandas.DataFrame` of `load_runs`, of one task.

    Returns:
        List of `ArmResult`, one for each configuration. Runs of the same
        configuration and seed count once.
    """
    final = runs[runs["final"] & ~runs["repeats"]]
    examples = _test_examples(final)
    best = max(
        floors(final), key=lambda each: each.accuracies.mean, default=None
    )
    results = []
    for _, group in final.groupby("group", sort=False):
        first = group.iloc[0]
        size = first["batch_size"]
        results.append(
            ArmResult(
                first["arm"],
                first["settings"],
                int(first["steps"]),
                None if run_labels.is_none(size) else int(size),
                float(first["learning_rate"]),
                _validation_accuracy(group),
                _accuracies(group, examples, best),
                _edge(runs, first),
                best,
                group,
                _search_seconds(_same(runs, first)),
            )
        )
    return results


def at_best_rates(results: Sequence[ArmResult]) -> list[ArmResult]:
    """Each arm at the learning rate of its highest validation accuracy.

    Args:
        results: list of `ArmResult`, of one task.

    Returns:
        List of `ArmResult`, one for each arm with other settings, steps or
        batch size.
    """
    best: dict[tuple[Any, ...], ArmResult] = {}
    for result in results:
        key = (result.arm, result.settings, result.steps, result.batch_size)
        other = best.setdefault(key, result)
        if result.validation_accuracy > other.validation_accuracy:
            best[key] = result
    return list(best.values())


def floors(runs: Any) -> list[Floor]:
    """The simple rules of a task, and what they reach on its test split.

    Args:
        runs: `pandas.DataFrame` of `load_runs`, of one task.
    """
    finished = runs[runs["final"] & (runs["status"] == "finished")]
    kept = [x for x in _test_examples(finished).values() if x is not None]
    validation = _first_dict(finished, "validation_floors")
    if kept:
        return [
            Floor(
                name,
                Accuracies(
                    np.array([right.mean()]),
                    right[None],
                    kept[0].groups,
                    len(right),
                    varies=False,
                ),
                validation.get(name, np.nan),
            )
            for name, right in kept[0].rules.items()
        ]
    test = _first_dict(finished, "test_floors")
    majority = finished["test_majority_accuracy"].dropna()
    if not test and len(majority):
        test = {MAJORITY: majority.iloc[0]}
    count = _num_examples(finished)
    return [
        Floor(
            name,
            Accuracies(np.array([mean]), num_examples=count, varies=False),
            validation.get(name, np.nan),
        )
        for name, mean in test.items()
    ]


def _first_dict(runs: Any, column: str) -> Mapping[str, float]:
    if column not in runs:
        return {}
    return next((x for x in runs[column] if isinstance(x, dict)), {})


def _num_examples(runs: Any) -> int | None:
    if "test_examples" not in runs:
        return None
    counts = runs["test_examples"].dropna()
    return int(counts.iloc[0]) if len(counts) else None


def _test_examples(runs: Any) -> dict[str, Any]:
    """Dict from folders of finished runs to `RightAnswers` or `None`."""
    finished = runs[runs["status"] == "finished"]
    return {folder: test_examples.read(folder) for folder in finished["folder"]}


def _accuracies(
    group: Any, examples: Mapping[str, Any], floor: Floor | None
) -> Accuracies:
    finished = group[group["status"] == "finished"]
    kept = [examples[folder] for folder in finished["folder"]]
    means = list(finished["test_accuracy"])
    majority = _majority(group, examples, floor)
    diverged = len(group) - len(finished)
    means += [majority.mean() if len(majority) else np.nan] * diverged
    if any(x is None for x in kept) or len({len(x.run) for x in kept}) > 1:
        return Accuracies(np.array(means), num_examples=_num_examples(finished))
    rows = [x.run for x in kept]
    if diverged:
        if len(majority) < 2:
            return Accuracies(np.array(means))
        rows += [majority] * diverged
    if not rows:
        return Accuracies(np.array(means))
    # Also for an arm of which every seed diverged.
    groups = next((x.groups for x in examples.values() if x is not None), None)
    return Accuracies(np.array(means), np.stack(rows), groups, len(rows[0]))


def _majority(
    group: Any, examples: Mapping[str, Any], floor: Floor | None
) -> np.ndarray:
    """What the majority class gets right, or its accuracy, or nothing."""
    for kept in examples.values():
        if kept is not None and MAJORITY in kept.rules:
            return kept.rules[MAJORITY]
    if floor is not None and floor.name == MAJORITY:
        return floor.accuracies.seeds
    known = group["test_majority_accuracy"].dropna()
    return known.to_numpy()[:1]


def _validation_accuracy(group: Any) -> float:
    """The mean over seeds; 0 for one that diverged."""
    return float(group["validation_accuracy"].fillna(0.0).mean())


def _edge(runs: Any, best: Any) -> str | None:
    """Where the best learning rate lies among those tried for an arm."""
    same = _same(runs, best)
    same = same[same["status"] != "unfinished"]
    first = same[same["seed"] == same["seed"].min()]
    tried = first.groupby("learning_rate")["validation_accuracy"].max()
    return rates.edge(tried.fillna(0.0).to_dict(), best["learning_rate"])


def _search_seconds(searched: Any) -> float:
    # The tables of some reports do not have it.
    if "wall_seconds" not in searched:
        return np.nan
    return float(searched["wall_seconds"].sum())


def _same(runs: Any, best: Any) -> Any:
    """The runs of an arm that differ from one in what was searched."""
    return runs[
        (runs["arm"] == best["arm"])
        & np.logical_and.reduce(
            [
                (runs[name] == best[name])
                | (runs[name].isna() & run_labels.is_none(best[name]))
                for name in _COMMON
            ]
        )
    ]
