"""A few examples of a task as a picture."""

import textwrap

import numpy as np

COLUMNS, ROWS = 4, 2
LETTERS_A_LINE, LINES = 24, 18


def draw_examples(task, path):
    """Draws a few validation examples of a task.

    Images are put together from their patches; other float tokens are shown
    as a map, tokens from left to right, or as a curve where they have width
    1; integer tokens as what they stand for.

    Args:
        task: a `Task`.
        path: where the PNG goes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Not pyplot, which would need a display or a global switch.
    figure = Figure(figsize=(2.6 * COLUMNS, 2.7 * ROWS), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(
        f"{task.name}: {task.description}", wrap=True, parse_math=False
    )
    axes = figure.subplots(ROWS, COLUMNS).ravel()
    for place in axes:
        place.set_axis_off()
    examples = _examples(task, len(axes))
    for place, (tokens, label) in zip(axes, examples, strict=False):
        place.set_title(_answer(task, label), fontsize=9, parse_math=False)
        _draw(task, tokens, place)
    figure.savefig(path, dpi=120)


def _examples(task, count):
    """Spread over the split, since it may be sorted by length."""
    found = []
    for x, y in task.held_out("validation", 64).as_numpy_iterator():
        masks = None
        if isinstance(x, dict):
            x, masks = x["tokens"], x["padding_mask"].astype(bool)
        for i, label in enumerate(y):
            found.append((x[i] if masks is None else x[i][masks[i]], label))
    places = np.linspace(0, len(found) - 1, min(count, len(found)))
    return [found[int(place)] for place in places]


def _draw(task, tokens, axes):
    if task.picture is not None:
        axes.imshow(
            np.clip(task.picture(tokens), 0, 1), cmap="gray", vmin=0, vmax=1
        )
    elif task.vocabulary_size is not None:
        axes.text(
            0.5,
            0.98,
            _text(task, tokens),
            family="monospace",
            fontsize=8,
            ha="center",
            va="top",
            parse_math=False,
        )
    elif tokens.shape[1] == 1:
        axes.set_axis_on()
        axes.plot(tokens[:, 0], marker="." if len(tokens) < 50 else "")
    else:
        axes.set_axis_on()
        axes.imshow(tokens.T, aspect="auto", cmap="viridis", origin="lower")
        axes.set_xlabel("token", fontsize=8)


def _text(task, tokens):
    symbols = task.symbols or [f"{i} " for i in range(task.vocabulary_size)]
    # Words need a space between them, letters do not.
    between = " " if max(map(len, symbols)) > 1 else ""
    text = between.join(symbols[token] for token in tokens)
    return "\n".join(
        textwrap.wrap(text, LETTERS_A_LINE, max_lines=LINES, placeholder=" ...")
    )


def _answer(task, label):
    if np.ndim(label) == 0:
        names = task.class_names
        return names[label] if names else f"class {label}"
    text = "".join(map(str, label[:20]))
    return text + ("..." if len(label) > 20 else "")
