"""Pictures drawn with matplotlib, as bytes."""

import io
from typing import Any

from keras_fpt.files import atomic, outputs


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
