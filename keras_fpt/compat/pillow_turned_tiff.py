"""Pillow scrambles an uncompressed TIFF that says it is on its side.

The fault, of Pillow 13.0: it maps such a file into memory with the rows and
columns of the image as turned, and turns it once more. With a stream instead
of a path, it does not map the file.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def open_image(
    path: str | os.PathLike, formats: tuple[str, ...]
) -> Iterator[Any]:
    """Opens an image as `PIL.Image.open` does.

    Args:
        path: path.
        formats: Pillow's names of the formats that are tried.
    """
    from PIL import Image

    with open(path, "rb") as file, Image.open(file, formats=formats) as image:
        yield image
