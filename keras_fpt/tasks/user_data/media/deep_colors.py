"""Colors of 16 bits in PNG files, of which Pillow reads the upper 8."""

import os
import pathlib
from typing import Any

import numpy as np
from PIL import Image

from keras_fpt.tasks.user_data.media import file_kinds

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
MAX_16_BITS = 65535


def color_range(file: str | os.PathLike) -> tuple[float, float]:
    """The least and the greatest number of the colors of an image.

    Raises:
        ValueError: the file is not an image.
    """
    colors, _ = _read(file)
    return float(colors.min()), float(colors.max())


def scaled(
    file: str | os.PathLike, opened: Any, low: float, high: float
) -> Image.Image:
    """An image of 8 bits, of colors that are scaled by a range.

    Args:
        file: path of a PNG file.
        opened: the same, as Pillow opened it.
        low: float, what becomes 0.
        high: float, what becomes 255.

    Raises:
        ValueError: the file is not an image.
    """
    colors, alpha = _read(file)
    shares = (colors.astype(np.float64) - low) / ((high - low) or 1)
    pixels = np.round(np.clip(shares, 0, 1) * 255)
    pixels = np.concatenate([pixels, alpha // 257], axis=2).astype(np.uint8)
    if pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    image = Image.fromarray(pixels)
    # It may say how the image is turned.
    if "exif" in opened.info:
        image.info["exif"] = opened.info["exif"]
    return image


def _read(file: str | os.PathLike) -> tuple[np.ndarray, np.ndarray]:
    """Colors and transparency, uint16 `(height, width, channels)`."""
    import tensorflow as tf

    content = pathlib.Path(file).read_bytes()
    try:
        pixels = tf.io.decode_png(content, dtype=tf.uint16).numpy()
    except tf.errors.InvalidArgumentError as error:
        raise file_kinds.unreadable(file, "an image", error) from error
    size = pixels.shape[2]
    num_colors = size - (MODES[size][-1] == "A")
    return pixels[..., :num_colors], pixels[..., num_colors:]
