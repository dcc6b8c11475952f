"""Plots of several runs together, as SVG."""

import html
import io
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keras_fpt import files
from keras_fpt.files import outputs, pictures
from keras_fpt.results import (
    arms_table,
    at_common_steps,
    floors,
    read_history,
)
from keras_fpt.runs import arms, measures

# Marks these files as written by keras-fpt.
MARK = rb"<dc:title>keras-fpt</dc:title>"
# Colors that can be seen on light and on dark ground: at least as many as there
# are arms, and some for arms with other settings.
_COLORS = (
    *(f"C{number}" for number in range(10)),
    "mediumslateblue",
    "teal",
    "goldenrod",
    "crimson",
    "black",  # White on dark ground, see `to_svg`.
    "olivedrab",
    "deeppink",
    "sienna",
    "steelblue",
    "mediumseagreen",
)


def learning_curves(runs: Any, title: str) -> str:
    """Validation accuracy, or RMSE, over the steps, one line per arm.

    Args:
        runs: `pandas.DataFrame` of `load_runs`, the final runs of one task.
        title: string.

    Returns:
        String, an SVG element. Bands span all seeds, from the lowest to the
        highest.
    """
    measure = measures.of_runs(runs)
    figure, axes = _figure(title, measure)
    finished = runs[runs["status"] == "finished"]
    values = []
    for name, color, group in _lines(finished):
        histories = [read_history(folder) for folder in group["folder"]]
        steps = [row["step"] for row in min(histories, key=len)]
        metric = f"validation_{measure.name}"
        reached = np.array(
            [[row[metric] for row in rows[: len(steps)]] for rows in histories]
        )
        label = f"{name} ({len(histories)})"
        axes.plot(steps, reached.mean(0), color=color, label=label)
        axes.fill_between(
            steps,
            reached.min(0),
            reached.max(0),
            color=color,
            alpha=0.2,
            lw=0,
        )
        values += [
            (
                step,
                seeds.mean(),
                f"step {step:,}\n{name}: {_in_words(seeds, measure)}",
            )
            for step, seeds in zip(steps, reached.T, strict=True)
        ]
    _draw_floors(axes, runs)
    axes.set_xlabel("gradient steps")
    axes.xaxis.get_major_locator().set_params(integer=True)
    return to_svg(figure, axes, values)


def _in_words(seeds: Any, measure: measures.Measure) -> str:
    """The results of several seeds, shown on hovering."""
    words = measure.show(np.mean(seeds))
    if len(seeds) > 1:
        lowest, highest = np.min(seeds), np.max(seeds)
        words += f" ({measure.show(lowest)} to {measure.show(highest)})"
    return words


def learning_rate_sensitivity(runs: Any, title: str) -> str:
    """Final validation accuracy, or RMSE, over the learning rate, by arm.

    Args:
        runs: `pandas.DataFrame` of `load_runs`, all runs of one task.
        title: string.

    Returns:
        String, an SVG element. Lines join means over seeds; a run that
        diverged is a cross at the worst end.
    """
    measure = measures.of_runs(runs)
    metric = f"validation_{measure.name}"
    runs = at_common_steps(runs)
    figure, axes = _figure(title, measure)
    worst = runs[metric].max() if measure.is_error else 0.0
    values = []
    for name, color, group in _lines(runs):
        finished = group[group["status"] == "finished"]
        by_rate = finished.groupby("learning_rate")[metric]
        means = by_rate.mean()
        axes.plot(means.index, means, color=color, label=name)
        axes.scatter(
            finished["learning_rate"],
            finished[metric],
            color=color,
            s=12,
        )
        diverged = group[group["status"] == "diverged"]["learning_rate"]
        axes.scatter(diverged, 0 * diverged + worst, color=color, marker="x")
        points = [
            (rate, seeds.mean(), _in_words(seeds, measure))
            for rate, seeds in by_rate
        ]
        points += [(rate, worst, "diverged") for rate in diverged.unique()]
        values += [
            (rate, y, f"learning rate {rate:g}\n{name}: {words}")
            for rate, y, words in points
        ]
    _draw_floors(axes, runs)
    axes.set_xscale("log")
    rates = sorted(runs["learning_rate"].unique())
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.minorticks_off()
    axes.set_xlabel("learning rate")
    return to_svg(figure, axes, values)


