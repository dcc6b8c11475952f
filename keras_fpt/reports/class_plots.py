"""Plots of one run's results by class, as SVG."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_fpt.files import pictures
from keras_fpt.reports.plots import to_svg
from keras_fpt.runs import draw_confusions


def confusion_matrix(classes: Mapping[str, Any], title: str) -> str:
    """How many examples of each class were predicted as each class.

    Args:
        classes: dict, `test_classes` in a run's `metrics.json`.
        title: string.

    Returns:
        String, an SVG element. Colors are shares of each class.
    """
    figure, axes = draw_confusions(classes, title)
    counts = np.array(classes["confusion"])
    names = classes["names"]
    values = [
        (
            column,
            row,
            f"class {names[row]}, predicted {names[column]}\n{count:,} of "
            f"{counts[row].sum():,} examples",
        )
        for (row, column), count in np.ndenumerate(counts)
        if count
    ]
    return to_svg(figure, axes, values)


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
    figure, axes = pictures.new_figure(title)
    axes.plot([0, 1], [0, 1], color="gray", linestyle=":")
    values = []
    for curve in classes["roc"]:
        name = pictures.printable(str(curve["name"]))[:24]
        axes.plot(curve["false_positives"], curve["true_positives"], label=name)
        values += [
            (x, y, f"false positives {x:.2%}\n{name}: true positives {y:.2%}")
            for x, y in zip(
                curve["false_positives"], curve["true_positives"], strict=True
            )
        ]
    axes.set_xlabel("false positives, share of the other classes")
    axes.set_ylabel("true positives, share of the class")
    axes.grid(alpha=0.3)
    return to_svg(figure, axes, values)


def calibration(curve: Mapping[str, Any], title: str) -> str:
    """How often predictions of a certain probability are correct.

    Args:
        curve: dict, `test_calibration` in a run's `metrics.json`.
        title: string.

    Returns:
        String, an SVG element. Larger dots stand for more examples.
    """
    figure, axes = pictures.new_figure(title)
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
    axes.set_xlabel("probability of the prediction")
    axes.set_ylabel("share that is correct")
    axes.grid(alpha=0.3)
    values = [
        (x, y, f"probability {x:.2%}\n{y:.2%} of {count:,} examples correct")
        for x, y, count in zip(
            curve["confidence"], curve["accuracy"], counts, strict=True
        )
    ]
    return to_svg(figure, axes, values)
