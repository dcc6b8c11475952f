import hashlib

import numpy as np
import pytest
import tensorflow as tf

from keras_fpt import tasks
from keras_fpt.tasks import digits, images, mnist

pytestmark = pytest.mark.backend_free


def unpatch(tokens, rows, size, channels):
    """Images from patches, in plain NumPy loops."""
    columns = tokens.shape[1] // rows
    out = np.zeros((len(tokens), rows * size, columns * size, channels))
    for n, token in np.ndindex(tokens.shape[:2]):
        top, left = token // columns * size, token % columns * size
        out[n, top : top + size, left : left + size] = tokens[n, token].reshape(
            size, size, channels
        )
    return out


def test_patches_give_the_image_back():
    x = np.random.default_rng(0).integers(0, 256, (3, 8, 12, 2))
    tokens = images.patches(tf.constant(x), 4).numpy()
    assert tokens.shape == (3, 6, 32)
    np.testing.assert_array_equal(unpatch(tokens, 2, 4, 2), x)
    for token, image in zip(tokens, x, strict=True):
        np.testing.assert_array_equal(images.unpatch(token, 2, 4), image)


@pytest.mark.parametrize(
    ("shape", "size", "message"),
    [
        ((2, 8, 8), 4, "Expected images of shape"),
        ((2, 8, 6, 1), 4, "4 x 4 pixels do not cover images of 8 x 6"),
    ],
)
def test_images_that_cannot_be_cut(shape, size, message):
    with pytest.raises(ValueError, match=message):
        images.patches(np.zeros(shape), size)


def test_digits_give_the_image_back():
    from sklearn.datasets import load_digits

    originals = {x.tobytes() for x in load_digits().images.astype("uint8")}
    seen = 0
    splits = tasks.get("digits").datasets(100)
    for x, _ in splits.test:
        pixels = unpatch(np.round((x.numpy() + 1) * 8), 4, 2, 1)
        for image in pixels.astype("uint8")[..., 0]:
            assert image.tobytes() in originals
            seen += 1
    assert seen == 360


def test_digits_splits():
    splits = tasks.get("digits").datasets(64)
    labels = [np.concatenate([y for _, y in s]) for s in splits[1:]]
    assert [len(y) for y in labels] == [143, 360]
    assert np.bincount(labels[1]).min() >= 35  # stratified


def test_every_epoch_holds_each_example_once_in_another_order():
    train = tasks.get("digits").data.splits["train"]
    size = len(train.x)
    batch_size = 14
    assert size == 1294 and size % batch_size == 6
    dataset = tasks.get("digits").datasets(batch_size, seed=2).train
    rows = np.concatenate([x for x, _ in dataset.take(2 * size // batch_size)])
    first, second = rows[:size], rows[size:]
    expected = digits.encode(tf.constant(train.x)).numpy()

    def sort(rows):
        return sorted(row.tobytes() for row in rows)

    assert sort(first) == sort(expected)
    assert (first[: len(second)] != second).any()
    other = next(iter(tasks.get("digits").datasets(batch_size, seed=3).train))
    assert (rows[:batch_size] != other[0].numpy()).any()


def test_labels_stay_with_their_images():
    train = tasks.get("digits").data.splits["train"]
    encoded = digits.encode(tf.constant(train.x)).numpy()
    label_of = {
        row.tobytes(): int(label)
        for row, label in zip(encoded, train.y, strict=True)
    }
    for x, y in tasks.get("digits").datasets(64, seed=5).train.take(10):
        for row, label in zip(x.numpy(), y.numpy(), strict=True):
            assert label_of[row.tobytes()] == label


def test_digits_golden():
    digest = hashlib.sha256()
    for split in tasks.get("digits").datasets(batch_size=50, seed=1):
        for x, y in split.take(2):
            digest.update(x.numpy().tobytes() + y.numpy().tobytes())
    assert digest.hexdigest()[:16] == GOLDEN_DIGITS


def test_mnist_pads_to_32():
    x = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), "uint8")
    tokens = mnist.encode(tf.constant(x)).numpy()
    assert tokens.shape == (2, 64, 16)
    pixels = np.round((unpatch(tokens, 8, 4, 1) + 1) * 127.5)
    np.testing.assert_array_equal(pixels[:, 2:30, 2:30], x)
    assert pixels.sum() == x.sum()


def test_mnist_golden():
    x = np.random.default_rng(1).integers(0, 256, (4, 28, 28, 1), "uint8")
    tokens = mnist.encode(tf.constant(x)).numpy()
    digest = hashlib.sha256(tokens.astype("<f4").tobytes())
    assert digest.hexdigest()[:16] == GOLDEN_MNIST


def test_mnist_from_tfds(real_data):
    task = tasks.get("mnist", data_dir=real_data / "tensorflow_datasets")
    splits = task.datasets(1000)
    x, y = next(iter(splits.train))
    assert x.shape == (1000, 64, 16) and y.shape == (1000,)
    sizes = [sum(len(y) for _, y in split) for split in splits[1:]]
    assert sizes == [6000, 10000]
    labels = np.concatenate([y for _, y in splits.test])
    # The counts of the ten digits in MNIST's test split.
    expected = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(labels).tolist() == expected


def test_mnist_without_data_or_network(tmp_path, monkeypatch):
    import socket

    def refuse(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(FileNotFoundError, match="--data-dir DIR"):
        tasks.get("mnist", data_dir=str(tmp_path)).datasets()


GOLDEN_DIGITS = "0f33fc62ff88bf9e"
GOLDEN_MNIST = "71b2a46375d5d02f"
