"""Tasks from a folder of images."""

import dataclasses
import os
import pathlib
import struct
from typing import Any

import numpy as np
from PIL import Image

from keras_fpt.tasks import images
from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import build, folders
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path

IMAGE_SIZE = 32
MAX_KEPT_SIDE = 64
PATCH_SIZE = 4
# Pillow's names. It reads more formats, among them EPS, for which it runs
# Ghostscript, and rare ones whose readers are little tested.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MAX_SIDE = 4096
# What Pillow raises for files that are damaged or not images.
UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)
# Pillow's modes.
GRAYSCALE = ("1", "L", "LA", "I;16", "I;16B", "I;16L")
NOT_PICTURES = ("I", "F")


@dataclasses.dataclass(frozen=True)
class ImageReader:
    """How image files become patches.

    Args:
        height: int, in pixels; images are resized to it.
        width: int.
        channels: int, 1 or 3.
        patch_size: int, height and width of a patch.
    """

    height: int
    width: int
    channels: int
    patch_size: int

    def __post_init__(self) -> None:
        sides = (self.height, self.width)
        if not 1 <= self.patch_size <= min(sides) <= max(sides) <= MAX_SIDE:
            raise ValueError(
                f"Expected images of at most {MAX_SIDE:,} x "
                f"{MAX_SIDE:,} pixels, and patches of at least 1, but "
                f"received {self.height:,} x {self.width:,} and "
                f"{self.patch_size:,}."
            )
        if any(side % self.patch_size for side in sides):
            raise ValueError(
                f"Patches of {self.patch_size} pixels do not cut images of "
                f"{self.height} x {self.width} pixels evenly."
            )
        if self.channels not in (1, 3):
            raise ValueError(
                f"Expected 1 or 3 channels but received {self.channels}."
            )

    def read(self, path: str | os.PathLike) -> tuple[Any, list[str]]:
        """Reads the tokens of one image or all in a folder, and their names.

        Raises:
            ValueError: a file is not an image.
        """
        files, names = folders.new_files(path)
        return self.encode(self.load_all(files)).numpy(), names

    def load_all(self, files: list[pathlib.Path]) -> np.ndarray:
        """Loads images, as uint8 `(n, height, width, channels)`."""
        return np.stack(folders.read_all(self._load, files, "images"))

    def _load(self, file: str | os.PathLike) -> np.ndarray:
        try:
            with Image.open(file, formats=FORMATS) as image:
                resized: Image.Image = image
                if image.mode.startswith("I;16"):
                    # Pillow would clip values above 255.
                    pixels = np.asarray(image) // 257
                    resized = Image.fromarray(pixels.astype("uint8"))
                resized = resized.convert("L" if self.channels == 1 else "RGB")
                resized = resized.resize(
                    (self.width, self.height), Image.Resampling.BILINEAR
                )
        except UNREADABLE as error:
            raise _unreadable(file, error) from error
        return np.asarray(resized).reshape(self.height, self.width, -1)

    def encode(self, x: Any) -> Any:
        """Cuts images `(batch, height, width, channels)` into tokens.

        Returns:
            float32 tensor `(batch, patches, patch_size**2 * channels)` of
            values in [-1, 1].
        """
        return images.patches(images.center(x), self.patch_size)

    def picture(self, tokens: np.ndarray) -> np.ndarray:
        """The image, in [0, 1], that tokens were cut from."""
        rows = self.height // self.patch_size
        return images.picture_of(rows, self.patch_size)(tokens)


@prefix_errors_with_path
def from_image_folder(
    folder: str | os.PathLike,
    image_size: int | None = None,
    patch_size: int = PATCH_SIZE,
    verbose: bool = True,
) -> Task:
    """Makes a task from a folder with one subfolder of images per class.

    If the folder has the subfolders `train` and `test` (and perhaps
    `validation`) instead, each with one subfolder per class, that is the
    split; otherwise the split is that of `from_arrays`.

    Args:
        folder: path. Images are BMP, GIF, JPEG, PNG, PPM, TIFF or WebP.
        image_size: int, height and width to which images are resized. `None`
            keeps the size of images that all have the same size, at most
            64 x 64 pixels, that patches cover evenly; other images become
            32 x 32.
        patch_size: int, height and width of a patch, in pixels. Each patch is
            a token.
        verbose: bool, whether to log a description of the data.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: a file is not an image, or a class is empty. The error
            names the file or the class.
    """
    if image_size is not None and image_size < 1:
        raise ValueError(
            f"Expected image_size of at least 1 but received {image_size}."
        )
    if patch_size < 1 or (image_size or patch_size) % patch_size:
        raise ValueError(
            f"Patches of {patch_size} pixels do not cut images of "
            f"{image_size or IMAGE_SIZE} pixels evenly."
        )
    files, y, class_names, splits, split_by = folders.labeled_files(folder)
    sizes, modes = zip(*map(_size_and_mode, files), strict=True)
    height, width = _choose_size(set(sizes), image_size, patch_size)
    channels = 1 if all(mode in GRAYSCALE for mode in modes) else 3
    reader = ImageReader(height, width, channels, patch_size)
    color = "grayscale" if channels == 1 else "color"
    note = f"images: {height} x {width} pixels, {color}"
    if set(sizes) != {(height, width)}:
        low, high = min(sizes), max(sizes)
        note += f", resized from {low[0]} x {low[1]}"
        note += f" to {high[0]} x {high[1]}" if low != high else ""
    return build.make_task(
        pathlib.Path(folder).resolve().name,
        reader.load_all(files),
        y,
        class_names,
        splits,
        split_by,
        reader,
        [str(file.relative_to(folder)) for file in files],
        encode=reader.encode,
        notes=[
            note,
            f"patches: {patch_size} x {patch_size} pixels",
        ],
        picture=reader.picture,
        verbose=verbose,
    )


def _size_and_mode(file: str | os.PathLike) -> tuple[tuple[int, int], str]:
    """Height and width, and Pillow's mode, from a file's header."""
    try:
        with Image.open(file, formats=FORMATS) as image:
            size, mode = (image.height, image.width), image.mode
    except UNREADABLE as error:
        raise _unreadable(file, error) from error
    if mode in NOT_PICTURES:
        raise ValueError(
            f"`{file}` has pixels of 32 bits, whose range is not known. Save "
            "it with 8 or 16 bits per pixel."
        )
    return size, mode


def _choose_size(
    sizes: set[tuple[int, int]], image_size: int | None, patch_size: int
) -> tuple[int, int]:
    if image_size is not None:
        return image_size, image_size
    height, width = next(iter(sizes))
    if (
        len(sizes) == 1
        and max(height, width) <= MAX_KEPT_SIDE
        and height % patch_size == width % patch_size == 0
    ):
        return height, width
    side = max(patch_size, IMAGE_SIZE // patch_size * patch_size)
    return side, side


def _unreadable(file: str | os.PathLike, error: Exception) -> ValueError:
    return ValueError(f"`{file}` is not an image that can be read: {error}")
