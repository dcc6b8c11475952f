"""A run's learning curves as a picture."""

import os
from collections.abc import Mapping, Sequence
from typing import Literal

from keras_fpt import files
from keras_fpt.files import pictures
from keras_fpt.runs import measures

# matplotlib measures all texts, and makes room for them.
LAYOUT: Literal["constrained"] | None = "constrained"


def draw_curves(
    rows: Sequence[Mapping[str, float]],
    title: str,
    path: str | os.PathLike[str],
) -> None:
    """Draws loss and accuracy, or an error, over the steps of a run.

    Args:
        rows: list of dicts as in `history.csv`.
        title: string.
        path: path of the PNG file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Not pyplot, which would need a display or a global switch.
    figure = Figure(figsize=(9, 3.6), layout=LAYOUT)
    FigureCanvasAgg(figure)
    figure.suptitle(pictures.printable(title), parse_math=False)
    steps = [row["step"] for row in rows]
    measure = measures.of_metrics(rows[0])
    metric = measure.name
    for axes, name in zip(figure.subplots(1, 2), ("loss", metric), strict=True):
        for split in ("train", "validation"):
            values = [row[f"{split}_{name}"] for row in rows]
            axes.plot(steps, values, marker=".", label=split)
        axes.set_xlabel("gradient steps")
        axes.set_ylabel(measure.title if name == metric else name)
        axes.set_xlim(left=0)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.axes[0].set_ylim(bottom=0)
    figure.axes[1].set_ylim(0, None if measure.is_error else 1.02)
    files.write_bytes(path, pictures.to_png(figure))
