"""Pictures of what a trained run attends to."""

import numpy as np

from keras_fpt.runs import train as run

COLUMNS = 4
MOST_LABELS = 40


def attention_map(folder, path, example=0, block=None, data_dir=None):
    """Draws how much each token of an example attends to each other one.

    Args:
        folder: path of a finished run's folder.
        path: where the PNG goes.
        example: int, which example of the validation split.
        block: int, counted from 0: draws each head of this block. `None`
            draws every block, its heads averaged.
        data_dir: as for `run.evaluate`.

    Returns:
        Float array of what is drawn, `(panels, queries, keys)`: blocks, or
        heads.

    Raises:
        FileNotFoundError: the folder holds no finished run.
        ValueError: there is no such example or block, or no attention.

    Source: Lu et al. (2021), on what the frozen layers attend to.
    """
    config, task, model = run.trained(folder, data_dir)
    tokens = _example(task, example)
    scores = model.attention_scores(tokens[None], average_heads=block is None)
    if block is None:
        panels = scores[:, 0]
        names = [f"block {i}" for i in range(len(panels))]
    elif 0 <= block < len(scores):
        panels = scores[block, 0]
        names = [f"head {i}" for i in range(len(panels))]
    else:
        raise ValueError(
            f"Expected a block from 0 to {len(scores) - 1} but received "
            f"{block}."
        )
    of_block = "" if block is None else f", block {block}"
    title = (
        f"{task.name}, arm {config.arm}, validation example {example}{of_block}"
    )
    num_answering = model.readout_layer.num_tokens
    draw(panels, names, token_labels(task, tokens), num_answering, title, path)
    return panels


def _example(task, number):
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


def token_labels(task, tokens):
    """What each token is called: its symbol, its number, or its place.

    Args:
        task: a `Task`.
        tokens: array `(tokens, dim)` or `(tokens,)`.
    """
    if task.vocabulary_size is not None:
        symbols = task.symbols or range(task.vocabulary_size)
        return [str(symbols[token]) for token in tokens]
    if tokens.shape[1] == 1:
        return [f"{value:.3g}" for value in tokens[:, 0]]
    return [str(place) for place in range(len(tokens))]


def draw(panels, names, labels, num_answering, title, path):
    """Draws maps of attention side by side.

    Args:
        panels: float array `(panels, queries, keys)`.
        names: list of strings, one a panel.
        labels: list of strings, one a token.
        num_answering: int, how many of the last tokens give answers; a line
            sets them off.
        title: string.
        path: where the PNG goes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    # Not pyplot, which would need a display or a global switch.
    figure = Figure(figsize=(3.2 * columns, 3.3 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, wrap=True, parse_math=False)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for place in axes[len(panels) :]:
        place.set_axis_off()
    count = len(labels)
    shown = np.arange(0, count, -(-count // MOST_LABELS))
    size = 8 if len(shown) <= 20 else 5
    for place, panel, name in zip(axes, panels, names, strict=False):
        # The first tokens have few to attend to: their shares would hide all
        # others of a long sequence.
        most = np.quantile(panel, 0.995)
        image = place.imshow(panel, vmin=0, vmax=most, cmap="viridis")
        place.set_title(name, fontsize=9)
        for axis in (place.xaxis, place.yaxis):
            axis.set_ticks(
                shown,
                [labels[i] for i in shown],
                fontsize=size,
                parse_math=False,
            )
        place.tick_params(axis="x", rotation=90)
        if 0 < num_answering < count:
            place.axhline(count - num_answering - 0.5, color="white", lw=0.8)
        bar = figure.colorbar(image, ax=place, shrink=0.8, extend="max")
        bar.ax.tick_params(labelsize=6)
    for place in axes[::columns]:
        place.set_ylabel("token that attends", fontsize=8)
    for place in axes[-columns:]:
        place.set_xlabel("token attended to", fontsize=8)
    figure.savefig(path, dpi=120)
