"""Pictures drawn with matplotlib, as bytes."""

import io
from typing import Any

from keras_fpt.files import atomic, outputs


def new_figure(title: str) -> tuple[Any, Any]:
    """An empty figure of the size of all plots, and its axes.

    Args:
        title: string.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # Not pyplot, which would need a display or a global switch. On a phone,
    # larger figures would be scaled until their texts are too small.
    figure = Figure(figsize=(4.8, 3.6), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    axes.set_title(printable(title), fontsize=10, parse_math=False, wrap=True)
    return figure, axes


def to_png(figure: Any) -> bytes:
    """A figure as a PNG, whose metadata say that keras-fpt drew it.

    Args:
        figure: `matplotlib.figure.Figure`.
    """
    content = io.BytesIO()
    software = {"Software": outputs.SOFTWARE}
    figure.savefig(content, format="png", dpi=120, metadata=software)
    return content.getvalue()


def printable(text: str) -> str:
    r"""Text that can be drawn and printed.

    Bytes of a file's name that are not UTF-8 become escapes such as `\udce9`.

    Args:
        text: string.
    """
    return atomic.encode(text).decode()
