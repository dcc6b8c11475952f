import hashlib
import math

import numpy as np
import pytest
import tensorflow as tf

from keras_fpt.tasks import augmentation
from keras_fpt.tasks.augmentation import MAX_DEGREES, PADDING

pytestmark = pytest.mark.backend_free


def synthetic_images(count):
    """uint8 images without a black pixel, other ones for other counts."""
    generator = np.random.default_rng(count)
    return generator.integers(1, 256, (count, 32, 32, 3), "uint8")


def seed(*numbers):
    return tf.constant(numbers, tf.int32)


def rotated(images, degrees):
    angles = tf.fill([len(images)], tf.constant(degrees, tf.float64))
    return augmentation.rotate(images, angles * (math.pi / 180)).numpy()


def rotated_by_loops(image, angle):
    """Nearest-neighbor sampling, pixel by pixel, for an angle in radians."""
    out = np.zeros_like(image)
    middle = (len(image) - 1) / 2
    for i, j in np.ndindex(image.shape[:2]):
        y, x = middle - i, j - middle
        radius, direction = math.hypot(y, x), math.atan2(y, x) - angle
        row = round(middle - radius * math.sin(direction))
        column = round(middle + radius * math.cos(direction))
        if 0 <= row < len(image) and 0 <= column < len(image):
            out[i, j] = image[row, column]
    return out


def test_crop_moves_pixels_exactly():
    x = synthetic_images(4)
    offsets = np.array([[0, 0], [4, 4], [8, 1], [3, 8]])
    cropped = augmentation.crop(x, tf.constant(offsets, tf.int32)).numpy()
    padded = np.pad(x, [(0, 0), (PADDING,) * 2, (PADDING,) * 2, (0, 0)])
    for image, source, (top, left) in zip(
        cropped, padded, offsets, strict=True
    ):
        np.testing.assert_array_equal(
            image, source[top : top + 32, left : left + 32]
        )
    np.testing.assert_array_equal(cropped[1], x[1])


def test_flip_swaps_left_and_right_of_some_images():
    x = synthetic_images(3)
    flipped = augmentation.flip(x, tf.constant([True, False, True])).numpy()
    expected = [x[0][:, ::-1], x[1], x[2][:, ::-1]]
    np.testing.assert_array_equal(flipped, expected)


def test_rotation_by_nothing_changes_nothing():
    x = synthetic_images(2)
    np.testing.assert_array_equal(rotated(x, 0.0), x)


@pytest.mark.parametrize("quarters", [-1, 1, 2])
def test_rotation_by_right_angles(quarters):
    x = synthetic_images(2)
    expected = np.rot90(x, quarters, axes=(1, 2))
    np.testing.assert_array_equal(rotated(x, 90.0 * quarters), expected)


@pytest.mark.parametrize("degrees", [-20.0, 7.0, 40.0])
def test_rotation_takes_the_nearest_pixel_or_black(degrees):
    x = synthetic_images(2)
    expected = [rotated_by_loops(image, math.radians(degrees)) for image in x]
    np.testing.assert_array_equal(rotated(x, degrees), expected)
    assert (np.array(expected) == 0).any()


def test_moves_are_uniform():
    offsets, flips, angles = (
        move.numpy() for move in augmentation.draw_moves(9000, seed(0, 0))
    )
    for column in offsets.T:
        counts = np.bincount(column, minlength=2 * PADDING + 1)
        assert counts.size == 9 and 900 < counts.min() < counts.max() < 1100
    assert abs(flips.mean() - 0.5) < 0.02
    degrees = np.degrees(angles)
    assert np.abs(degrees).max() <= MAX_DEGREES
    counts, _ = np.histogram(degrees, 9, (-MAX_DEGREES, MAX_DEGREES))
    assert 900 < counts.min() < counts.max() < 1100
    # None of them depends on another.
    moves = np.stack([*offsets.T, flips, angles])
    assert np.abs(np.corrcoef(moves) - np.eye(4)).max() < 0.05


def test_augmentation_crops_then_flips_then_rotates():
    x = synthetic_images(16)
    offsets, flips, angles = (
        move.numpy() for move in augmentation.draw_moves(16, seed(1, 2))
    )
    padded = np.pad(x, [(0, 0), (PADDING,) * 2, (PADDING,) * 2, (0, 0)])
    expected = []
    for n, (top, left) in enumerate(offsets):
        image = padded[n, top : top + 32, left : left + 32]
        image = image[:, ::-1] if flips[n] else image
        expected.append(rotated_by_loops(image, angles[n]))
    augmented = augmentation.augment(x, seed(1, 2)).numpy()
    assert augmented.dtype == np.uint8
    np.testing.assert_array_equal(augmented, expected)


def test_augmentation_follows_from_the_seed():
    x = synthetic_images(8)
    first = augmentation.augment(x, seed(1, 2)).numpy()
    graph = tf.function(augmentation.augment)
    np.testing.assert_array_equal(first, graph(x, seed(1, 2)))
    for other in (seed(1, 3), seed(2, 2)):
        changed = (augmentation.augment(x, other).numpy() != first).any(
            (1, 2, 3)
        )
        assert changed.all()


def test_equal_images_of_a_batch_become_different():
    x = np.repeat(synthetic_images(1), 8, axis=0)
    augmented = augmentation.augment(x, seed(0, 0)).numpy()
    assert len({image.tobytes() for image in augmented}) == 8


def test_floats_are_moved_as_bytes_are():
    x = synthetic_images(4)
    augmented = augmentation.augment(x.astype("float32"), seed(5, 6)).numpy()
    assert augmented.dtype == np.float32
    np.testing.assert_array_equal(
        augmented, augmentation.augment(x, seed(5, 6))
    )


def test_augmentation_golden():
    augmented = augmentation.augment(synthetic_images(64), seed(3, 4)).numpy()
    digest = hashlib.sha256(augmented.tobytes()).hexdigest()
    assert digest[:16] == GOLDEN


GOLDEN = "93ba02a03536f8ac"
