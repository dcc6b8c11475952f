"""Draws a few examples of a task."""

import os
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_fpt import files
from keras_fpt.files import Output, outputs, pictures
from keras_fpt.tasks.task import Task

COLUMNS, ROWS = 4, 2
LETTERS_PER_LINE, MAX_LINES = 24, 18
# Of a forecast's label.
_NUMBERS_SHOWN = 3
LETTERS_OF_NAME = 34
# Of the labels of tokens.
STRETCHES_SHOWN = 6
# Series of at most so many channels are lines in one panel, or lines one above
# the other; of more, they are a heat map.
OVERLAID, STACKED = 4, 16
# Tokens that are the cells of a row, and can be named below the panel.
NAMED_CELLS = 12
# With fewer tokens, each is marked.
MARKED_TOKENS = 50


class _Example(NamedTuple):
    """An example to draw: its tokens, label and name."""

    tokens: np.ndarray
    label: Any
    name: str


def picture_output(
    path: str | os.PathLike,
    overwrite: bool = False,
    inputs: Sequence[str | os.PathLike] = (),
) -> Output:
    """The file of a task's picture, which can be checked early.

    Args:
        path: the PNG file to write.
        overwrite: bool, whether a picture that keras-fpt did not write may be
            replaced.
        inputs: paths of the task's files, which are never replaced.
    """
    return Output(path, outputs.PNG_MARK, inputs, overwrite)


def draw_examples(
    task: Task,
    path: str | os.PathLike,
    overwrite: bool = False,
    split: str = "validation",
    chosen: Mapping[int, str] | None = None,
) -> None:
    """Draws a few held-out examples of a task, from each of its classes.

    Images are reassembled from their patches. Other float tokens are drawn as
    lines, a line for each channel and tokens from left to right; those of
    many channels, such as spectra, as a heat map. All panels have one scale.
    Integer tokens are shown as the symbols that they stand for.

    Args:
        task: a `Task`.
        path: the PNG file to write.
        overwrite: bool, whether an existing file that keras-fpt did not write
            may be replaced.
        split: string, one of `held_out_splits`.
        chosen: dict from the positions of at most 8 examples in the split, in
            the order of `Task.held_out`, to what is written above them; `None`
            chooses some.

    Raises:
        FileExistsError: such a file exists.
    """
    picture = picture_output(path, overwrite)
    picture.check()
    picture.write(pictures.to_png(_draw_figure(task, split, chosen)))


