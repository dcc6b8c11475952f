"""Arrays as people save them: masks, whole numbers, labels that lack."""

import numpy as np
import pytest

from keras_fpt import tasks

pytestmark = pytest.mark.backend_free
Y = np.arange(60) % 2


def test_what_a_mask_hides_is_missing():
    x = np.ma.masked_array(np.ones((60, 20, 3)), mask=False)
    x[3, 4] = np.ma.masked
    with pytest.raises(ValueError, match="Example 3, token 4: .* nan"):
        tasks.from_arrays(x, Y, verbose=False)
    x[3, 4:] = np.ma.masked  # padding
    task = tasks.from_arrays(x, Y, verbose=False)
    lengths = [
        example.shape[0]
        for split in ("train", "validation", "test")
        for example in task.data.splits[split].x
    ]
    assert sorted(lengths) == [4] + [20] * 59


def test_readings_that_are_taken_for_symbols_are_found():
    generator = np.random.default_rng(0)
    readings = generator.integers(0, 10**6, (60, 40))
    (finding,) = tasks.from_arrays(readings, Y, verbose=False).findings
    assert finding.kind == "new-symbols"
    assert "x.astype('float32')" in finding.advice
    for symbols in (readings % 250, readings % 300):
        assert not tasks.from_arrays(symbols, Y, verbose=False).findings


def test_labels_that_lack():
    x = np.random.default_rng(0).normal(size=(60, 20, 3))
    with pytest.raises(ValueError, match="Example 3: .* nan .* but missing"):
        tasks.from_arrays(x, np.where(np.arange(60) == 3, np.nan, Y))
    with pytest.raises(ValueError, match="one label per sequence but .*3"):
        tasks.from_arrays(x, np.array(3))


@pytest.mark.parametrize("kind", ["bytes", "walks", "images", "words"])
def test_clean_arrays_are_clean(kind):
    r = np.random.default_rng(0)
    images = np.zeros((120, 28, 28), "float32")
    images[:, 6:22, 6:22] = r.random((120, 16, 16))
    x = {
        "bytes": r.integers(0, 256, (120, 64)),
        "walks": np.cumsum(r.normal(size=(120, 80, 2)), axis=1),
        "images": images,
        "words": np.minimum(r.zipf(1.5, (120, 30)), 5000),
    }[kind]
    y = r.integers(0, 2, 120)
    assert not tasks.from_arrays(x, y, verbose=False).findings
