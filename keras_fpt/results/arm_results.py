"""The results of each arm of a task, with everything that a verdict needs."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_fpt.results import rates, run_labels
from keras_fpt.results.statistics import Scores, is_shown_above
from keras_fpt.runs import manifest, measures, test_examples

# The arm and its learning rate are what is compared.
_COMMON = ("settings", "steps", "batch_size")


@dataclasses.dataclass(frozen=True, eq=False)
class ArmResult:
    """The final runs of an arm at its best settings.

    Args:
        arm: string.
        settings: string, the settings that distinguish it from others of its
            arm.
        steps: int, gradient steps of a run.
        batch_size: int, or `None` for the task's.
        learning_rate: float.
        validation_score: float, the mean over seeds.
        scores: `Scores` on the test split, in which a diverged seed answers
            with the majority class, or the mean of train.
        edge: string, `"lowest"` or `"highest"` if the best learning rate is
            that of those tried, so that a better one may lie beyond; `""` if
            it is not; `None` if only one was tried.
        floor: `Floor`, the best of the task's simple rules, or `None`.
        rows: `pandas.DataFrame`, the rows of `load_runs`.
        search_seconds: float, the time of all runs of the arm, including those
            at other settings, with the same steps and batch size.
    """

    arm: str
    settings: str
    steps: int
    batch_size: int | None
    learning_rate: float
    validation_score: float
    scores: Scores
    edge: str | None
    floor: "Floor | None"
    rows: Any
    search_seconds: float = np.nan

    @property
    def name(self) -> str:
        """The arm and its settings."""
        return f"{self.arm} ({self.settings})" if self.settings else self.arm

    @property
    def measure(self) -> measures.Measure:
        """The measure that the runs are compared by."""
        return self.scores.measure

    @property
    def trained_steps(self) -> int:
        """The steps that its runs have been trained for, at most."""
        if "trained_steps" not in self.rows:
            return self.steps
        trained = self.rows["trained_steps"].fillna(self.rows["steps"])
        return int(trained.max())

    @property
    def can_train_on(self) -> bool:
        """Whether its runs have paused, so that they can be trained further."""
        return "paused" in self.rows and bool((self.rows["paused"] == 1).any())

    @property
    def has_learned(self) -> bool:
        """Whether it is shown to be better than every simple rule."""
        return self.floor is None or is_shown_above(
            self.scores, self.floor.scores
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Floor:
    """A simple rule, which answers without learning the task.

    Args:
        name: string.
        scores: its `Scores` on the test split.
        validation_score: float, or NaN if it is unknown.
    """

    name: str
    scores: Scores
    validation_score: float

    @property
    def validation_value(self) -> float:
        """The score on validation as a value of the measure."""
        return float(self.scores.measure.value(self.validation_score))


def arm_results(runs: Any) -> list[ArmResult]:
    """The results of each arm of a task, for each of its settings.

    Args:
        runs: `pandas.DataFrame` of `load_runs`, of one task.

    Returns:
        List of `ArmResult`, one for each configuration. Runs of the same
        configuration and seed count once.
    """
    final = runs[runs["final"] & ~runs["repeats"]]
    measure = measures.of_runs(final)
    examples = _test_examples(final)
    best = max(floors(final), key=lambda each: each.scores.mean, default=None)
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
                _validation_score(group, measure),
                _scores(group, examples, best, measure),
                _edge(runs, first, measure),
                best,
                group,
                _search_seconds(_same(runs, first)),
            )
        )
    return results


def at_best_rates(results: Sequence[ArmResult]) -> list[ArmResult]:
    """Each arm at the learning rate of its best score on validation.

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
        if result.validation_score > other.validation_score:
            best[key] = result
    return list(best.values())


