"""Per-class metrics of a run, and the calibration of its probabilities.

scikit-learn computes all but the temperature.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import optimize, special
from sklearn import metrics as sk

# Larger confusion matrices are unreadable.
MAX_CLASSES = 100
# More curves cannot be distinguished.
MAX_CURVES = 12
_CURVE_POINTS = 100
MISTAKES = 8
# The bins of the calibration error, as in Guo et al., 2017.
_BINS = 15
_TEMPERATURES = (0.05, 20.0)


def measure(
    logits: np.ndarray, labels: np.ndarray, names: Sequence[str] | None = None
) -> dict[str, Any]:
    """Metrics of predictions, beyond accuracy.

    Args:
        logits: float array `(examples, classes)`.
        labels: int array `(examples,)`.
        names: sequence of strings, the classes' names; `None` takes numbers.

    Returns:
        A dict that `json.dumps` accepts: `balanced_accuracy`, `macro_f1`,
        `auroc` (of two classes, or the mean over one class against the rest,
        of those that have examples; `None` if there is no such class),
        `calibration_error`, `calibration` (see `calibration_curve`), and for
        at most 100 classes `classes`: lists of `names`, `precision`, `recall`,
        `f1` and `examples`, `confusion`, how many examples of each class (row)
        were predicted as each class (column), and for at most 12 classes `roc`,
        a list of curves with `name`, `false_positives` and `true_positives`.
    """
    num_classes = logits.shape[1]
    classes = np.arange(num_classes)
    answers = logits.argmax(axis=1)
    probabilities = special.softmax(logits.astype(np.float64), axis=1)
    precision, recall, f1, count = sk.precision_recall_fscore_support(
        labels, answers, labels=classes, zero_division=0
    )
    is_present = count > 0
    result: dict[str, Any] = {
        "balanced_accuracy": float(recall[is_present].mean()),
        "macro_f1": float(f1[is_present].mean()),
        "auroc": _auroc(probabilities, labels),
        "calibration_error": calibration_error(probabilities, labels),
        "calibration": calibration_curve(probabilities, labels),
    }
    if num_classes <= MAX_CLASSES:
        confusion = sk.confusion_matrix(labels, answers, labels=classes)
        result["classes"] = {
            "names": [*(names or map(str, classes))],
            "precision": precision.tolist(),
            "recall": recall.tolist(),
            "f1": f1.tolist(),
            "examples": count.tolist(),
            "confusion": confusion.tolist(),
        }
    if num_classes <= MAX_CURVES:
        names = result["classes"]["names"]
        result["classes"]["roc"] = _roc_curves(probabilities, labels, names)
    return result


def _told_apart(labels: np.ndarray, num_classes: int) -> list[int]:
    """The classes to compare with the rest: those with examples of both."""
    chosen = [1] if num_classes == 2 else range(num_classes)
    return [i for i in chosen if 0 < (labels == i).sum() < len(labels)]


def _roc_curves(
    probabilities: np.ndarray, labels: np.ndarray, names: Sequence[str]
) -> list[dict[str, Any]]:
    return [
        roc_curve(labels == number, probabilities[:, number], names[number])
        for number in _told_apart(labels, probabilities.shape[1])
    ]


def roc_curve(
    is_class: np.ndarray, probabilities: np.ndarray, name: str
) -> dict[str, Any]:
    """True over false positives of one class.

    Args:
        is_class: bool array `(examples,)`, of both values.
        probabilities: float array `(examples,)`, of the class.
        name: string, the class.

    Returns:
        A dict of `name`, `false_positives` and `true_positives`.
    """
    false, true, _ = sk.roc_curve(is_class, probabilities)
    # Enough for a picture.
    kept = np.linspace(0, len(false) - 1, min(len(false), _CURVE_POINTS))
    kept = kept.round().astype(int)
    return {
        "name": name,
        "false_positives": false[kept].round(4).tolist(),
        "true_positives": true[kept].round(4).tolist(),
    }


def _auroc(probabilities: np.ndarray, labels: np.ndarray) -> float | None:
    values = [
        sk.roc_auc_score(labels == number, probabilities[:, number])
        for number in _told_apart(labels, probabilities.shape[1])
    ]
    return float(np.mean(values)) if values else None


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The expected calibration error of the predictions.

    The mean distance between the probability of the predictions and the share
    of them that is correct, over 15 bins of equal width, weighted by their
    sizes.

    Args:
        probabilities: float array `(examples, classes)`.
        labels: int array `(examples,)`.

    Source: Guo, Pleiss, Sun and Weinberger, 2017, arXiv 1706.04599.
    """
    given, is_right, bins = _confidences(probabilities, labels)
    gap = np.bincount(bins, weights=given - is_right, minlength=_BINS)
    return float(np.abs(gap).sum() / len(labels))


def calibration_curve(
    probabilities: np.ndarray, labels: np.ndarray
) -> dict[str, list]:
    """How often predictions of a certain probability are correct.

    Args:
        probabilities: float array `(examples, classes)`.
        labels: int array `(examples,)`.

    Returns:
        A dict of lists with a number for each of 15 bins that has predictions:
            `confidence`, their mean probability; `accuracy`, the share that is
            correct; and `examples`, how many there are.
    """
    given, is_right, bins = _confidences(probabilities, labels)
    counts = np.bincount(bins, minlength=_BINS)
    used = np.flatnonzero(counts)

    def means(values: np.ndarray) -> list[float]:
        sums = np.bincount(bins, weights=values, minlength=_BINS)
        return (sums[used] / counts[used]).round(4).tolist()

    return {
        "confidence": means(given),
        "accuracy": means(is_right),
        "examples": counts[used].tolist(),
    }


def _confidences(
    probabilities: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The probability of each prediction, whether it is correct, its bin."""
    given = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == labels
    return given, is_right, np.minimum((given * _BINS).astype(int), _BINS - 1)


def worst_mistakes(
    logits: np.ndarray, labels: np.ndarray, count: int = MISTAKES
) -> list[dict[str, Any]]:
    """The wrong predictions of the highest probability.

    Args:
        logits: float array `(examples, classes)`.
        labels: int array `(examples,)`.
        count: int, how many there may be.

    Returns:
        List of dicts, the most confident first: `place`, the number of the
            example
        from 0; `label` and `answer`, numbers of classes; `probability`, that
        of the answer.
    """
    probabilities = special.softmax(logits.astype(np.float64), axis=1)
    answers = probabilities.argmax(axis=1)
    given = probabilities.max(axis=1)
    wrong = np.flatnonzero(answers != labels)
    wrong = wrong[np.argsort(-given[wrong], kind="stable")][:count]
    return [
        {
            "place": int(i),
            "label": int(labels[i]),
            "answer": int(answers[i]),
            "probability": round(float(given[i]), 4),
        }
        for i in wrong
    ]


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature by which to divide logits for calibrated probabilities.

    Args:
        logits: float array `(examples, classes)`, of examples that the model
            was not trained on.
        labels: int array `(examples,)`.

    Returns:
        The temperature between 0.05 and 20 with the least cross-entropy.

    Source: Guo, Pleiss, Sun and Weinberger, 2017, arXiv 1706.04599.
    """
    logits = logits.astype(np.float64)

    def loss(log_temperature: float) -> float:
        log_probabilities = special.log_softmax(
            logits / np.exp(log_temperature), axis=1
        )
        return -float(log_probabilities[np.arange(len(labels)), labels].mean())

    bounds = tuple(np.log(_TEMPERATURES))
    found = optimize.minimize_scalar(loss, bounds=bounds, method="bounded")
    return float(np.exp(found.x))