def draw_accuracy_by_size(
    table: Any, task: str, path: str | os.PathLike[str]
) -> None:
    """Draws test accuracy, or RMSE, against the number of training examples.

    Args:
        table: `pandas.DataFrame` of `keras_fpt.results.by_size`.
        task: string, the title.
        path: path of the PNG file to write. Bars are 95% intervals over seeds;
            simple rules are dotted.
    """
    measure = arms_table.measure_of(table)
    metric = f"test_{measure.name}"
    figure, axes = _figure(task, measure)
    for number, (name, rows) in enumerate(
        table.groupby("candidate", sort=False)
    ):
        is_rule = rows["is_simple_rule"].all()
        axes.errorbar(
            rows["train_examples"],
            rows[metric],
            rows[f"{metric}_interval"].fillna(0.0),
            color="gray" if is_rule else f"C{number % 10}",
            linestyle=":" if is_rule else ("-", "--")[number // 10 % 2],
            marker="" if is_rule else ".",
            capsize=2,
            label=pictures.printable(name),
        )
    sizes = sorted(table["train_examples"].unique())
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("training examples")
    axes.set_ylabel(f"test {measure.title}")
    figure.set_size_inches(7.5, 4)
    figure.legend(loc="outside right upper", fontsize=8)
    files.write_bytes(path, pictures.to_png(figure))


def _draw_floors(axes: Any, runs: Any) -> None:
    """Draws the task's simple rules as dotted lines."""
    for number, floor in enumerate(floors(runs)):
        value = floor.validation_value
        if value == value:
            axes.axhline(
                value,
                color="gray",
                linestyle=(":", "-.")[number % 2],
                label=floor.name,
            )


def _lines(runs: Any) -> Iterator[tuple[str, str, Any]]:
    """For each arm and its settings, a name, a color and the runs.

    An arm with its defaults has the same color in every plot. Others have the
    colors of arms that are not in this one, as long as there are any.
    """
    colors = dict(zip(arms.ARMS, _COLORS, strict=False))
    own = {colors[arm] for arm in runs["arm"]}
    others = itertools.cycle(
        [color for color in reversed(_COLORS) if color not in own] or _COLORS
    )
    keys = ["arm", "settings", "steps", "batch_size"]
    grouped = runs.groupby(keys, sort=False, dropna=False)
    for (arm, settings, *_), group in grouped:
        if settings:
            yield f"{arm}, {settings}", next(others), group
        else:
            yield arm, colors[arm], group


def _figure(title: str, measure: measures.Measure) -> tuple[Any, Any]:
    figure, axes = pictures.new_figure(title)
    axes.set_ylabel(f"validation {measure.title}")
    if not measure.is_error:
        axes.set_ylim(-0.02, 1.02)
    axes.grid(alpha=0.3)
    return figure, axes


def to_svg(
    figure: Any, axes: Any, values: Sequence[tuple[float, float, str]] = ()
) -> str:
    """A figure as an SVG element, with a legend if it has labels.

    What is black in the figure has the color of the text around the element,
    and nothing is behind it but the root's style, so that a page can show it
    on light and on dark ground.

    Args:
        figure, axes: of `keras_fpt.files.pictures.new_figure`.
        values: list of tuples of x, y and a text of two lines, which a browser
            shows on hovering.
    """
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=9, framealpha=0)
    import matplotlib

    text = io.StringIO()
    # No date and no random IDs, so that the same runs give the same page. Text
    # is stored as text, not as outlines.
    settings: Any = {"svg.hashsalt": "keras_fpt", "svg.fonttype": "none"}
    with matplotlib.rc_context(settings):
        metadata: Any = {"Date": None, "Creator": outputs.SOFTWARE}
        figure.savefig(text, format="svg", metadata=metadata, transparent=True)
    svg = text.getvalue()[text.getvalue().index("<svg") :]
    svg = svg.replace("#000000", "currentColor")
    ground = '<svg fill="currentColor" style="color: #222; background: #fff"'
    svg = svg.replace("<svg", ground, 1)
    end = svg.rindex("</svg>")
    return f"{svg[:end]}{_targets(figure, axes, values)}{svg[end:]}"


def _targets(
    figure: Any, axes: Any, values: Sequence[tuple[float, float, str]]
) -> str:
    """Transparent circles with titles, at values of a figure that is drawn."""
    points_per_pixel = 72 / figure.dpi
    height = 72 * figure.get_figheight()
    circles = []
    for x, y, text in values:
        if not np.isfinite([x, y]).all():
            continue
        left, bottom = points_per_pixel * axes.transData.transform((x, y))
        circles.append(
            f'<circle class="value" cx="{left:.1f}" cy="{height - bottom:.1f}" '
            'r="4" fill-opacity="0">'
            f"<title>{html.escape(pictures.printable(text))}</title></circle>\n"
        )
    return "".join(circles)
