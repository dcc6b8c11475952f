"""Images in arrays of pixels, such as those of MedMNIST, as patches."""

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fpt.tasks import images
from keras_fpt.tasks.user_data.arrays import array_on_disk

PATCH_SIZE = 4
# With more tokens, patches are larger.
MAX_PATCHES = 256
_IMAGES = "image"


def as_patches(
    parts: Sequence[tuple[Any, Any, str]],
    names: Sequence[str],
    path: str | os.PathLike,
) -> tuple[list[tuple[Any, Any, str]], str]:
    """Cuts images into patches, and leaves other arrays as they are.

    Images are arrays of uint8, `(n, height, width, channels)` with 1 or 3
    channels, or `(n, height, width)` if they are called images.

    Args:
        parts: tuples of sequences, labels and a note, one for each split.
        names: sequence of strings, the names of the arrays of sequences.
        path: the file, for errors.

    Returns:
        A tuple: the parts, and a note or an empty string.

    Raises:
        ValueError: patches do not cover the images.
    """
    arrays = [part[0] for part in parts]
    for x, name in zip(arrays, names, strict=True):
        if not hasattr(x, "dtype") or x.dtype != np.uint8:
            return [*parts], ""
        is_named = x.ndim == 3 and _IMAGES in name.lower()
        if not is_named and (x.ndim != 4 or x.shape[3] not in (1, 3)):
            return [*parts], ""
    height, width = arrays[0].shape[1:3]
    size = _patch_size(height, width, path)

    def patches(x: np.ndarray) -> np.ndarray:
        pixels = x if x.ndim == 4 else x[..., None]
        return images.patches(images.center(pixels), size).numpy()

    cut = []
    for (_, *others), x in zip(parts, arrays, strict=True):
        is_large = isinstance(x, array_on_disk.ArrayOnDisk)
        cut.append((x.mapped(patches) if is_large else patches(x), *others))
    note = (
        f"images: {height} x {width} pixels, in patches of {size} x {size}, "
        "from -1 to 1"
    )
    return cut, note  # type: ignore[return-value]


def _patch_size(height: int, width: int, path: str | os.PathLike) -> int:
    common = math.gcd(height, width)
    for size in range(PATCH_SIZE, common + 1):
        is_even = common % size == 0
        if is_even and height * width <= MAX_PATCHES * size * size:
            return size
    raise ValueError(
        f"`{path}`: no square patches, of which at most {MAX_PATCHES} cut an "
        f"image, cover images of {height} x {width} pixels evenly. Resize "
        "them, e.g. to 64 x 64."
    )
