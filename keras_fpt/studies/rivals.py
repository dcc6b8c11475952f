"""Rivals: common models that need neither a language model nor a GPU."""

import logging
import time
import warnings
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_fpt.results import Baseline, NotRun, baselines
from keras_fpt.runs import (
    ResolvedRun,
    forecast_results,
    label_results,
    measures,
    target_results,
)
from keras_fpt.studies import rival_data, rival_models
from keras_fpt.studies.classical import CannotBeFitted
from keras_fpt.studies.deadline import Deadline, OutOfTime
from keras_fpt.studies.rival_data import Rows
from keras_fpt.studies.rival_models import Rival, Transform
from keras_fpt.tasks import MAJORITY, MEAN, Task, token_scores

LOGGER = logging.getLogger(__name__)
# Examples whose features are computed to measure how long that takes, and
# that are predicted at a time.
_TIMED, _PREDICTED = 64, 500
# The share of a rival's time that the features of its examples may take.
_FEATURES_SHARE = 0.6
_SPLITS = ("train", "validation", "test")


def simple_rules(task: Task) -> list[Baseline]:
    """The baselines that need no fitting: one, or of forecasts one or two."""
    if not task.is_forecast:
        return [simple_rule(task)]
    splits = {split: task.data.splits[split] for split in _SPLITS}
    labels = {split: np.asarray(part.y) for split, part in splits.items()}
    found = []
    for name, rule in task.simple_rules.items():
        answers = {split: rule(part.x) for split, part in splits.items()}
        found.append(
            Baseline(
                task.name,
                name.replace(" ", "_"),
                "",
                *(None, None, None),
                0.0,
                len(labels["train"]),
                len(labels["test"]),
                task.floors("test")[name],
                errors=_errors(task, answers, labels),
            )
        )
    return found


def simple_rule(task: Task) -> Baseline:
    """The baseline that always predicts the same.

    It predicts the most common training class, or the mean of the training
    labels.
    """
    if task.is_regression:
        return _mean(task)
    counts = task.class_counts("train")
    return Baseline(
        task.name,
        baselines.MAJORITY,
        "",
        # Generated training examples are like those of validation.
        task.majority_accuracy("validation" if counts is None else "train"),
        task.majority_accuracy("validation"),
        task.majority_accuracy("test"),
        0.0,
        task.data.size("train") or 0,
        task.data.size("test"),
        task.floors("test")[MAJORITY],
        # Scores that are the same for all examples.
        test_auroc=0.5 if task.is_multilabel else None,
    )


def _mean(task: Task) -> Baseline:
    y = {split: task.data.labels(split) for split in _SPLITS}
    mean = y["train"].mean(axis=0)
    errors = _errors(
        task,
        {split: np.zeros_like(labels) + mean for split, labels in y.items()},
        y,
    )
    return Baseline(
        task.name,
        baselines.MEAN,
        "",
        *(None, None, None),
        0.0,
        len(y["train"]),
        len(y["test"]),
        task.floors("test")[MEAN],
        errors=errors,
    )


def fit_all(
    task: Task,
    deadline: Deadline,
    seconds: float,
    run: ResolvedRun | None = None,
    known: Container[str] = (),
    keep: Callable[[Baseline], None] = lambda baseline: None,
    probes: Sequence[str] = (baselines.LINEAR_PROBE,),
) -> tuple[list[Baseline], list[NotRun]]:
    """Fits the rivals for a task's kind of data.

    Each tries several settings, chosen by accuracy, or RMSE, on validation;
    the test split is read only for the best. Integer tokens become indicators
    for linear models and categories for boosting; padding is zeros, or a
    separate token.

    Args:
        task: a `Task`.
        deadline: a `Deadline`.
        seconds: float, what the search of each may take. After that, the best
            that was fitted so far is used.
        run: a `ResolvedRun` of the frozen model, for its linear probes; `None`
            leaves them out.
        known: names of rivals that have been fitted before.
        keep: function that is called with each `Baseline` that was fitted.
        probes: sequence of strings, the names of its linear probes.

    Returns:
        Tuple of a list of `Baseline` and a list of `NotRun`.
    """
    fitted, not_run = [], []
    data: dict[str, Rows] | None = None
    for rival in rival_models.of_task(task, run, probes):
        if rival.name in known:
            continue
        try:
            if reason := rival.reason_against(task):
                raise CannotBeFitted(reason)
            data = data or rival_data.read_splits(task)
            best = _fit(task, rival, data, deadline, seconds)
        except CannotBeFitted as error:
            not_run.append(NotRun(task.name, rival.name, str(error)))
            LOGGER.info(f"Not run: {rival.name}: {error}")
            continue
        keras.utils.clear_session()
        fitted.append(best)
        keep(best)
        measure = best.measure
        shown = measure.show(best.values[f"validation_{measure.name}"])
        LOGGER.info(
            f"{rival.name}, {best.settings}: validation {measure.title} {shown}"
        )
    return fitted, not_run


