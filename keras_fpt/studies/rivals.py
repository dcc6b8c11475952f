"""Rivals: what one would try first, without a language model or a GPU."""

import logging
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from keras_fpt.results import Baseline, NotRun, baselines
from keras_fpt.studies.deadline import Deadline, OutOfTime
from keras_fpt.tasks import MAJORITY, Stored, Task

LOGGER = logging.getLogger(__name__)
# The most numbers that a model is fitted to. If there are more, fewer examples
# are used.
MAX_VALUES = 20_000_000
# The most answers per example, since each needs its own model.
MAX_ANSWERS = 20
# Training examples of a task that generates them endlessly.
GENERATED_EXAMPLES = 10_000
BATCH_SIZE = 500

_FITTED = (baselines.LOGISTIC_REGRESSION, baselines.GRADIENT_BOOSTING)
_C = ({"C": 0.1}, {"C": 0.01}, {"C": 1.0}, {"C": 0.001})
_BOOSTING = tuple(
    {"learning_rate": rate, "max_iter": iterations}
    for rate, iterations in ((0.1, 30), (0.3, 30), (0.1, 100), (0.03, 300))
)


def majority(task: Task) -> Baseline:
    """The baseline that always answers the most common class of train."""
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
    )


def fit_all(
    task: Task, deadline: Deadline, seconds: float
) -> tuple[list[Baseline], list[NotRun]]:
    """Fits scikit-learn's models to a task's flattened tokens.

    Each tries several settings, chosen by validation accuracy; the test split
    is read only for the best. Integer tokens become indicators for logistic
    regression and categories for boosting; padding is zeros, or a token of
    its own.

    Args:
        task: a `Task`.
        deadline: a `Deadline`.
        seconds: float, what each model may take. After that, the best that
            was fitted so far is used.

    Returns:
        Tuple of a list of `Baseline` and a list of `NotRun`.
    """
    answers = task.num_output_tokens * task.labels_per_token
    if answers > MAX_ANSWERS:
        reason = (
            f"It needs one model for each of an example's {answers:,} answers; "
            f"at most {MAX_ANSWERS} are fitted."
        )
        return [], [NotRun(task.name, name, reason) for name in _FITTED]
    makers = {
        baselines.LOGISTIC_REGRESSION: (_logistic_regression, _C),
        baselines.GRADIENT_BOOSTING: (_gradient_boosting, _BOOSTING),
    }
    data, fitted, not_run = flattened(task), [], []
    for name, (make, settings) in makers.items():
        best = _fit_best(task, name, make, settings, data, deadline, seconds)
        if best is None:
            reason = (
                f"It could not be fitted once in {seconds:.0f} s. Give a "
                "larger budget."
            )
            not_run.append(NotRun(task.name, name, reason))
            LOGGER.info(f"Not run: {name}: {reason}")
            continue
        fitted.append(best)
        LOGGER.info(
            f"{name}, {best.settings}: validation accuracy "
            f"{best.validation_accuracy:.2%}"
        )
    return fitted, not_run


def _fit_best(
    task: Task,
    name: str,
    make: Callable[[Task, dict[str, float]], Any],
    settings: Iterable[dict[str, float]],
    data: Mapping[str, tuple[np.ndarray, np.ndarray]],
    deadline: Deadline,
    seconds: float,
) -> Baseline | None:
    """A `Baseline` with the best settings, or `None` if time was too short."""
    began = time.monotonic()
    best: tuple[float, dict[str, float], Any] | None = None
    try:
        with deadline.enforced(most=seconds):
            for setting in settings:
                model = make(task, setting)
                with warnings.catch_warnings():
                    # A hundred more iterations would not do better.
                    warnings.simplefilter("ignore")
                    model.fit(*data["train"])
                accuracy = _accuracy(model, *data["validation"])
                if best is None or accuracy > best[0]:
                    best = accuracy, setting, model
    except OutOfTime:
        pass
    if best is None:
        return None
    accuracy, setting, model = best
    seconds = time.monotonic() - began
    x, y = data["test"]
    right = np.mean(np.asarray(model.predict(x)) == y, axis=1)
    return Baseline(
        task.name,
        name,
        ", ".join(f"{k.replace('_', ' ')} {v:g}" for k, v in setting.items()),
        _accuracy(model, *data["train"]),
        accuracy,
        float(right.mean()),
        seconds,
        len(data["train"][0]),
        len(y),
        right,
    )


def _accuracy(model: Any, x: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean(np.asarray(model.predict(x)) == y))


def _logistic_regression(task: Task, setting: dict[str, float]) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multioutput import MultiOutputClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    prepare = (
        StandardScaler()
        if task.vocabulary_size is None
        else OneHotEncoder(handle_unknown="ignore")
    )
    model = LogisticRegression(max_iter=200, **setting)
    return MultiOutputClassifier(make_pipeline(prepare, model))


def _gradient_boosting(task: Task, setting: dict[str, float]) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.multioutput import MultiOutputClassifier

    # It takes at most this many categories.
    is_categorical = task.vocabulary_size and task.vocabulary_size < 255
    columns = list(range(task.sequence_length))
    model = HistGradientBoostingClassifier(
        early_stopping=False,
        categorical_features=columns if is_categorical else None,
        random_state=0,
        **setting,
    )
    return MultiOutputClassifier(model)


def flattened(task: Task) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """A task's splits as one row of numbers per example.

    Args:
        task: a `Task`.

    Returns:
        Dict from `train`, `validation` and `test` to tuples of an array
        `(n, sequence_length * dim)` and int labels `(n, answers)`. Of train,
        at most as many examples as have `MAX_VALUES` numbers.
    """
    width = task.sequence_length * (task.input_dim or 1)
    size = task.data.size("train") or GENERATED_EXAMPLES
    size = max(1, min(size, MAX_VALUES // width))
    held_out = {
        split: _rows(task, task.held_out(split, BATCH_SIZE))
        for split in ("validation", "test")
    }
    return {"train": _train_rows(task, size), **held_out}


def _train_rows(task: Task, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Training examples, neither repeated nor augmented."""
    if not isinstance(task.data, Stored):
        batches = task.datasets(BATCH_SIZE).train.take(-(-size // BATCH_SIZE))
        x, y = _rows(task, batches)
        return x[:size], y[:size]
    x, y, *_ = task.data.splits["train"]
    order = np.random.default_rng(0).permutation(len(y))[:size]
    return _rows(task, task.data.in_order(x, order, BATCH_SIZE, y))


def _rows(task: Task, batches: Any) -> tuple[np.ndarray, np.ndarray]:
    tokens, labels = zip(*batches.as_numpy_iterator(), strict=True)
    x = np.concatenate([_flat(task, each) for each in tokens])
    y = np.concatenate(labels)
    return x, y.reshape(len(y), -1)


def _flat(task: Task, tokens: Any) -> np.ndarray:
    """A batch of tokens as rows; padding is a token of its own."""
    if isinstance(tokens, dict):
        tokens, mask = tokens["tokens"], tokens["padding_mask"].astype(bool)
    else:
        mask = np.ones(tokens.shape[:2], bool)
    padding = task.vocabulary_size or 0
    missing = task.sequence_length - tokens.shape[1]
    shape = (*mask.shape, *(1 for _ in tokens.shape[2:]))
    tokens = np.where(mask.reshape(shape), tokens, padding)
    widths = [(0, 0), (0, missing)] + [(0, 0)] * (tokens.ndim - 2)
    tokens = np.pad(tokens, widths, constant_values=padding)
    return tokens.reshape(len(tokens), -1)
