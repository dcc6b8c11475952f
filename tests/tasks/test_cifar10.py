import dataclasses
import hashlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from keras_fpt import tasks
from keras_fpt.tasks import augmentation, cifar10, cifar10_lra, tfds_arrays

pytestmark = pytest.mark.backend_free

# Weights of red, green and blue in tf.image.rgb_to_grayscale.
GRAY_WEIGHTS = (0.2989, 0.5870, 0.1140)


def synthetic_images(count):
    generator = np.random.default_rng(count)
    return generator.integers(0, 256, (count, 32, 32, 3), "uint8")


@pytest.fixture(scope="module")
def small_tfds(tmp_path_factory):
    """A TFDS folder whose CIFAR-10 has 50 + 20 images of noise."""
    import tensorflow_datasets as tfds

    folder = tmp_path_factory.mktemp("tensorflow_datasets")
    tfds.dataset_builders.store_as_tfds_dataset(
        name="cifar10",
        version=str(tfds.builder("cifar10", data_dir=folder).version),
        data_dir=folder,
        features=tfds.features.FeaturesDict(
            {
                "id": tfds.features.Text(),
                "image": tfds.features.Image(shape=(32, 32, 3)),
                "label": tfds.features.ClassLabel(num_classes=10),
            }
        ),
        split_datasets={"train": _noise(50), "test": _noise(20)},
        disable_shuffling=True,
    )
    return folder


def _noise(count):
    return tf.data.Dataset.from_tensor_slices(
        {
            "id": [str(n) for n in range(count)],
            "image": synthetic_images(count),
            "label": np.arange(count) % 10,
        }
    )


def test_patches_give_the_image_back():
    x = synthetic_images(3)
    tokens = cifar10.encode(tf.constant(x)).numpy()
    assert tokens.shape == (3, 64, 48) and tokens.dtype == np.float32
    mean, deviation = cifar10.MEAN, cifar10.DEVIATION
    for image, patches in zip(x, tokens, strict=True):
        # Token 9 is the second patch of the second row.
        pixels = patches[9].reshape(4, 4, 3) * deviation + mean
        np.testing.assert_array_equal(np.round(pixels * 255), image[4:8, 4:8])
        picture = cifar10.picture(patches)
        assert picture.shape == (32, 32, 3)
        np.testing.assert_array_equal(np.round(picture * 255), image)


def test_cifar10_golden():
    tokens = cifar10.encode(tf.constant(synthetic_images(4))).numpy()
    assert _digest(tokens) == GOLDEN_CIFAR10


def test_gray_pixels_come_row_by_row():
    x = synthetic_images(3)
    tokens = cifar10_lra.encode(tf.constant(x)).numpy()
    assert tokens.shape == (3, 1024, 1) and tokens.dtype == np.float32
    gray = x.astype("float64") @ GRAY_WEIGHTS
    np.testing.assert_allclose(
        tokens, gray.reshape(3, 1024, 1) / 127.5 - 1, atol=1e-5
    )
    picture = tasks.get("cifar10_lra").picture(tokens[0])
    np.testing.assert_allclose(picture, gray[0] / 255, atol=1e-5)


def test_black_and_white_are_the_ends_of_the_scale():
    x = np.zeros((2, 32, 32, 3), "uint8")
    x[1] = 255
    tokens = cifar10_lra.encode(tf.constant(x)).numpy()
    assert (tokens[0] == -1).all()
    np.testing.assert_allclose(tokens[1], 1, atol=3e-4)
    assert tokens.max() <= 1


def test_cifar10_lra_golden():
    tokens = cifar10_lra.encode(tf.constant(synthetic_images(4))).numpy()
    assert _digest(tokens) == GOLDEN_CIFAR10_LRA


def _digest(tokens):
    """In thousandths, which rounding errors of float32 do not change."""
    thousandths = np.round(tokens * 1000).astype("<i4")
    return hashlib.sha256(thousandths.tobytes()).hexdigest()[:16]


def test_training_is_augmented(small_tfds):
    task = tasks.get("cifar10", data_dir=small_tfds)
    augmented, y = next(iter(task.datasets(45, seed=1).train))
    assert task.data.augment is augmentation.augment
    plain = dataclasses.replace(task.data, augment=None)
    x, same_y = next(iter(plain.train(45, 1, 0)))
    np.testing.assert_array_equal(y, same_y)
    assert (augmented.numpy() != x.numpy()).any((1, 2)).all()
    again = next(iter(task.datasets(45, seed=1).train))[0]
    np.testing.assert_array_equal(augmented, again)


def test_another_epoch_augments_otherwise(small_tfds):
    task = tasks.get("cifar10", data_dir=small_tfds)
    first, second = (
        {tokens.numpy().tobytes() for tokens in x}
        for x, _ in task.datasets(45).train.take(2)
    )
    assert len(first) == 45 and not first & second


@pytest.mark.parametrize("name", ["cifar10", "cifar10_lra"])
def test_held_out_images_are_as_they_are(name, small_tfds):
    task = tasks.get(name, data_dir=small_tfds)
    test = task.data.splits["test"]
    x, y = next(iter(task.held_out("test")))
    np.testing.assert_array_equal(x, task.data.encode(tf.constant(test.x)))
    np.testing.assert_array_equal(y, np.arange(20) % 10)
    assert [task.data.size(s) for s in ("train", "validation")] == [45, 5]


def test_a_file_that_is_cut_off_is_named(small_tfds, tmp_path):
    folder = tmp_path / "tensorflow_datasets"
    shutil.copytree(small_tfds, folder)
    (path,) = folder.rglob("cifar10-test.tfrecord*")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=f"cut off, in .*{path.name}"):
        tfds_arrays.read("cifar10", folder)


@pytest.mark.parametrize(
    ("name", "shape"), [("cifar10", (64, 48)), ("cifar10_lra", (1024, 1))]
)
def test_cifar10_from_tfds(name, shape, real_data):
    task = tasks.get(name, data_dir=real_data / "tensorflow_datasets")
    sizes = [task.data.size(s) for s in ("train", "validation", "test")]
    assert sizes == [45000, 5000, 10000]
    assert task.class_counts("test").tolist() == [1000] * 10
    assert len(task.class_names) == task.num_classes
    assert (task.sequence_length, task.input_dim) == shape
    for split in task.datasets(32):
        x, y = next(iter(split))
        assert x.shape == (32, *shape) and y.shape == (32,)


def test_mean_and_deviation_are_those_of_the_training_images(real_data):
    folder = real_data / "tensorflow_datasets"
    splits = tfds_arrays.read("cifar10", folder)
    x = np.concatenate([splits[s].x for s in ("train", "validation")])
    # All have 256 values, so that 50,000 images need no array of floats.
    counts = [np.bincount(x[..., c].ravel(), minlength=256) for c in range(3)]
    values = np.arange(256) / 255
    for channel, count in enumerate(counts):
        mean = np.average(values, weights=count)
        deviation = np.average((values - mean) ** 2, weights=count) ** 0.5
        # Images that were JPEGs once are a little off.
        assert abs(mean - cifar10.MEAN[channel]) < 0.006
        assert abs(deviation - cifar10.DEVIATION[channel]) < 0.003


GOLDEN_CIFAR10 = "8d731a6230a6c85d"
GOLDEN_CIFAR10_LRA = "e50e7abbb955c015"
