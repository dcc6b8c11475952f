"""Reads the pixels of one image file as a viewer shows them."""

import os
import pathlib
import struct
from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageColor, ImageOps

from keras_fpt.compat import pillow_turned_tiff
from keras_fpt.tasks.user_data.media import deep_colors, file_kinds

# Pillow's names. It reads more formats, among them EPS, for which it runs
# Ghostscript, and rare ones whose readers are little tested.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
# What Pillow raises for files that are damaged or not images.
UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)
MAX_16_BITS = deep_colors.MAX_16_BITS
# Orientations in which rows and columns change places.
ON_THEIR_SIDE = (5, 6, 7, 8)


class Header(NamedTuple):
    """The properties of an image without its pixels.

    Args:
        size: tuple of ints, height and width as a viewer shows them.
        mode: string, Pillow's name of the kind of pixels.
        has_transparency: bool.
        has_frames: bool, whether there are more images in the file.
        has_deep_colors: bool, whether colors have 16 bits, of which Pillow
            reads 8.
        format: string, Pillow's name of the kind of file.
    """

    size: tuple[int, int]
    mode: str
    has_transparency: bool
    has_frames: bool
    has_deep_colors: bool
    format: str

    @property
    def is_gray(self) -> bool:
        """Whether pixels have one channel, apart from transparency."""
        return self.mode in ("1", "L", "LA", "La") or self.is_deep

    @property
    def is_deep(self) -> bool:
        """Whether gray pixels have more than 8 bits."""
        return self.mode[0] == "I" or self.mode == "F"

    @property
    def can_be_scaled(self) -> bool:
        """Whether pixels have more than 8 bits, which are all read.

        All bits of colors are read from PNG files.
        """
        is_png = self.format == "PNG"
        return self.is_deep or (self.has_deep_colors and is_png)


def read_header(file: str | os.PathLike) -> Header:
    """Reads the properties of an image without its pixels.

    Raises:
        ValueError: the file is not an image.
    """
    try:
        with pillow_turned_tiff.open_image(file, FORMATS) as image:
            size = (image.height, image.width)
            # Before the pixels are read, which some formats' EXIF needs.
            has_deep_colors = _has_deep_colors(image)
            orientation = _orientation(image, file)
            # Pillow turns a TIFF's size itself.
            if orientation in ON_THEIR_SIDE and image.format != "TIFF":
                size = size[::-1]
            return Header(
                size,
                image.mode,
                image.has_transparency_data,
                # A camera's MPO file contains the photo, and previews of it.
                image.format != "MPO" and getattr(image, "n_frames", 1) > 1,
                has_deep_colors,
                image.format or "",
            )
    except UNREADABLE as error:
        raise file_kinds.unreadable(file, "an image", error) from error


def _orientation(image: Any, file: str | os.PathLike) -> int | None:
    """The orientation of an image, as its file states it, such as EXIF."""
    if image.format == "PNG" and "exif" not in image.info:
        # Pillow would read all pixels to look for EXIF behind them.
        content = pathlib.Path(file).read_bytes()
        if not any(word in content for word in (b"eXIf", b"xmp", b"exif")):
            return None
    return image.getexif().get(ExifTags.Base.Orientation)


def deep_range(file: str | os.PathLike) -> tuple[float, float]:
    """The least and the greatest pixel of an image of more than 8 bits.

    Raises:
        ValueError: the file is not an image, or a pixel is not finite.
    """
    if read_header(file).has_deep_colors:
        return deep_colors.color_range(file)
    try:
        with pillow_turned_tiff.open_image(file, FORMATS) as image:
            pixels = np.asarray(image)
    except UNREADABLE as error:
        raise file_kinds.unreadable(file, "an image", error) from error
    _check_finite(pixels, file)
    return float(pixels.min()), float(pixels.max())


def read_pixels(
    file: str | os.PathLike,
    size: tuple[int, int],
    channels: int,
    is_turned: bool,
    background: str | None,
    deep: tuple[float, float] | None,
) -> np.ndarray:
    """Reads an image's first frame and resizes it.

    Args:
        file: path.
        size: tuple of ints, height and width of the result.
        channels: int, 1 or 3.
        is_turned: bool, whether the file may say how the image is turned, as
            cameras' files do.
        background: string, the color behind transparent pixels; `None` ignores
            transparency.
        deep: tuple of floats, the range of pixels of more than 8 bits, which
            are scaled to those of 8 bits; `None` is that of 16 bits, of which
            the upper 8 are read.

    Returns:
        uint8 array `(height, width, channels)`.

    Raises:
        ValueError: the file is not an image.
    """
    mode = "L" if channels == 1 else "RGB"
    try:
        with pillow_turned_tiff.open_image(file, FORMATS) as opened:
            is_deep_png = opened.format == "PNG" and _has_deep_colors(opened)
            opened.load()
            image: Image.Image = opened
            # Of the whole range, the upper 8 bits are as good.
            if deep not in (None, (0, MAX_16_BITS)) and is_deep_png:
                image = deep_colors.scaled(file, opened, *deep)
            if is_turned:
                image = ImageOps.exif_transpose(image)
            if image.mode[0] == "I" or image.mode == "F":
                image = _shallow(image, background, deep, file)
            elif background is not None and image.has_transparency_data:
                image = _on_background(image, background)
            resized = image.convert(mode).resize(
                size[::-1], Image.Resampling.BILINEAR
            )
    except UNREADABLE as error:
        if f"`{file}`" in str(error):
            raise
        raise file_kinds.unreadable(file, "an image", error) from error
    return np.asarray(resized).reshape(*size, channels)


def _has_deep_colors(image: Any) -> bool:
    """Whether a file that was just opened has colors of 16 bits."""
    return image.mode[0] not in "IF" and ";16" in str(
        getattr(image, "tile", "")
    )


def parse_color(color: str) -> tuple[int, int, int]:
    """The red, green and blue of a color, such as `white` or `#808080`.

    Raises:
        ValueError: there is no such color.
    """
    try:
        red, green, blue, *_ = ImageColor.getrgb(color)
    except (ValueError, AttributeError) as error:
        raise ValueError(
            "Expected background (--background) to be a color such as white "
            f"or #808080 but received {color!r}."
        ) from error
    return red, green, blue


def _on_background(image: Image.Image, background: str) -> Image.Image:
    color = (*parse_color(background), 255)
    behind = Image.new("RGBA", image.size, color)
    return Image.alpha_composite(behind, image.convert("RGBA"))


def _shallow(
    image: Image.Image,
    background: str | None,
    deep: tuple[float, float] | None,
    file: str | os.PathLike,
) -> Image.Image:
    """An image of 8 bits from one of more."""
    pixels = np.asarray(image)
    if deep is not None:
        _check_finite(pixels, file)
        low, high = deep
        scaled = (pixels.astype(np.float64) - low) / ((high - low) or 1)
        shallow = np.round(np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    elif image.mode in ("I", "F"):
        return image
    else:
        shallow = (pixels // 257).astype(np.uint8)
    hidden = image.info.get("transparency")
    if background is not None and isinstance(hidden, int):
        behind = Image.new("RGB", (1, 1), parse_color(background))
        shallow[pixels == hidden] = np.asarray(behind.convert("L"))[0, 0]
    return Image.fromarray(shallow)


def _check_finite(pixels: np.ndarray, file: str | os.PathLike) -> None:
    if not np.isfinite(pixels).all():
        raise ValueError(f"`{file}` has pixels that are not finite numbers.")
