"""Arrays of generators, which TensorFlow's operations must not change."""

import keras
import numpy as np
import pytest
from conftest import gpt2_backbone

import keras_fpt
from keras_fpt.compat import tensorflow_borrowed_arrays

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="Only TensorFlow computes with the memory of tf.data's tensors.",
)


def aligned(shape, dtype):
    """Zeros in memory that TensorFlow takes as it is."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + 64, "uint8")
    first = -memory.ctypes.data % 64
    return memory[first : first + size].view(dtype).reshape(shape)


def parts(*arrays):
    """A part of each of two batches, which are views of some arrays."""
    import tensorflow as tf

    def batches():
        for rows in (slice(0, 16), slice(16, 32)):
            yield tuple(array[rows] for array in arrays)

    dataset = tf.data.Dataset.from_generator(
        batches,
        output_signature=tuple(
            tf.TensorSpec((None, *array.shape[1:]), array.dtype)
            for array in arrays
        ),
    )
    return dataset.map(lambda *batch: tuple(part[:8] for part in batch))


def compute(dataset):
    import tensorflow as tf

    @tf.function
    def step(iterator):
        return tf.reduce_sum(tf.sqrt(2.0 * next(iterator)[0]))

    iterator = iter(dataset)
    return [float(step(iterator)) for _ in range(2)]


def test_tensorflow_changes_arrays():
    x = aligned((32, 16), "float32")
    x[:] = 8
    data = parts(x)
    compute(data.map(lambda x: tensorflow_borrowed_arrays.copied((x,))))
    assert (x == 8).all()
    compute(data)
    # Otherwise the workaround is no longer needed.
    assert (x != 8).any()


def test_models_do_not():
    x, y = aligned((32, 4, 16), "float32"), aligned((32, 16), "float32")
    generator = np.random.default_rng(0)
    x[:], y[:] = generator.normal(size=x.shape), generator.normal(size=y.shape)
    before = x.copy(), y.copy()
    model = keras_fpt.FPTRegressor(
        gpt2_backbone(num_layers=1), input_dim=16, num_targets=16
    )
    model.fit(parts(x, y), verbose=0)
    first, second = (model.evaluate(parts(x, y), verbose=0) for _ in range(2))
    model.predict(parts(x).map(lambda x: x), verbose=0)
    assert first == second
    for array, old in zip((x, y), before, strict=True):
        np.testing.assert_array_equal(array, old)
