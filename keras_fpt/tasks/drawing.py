"""Draws a few examples of a task."""

import os
import textwrap
from typing import Any

import numpy as np

from keras_fpt.files import Output, outputs, pictures
from keras_fpt.tasks.task import Task

COLUMNS, ROWS = 4, 2
LETTERS_PER_LINE, MAX_LINES = 24, 18


def picture_output(path: str | os.PathLike, overwrite: bool = False) -> Output:
    """The file of a task's picture, which can be checked early.

    Args:
        path: the PNG file to write.
        overwrite: bool, whether a picture of other origin may be replaced.
    """
    return Output(path, outputs.PNG_MARK, overwrite=overwrite)


def draw_examples(
    task: Task, path: str | os.PathLike, overwrite: bool = False
) -> None:
    """Draws a few validation examples of a task.

    Images are reassembled from their patches. Other float tokens are shown as
    a heat map, tokens from left to right, or as a curve if they have width 1;
    integer tokens as the symbols that they stand for.

    Args:
        task: a `Task`.
        path: the PNG file to write.
        overwrite: bool, whether an existing file that keras-fpt did not write
            may be replaced.

    Raises:
        FileExistsError: such a file exists.
    """
    picture = picture_output(path, overwrite)
    picture.check()
    picture.write(pictures.to_png(_draw_figure(task)))


def _draw_figure(task: Task) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # pyplot would need a display, or a change of its global state.
    figure = Figure(figsize=(2.6 * COLUMNS, 2.7 * ROWS), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(
        pictures.printable(f"{task.name}: {task.description}"),
        wrap=True,
        parse_math=False,
    )
    axes = figure.subplots(ROWS, COLUMNS).ravel()
    for panel in axes:
        panel.set_axis_off()
    examples = _examples(task, len(axes))
    for panel, (tokens, label) in zip(axes, examples, strict=False):
        title = pictures.printable(_label_text(task, label))
        panel.set_title(title, fontsize=9, parse_math=False)
        _draw(task, tokens, panel)
    return figure


def _examples(task: Task, count: int) -> list[tuple[np.ndarray, Any]]:
    """Examples spread over the split, which may be sorted by length."""
    examples = []
    for x, y in task.held_out("validation", 64).as_numpy_iterator():
        masks = None
        if isinstance(x, dict):
            x, masks = x["tokens"], x["padding_mask"].astype(bool)
        for i, label in enumerate(y):
            examples.append((x[i] if masks is None else x[i][masks[i]], label))
    indices = np.linspace(0, len(examples) - 1, min(count, len(examples)))
    return [examples[int(index)] for index in indices]


def _draw(task: Task, tokens: np.ndarray, axes: Any) -> None:
    if task.picture is not None:
        axes.imshow(
            np.clip(task.picture(tokens), 0, 1), cmap="gray", vmin=0, vmax=1
        )
    elif task.vocabulary_size is not None:
        axes.text(
            0.5,
            0.98,
            pictures.printable(_text(task, tokens)),
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


def _text(task: Task, tokens: np.ndarray) -> str:
    symbols = task.symbols or [
        f"{i} " for i in range(task.vocabulary_size or 0)
    ]
    # Words need a space between them; letters do not.
    between = " " if max(map(len, symbols)) > 1 else ""
    text = between.join(symbols[token] for token in tokens)
    return "\n".join(
        textwrap.wrap(
            text, LETTERS_PER_LINE, max_lines=MAX_LINES, placeholder=" ..."
        )
    )


def _label_text(task: Task, label: Any) -> str:
    if np.ndim(label) == 0:
        names = task.class_names
        return names[label] if names else f"class {label}"
    text = "".join(map(str, label[:20]))
    return text + ("..." if len(label) > 20 else "")
