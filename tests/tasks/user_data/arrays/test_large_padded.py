# Fixtures are imported, and then named as arguments.
# ruff: noqa: F401, F811
"""Padded arrays, and such with missing values, that do not fit into memory."""

import numpy as np
import pytest
from on_disk import both, home

from keras_fpt.tasks import sequence_store
from keras_fpt.tasks.user_data import paths
from keras_fpt.tasks.user_data.arrays import array_on_disk

pytestmark = pytest.mark.backend_free
RNG = np.random.default_rng(0)
SIZE = 300
X = RNG.normal(size=(SIZE, 7, 2)).astype("float32")
Y = np.arange(SIZE) % 3
LENGTHS = RNG.integers(2, 8, SIZE)
IS_REAL = np.arange(7) < LENGTHS[:, None]
# Some of the first tokens are left out, too.
WITH_HOLES = IS_REAL & (RNG.random((SIZE, 7)) > 0.3) | (np.arange(7) == 0)
ONE_AFTER_THE_OTHER = np.concatenate(
    [row[:n] for row, n in zip(X, LENGTHS, strict=True)]
)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(array_on_disk, "BLOCK_BYTES", 500)


def assert_same(first, second):
    assert sequence_store.is_on_disk(second.data.splits["train"].x)
    assert first.description == second.description
    assert first.reader == second.reader
    assert first.data.fingerprint == second.data.fingerprint
    batches = zip(
        first.held_out("test", 4), second.held_out("test", 4), strict=True
    )
    for (x, y), (other, labels) in batches:
        np.testing.assert_array_equal(y, labels)
        for name in ("tokens", "padding_mask") if isinstance(x, dict) else ():
            np.testing.assert_array_equal(x[name], other[name])
        if not isinstance(x, dict):
            np.testing.assert_array_equal(x, other)


@pytest.mark.parametrize(
    "arrays",
    [
        {"x": X, "lengths": LENGTHS},
        {"x": ONE_AFTER_THE_OTHER, "lengths": LENGTHS},
        {"x": X, "mask": IS_REAL},
        {"x": X, "mask": WITH_HOLES.astype("int64")},
        {"x": np.where(IS_REAL[..., None], X, np.nan), "mask": IS_REAL},
        {"x": (10 * X[..., 0]).astype(int) % 9, "padding_mask": IS_REAL},
    ],
)
def test_lengths_and_masks(tmp_path, both, arrays):
    np.savez(tmp_path / "mine.npz", y=Y, **arrays)
    assert_same(*both(lambda: paths.from_path(tmp_path / "mine.npz")))
    task = paths.from_path(tmp_path / "mine.npz")
    new, names = task.reader.read(tmp_path / "mine.npz")
    assert sequence_store.is_on_disk(new) and len(names) == SIZE


@pytest.mark.parametrize("names", ["splits", "files"])
def test_some_are_padded(tmp_path, both, names):
    test = {"test": tmp_path / "test.npz"}
    if names == "files":
        np.savez(tmp_path / "mine.npz", x=X, y=Y, lengths=LENGTHS)
        np.savez(tmp_path / "test.npz", x=X[:50] + 1, y=Y[:50])
    else:
        test = {}
        arrays = {"x_test": X[:50] + 1, "y_test": Y[:50]}
        arrays |= {"x_train": X, "y_train": Y, "mask_train": IS_REAL}
        np.savez(tmp_path / "mine.npz", **arrays)
    assert_same(*both(lambda: paths.from_path(tmp_path / "mine.npz", **test)))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"mask": np.ones((SIZE, 6))}, r"mask of shape \(300, 7\)"),
        ({"mask": IS_REAL & (Y != 1)[:, None]}, "example 1 has no token"),
        ({"mask": 2.0 * IS_REAL}, "1 for tokens and 0 for padding"),
        (
            {"x": np.where(IS_REAL[..., None], X, 0), "mask": ~IS_REAL},
            "write the opposite",
        ),
        ({"lengths": LENGTHS + 3}, "but x has 7 tokens"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, both, arrays, message):
    np.savez(tmp_path / "mine.npz", **({"x": X, "y": Y} | arrays))
    texts = []

    def call():
        with pytest.raises(ValueError, match=message) as caught:
            paths.from_path(tmp_path / "mine.npz")
        texts.append(str(caught.value))

    both(call)
    assert texts[0] == texts[1]


@pytest.mark.parametrize("fill", ["median", "forward"])
@pytest.mark.parametrize("padding", [{}, {"lengths": LENGTHS}])
def test_missing_values_are_filled(tmp_path, both, monkeypatch, fill, padding):
    x = X.copy()
    x[RNG.random(X.shape) < 0.1] = np.nan
    x[:, 0, 1] = 1.0
    x[..., 1] = np.where(np.isnan(x[..., 1]), 0.5, x[..., 1])
    x[:, 0, 0] = np.where(Y == 0, np.nan, 2.0)
    np.savez(tmp_path / "mine.npz", x=x, y=Y, **padding)
    first, second = both(
        lambda: paths.from_path(tmp_path / "mine.npz", fill=fill)
    )
    assert first.reader.flagged == (0,)
    assert_same(first, second)


def test_a_channel_without_values_is_refused(tmp_path, both):
    x = X.copy()
    x[..., 1] = np.nan
    np.savez(tmp_path / "mine.npz", x=x, y=Y)

    def call():
        with pytest.raises(ValueError, match="Channel 1 has no value in any"):
            paths.from_path(tmp_path / "mine.npz", fill="median")

    both(call)
