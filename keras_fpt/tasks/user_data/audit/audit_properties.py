"""Finds properties of files and examples that each predict the class.

A model may learn the class from them, and fails where new data is recorded or
cut in another way.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_fpt.tasks.user_data import sequences
from keras_fpt.tasks.user_data.audit import audit_labels
from keras_fpt.tasks.user_data.audit.audited_table import Table
from keras_fpt.tasks.user_data.audit.findings import Finding

# The least accuracy on held-out examples that is named.
TELLING = 0.9
MIN_EXAMPLES = 20
SHOWN = 3
RATE_ADVICE = (
    "Bring the recordings of all classes to one sampling rate, for instance "
    "with pandas.DataFrame.resample."
)


class Property(NamedTuple):
    """What files have beside their content.

    Args:
        values: n numbers or strings.
        advice: string, one sentence: what to do.
        is_leak: bool, whether it is of the file and not of what it shows.
    """

    values: Sequence[Any]
    advice: str
    is_leak: bool = True


def find_telling(
    properties: Mapping[str, Property],
    y: np.ndarray,
    splits: Mapping[str, np.ndarray],
    groups: np.ndarray | None = None,
) -> list[Finding]:
    """Finds properties from each of which a small tree predicts the class.

    Args:
        properties: dict from names, such as `sampling rate`, to `Property`s.
        y: int array `(n,)` of classes.
        splits: dict from splits to int arrays of indices.
        groups: int array `(n,)`, or `None`.

    Returns:
        A list of at most one `Finding` for the properties of files and one
        for the others, each about the first of the properties.
    """
    if len(y) < MIN_EXAMPLES or not properties:
        return []
    names = list(properties)
    codes = [_numbers(properties[name].values) for name in names]
    table = Table(
        np.stack(codes, axis=1).astype(float),
        names,
        y,
        [*map(str, range(int(y.max()) + 1))],
        splits["train"],
        splits["test"],
        groups,
    )
    findings = []
    for is_leak in (True, False):
        found = [
            (name, score)
            for index, name in enumerate(names)
            if properties[name].is_leak == is_leak
            and len(np.unique(codes[index])) > 1
            and (score := audit_labels.tree_score(table, index)) is not None
            and score.is_above_chance
            and min(score.accuracy, score.train_accuracy) >= TELLING
        ]
        if not found:
            continue
        name, score = found[0]
        others = [other for other, _ in found[1:]]
        also = f", and so does the {' or the '.join(others)}" if others else ""
        findings.append(
            Finding(
                "telling-properties",
                f"The {name} ({_shown(properties[name].values)}) "
                f"alone predicts {score.accuracy:.1%} of the held-out examples "
                f"(majority class {score.majority:.1%}), by a small tree"
                f"{also}. A model may learn it in place of the content.",
                properties[name].advice,
                is_leak,
            )
        )
    return findings


def find_telling_length(
    x: Any,
    y: np.ndarray,
    splits: Mapping[str, np.ndarray],
    groups: np.ndarray | None = None,
) -> list[Finding]:
    """Finds whether the lengths of sequences predict the class.

    Args:
        x: as in `Examples`, all examples.
        y: int array `(n,)` of classes.
        splits: dict from splits to int arrays of indices in `x`.
        groups: int array `(n,)`, or `None`.
    """
    if not sequences.is_ragged(x):
        return []
    length = Property(
        sequences.lengths(x).tolist(),
        "If new data has other lengths, cut all examples to one: rows with "
        "--window, sounds with --max-seconds.",
        is_leak=False,
    )
    return find_telling({"number of tokens": length}, y, splits, groups)


def rounded(steps: Iterable[float]) -> list[float]:
    """Steps of time to three digits: those of 0.01 differ in the last bits."""
    return [float(f"{step:.3g}") for step in steps]


def _numbers(values: Sequence[Any]) -> np.ndarray:
    """Numbers as they are, and others numbered."""
    array = np.asarray(values)
    if array.dtype.kind in "biuf":
        return array
    return np.unique(array, return_inverse=True)[1]


def _shown(values: Sequence[Any]) -> str:
    """A few of the values, or the range of many numbers."""
    distinct = sorted(set(values))
    words = [
        f"{each:,g}" if isinstance(each, int | float) else str(each)
        for each in distinct
    ]
    if len(words) <= SHOWN:
        return " or ".join(words)
    if isinstance(distinct[0], int | float):
        return f"{words[0]} to {words[-1]}"
    return ", ".join(words[:SHOWN]) + ", ..."