def floors(runs: Any) -> list[Floor]:
    """The simple rules of a task, with their scores on the test split.

    Args:
        runs: `pandas.DataFrame` of `load_runs`, of one task.
    """
    finished = runs[runs["final"] & (runs["status"] == "finished")]
    kept = [x for x in _test_examples(finished).values() if x is not None]
    measure = measures.of_runs(finished)
    validation = _first_dict(finished, "validation_floors")
    if kept:
        return [
            Floor(
                name,
                Scores(
                    np.array([scores.mean()]),
                    scores[None],
                    kept[0].groups,
                    len(scores),
                    varies=False,
                    measure=measure,
                ),
                measure.score(validation.get(name, np.nan)),
            )
            for name, scores in kept[0].rules.items()
        ]
    test = _first_dict(finished, "test_floors")
    if not test and len(known := _floor_values(finished, measure)):
        test = {measure.floor_rule: known.iloc[0]}
    count = _num_examples(finished)
    return [
        Floor(
            name,
            Scores(
                np.array([measure.score(value)]),
                num_examples=count,
                varies=False,
                measure=measure,
            ),
            measure.score(validation.get(name, np.nan)),
        )
        for name, value in test.items()
    ]


def _floor_values(runs: Any, measure: measures.Measure) -> Any:
    """The test values of the rule that stands for diverged runs."""
    return runs.get(f"test_{measure.floor_metric}", runs["final"][:0]).dropna()


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
    """Dict from folders of finished runs to `ExampleScores` or `None`."""
    finished = runs[runs["status"] == "finished"]
    return {folder: test_examples.read(folder) for folder in finished["folder"]}


def _scores(
    group: Any,
    examples: Mapping[str, Any],
    floor: Floor | None,
    measure: measures.Measure,
) -> Scores:
    finished = group[group["status"] == "finished"]
    kept = [examples[folder] for folder in finished["folder"]]
    means = list(measure.score(finished[f"test_{measure.name}"]))
    rule = _rule_of_diverged(group, examples, floor, measure)
    diverged = len(group) - len(finished)
    means += [rule.mean() if len(rule) else np.nan] * diverged
    seeds = Scores(np.array(means), measure=measure)
    if any(x is None for x in kept) or len({len(x.run) for x in kept}) > 1:
        count = _num_examples(finished)
        return dataclasses.replace(seeds, num_examples=count)
    rows = [x.run for x in kept]
    if diverged:
        if len(rule) < 2:
            return seeds
        rows += [rule] * diverged
    if not rows:
        return seeds
    # Also for an arm of which every seed diverged.
    groups = next((x.groups for x in examples.values() if x is not None), None)
    return dataclasses.replace(
        seeds,
        examples=np.stack(rows),
        groups=groups,
        num_examples=len(rows[0]),
    )


def _rule_of_diverged(
    group: Any,
    examples: Mapping[str, Any],
    floor: Floor | None,
    measure: measures.Measure,
) -> np.ndarray:
    """Scores of the rule that stands for a diverged run, or their mean."""
    name = measure.floor_rule
    for kept in examples.values():
        if kept is not None and name in kept.rules:
            return kept.rules[name]
    if floor is not None and floor.name == name:
        return floor.scores.seeds
    return measure.score(_floor_values(group, measure).to_numpy()[:1])


def _validation_score(group: Any, measure: measures.Measure) -> float:
    """The mean over seeds, with the worst score for one that diverged."""
    scores = measure.score(group[f"validation_{measure.name}"])
    return float(scores.fillna(measure.worst_score).mean())


def _edge(runs: Any, best: Any, measure: measures.Measure) -> str | None:
    """Whether an arm's best learning rate is the lowest or highest tried."""
    same = _same(runs, best)
    same = same[same["status"] != "unfinished"]
    first = same[same["seed"] == same["seed"].min()]
    name = f"validation_{measure.name}"
    scores = first.assign(score=measure.score(first[name]))
    tried = scores.groupby("learning_rate")["score"].max()
    return rates.edge(
        tried.fillna(measure.worst_score).to_dict(),
        best["learning_rate"],
        measure.best_score,
    )


def _search_seconds(searched: Any) -> float:
    # The tables of some reports do not have it.
    if "wall_seconds" not in searched:
        return np.nan
    spent = searched["wall_seconds"] / _stack_sizes(searched)
    if "share_seconds" in searched:  # Earlier versions do not record it.
        spent = searched["share_seconds"].fillna(spent)
    return float(spent.sum())


def _stack_sizes(runs: Any) -> Any:
    """How many runs each was trained with in one step, which took that time."""
    if "folder" not in runs:
        return 1
    saved = runs["folder"].map(manifest.read)
    return saved.map(lambda one: max(1, len(one.stack)) if one else 1)


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
