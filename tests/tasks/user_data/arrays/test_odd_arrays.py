"""Arrays that would be read as something else without a word."""

import numpy as np
import pandas as pd
import pytest

from keras_fpt import tasks

pytestmark = pytest.mark.backend_free

GENERATOR = np.random.default_rng(0)
Y = np.arange(60) % 2
X = GENERATOR.normal(size=(60, 12, 2)) + Y[:, None, None]
LENGTHS = GENERATOR.integers(4, 12, 60)
IS_REAL = np.arange(12) < LENGTHS[:, None]


def kinds(task):
    return {each.kind: each.message for each in task.findings}


@pytest.mark.parametrize("offset", [1e7, 1.7e9])
def test_numbers_that_float32_cannot_tell_apart_are_noted(offset):
    x = X.copy()
    x[:, :, 1] = x[:, :, 1] * 0.1 + offset
    found = kinds(tasks.from_arrays(x, Y, verbose=False))
    assert found["lost-digits"].startswith("Channel 1 is about 1")
    x[:, :, 1] -= offset
    assert "lost-digits" not in kinds(tasks.from_arrays(x, Y, verbose=False))


def test_labels_behind_a_mask_are_missing():
    y = np.ma.masked_array(Y, mask=np.arange(60) == 7)
    with pytest.raises(ValueError, match="Example 7: the label is missing"):
        tasks.from_arrays(X, y, verbose=False)
    y = np.ma.masked_array(Y, mask=np.zeros(60, bool))
    assert tasks.from_arrays(X, y, verbose=False).class_names == ("0", "1")


def test_labels_that_pandas_holds_behind_a_mask():
    y = pd.array([None if n == 7 else n % 2 for n in range(60)], "Int64")
    with pytest.raises(ValueError, match="Example 7: the label nan is not a c"):
        tasks.from_arrays(X, y, verbose=False)
    y = pd.array(Y, "Int64")
    assert tasks.from_arrays(X, y, verbose=False).class_names == ("0", "1")


def test_arrays_that_are_not_read_are_named(tmp_path, messages):
    path = str(tmp_path / "x.npz")
    np.savez(path, x=X, y=Y, seq_len=LENGTHS)
    tasks.get(path)
    assert "not read: seq_len" in messages[0]
    np.savez(path, x=X, y=Y, lengths=LENGTHS)
    tasks.get(path)
    assert "not read" not in messages[-1]


def test_masks_of_padding_are_named(tmp_path, messages):
    """PyTorch's masks are true where Keras's are false."""
    path = str(tmp_path / "x.npz")
    padded = np.where(IS_REAL[:, :, None], X, 0)
    np.savez(path, x=padded, y=Y, mask=~IS_REAL)
    with pytest.raises(ValueError, match="'mask': the tokens that it keeps ar"):
        tasks.get(path)
    np.savez(path, x=padded, y=Y, mask=IS_REAL)
    assert "not alike" not in "".join(messages)
    tasks.get(path)
    assert "not alike" not in "".join(messages)
    np.savez(path, x=X, y=Y, mask=~IS_REAL)
    tasks.get(path)
    assert "leaves out are not alike (1 is for tokens" in "".join(messages)


@pytest.mark.parametrize("name", ["x", "y"])
def test_single_values_are_no_arrays_of_examples(tmp_path, name):
    arrays = {"x": np.zeros((9, 4)), "y": np.arange(9) % 2}
    np.savez(tmp_path / "one.npz", **(arrays | {name: np.float64(3)}))
    with pytest.raises(ValueError, match=f"one.npz`: the array '{name}' holds"):
        tasks.get(tmp_path / "one.npz", verbose=False)


@pytest.mark.parametrize(
    ("case", "kind"),
    [("copy", "label-twin"), ("scaled", "one-column-solves"), ("none", None)],
)
def test_columns_of_arrays_that_tell_the_class_are_named(case, kind):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 6)), rng.integers(0, 2, 200)
    if case == "copy":
        x[:, 4] = 3 - y
    if case == "scaled":
        x[:, 4] = y + rng.normal(size=200) / 100
    task = tasks.from_arrays(x, y, verbose=False)
    assert [f.kind for f in task.findings] == ([kind] if kind else [])
    if kind:
        assert "'x[:, 4]' alone" in task.findings[0].message
        assert "np.delete" in task.findings[0].advice
        assert task.findings[0].is_leak == (case == "copy")
