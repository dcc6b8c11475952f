"""Draws how much the tokens of an example attend to each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.files import pictures
from keras_fpt.tasks import Task

COLUMNS = 4
MAX_LABELS = 40


def example_tokens(task: Task, number: int) -> np.ndarray:
    """The tokens of a validation example, without padding.

    Args:
        task: a `Task`.
        number: int, counted from 0.

    Raises:
        ValueError: there is no such example.
    """
    dataset = task.held_out("validation", 1).skip(max(number, 0)).take(1)
    for x, _ in dataset.as_numpy_iterator() if number >= 0 else ():
        if isinstance(x, dict):
            return x["tokens"][x["padding_mask"].astype(bool)]
        return x[0]
    raise ValueError(
        f"There is no validation example {number}: expected a number from 0 to "
        f"{task.data.size('validation') - 1}."
    )


def labels_of(task: Task, model: Any, tokens: np.ndarray) -> list[str]:
    """The label of each token that a model's blocks see.

    Args:
        task: a `Task`.
        model: its model.
        tokens: array, of `example_tokens`.
    """
    patches = model.front.patches
    if patches is not None:
        return patch_labels(len(tokens), patches.size, patches.stride)
    return token_labels(task, tokens)


def token_labels(task: Task, tokens: np.ndarray) -> list[str]:
    """The label of each token: its symbol, its value, or its position.

    Args:
        task: a `Task`.
        tokens: array `(tokens, dim)` or `(tokens,)`.
    """
    if task.vocabulary_size is not None:
        symbols = task.symbols or range(task.vocabulary_size)
        return [str(symbols[token]) for token in tokens]
    if tokens.shape[1] == 1:
        return [f"{value:.3g}" for value in tokens[:, 0]]
    return [str(position) for position in range(len(tokens))]


def patch_labels(num_steps: int, size: int, stride: int) -> list[str]:
    """The label of each patch of a series: its first and its last step.

    Args:
        num_steps: int, the length of the series.
        size: int, the number of steps of a patch.
        stride: int, the number of steps from one patch to the next.
    """
    return [
        f"{first}-{min(first + size, num_steps) - 1}"
        for first in range(0, num_steps, stride)
    ]


def draw(
    panels: np.ndarray,
    names: Sequence[str],
    labels: Sequence[str],
    num_answering: int,
    title: str,
) -> bytes:
    """Draws attention maps side by side.

    Args:
        panels: float array `(panels, queries, keys)`.
        names: list of strings, one per panel.
        labels: list of strings, one per token.
        num_answering: int, how many of the last tokens the output layer reads;
            a line separates them.
        title: string.

    Returns:
        Bytes, a PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    # Not pyplot, which would need a display or a global switch.
    figure = Figure(figsize=(3.2 * columns, 3.3 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(pictures.printable(title), wrap=True, parse_math=False)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    count = len(labels)
    shown = np.arange(0, count, -(-count // MAX_LABELS))
    size = 8 if len(shown) <= 20 else 5
    for axes, panel, name in zip(grid, panels, names, strict=False):
        # The first tokens can attend to few others, so their weights are large
        # and would hide all others of a long sequence.
        most = np.quantile(panel, 0.995)
        image = axes.imshow(panel, vmin=0, vmax=most, cmap="viridis")
        axes.set_title(name, fontsize=9)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_ticks(
                shown,
                [pictures.printable(labels[int(i)]) for i in shown],
                fontsize=size,
                parse_math=False,
            )
        axes.tick_params(axis="x", rotation=90)
        if 0 < num_answering < count:
            axes.axhline(count - num_answering - 0.5, color="white", lw=0.8)
        bar = figure.colorbar(image, ax=axes, shrink=0.8, extend="max")
        bar.ax.tick_params(labelsize=6)
    for axes in grid[::columns]:
        axes.set_ylabel("token that attends", fontsize=8)
    for axes in grid[-columns:]:
        axes.set_xlabel("token attended to", fontsize=8)
    return pictures.to_png(figure)
