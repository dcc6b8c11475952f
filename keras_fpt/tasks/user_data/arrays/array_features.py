"""Finds numbers of an array's rows that each predict the class."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data import audit, sequences
from keras_fpt.tasks.user_data.audit import audit_labels, audited_table
from keras_fpt.tasks.user_data.targets import Labels

MOST_FEATURES = 256
ADVICE = (
    "If new data lacks it, or it is made from the label, leave it out, e.g. "
    "with np.delete(x, index, axis=1)."
)


def find_telling(
    x: Any, labels: Labels, splits: Mapping[str, np.ndarray]
) -> list[audit.Finding]:
    """Finds columns of an array `(examples, columns)` that predict the class.

    Args:
        x: as in `Examples`, all examples, before they are standardized.
        labels: `Labels` of the examples.
        splits: dict from splits to int arrays of indices in `x`.
    """
    if sequence_store.is_on_disk(x) or sequences.is_ragged(x):
        return []
    if len(x.shape) != 3 or x.shape[2] > 1 or x.shape[1] > MOST_FEATURES:
        return []
    values = np.asarray(x)[:, :, 0].astype(float)
    if not labels.has_classes or np.isnan(values).any():
        return []
    table = audited_table.Table(
        values,
        [f"x[:, {index}]" for index in range(values.shape[1])],
        labels.y,
        labels.class_names,
        splits["train"],
        splits["test"],
    )
    findings, named = audit_labels.find_twins(table)
    findings = findings or audit_labels.find_solvers(table.without(named))
    return [dataclasses.replace(finding, advice=ADVICE) for finding in findings]
