"""Tasks from a folder of images."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks import images
from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import build, sequences
from keras_fpt.tasks.user_data.audit.findings import Finding
from keras_fpt.tasks.user_data.media import (
    folders,
    image_files,
    image_findings,
)
from keras_fpt.tasks.user_data.path_errors import prefix_errors_with_path

IMAGE_SIZE = 32
MAX_KEPT_SIDE = 64
PATCH_SIZE = 4
MAX_SIDE = 4096
BACKGROUND = "white"
# Pixels of 16 bits that use less of their range are those of a device with
# fewer bits.
FULL_RANGE = image_files.MAX_16_BITS // 4


@dataclasses.dataclass(frozen=True)
class ImageReader:
    """Converts image files to patches.

    Fields that version 0.1.0 did not have default to its behavior.

    Args:
        height: int, in pixels; images are resized to it.
        width: int.
        channels: int, 1 or 3.
        patch_size: int, height and width of a patch.
        background: string, the color behind transparent pixels; `None` ignores
            transparency.
        is_turned: bool, whether images are turned as their files say.
        darkest: float, the pixel of the training images that becomes 0, where
            pixels have more than 8 bits; `None` is 0.
        brightest: float, the pixel that becomes 255; `None` is 65535.
    """

    height: int
    width: int
    channels: int
    patch_size: int
    background: str | None = None
    is_turned: bool = False
    darkest: float | None = None
    brightest: float | None = None

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
                f"Patches of {self.patch_size} pixels do not cover images of "
                f"{self.height} x {self.width} pixels evenly."
            )
        if self.channels not in (1, 3):
            raise ValueError(
                f"Expected 1 or 3 channels but received {self.channels}."
            )
        if self.background is not None:
            image_files.parse_color(self.background)
        given = [v for v in (self.darkest, self.brightest) if v is not None]
        if len(given) == 1 or not np.isfinite(given).all():
            raise ValueError(
                "Expected two finite numbers, darkest and brightest, or "
                f"neither, but received {self.darkest} and {self.brightest}."
            )

    def read(self, path: str | os.PathLike) -> tuple[Any, list[str]]:
        """Reads the tokens of one image or all in a folder, and their names.

        Raises:
            ValueError: a file is not an image.
        """
        return self.read_files(*folders.new_files(path))

    def read_files(
        self, files: list[pathlib.Path], names: list[str]
    ) -> tuple[Any, list[str]]:
        """Reads the tokens of some files; see `read`."""
        x = self.load_all(files)
        return sequences.apply(lambda x: self.encode(x).numpy(), x), names

    def load_all(self, files: list[pathlib.Path]) -> Any:
        """Loads images, as uint8 `(n, height, width, channels)`."""
        return sequences.collect(folders.read_each(self.load, files, "images"))

    def load(self, file: str | os.PathLike) -> np.ndarray:
        """Loads an image, as uint8 `(height, width, channels)`."""
        deep = None
        if self.darkest is not None and self.brightest is not None:
            deep = self.darkest, self.brightest
        return image_files.read_pixels(
            file,
            (self.height, self.width),
            self.channels,
            self.is_turned,
            self.background,
            deep,
        )

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
    background: str = BACKGROUND,
    validation: str | os.PathLike | None = None,
    test: str | os.PathLike | None = None,
    folds: int | None = None,
    fold: int = 1,
    strict: bool = False,
    split_group: str | Sequence[str] = (),
) -> Task:
    """Makes a task from a folder with one subfolder of images per class.

    If the folder has the subfolders `train` and `test` (and perhaps
    `validation`) instead, in any usual spelling, each with one subfolder per
    class, that is the split; otherwise the split is that of `from_arrays`.

    Images are read as a viewer shows them: turned as a camera's file says,
    and transparent pixels on a background. Pixels of more than 8 bits are
    scaled by the range of the training images.

    Args:
        folder: path. Images are BMP, GIF, JPEG, PNG, PPM, TIFF or WebP.
        image_size: int, height and width to which images are resized. `None`
            keeps the size of images that all have the same size, at most
            64 x 64 pixels, that patches cover evenly; other images become
            32 x 32.
        patch_size: int, height and width of a patch, in pixels. Each patch is
            a token.
        verbose: bool, whether to log a description of the data.
        background: string, the color behind transparent pixels, such as
            `"white"` or `"#808080"`.
        validation: path, a folder of validation examples with one subfolder
            per class, or `None`.
        test: path, a folder of test examples, as well.
        folds: int, the number of folds of a cross-validation, or `None`.
        fold: int, from 1 to `folds`, the fold that is for testing.
        strict: bool, whether a leak that the audit finds is an error.
        split_group: string or strings, parts of the files' names that are
            groups, such as people, which stay in one split: `"part_1"` is
            1037 in `1037-3-0-1.png`. Subfolders do not matter then.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: a file is not an image, or a class is empty. The error
            names the file or the class.
    """
    check_options(image_size, patch_size, background)
    return make_task(
        folders.labeled_files(
            folder, validation, test, folds, fold, split_group
        ),
        image_size,
        patch_size,
        background,
        strict,
        verbose,
    )


def check_options(
    image_size: int | None, patch_size: int, background: str
) -> None:
    """Checks the options of images before any image is read.

    Raises:
        ValueError: one of them cannot be used.
    """
    if image_size is not None and image_size < 1:
        raise ValueError(
            f"Expected image_size of at least 1 but received {image_size}."
        )
    if patch_size < 1 or (image_size or patch_size) % patch_size:
        raise ValueError(
            f"Patches of {patch_size} pixels do not cover images of "
            f"{image_size or IMAGE_SIZE} pixels evenly."
        )
    image_files.parse_color(background)


def make_task(
    found: folders.LabeledFiles,
    image_size: int | None,
    patch_size: int,
    background: str,
    strict: bool,
    verbose: bool,
) -> Task:
    """Makes a task from files of images; see `from_image_folder`."""
    headers = [image_files.read_header(file) for file in found.files]
    sizes = [header.size for header in headers]
    height, width = _choose_size(set(sizes), image_size, patch_size)
    channels = 1 if all(header.is_gray for header in headers) else 3
    low, high, range_notes, range_findings = _deep_range(found, headers)
    is_scaled = all(header.can_be_scaled for header in headers)
    reader = ImageReader(
        height, width, channels, patch_size, background, True, low, high
    )
    color = "grayscale" if channels == 1 else "color"
    note = f"images: {height} x {width} pixels, {color}"
    if set(sizes) != {(height, width)}:
        least, most = min(sizes), max(sizes)
        note += f", resized from {least[0]} x {least[1]}"
        note += f" to {most[0]} x {most[1]}" if least != most else ""
    notes = [note, f"patches: {patch_size} x {patch_size} pixels"]
    num_transparent = sum(header.has_transparency for header in headers)
    if num_transparent:
        notes.append(
            f"transparency: in {num_transparent:,} images, on {background} "
            "(--background)"
        )
    x = reader.load_all(found.files)
    return build.make_task(
        found.name,
        x,
        found.labels,
        found.splits,
        found.split_by,
        reader,
        found.names,
        encode=reader.encode,
        notes=[*notes, *range_notes, *found.notes],
        groups=found.groups,
        findings=[
            *found.findings,
            *range_findings,
            *image_findings.find_in_images(found.names, headers, is_scaled, x),
            *image_findings.find_telling(found, headers, x),
        ],
        strict=strict,
        picture=reader.picture,
        verbose=verbose,
    )


def _deep_range(
    found: folders.LabeledFiles, headers: Sequence[image_files.Header]
) -> tuple[float | None, float | None, list[str], list[Finding]]:
    """The range of training pixels of more than 8 bits, and what to say."""
    is_deep = np.array([header.can_be_scaled for header in headers])
    if not is_deep.all():
        is_deep = np.array([header.is_deep for header in headers])
    if not is_deep.any():
        return None, None, [], []
    if not is_deep.all():
        for header, file in zip(headers, found.files, strict=True):
            if header.mode in ("I", "F"):
                raise ValueError(
                    f"`{file}` has pixels of 32 bits, and others have pixels "
                    "of 8 bits, so their range is not known. Save all images "
                    "with the same number of bits per pixel."
                )
    train = [int(i) for i in found.splits["train"] if is_deep[i]]
    ranges = [
        image_files.deep_range(found.files[i])
        for i in train or np.flatnonzero(is_deep)
    ]
    low = min(pair[0] for pair in ranges)
    high = max(pair[1] for pair in ranges)
    if is_deep.all():
        note = f"pixels: {low:g} to {high:g}, scaled to 0 to 255"
        return low, high, [note], []
    # Next to images of 8 bits, the others are taken to use all of 16 bits.
    findings = []
    if high < FULL_RANGE:
        findings = [
            Finding(
                "mixed-depths",
                f"{is_deep.sum():,} images have pixels of 16 bits, which are "
                f"at most {high:g} of 65,535 and become nearly black next to "
                "images of 8 bits.",
                "Save all images with the same number of bits per pixel.",
            )
        ]
    note = f"pixels: 16 bits in {is_deep.sum():,} images, scaled to 8 bits"
    return 0.0, float(image_files.MAX_16_BITS), [note], findings


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
