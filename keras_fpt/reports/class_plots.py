"""Plots of how one run does on each class, as SVG."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_fpt.files import pictures
from keras_fpt.reports.plots import new_figure, to_svg

# In larger matrices no numbers fit into the cells, or names beside them.
_NUMBERED, _NAMED = 12, 30


def confusion_matrix(classes: Mapping[str, Any], title: str) -> str:
    """How many examples of each class got each answer.

    Args:
        classes: dict, `test_classes` in a run's `metrics.json`.
        title: string.

    Returns:
        String, an SVG element. Colors are shares of each class.
    """
    counts = np.array(classes["confusion"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = new_figure(title)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(counts) <= _NUMBERED:
        for (row, column), count in np.ndenumerate(counts):
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(
                column,
                row,
                f"{count:,}",
                ha="center",
                va="center",
                fontsize=8,
                color=color,
            )
    if len(counts) <= _NAMED:
        names = [pictures.printable(str(n))[:16] for n in classes["names"]]
        ticks = range(len(names))
        axes.set_xticks(
            ticks, names, rotation=45, ha="right", fontsize=8, parse_math=False
        )
        axes.set_yticks(ticks, names, fontsize=8, parse_math=False)
    axes.set_xlabel("answer")
    axes.set_ylabel("class")
    return to_svg(figure, axes)


def roc_curves(classes: Mapping[str, Any], title: str) -> str | None:
    """True over false positives: of two classes, or one against the rest.

    Args:
        classes: dict, `test_classes` in a run's `metrics.json`.
        title: string.

    Returns:
        String, an SVG element; `None` if there are no curves.
    """
    if not classes.get("roc"):
        return None
    figure, axes = new_figure(title)
    axes.plot([0, 1], [0, 1], color="gray", linestyle=":")
    for curve in classes["roc"]:
        axes.plot(
            curve["false_positives"],
            curve["true_positives"],
            label=pictures.printable(str(curve["name"]))[:24],
        )
    axes.set_xlabel("false positives, share of the other classes")
    axes.set_ylabel("true positives, share of the class")
    axes.grid(alpha=0.3)
    return to_svg(figure, axes)


def calibration(curve: Mapping[str, Any], title: str) -> str:
    """How often answers are right that are given with a certain probability.

    Args:
        curve: dict, `test_calibration` in a run's `metrics.json`.
        title: string.

    Returns:
        String, an SVG element. Larger dots are of more examples.
    """
    figure, axes = new_figure(title)
    axes.plot([0, 1], [0, 1], color="gray", linestyle=":")
    counts = np.array(curve["examples"])
    axes.plot(curve["confidence"], curve["accuracy"], color="C0")
    axes.scatter(
        curve["confidence"],
        curve["accuracy"],
        s=10 + 90 * counts / counts.max(),
        color="C0",
    )
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("probability of the answer")
    axes.set_ylabel("share that is right")
    axes.grid(alpha=0.3)
    return to_svg(figure, axes)
