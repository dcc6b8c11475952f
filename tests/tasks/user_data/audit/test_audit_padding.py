"""Sequences that are padded with zeros are named, and no others."""

import numpy as np
import pytest

from keras_fpt import tasks
from keras_fpt.tasks.user_data import paths, sequences

pytestmark = pytest.mark.backend_free
RNG = np.random.default_rng(0)
LENGTHS = RNG.integers(3, 13, 60)
Y = np.arange(60) % 2


def padded(values):
    is_real = np.arange(12) < LENGTHS[:, None]
    return values * is_real.reshape(*is_real.shape, *[1] * (values.ndim - 2))


def kinds(task):
    return {finding.kind for finding in task.findings}


PADDED = {
    "series": padded(RNG.normal(size=(60, 12, 3))),
    "one channel": padded(RNG.normal(5, 1, (60, 12))),
    "symbols": padded(RNG.integers(1, 9, (60, 12))),
    "steps": padded(np.eye(4)[RNG.integers(0, 4, (60, 12))]),
}


@pytest.mark.parametrize("name", PADDED)
def test_padding(name):
    task = tasks.from_arrays(PADDED[name], Y, verbose=False)
    (found,) = [f for f in task.findings if f.kind == "zero-padding"]
    assert "1 to 9 of 12" in found.message and "lengths" in found.advice


def test_padding_on_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_FPT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sequences, "MAX_BYTES_IN_MEMORY", 1000)
    path = tmp_path / "x.npz"
    np.savez(path, x=PADDED["series"], y=Y)
    assert "zero-padding" in kinds(paths.from_path(path, verbose=False))
    np.savez(path, x=PADDED["series"], y=Y, lengths=LENGTHS)
    assert "zero-padding" not in kinds(paths.from_path(path, verbose=False))


@pytest.mark.parametrize("name", PADDED)
def test_padding_at_the_beginning(name):
    """As Keras's `pad_sequences` puts it."""
    x = np.ascontiguousarray(PADDED[name][:, ::-1])
    (found,) = tasks.from_arrays(x, Y, verbose=False).findings
    assert found.kind == "zero-padding"
    assert "begin in rows of zeros, 1 to 9 of 12" in found.message
    assert "'mask'" in found.advice and "lengths" not in found.advice


@pytest.mark.parametrize("name", ["series", "one channel", "steps"])
def test_padding_with_another_number(name):
    values = PADDED[name].astype("float32")
    is_real = np.arange(12) < LENGTHS[:, None]
    values[~is_real] = -999
    task = tasks.from_arrays(values, Y, verbose=False)
    (found,) = [f for f in task.findings if f.kind == "zero-padding"]
    assert "end in rows of the number -999, 1 to 9 of 12" in found.message


TWO_LENGTHS = {
    "series": RNG.normal(size=(60, 16, 3)),
    "one channel": RNG.normal(5, 1, (60, 16)),
    "symbols": RNG.integers(1, 9, (60, 16)),
}


@pytest.mark.parametrize("name", TWO_LENGTHS)
@pytest.mark.parametrize("shortest", [(11,), (9, 12)])
def test_padding_of_few_lengths(name, shortest):
    x = TWO_LENGTHS[name].copy()
    for number, each in enumerate(x):
        each[(*shortest, 16)[number % (len(shortest) + 1)] :] = 0
    (found,) = [
        f
        for f in tasks.from_arrays(x, Y, verbose=False).findings
        if f.kind == "zero-padding"
    ]
    most = 16 - shortest[0]
    assert f"{16 - shortest[-1]} to {most} of 16" in found.message or (
        f" in rows of zeros, {most} of 16" in found.message
    )


def loans():
    """A table: who has no loan has zeros in the last columns."""
    scale = 10.0 ** RNG.integers(0, 5, 16)
    x = RNG.uniform(1, 2, (60, 16)) * scale
    x[::2, 12:] = 0
    return x.astype("f4")


def letterbox():
    images = RNG.uniform(0.1, 1, (60, 16, 12)).astype("f4")
    images[::2, :2] = images[::2, -2:] = 0
    return images


def fading():
    start = RNG.integers(5, 40, (60, 1))
    return np.floor(start * 0.6 ** np.arange(12)).astype("f4")


def blobs():
    images = np.zeros((60, 12, 12), "f4")
    for image, length in zip(images, LENGTHS, strict=True):
        top = RNG.integers(0, 13 - length) if length < 12 else 0
        image[top : top + length, 3:8] = RNG.random((length, 5))
    return images


def digits():
    from sklearn.datasets import load_digits

    return (load_digits().images[:60] / 16).astype("f4")


@pytest.mark.parametrize(
    "make",
    [
        fading,
        blobs,
        digits,
        loans,
        letterbox,
        lambda: RNG.normal(size=(60, 12, 3)),
        lambda: RNG.poisson(0.7, (60, 12)).astype("f4"),
        lambda: RNG.integers(0, 4, (60, 12)),
        lambda: np.eye(4)[RNG.integers(0, 4, (60, 12))],
        lambda: (blobs() * 255).astype(np.uint8),
        # All end in the same way.
        lambda: np.pad(RNG.normal(size=(60, 9, 2)), [(0, 0), (0, 3), (0, 0)]),
    ],
)
def test_zeros_that_are_values(make):
    task = tasks.from_arrays(make(), Y, verbose=False)
    assert "zero-padding" not in kinds(task)
