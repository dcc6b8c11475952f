"""Pictures of several runs together, as SVG."""

import io

import numpy as np

from keras_fpt.experiments import arms
from keras_fpt.experiments.run_table import read_history


def learning_curves(runs, title):
    """Validation accuracy over the steps, a line an arm.

    Args:
        runs: `pandas.DataFrame` of `load_runs`: one task's final runs.
        title: string.

    Returns:
        String, an SVG element. Bands go from the lowest to the highest seed.
    """
    figure, axes = _figure(title)
    finished = runs[runs["status"] == "finished"]
    for arm, group in finished.groupby("arm", sort=False):
        histories = [read_history(folder) for folder in group["folder"]]
        steps = [row["step"] for row in min(histories, key=len)]
        accuracy = np.array(
            [
                [row["validation_accuracy"] for row in rows[: len(steps)]]
                for rows in histories
            ]
        )
        label = f"{arm} ({len(histories)})"
        axes.plot(steps, accuracy.mean(0), color=_color(arm), label=label)
        axes.fill_between(
            steps,
            accuracy.min(0),
            accuracy.max(0),
            color=_color(arm),
            alpha=0.2,
            lw=0,
        )
    axes.set_xlabel("gradient steps")
    return _finished(figure, axes)


def learning_rate_sensitivity(runs, title):
    """Validation accuracy at the end over the learning rate, a line an arm.

    Args:
        runs: `pandas.DataFrame` of `load_runs`: all of one task's runs.
        title: string.

    Returns:
        String, an SVG element. Lines join means over seeds; a run that
        diverged is a cross at the bottom.
    """
    figure, axes = _figure(title)
    for arm, group in runs.groupby("arm", sort=False):
        color = _color(arm)
        finished = group[group["status"] == "finished"]
        means = finished.groupby("learning_rate")["validation_accuracy"].mean()
        axes.plot(means.index, means, color=color, label=arm)
        axes.scatter(
            finished["learning_rate"],
            finished["validation_accuracy"],
            color=color,
            s=12,
        )
        diverged = group[group["status"] == "diverged"]["learning_rate"]
        axes.scatter(diverged, 0 * diverged, color=color, marker="x")
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    return _finished(figure, axes)


def _color(arm):
    """The same for an arm in every picture."""
    return f"C{list(arms.ARMS).index(arm)}"


def _figure(title):
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # Not pyplot, which would need a display or a global switch.
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    axes.set_title(title, fontsize=10, parse_math=False)
    axes.set_ylabel("validation accuracy")
    axes.set_ylim(-0.02, 1.02)
    axes.grid(alpha=0.3)
    return figure, axes


def _finished(figure, axes):
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8)
    import matplotlib

    text = io.StringIO()
    # Without a date and random names, so that the same runs give the same
    # page; words stay words.
    settings = {"svg.hashsalt": "keras_fpt", "svg.fonttype": "none"}
    with matplotlib.rc_context(settings):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]
