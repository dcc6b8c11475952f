"""Plots of several runs together, as SVG."""

import io
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_fpt import files
from keras_fpt.files import outputs, pictures
from keras_fpt.results import arms_table, floors, read_history
from keras_fpt.runs import arms, measures

# What tells these files from others'.
MARK = rb"<dc:title>keras-fpt</dc:title>"
_MORE_COLORS = (
    "darkslateblue",
    "teal",
    "goldenrod",
    "crimson",
    "black",
    "olivedrab",
    "deeppink",
    "sienna",
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
    for name, color, group in _lines(finished):
        histories = [read_history(folder) for folder in group["folder"]]
        steps = [row["step"] for row in min(histories, key=len)]
        metric = f"validation_{measure.name}"
        values = np.array(
            [[row[metric] for row in rows[: len(steps)]] for rows in histories]
        )
        label = f"{name} ({len(histories)})"
        axes.plot(steps, values.mean(0), color=color, label=label)
        axes.fill_between(
            steps,
            values.min(0),
            values.max(0),
            color=color,
            alpha=0.2,
            lw=0,
        )
    _draw_floors(axes, runs)
    axes.set_xlabel("gradient steps")
    return to_svg(figure, axes)


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
    figure, axes = _figure(title, measure)
    for name, color, group in _lines(runs):
        finished = group[group["status"] == "finished"]
        means = finished.groupby("learning_rate")[metric].mean()
        axes.plot(means.index, means, color=color, label=name)
        axes.scatter(
            finished["learning_rate"],
            finished[metric],
            color=color,
            s=12,
        )
        diverged = group[group["status"] == "diverged"]["learning_rate"]
        place = 0 * diverged + (runs[metric].max() if measure.is_error else 0)
        axes.scatter(diverged, place, color=color, marker="x")
    _draw_floors(axes, runs)
    axes.set_xscale("log")
    rates = sorted(runs["learning_rate"].unique())
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.minorticks_off()
    axes.set_xlabel("learning rate")
    return to_svg(figure, axes)


def draw_accuracy_by_size(
    table: Any, task: str, path: str | os.PathLike[str]
) -> None:
    """Draws test accuracy, or RMSE, against the number of training examples.

    Args:
        table: `pandas.DataFrame` of `keras_fpt.results.by_size`.
        task: string, the title.
        path: where the PNG goes. Bars are 95% intervals over seeds; simple
            rules are dotted.
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

    An arm with its defaults has the same color in every plot.
    """
    colors = {name: f"C{i}" for i, name in enumerate(arms.ARMS)}
    keys = ["arm", "settings", "steps", "batch_size"]
    grouped = runs.groupby(keys, sort=False, dropna=False)
    for (arm, settings, *_), group in grouped:
        if not settings:
            yield arm, colors[arm], group
            continue
        name = f"{arm}, {settings}"
        color = _MORE_COLORS[len(colors) % len(_MORE_COLORS)]
        yield name, color, group
        colors[name] = color


def _figure(title: str, measure: measures.Measure) -> tuple[Any, Any]:
    figure, axes = new_figure(title)
    axes.set_ylabel(f"validation {measure.title}")
    if not measure.is_error:
        axes.set_ylim(-0.02, 1.02)
    axes.grid(alpha=0.3)
    return figure, axes


def new_figure(title: str) -> tuple[Any, Any]:
    """An empty figure of the size of all plots, and its axes.

    Args:
        title: string.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # Not pyplot, which would need a display or a global switch.
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    axes.set_title(pictures.printable(title), fontsize=10, parse_math=False)
    return figure, axes


def to_svg(figure: Any, axes: Any) -> str:
    """A figure as an SVG element, with a legend if it has labels.

    Args:
        figure, axes: of `new_figure`.
    """
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8)
    import matplotlib

    text = io.StringIO()
    # No date and no random IDs, so that the same runs give the same page. Text
    # is stored as text, not as outlines.
    settings: Any = {"svg.hashsalt": "keras_fpt", "svg.fonttype": "none"}
    with matplotlib.rc_context(settings):
        metadata: Any = {"Date": None, "Creator": outputs.SOFTWARE}
        figure.savefig(text, format="svg", metadata=metadata)
    return text.getvalue()[text.getvalue().index("<svg") :]