def _draw_figure(
    task: Task,
    split: str = "validation",
    chosen: Mapping[int, str] | None = None,
) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if chosen is None:
        examples = _examples(task, COLUMNS * ROWS, split)
    else:
        examples = _read(task, split, chosen)
    columns = min(len(examples), COLUMNS)
    rows = -(-len(examples) // COLUMNS)
    # pyplot would need a display, or a change of its global state.
    figure = Figure(figsize=(2.6 * COLUMNS, 2.7 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(
        pictures.printable(f"{task.name}: {task.description}"),
        wrap=True,
        parse_math=False,
    )
    is_series = task.picture is None and task.vocabulary_size is None
    panels = figure.subplots(
        rows, columns, squeeze=False, sharey=is_series
    ).ravel()
    for panel in panels:
        panel.set_axis_off()
    for panel, example in zip(panels, examples, strict=False):
        _draw_title(task, example, panel)
        panel.set_axis_on() if is_series else None
    drawn = list(panels[: len(examples)])
    if not is_series:
        for panel, example in zip(drawn, examples, strict=True):
            _draw(task, example.tokens, panel)
    elif examples[0].tokens.shape[1] > STACKED:
        _draw_heat_maps(figure, drawn, [e.tokens for e in examples])
    else:
        _draw_lines(task, figure, drawn, [e.tokens for e in examples])
    return figure


def _examples(
    task: Task, count: int, split: str = "validation"
) -> list[_Example]:
    """Examples spread over the classes and lengths of a split."""
    order = task.data.order(split)
    labels = task.data.labels(split)[order]
    # By class, and within a class as they come, which may be by length.
    places = np.arange(len(labels))
    if labels.ndim == 1:
        places = np.argsort(labels, kind="stable")
    chosen = places[
        np.linspace(0, len(places) - 1, min(count, len(places))).astype(int)
    ].tolist()
    names = _names(task, split, order[chosen].tolist())
    return _read(task, split, dict(zip(chosen, names, strict=True)))


def _read(task: Task, split: str, chosen: Mapping[int, str]) -> list[_Example]:
    """The examples at some positions of a split, and their names."""
    found = {}
    place = 0
    for x, y in task.held_out(split, 64).as_numpy_iterator():
        masks = None
        if isinstance(x, dict):
            x, masks = x["tokens"], x["padding_mask"].astype(bool)
        for i in range(len(y)):
            if place in chosen:
                found[place] = (x[i] if masks is None else x[i][masks[i]], y[i])
            place += 1
    return [
        _Example(*found[place], files.without_doubled_words(name))
        for place, name in chosen.items()
    ]


def _names(task: Task, split: str, indices: list[int]) -> list[str]:
    """The names of some examples of a split, or empty strings."""
    splits = getattr(task.data, "splits", None)
    names = None if splits is None else splits[split].names
    if names is None:
        return [""] * len(indices)
    wanted = set(indices)
    name_of = {i: name for i, name in enumerate(names) if i in wanted}
    return [name_of[i] for i in indices]


def _draw_title(task: Task, example: _Example, panel: Any) -> None:
    title = _label_text(task, example.label)
    name = example.name
    if len(name) > LETTERS_OF_NAME:
        name = "..." + name[-LETTERS_OF_NAME:]
    if name:
        title += f"\n{name}"
    panel.set_title(pictures.printable(title), fontsize=8, parse_math=False)


def _draw(task: Task, tokens: np.ndarray, panel: Any) -> None:
    """Draws an image, or symbols."""
    if task.picture is not None:
        panel.imshow(
            np.clip(task.picture(tokens), 0, 1), cmap="gray", vmin=0, vmax=1
        )
        return
    panel.text(
        0.5,
        0.98,
        pictures.printable(_text(task, tokens)),
        family="monospace",
        fontsize=8,
        ha="center",
        va="top",
        parse_math=False,
    )


def _draw_lines(
    task: Task, figure: Any, panels: Sequence[Any], examples: list[np.ndarray]
) -> None:
    """Draws a line for each channel, on one scale in all panels."""
    width = examples[0].shape[1]
    values = np.concatenate(examples)
    is_stacked = width > OVERLAID
    # Lines one above the other may reach into each other's space.
    reach = [1, 99] if is_stacked else [0, 100]
    low, high = np.percentile(values, reach).tolist()
    span = (high - low) or 1.0
    offsets = -span * np.arange(width) if is_stacked else np.zeros(width)
    channels = _channel_names(task, width)
    for panel, tokens in zip(panels, examples, strict=True):
        few = len(tokens) < MARKED_TOKENS
        lines = panel.plot(
            tokens + offsets, marker="." if few else "", linewidth=0.8
        )
        panel.tick_params(labelsize=7)
        _name_tokens(task, tokens, panel)
    # The axes share their scale.
    panels[0].set_ylim(
        low + offsets[-1] - 0.05 * span, high + offsets[0] + 0.05 * span
    )
    if is_stacked:
        middle = (low + high) / 2
        panels[0].set_yticks(offsets + middle, channels)
    elif width > 1:
        legend = figure.legend(
            lines, channels, loc="outside lower center", ncols=width, fontsize=8
        )
        for text in legend.get_texts():
            text.set_parse_math(False)


def _draw_heat_maps(
    figure: Any, panels: Sequence[Any], examples: list[np.ndarray]
) -> None:
    """Draws channels from bottom to top, in one scale of colors."""
    # A few extreme numbers would leave no colors for the others.
    low, high = np.percentile(np.concatenate(examples), [0.5, 99.5])
    for panel, tokens in zip(panels, examples, strict=True):
        image = panel.imshow(
            tokens.T, aspect="auto", origin="lower", vmin=low, vmax=high
        )
        panel.tick_params(labelsize=7)
        panel.set_xlabel("token", fontsize=8)
    for panel in panels[::COLUMNS]:
        panel.set_ylabel("channel", fontsize=8)
    figure.colorbar(image, ax=list(panels), shrink=0.8, pad=0.01)


def _channel_names(task: Task, width: int) -> list[str]:
    """The names of channels: columns of a table, or numbers."""
    columns = getattr(task.reader, "columns", ())
    if len(columns) != width:
        return [f"channel {i + 1}" for i in range(width)]
    return [pictures.printable(name) for name in columns]


def _name_tokens(task: Task, tokens: np.ndarray, panel: Any) -> None:
    """Names the tokens below a panel, where they are columns of a table."""
    columns = getattr(task.reader, "columns", ())
    is_row = tokens.shape[1] == 1 and len(columns) == len(tokens)
    if not is_row or len(columns) > NAMED_CELLS:
        panel.set_xlabel("token", fontsize=8)
        return
    names = [
        pictures.printable(textwrap.shorten(name, 16, placeholder="..."))
        for name in columns
    ]
    panel.set_xticks(
        range(len(names)), names, rotation=30, ha="right", parse_math=False
    )


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


def _stretches(labels: list[str]) -> str:
    """The labels of tokens in their order, each stretch of equal ones once."""
    starts = [
        f"{number}: {label}"
        for number, label in enumerate(labels)
        if not number or label != labels[number - 1]
    ]
    more = " ..." if len(starts) > STRETCHES_SHOWN else ""
    return ", ".join(starts[:STRETCHES_SHOWN]) + more


def _label_text(task: Task, label: Any) -> str:
    if task.is_forecast:
        first = task.reader.in_units(label).ravel()[:_NUMBERS_SHOWN]
        shown = ", ".join(f"{number:.4g}" for number in first)
        return f"then {shown}" + ", ..." * (label.size > len(first))
    if task.is_regression:
        return ", ".join(f"{number:.6g}" for number in label)
    known = task.class_names or ()
    if task.is_multilabel:
        has = [known[i] for i in np.flatnonzero(label)]
        return ", ".join(has) or "no label"
    if task.is_per_token:
        return _stretches([known[i] if i >= 0 else "none" for i in label])
    if np.ndim(label) == 0:
        return known[label] if known else f"class {label}"
    text = "".join(map(str, label[:20]))
    return text + ("..." if len(label) > 20 else "")
