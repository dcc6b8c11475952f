"""The variants are compared with what the reference code does."""

import dataclasses
import json

import numpy as np
import pytest

from keras_fpt import tasks
from keras_fpt.tasks import Examples, augmentation

pytestmark = pytest.mark.backend_free


def first(dataset):
    return next(dataset.as_numpy_iterator())


def with_images(task, images):
    """A task whose images are these, and not those of a data set."""
    labels = np.zeros(len(images), "int32")
    splits = dict.fromkeys(
        ("train", "validation", "test"), Examples(images, labels)
    )
    data = dataclasses.replace(task.data, read=lambda: splits)
    return dataclasses.replace(task, data=data)


def test_bits_are_zeros_and_ones():
    x, y = first(tasks.get("bit_xor:reference").held_out("test"))
    assert set(np.unique(x)) == {0, 1}
    np.testing.assert_array_equal(y, np.logical_xor(x[:, :5, 0], x[:, 5:, 0]))
    usual, labels = first(tasks.get("bit_xor").held_out("test"))
    np.testing.assert_array_equal(usual, 2 * x - 1)
    np.testing.assert_array_equal(labels, y)


def test_mnist_has_49_tokens_from_0_to_1():
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), "uint8")
    task = with_images(tasks.get("mnist:reference"), images)
    x, _ = first(task.held_out("test"))
    assert x.shape == (3, task.sequence_length, task.input_dim) == (3, 49, 16)
    # einops: b c (h p1) (w p2) -> b (h w) (p1 p2 c)
    expected = (images / 255).reshape(3, 7, 4, 7, 4).swapaxes(2, 3)
    np.testing.assert_allclose(x, expected.reshape(3, 49, 16), atol=1e-6)
    picture = task.picture(x[0])
    np.testing.assert_allclose(picture, images[0, :, :, 0] / 255, atol=1e-6)


def test_cifar10_has_other_deviations():
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), "uint8")
    task = with_images(tasks.get("cifar10:reference"), images)
    x, _ = first(task.held_out("test"))
    mean, deviation = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
    expected = (images / 255 - mean) / deviation
    expected = expected.reshape(3, 8, 4, 8, 4, 3).swapaxes(2, 3)
    np.testing.assert_allclose(x, expected.reshape(3, 64, 48), atol=1e-5)
    np.testing.assert_allclose(task.picture(x[0]), images[0] / 255, atol=1e-5)


def test_long_range_arenas_cifar10_is_augmented():
    task = tasks.get("cifar10_lra:reference")
    assert task.data.augment is augmentation.augment
    assert tasks.get("cifar10_lra").data.augment is None
    images = np.full((3, 32, 32, 3), 255, "uint8")
    task = with_images(task, images)
    assert first(task.held_out("test"))[0].min() > 0.999
    # The crop's margin and the corners of a rotation are black.
    assert first(task.datasets(3).train)[0].min() == -1


def test_listops_reads_its_padding(tmp_path):
    for name in ("train", "val", "test"):
        (tmp_path / f"basic_{name}.tsv").write_text(
            "Source\tTarget\n( ( ( [MAX 2 ) 9 ) ] )\t9\n[SM 1 2 3 4 5 6 ]\t1\n"
        )
    task = tasks.get("listops:reference", tmp_path, max_length=6)
    x, y = first(task.held_out("test"))
    symbols = np.array(task.symbols)
    assert task.vocabulary_size == len(symbols) == 15
    assert symbols[x].tolist() == [
        ["MAX", "2", "9", "<pad>", "<pad>", "<pad>"],
        ["SM", "1", "2", "3", "4", "5"],
    ]
    assert y.tolist() == [9, 1]
    assert first(task.datasets(2).train)[0].shape == (2, 6)
    assert tasks.get("listops:reference").sequence_length == 512


def test_proteins_are_tapes(tmp_path):
    folder = tmp_path / "remote_homology"
    folder.mkdir()
    records = [("ACJ", 7), ("MKVLY", 1194), ("A" * 1023, 0)]
    for split in ("train", "valid", *(f"test_{n}_holdout" for n in NAMES)):
        (folder / f"remote_homology_{split}.json").write_text(
            json.dumps([{"primary": s, "fold_label": f} for s, f in records])
        )
    task = tasks.get("remote_homology:reference", tmp_path)
    x, y = first(task.held_out("test"))
    assert (task.vocabulary_size, task.num_classes) == (30, 1200)
    # <cls> A C X <sep> <pad> <pad>; J, which TAPE refuses, is unknown here.
    assert x.tolist() == [[2, 5, 7, 27, 3, 0, 0], [2, 16, 14, 25, 15, 28, 3]]
    assert y.tolist() == [7, 1194]
    # A batch is as long as its longest protein.
    assert first(task.datasets(2).train)[0].shape[1] in (5, 7)
    assert task.sequence_length == 1024


NAMES = ("fold", "superfamily", "family")


def test_a_task_that_the_reference_code_makes_alike_has_no_variant():
    with pytest.raises(ValueError, match="'bit_memory' has no variant"):
        tasks.get("bit_memory:reference")
    with pytest.raises(ValueError, match="'mnist' has no max_length"):
        tasks.get("mnist:reference", max_length=3)
