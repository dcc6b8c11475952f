"""Fails when Pillow reads an uncompressed TIFF on its side from a path."""

import numpy as np
import pytest
from PIL import Image

from keras_fpt.compat.pillow_turned_tiff import open_image

pytestmark = pytest.mark.backend_free


def test_the_fault_is_still_there_and_avoided(tmp_path):
    pixels = np.arange(8 * 16, dtype="uint8").reshape(8, 16)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "a.tif", exif=exif)
    upright = np.rot90(pixels, -1)
    with Image.open(tmp_path / "a.tif") as image:
        assert not np.array_equal(np.asarray(image), upright)
    with open_image(tmp_path / "a.tif", ["TIFF"]) as image:
        np.testing.assert_array_equal(np.asarray(image), upright)
