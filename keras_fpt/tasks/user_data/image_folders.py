"""A folder of images."""

import dataclasses
import pathlib
import struct

import numpy as np
from PIL import Image

from keras_fpt.tasks import images
from keras_fpt.tasks.user_data import build, folders
from keras_fpt.tasks.user_data.source_errors import names_source

IMAGE_SIZE = 32
LARGEST_KEPT = 64
PATCH_SIZE = 4
# Pillow's names. It reads others too, among them EPS, for which it runs
# Ghostscript, and formats whose readers few have tried.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
LARGEST_SIDE = 4096
# What Pillow raises on files that are damaged or no images.
UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)
# Pillow's modes.
GREY = ("1", "L", "LA", "I;16", "I;16B", "I;16L")
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

    def __post_init__(self):
        sides = (self.height, self.width)
        if not 1 <= self.patch_size <= min(sides) <= max(sides) <= LARGEST_SIDE:
            raise ValueError(
                f"Expected images of at most {LARGEST_SIDE:,} x "
                f"{LARGEST_SIDE:,} pixels, and patches of at least 1, but "
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

    def read(self, path):
        """The tokens of one image or of all in a folder, and their names.

        Raises:
            ValueError: a file is no image.
        """
        files, names = folders.new_files(path)
        return self.encode(self.load_all(files)).numpy(), names

    def load_all(self, files):
        """The images of some files, uint8 `(n, height, width, channels)`."""
        return np.stack(folders.read_all(self._load, files, "images"))

    def _load(self, file):
        try:
            with Image.open(file, formats=FORMATS) as image:
                if image.mode.startswith("I;16"):
                    # Pillow would clip what is above 255.
                    pixels = np.asarray(image) // 257
                    image = Image.fromarray(pixels.astype("uint8"))
                image = image.convert("L" if self.channels == 1 else "RGB")
                image = image.resize(
                    (self.width, self.height), Image.Resampling.BILINEAR
                )
        except UNREADABLE as error:
            raise _unreadable(file, error) from error
        return np.asarray(image).reshape(self.height, self.width, -1)

    def encode(self, x):
        """Images `(batch, height, width, channels)` to tokens in [-1, 1]."""
        return images.patches(images.centred(x), self.patch_size)

    def picture(self, tokens):
        """The image in [0, 1] that tokens were cut from."""
        rows = self.height // self.patch_size
        return images.picture_of(rows, self.patch_size)(tokens)


@names_source
def from_image_folder(
    folder, image_size=None, patch_size=PATCH_SIZE, verbose=True
):
    """A task from a folder with a subfolder of images a class.

    Where it has the subfolders `train` and `test` (and perhaps `validation`)
    instead, with one a class in each, that is the split; else it is that of
    `from_arrays`.

    Args:
        folder: path. Images are BMP, GIF, JPEG, PNG, PPM, TIFF or WebP.
        image_size: int, height and width that images are resized to. `None`
            keeps images that all have one size, of at most 64 x 64 pixels,
            that patches cover evenly, and makes others 32 x 32.
        patch_size: int, height and width of a patch, in pixels; a patch is a
            token.
        verbose: bool, whether to print what was found.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: a file is no image, or a class is empty. It names it.
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
    files, y, class_names, places, split_by = folders.labelled_files(folder)
    sizes, modes = zip(*map(_size_and_mode, files), strict=True)
    height, width = _choose_size(set(sizes), image_size, patch_size)
    channels = 1 if all(mode in GREY for mode in modes) else 3
    reader = ImageReader(height, width, channels, patch_size)
    colour = "grey" if channels == 1 else "colour"
    note = f"images: {height} x {width} pixels, {colour}"
    if set(sizes) != {(height, width)}:
        low, high = min(sizes), max(sizes)
        note += f", resized from {low[0]} x {low[1]}"
        note += f" to {high[0]} x {high[1]}" if low != high else ""
    return build.task(
        pathlib.Path(folder).resolve().name,
        reader.load_all(files),
        y,
        class_names,
        places,
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


def _size_and_mode(file):
    """Height and width, and Pillow's colour mode, from a file's header."""
    try:
        with Image.open(file, formats=FORMATS) as image:
            size, mode = (image.height, image.width), image.mode
    except UNREADABLE as error:
        raise _unreadable(file, error) from error
    if mode in NOT_PICTURES:
        raise ValueError(
            f"`{file}` has pixels of 32 bits, whose range is not known. Save "
            "it with 8 or 16 bits a pixel."
        )
    return size, mode


def _choose_size(sizes, image_size, patch_size):
    if image_size is not None:
        return image_size, image_size
    height, width = next(iter(sizes))
    if (
        len(sizes) == 1
        and max(height, width) <= LARGEST_KEPT
        and height % patch_size == width % patch_size == 0
    ):
        return height, width
    side = max(patch_size, IMAGE_SIZE // patch_size * patch_size)
    return side, side


def _unreadable(file, error):
    return ValueError(f"`{file}` is not an image that can be read: {error}")
