"""Draws the confusion matrix."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_fpt.files import pictures

# In larger matrices, numbers do not fit into the cells, nor names next to them.
_NUMBERED, _NAMED = 12, 30
# On light cells, also where black becomes the color of a page's text.
_DARK = "#111111"


def draw_confusions(classes: Mapping[str, Any], title: str) -> tuple[Any, Any]:
    """Draws how many examples of each class were predicted as each class.

    Args:
        classes: dict, `test_classes` in a run's `metrics.json`.
        title: string.

    Returns:
        Tuple of a figure of `keras_fpt.files.pictures` and its axes. Colors
        are shares of each class.
    """
    counts = np.array(classes["confusion"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = pictures.new_figure(title)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(counts) <= _NUMBERED:
        for (row, column), count in np.ndenumerate(counts):
            color = "white" if shares[row, column] > 0.5 else _DARK
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
    return figure, axes
