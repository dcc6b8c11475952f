import os
import resource

import keras
import numpy as np
import pytest

from keras_fpt.files import checkpoints


def model():
    layers = [keras.layers.Dense(3), keras.layers.Dropout(0.5)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile("adam", "mse")
    return model


def test_state_restores_weights_slots_and_generators(tmp_path):
    x, y = np.ones((8, 4), "float32"), np.ones((8, 3), "float32")
    path = tmp_path / "state.safetensors"
    # `fit` draws from PyTorch's global generator before its first step.
    seed = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: keras.utils.set_random_seed(1)
    )
    first = model()
    first.fit(x, y, epochs=3, verbose=0)
    checkpoints.save_state(path, first, {"step": 3})
    expected = first.fit(x, y, epochs=2, verbose=0, callbacks=[seed])

    second = model()
    assert checkpoints.load_state(path, second) == {"step": 3}
    # These losses depend on the weights, Adam's slots, and dropout.
    history = second.fit(x, y, epochs=2, verbose=0, callbacks=[seed])
    assert history.history["loss"] == expected.history["loss"]


def test_state_of_another_model_is_refused(tmp_path):
    path = tmp_path / "state.safetensors"
    first = model()
    first.optimizer.build(first.trainable_variables)
    checkpoints.save_state(path, first, {})
    other = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    other.compile("adam", "mse")
    with pytest.raises(ValueError, match="another model or policy"):
        checkpoints.load_state(path, other)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file.safetensors"
    checkpoints.write_arrays(path, {"a": np.zeros(3)}, {"n": 1})

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        checkpoints.write_arrays(path, {"a": np.ones(3)}, {"n": 2})
    arrays, metadata = checkpoints.read_arrays(path)
    assert metadata == {"n": 1}
    assert (arrays["a"] == 0).all()
    assert os.listdir(tmp_path) == ["file.safetensors"]


@pytest.mark.parametrize("size", [0, 4, 7, 8, 40, 100])
def test_cut_off_file_is_refused(tmp_path, size):
    path = tmp_path / "file.safetensors"
    checkpoints.write_arrays(path, {"a": np.zeros(30)}, {})
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match="damaged"):
        checkpoints.read_arrays(path)


def test_a_file_that_cannot_be_opened_is_not_called_missing(tmp_path):
    path = tmp_path / "state.safetensors"
    checkpoints.write_arrays(path, {"x": np.ones(3)}, {})
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            checkpoints.read_arrays(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_foreign_file_is_refused(tmp_path):
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(3)}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="keras-fpt did not write it"):
        checkpoints.read_arrays(tmp_path / "x.safetensors")


@pytest.mark.parametrize("entry", ["[" * 9999, "3", "[1, 2, 3]", "[null, 5]"])
def test_header_of_another_form_is_refused(tmp_path, entry):
    from safetensors.numpy import save_file

    path = tmp_path / "x.safetensors"
    save_file({"a": np.zeros(3)}, path, {checkpoints.METADATA_KEY: entry})
    with pytest.raises(ValueError, match="x.safetensors` is damaged"):
        checkpoints.read_arrays(path)


def test_checksum_depends_on_names_types_and_shapes():
    x = np.arange(6, dtype=np.int32)
    others = [{"y": x}, {"x": x.view(np.uint32)}, {"x": x.reshape(2, 3)}]
    sums = {checkpoints.checksum(arrays) for arrays in ({"x": x}, *others)}
    assert len(sums) == 4
    assert checkpoints.checksum({"x": x.copy()}) in sums
