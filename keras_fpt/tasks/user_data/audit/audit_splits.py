"""Finds whether a given test split differs from the training split."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fpt.tasks.user_data import sequences
from keras_fpt.tasks.user_data.audit.checked import Checked
from keras_fpt.tasks.user_data.audit.findings import Finding

MAX_EXAMPLES = 1000
MIN_EXAMPLES = 20
FOLDS = 3
SYMBOLS = 64
SUMMARIES = ("mean", "deviation", "lowest", "highest", "mean step")
# The area under the ROC curve above 0.5, and in its standard errors.
CLEAR = 0.2
ERRORS = 5.0


def find_unlike_splits(checked: Checked) -> list[Finding]:
    """Finds whether a classifier can distinguish test from training examples.

    It is cross-validated on a sample of both.

    Args:
        checked: a `Checked`.

    Returns:
        A list of `Finding`s.
    """
    train, test = (_sample(checked.splits[name]) for name in ("train", "test"))
    if min(len(train), len(test)) < MIN_EXAMPLES:
        return []
    chosen = np.concatenate([train, test])
    features = _features(checked.x, chosen)
    is_test = np.repeat([0, 1], [len(train), len(test)])
    area = _area(features, is_test)
    size = len(train) * len(test)
    error = np.sqrt((len(train) + len(test) + 1) / (12 * size))
    if area - 0.5 < max(CLEAR, ERRORS * error):
        return []
    return [
        Finding(
            "train-unlike-test",
            "A classifier can distinguish test examples from training examples "
            f"(area under the ROC curve {area:.2f}; 0.5 if they were similar)"
            f"{_most_unlike(features, is_test, checked)}.",
            "If new data is like the training data, split at random, or by "
            "group: --split-group COLUMN.",
        )
    ]


def _most_unlike(
    features: np.ndarray, is_test: np.ndarray, checked: Checked
) -> str:
    """The feature that differs most, in words."""
    from sklearn.metrics import roc_auc_score

    # Higher or lower numbers, or numbers that are farther from the middle.
    middle = np.median(features, axis=0)
    numbers = np.concatenate([features, np.abs(features - middle)], axis=1)
    areas = [roc_auc_score(is_test, number) for number in numbers.T]
    best = int(np.argmax(np.abs(np.array(areas) - 0.5)))
    area = max(areas[best], 1 - areas[best])
    best %= features.shape[1]
    if area - 0.5 < CLEAR:
        return ""
    name = _feature_name(best, features.shape[1], checked)
    return name and f", most by {name} ({area:.2f} alone)"


def _feature_name(index: int, size: int, checked: Checked) -> str:
    """The name of one of the features of an example."""
    x, names = checked.x, checked.channel_names
    is_flat = not sequences.is_ragged(x) and size == np.prod(x.shape[1:])
    if not tf.as_dtype(x.dtype).is_floating:
        return "the length" if index == 0 else ""
    if is_flat and checked.is_by_row:
        return f"the column '{names[index]}'" if len(names) == size else ""
    width = x.shape[-1]
    if is_flat:
        words = f"token {index // width + 1}"
        if width == 1 and not names:
            return words
        return f"{words}, {_channel(index % width, width, names)}"
    if index == 0:
        return "the length"
    what = SUMMARIES[(index - 1) // width]
    return f"the {what} of {_channel((index - 1) % width, width, names)}"


def _channel(index: int, width: int, names: Sequence[str]) -> str:
    if len(names) == width:
        return f"the column '{names[index]}'"
    return f"channel {index + 1}"


def _sample(rows: np.ndarray) -> np.ndarray:
    if len(rows) <= MAX_EXAMPLES:
        return rows
    return np.random.default_rng(0).choice(rows, MAX_EXAMPLES, replace=False)


def _area(features: np.ndarray, is_test: np.ndarray) -> float:
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    forest = ExtraTreesClassifier(50, min_samples_leaf=3, random_state=0)
    scores = cross_val_predict(
        forest, features, is_test, cv=folds, method="predict_proba"
    )
    return float(roc_auc_score(is_test, scores[:, 1]))


def _features(x: Any, rows: np.ndarray) -> np.ndarray:
    """A few numbers for each example."""
    chosen = sequences.select(x, rows)
    if sequences.is_ragged(chosen):
        ends = np.cumsum(sequences.lengths(chosen))
        parts = np.split(chosen.flat_values.numpy(), ends[:-1])
        return np.array([_summary(part) for part in parts])
    array = np.asarray(chosen)
    if array.dtype.kind == "f" and np.prod(array.shape[1:]) <= SYMBOLS:
        return array.reshape(len(rows), -1)
    return np.array([_summary(part) for part in array])


def _summary(row: np.ndarray) -> np.ndarray:
    if row.ndim == 1:
        counts = np.bincount(np.minimum(row, SYMBOLS - 1), minlength=SYMBOLS)
        return np.array([len(row), *(counts / len(row))])
    flat = row.reshape(-1, row.shape[-1]).astype(np.float32)
    steps = np.abs(np.diff(flat, axis=0)).mean(axis=0) if len(flat) > 1 else 0
    parts = [
        flat.mean(axis=0),
        flat.std(axis=0),
        flat.min(axis=0),
        flat.max(axis=0),
        np.broadcast_to(steps, flat.shape[-1:]),
    ]
    return np.array([len(flat), *np.concatenate(parts)])
