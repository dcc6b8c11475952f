"""Attention maps: pictures of what a trained run's tokens attend to."""

import os
from collections.abc import Sequence

import numpy as np

from keras_fpt.files import Output, outputs, pictures
from keras_fpt.runs import load_trained
from keras_fpt.tasks import Task

Path = str | os.PathLike[str]

COLUMNS = 4
MAX_LABELS = 40


def attention_map(
    run_folder: Path,
    path: Path,
    example: int = 0,
    block: int | None = None,
    data_dir: Path | None = None,
    overwrite: bool = False,
    preset: Path | None = None,
) -> np.ndarray:
    """Draws how much each token of an example attends to each other token.

    Args:
        run_folder: path of a finished run's folder.
        path: the PNG file to write.
        example: int, which example of the validation split.
        block: int, counted from 0; each head of this block is drawn. `None`
            draws every block, with its heads averaged.
        data_dir: as for `keras_fpt.runs.evaluate`.
        overwrite: bool, whether an existing file that keras-fpt did not write
            may be replaced.
        preset: as for `keras_fpt.runs.evaluate`.

    Returns:
        Float array of what is drawn, `(panels, queries, keys)`: blocks, or
        heads.

    Raises:
        FileExistsError: a file exists that may not be replaced.
        FileNotFoundError: the folder holds no finished run.
        ValueError: the example or block does not exist, or the backbone has
            no attention.

    Source: Lu et al. (2021), on what the frozen layers attend to.
    """
    output = Output(path, outputs.PNG_MARK, (run_folder,), overwrite)
    output.check()
    run, model = load_trained(run_folder, data_dir, preset)
    task = run.task
    tokens = _example(task, example)
    scores = model.attention_scores(tokens[None], average_heads=block is None)
    # Where the channels are independent, each is a sequence of its own.
    scores = scores.mean(axis=1)
    if block is None:
        panels = scores
        names = [f"block {i}" for i in range(len(panels))]
    elif 0 <= block < len(scores):
        panels = scores[block]
        names = [f"head {i}" for i in range(len(panels))]
    else:
        raise ValueError(
            f"Expected a block from 0 to {len(scores) - 1} but received "
            f"{block}."
        )
    title = f"{task.name}, arm {run.arm.name}, validation example {example}"
    title += "" if block is None else f", block {block}"
    num_answering = model.readout_layer.num_tokens
    labels = token_labels(task, tokens)
    patches = model.front.patches
    if patches is not None:
        labels = patch_labels(len(tokens), patches.size, patches.stride)
    output.write(draw(panels, names, labels, num_answering, title))
    return panels


def _example(task: Task, number: int) -> np.ndarray:
    """The real tokens of a validation example."""
    dataset = task.held_out("validation", 1).skip(max(number, 0)).take(1)
    for x, _ in dataset.as_numpy_iterator() if number >= 0 else ():
        if isinstance(x, dict):
            return x["tokens"][x["padding_mask"].astype(bool)]
        return x[0]
    raise ValueError(
        f"There is no validation example {number}: expected a number from 0 to "
        f"{task.data.size('validation') - 1}."
    )


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
        num_answering: int, how many of the last tokens give answers; a line
            separates them.
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