def _fit(
    task: Task,
    rival: Rival,
    data: dict[str, Rows],
    deadline: Deadline,
    seconds: float,
) -> Baseline:
    """A rival at its best settings, which is then tested.

    Raises:
        CannotBeFitted: there is not enough time.
    """
    began, best = time.monotonic(), None
    train = data["train"]
    validation = _thinned(data["validation"], rival.max_held_out)
    test = _thinned(data["test"], rival.max_tested)
    test_share = len(test.y) / len(validation.y)
    try:
        with deadline.enforced(most=seconds):
            transform = rival.prepare(task, train)
            train = _affordable(transform, rival, data, seconds)
            features = transform(train), transform(validation)
            for setting in rival.settings:
                model = rival.make(task, setting)
                try:
                    with warnings.catch_warnings():
                        # A hundred more iterations would not do better.
                        warnings.simplefilter("ignore")
                        model.fit(features[0], train.y)
                    predicting = time.monotonic()
                    answers = _answers(model, features[1])
                    predicting = time.monotonic() - predicting
                    needed = predicting * test_share
                    _check_seconds(needed, "the test", 2 * seconds)
                except CannotBeFitted:
                    if best is None:
                        raise
                    continue
                score = _scores(task, answers, validation.y).mean()
                if best is None or score > best[0]:
                    best = score, setting, model
    except OutOfTime:
        pass
    if best is None:
        raise CannotBeFitted(
            f"It could not be fitted even once in {seconds:.0f} s. Give a "
            "larger budget."
        )
    _, setting, model = best
    spent = time.monotonic() - began
    try:
        with deadline.enforced(most=2 * seconds):
            size = min(_PREDICTED, rival.max_held_out or _PREDICTED)
            tested, auroc = _tested(task, model, transform, test, size)
    except OutOfTime:
        raise CannotBeFitted(
            f"Its test did not finish within {2 * seconds:.0f} s. Give a "
            "larger budget."
        ) from None
    found = {"validation": _answers(model, features[1]), "test": tested}
    if not rival.of_series:
        found["train"] = (
            train.y if rival.remembers else _answers(model, features[0])
        )
    labels = {"train": train.y, "validation": validation.y, "test": test.y}
    accuracies: dict[str, float] = {}
    errors: dict[str, float] | None = None
    if task.is_regression:
        errors = _errors(task, found, labels)
    else:
        accuracies = {
            split: float(_scores(task, found[split], labels[split]).mean())
            for split in _SPLITS
        }
    chosen = [f"{k.replace('_', ' ')} {v:g}" for k, v in setting.items()]
    return Baseline(
        task.name,
        rival.name,
        ", ".join(
            [
                *chosen,
                *_thinning(len(test.y), len(data["test"].y)),
                # It reads the series that are forecast alone.
                *["without future columns"]
                * (rival.of_series and task.future_dim > 0),
            ]
        ),
        train_accuracy=accuracies.get("train"),
        validation_accuracy=accuracies.get("validation"),
        test_accuracy=accuracies.get("test"),
        seconds=spent,
        train_examples=len(train.y),
        test_examples=len(test.y),
        # Compared example by example with others that have the same examples.
        right=_scores(task, tested, test.y),
        errors=errors,
        test_auroc=auroc,
    )


def _thinned(rows: Rows, most: int | None) -> Rows:
    """At most so many of some examples, evenly spaced."""
    if most is None or len(rows.y) <= most:
        return rows
    return rows.part(np.linspace(0, len(rows.y) - 1, most).astype(int))


def _thinning(tested: int, size: int) -> list[str]:
    return [f"{tested:,} of {size:,} test examples"] * (tested < size)


def _errors(
    task: Task,
    answers: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
) -> dict[str, float]:
    """The metrics of labels that are numbers, as in a run's `metrics.json`."""
    measure = (
        forecast_results.measure if task.is_forecast else target_results.measure
    )
    return {
        f"{split}_{name}": value
        for split in answers
        for name, value in measure(answers[split], labels[split]).items()
    }


def _affordable(
    transform: Transform, rival: Rival, data: dict[str, Rows], seconds: float
) -> Rows:
    """How many training examples there is time to compute features of."""
    train = data["train"].part(slice(rival.max_examples))
    # A single example bears the overhead of the call.
    timed = data["test"].part(slice(min(_TIMED, rival.max_examples or _TIMED)))
    call = _seconds(transform, timed.part(slice(1)))
    several = _seconds(transform, timed)
    each = max(several - call, 0.0) / max(1, len(timed.y) - 1)
    held_out = each * sum(
        min(len(data[split].y), most or len(data[split].y))
        for split, most in (
            ("validation", rival.max_held_out),
            ("test", rival.max_tested),
        )
    )
    _check_seconds(held_out, "the features of the other splits", seconds)
    left = _FEATURES_SHARE * seconds - each * len(data["validation"].y)
    size = max(_TIMED, int(left / each)) if each else None
    return train.part(slice(size))


def _seconds(transform: Transform, rows: Rows) -> float:
    began = time.monotonic()
    transform(rows)
    return time.monotonic() - began


def _check_seconds(needed: float, what: str, seconds: float) -> None:
    if needed > seconds:
        raise CannotBeFitted(
            f"It would take {needed:.0f} s for {what}, and has {seconds:.0f} "
            "s. Give a larger budget."
        )


def _tested(
    task: Task, model: Any, transform: Transform, test: Rows, size: int
) -> tuple[np.ndarray, float | None]:
    """What a model predicts for the test examples, some at a time.

    Returns:
        Array `(n, answers)`, and the AUROC of several labels, if the model
        scores them.
    """
    has_scores = task.is_multilabel and hasattr(model, "scores")
    answers, scores = [], []
    for first in range(0, len(test.y), size):
        features = transform(test.part(slice(first, first + size)))
        answers.append(_answers(model, features))
        if has_scores:
            scores.append(model.scores(features))
    auroc = None
    if has_scores:
        auroc = label_results.macro_auroc(np.concatenate(scores), test.y)
    return np.concatenate(answers), auroc


def _answers(model: Any, features: Any) -> np.ndarray:
    return np.asarray(model.predict(features))


def _scores(task: Task, answers: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The score of each example; see `measures.Measure`."""
    if measures.of_task(task).is_error:
        return -((answers - y.astype(np.float64)) ** 2).mean(axis=1)
    if task.is_per_token:
        return token_scores(answers == y, y >= 0)
    return np.mean(answers == y, axis=1)
