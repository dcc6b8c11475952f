"""How a run does on each class, and how far its probabilities can be trusted.

scikit-learn computes all but the temperature.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import optimize, special
from sklearn import metrics as sk

# Larger tables of confusions are for nobody to read.
MAX_CLASSES = 100
# The bins of the calibration error, as in Guo et al., 2017.
_BINS = 15
_TEMPERATURES = (0.05, 20.0)


def measure(
    logits: np.ndarray, labels: np.ndarray, names: Sequence[str] | None = None
) -> dict[str, Any]:
    """Metrics of answers, beyond accuracy.

    Args:
        logits: float array `(examples, classes)`.
        labels: int array `(examples,)`.
        names: sequence of strings, the classes' names; `None` takes numbers.

    Returns:
        A dict that `json.dumps` accepts: `balanced_accuracy`, `macro_f1`,
        `auroc` (of two classes, or the mean over one class against the rest,
        of those that have examples; `None` if there is no such class),
        `calibration_error`, and for at most 100 classes `classes`: lists of
        `names`, `precision`, `recall`, `f1` and `examples`, and `confusion`,
        how many examples of each class (row) got each answer (column).
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
    return result


def _auroc(probabilities: np.ndarray, labels: np.ndarray) -> float | None:
    num_classes = probabilities.shape[1]
    chosen = [1] if num_classes == 2 else range(num_classes)
    values = []
    for number in chosen:
        is_class = labels == number
        if is_class.any() and not is_class.all():
            values.append(sk.roc_auc_score(is_class, probabilities[:, number]))
    return float(np.mean(values)) if values else None


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The expected calibration error of the answers.

    The mean distance between the probability that is given to the answers and
    the share of them that is right, over 15 bins of equal width, weighted by
    their sizes.

    Args:
        probabilities: float array `(examples, classes)`.
        labels: int array `(examples,)`.

    Source: Guo, Pleiss, Sun and Weinberger, 2017, arXiv 1706.04599.
    """
    given = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((given * _BINS).astype(int), _BINS - 1)
    gap = np.bincount(bins, weights=given - is_right, minlength=_BINS)
    return float(np.abs(gap).sum() / len(labels))


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The number by which to divide logits so that probabilities fit best.

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
