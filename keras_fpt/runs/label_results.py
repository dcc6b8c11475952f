"""How a run does on each of several labels. scikit-learn computes it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import special
from sklearn import metrics as sk

from keras_fpt.runs import class_results


def measure(
    logits: np.ndarray, labels: np.ndarray, names: Sequence[str]
) -> dict[str, Any]:
    """Metrics of several labels per example, beyond their accuracy.

    A label is predicted where its probability is above a half.

    Args:
        logits: float array `(examples, labels)`.
        labels: int array of the same shape, of 0 and 1.
        names: sequence of strings, the labels' names.

    Returns:
        A dict that `json.dumps` accepts: `exact_match`, the share of examples
        of which every label is right; `macro_f1`, the mean F1 of the labels;
        `micro_f1`, that of all labels together; `auroc`, the mean over the
        labels that some examples have, and some do not, or `None`; and
        `classes`: lists of `names`, `precision`, `recall`, `f1`, `auroc` (or
        `None`) and `examples`, how many have the label, and for at most 12
        labels `roc`, as of `class_results.measure`.
    """
    answers = logits > 0
    precision, recall, f1, count = sk.precision_recall_fscore_support(
        labels, answers, average=None, zero_division=0
    )
    probabilities = special.expit(logits.astype(np.float64))
    auroc = _auroc_of_each(probabilities, labels)
    classes: dict[str, Any] = {
        "names": list(names),
        "precision": np.atleast_1d(precision).tolist(),
        "recall": np.atleast_1d(recall).tolist(),
        "f1": np.atleast_1d(f1).tolist(),
        "auroc": auroc,
        "examples": np.atleast_1d(count).tolist(),
    }
    if len(names) <= class_results.MAX_CURVES:
        classes["roc"] = [
            class_results.roc_curve(own, scores, name)
            for own, scores, name in zip(
                labels.T, probabilities.T, names, strict=True
            )
            if 0 < own.sum() < len(own)
        ]
    return {
        "exact_match": float((answers == labels).all(axis=1).mean()),
        "macro_f1": float(np.mean(f1)),
        "micro_f1": float(
            sk.f1_score(labels.ravel(), answers.ravel(), zero_division=0)
        ),
        "auroc": macro_auroc(probabilities, labels),
        "classes": classes,
    }


def macro_auroc(scores: np.ndarray, labels: np.ndarray) -> float | None:
    """The area under the ROC curve, averaged over the labels.

    Args:
        scores: float array `(examples, labels)`, higher where a label is more
            likely.
        labels: int array of the same shape, of 0 and 1.

    Returns:
        float, the mean over the labels that some examples have, and some do
        not; `None` if there is no such label.
    """
    found = [x for x in _auroc_of_each(scores, labels) if x is not None]
    return float(np.mean(found)) if found else None


def _auroc_of_each(
    scores: np.ndarray, labels: np.ndarray
) -> list[float | None]:
    return [
        float(sk.roc_auc_score(own, of_label))
        if 0 < own.sum() < len(own)
        else None
        for own, of_label in zip(labels.T, scores.T, strict=True)
    ]


def words(values: Mapping[str, Any]) -> str:
    """Metrics in words: `exact match 61.00%, AUROC 0.912, macro F1 70.0%`."""
    text = f"exact match {values['exact_match']:.2%}"
    if values.get("auroc") is not None:
        text += f", AUROC {values['auroc']:.3f}"
    if "macro_f1" in values:
        text += (
            f", macro F1 {values['macro_f1']:.2%}, micro F1 "
            f"{values['micro_f1']:.2%}"
        )
    return text
