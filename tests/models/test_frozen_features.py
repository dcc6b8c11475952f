"""Features that are computed once give the same as computing them each time."""

import errno
import os

import keras
import numpy as np
import pytest
from conftest import gpt2_backbone, jit_compile
from families import draw_weights, numpy

from keras_fpt import FPTClassifier

SETTINGS = [
    {"num_output_tokens": 2},
    pytest.param({}, marks=pytest.mark.backend_free),
    pytest.param({"readout": "mean"}, marks=pytest.mark.backend_free),
]


def make_model(policy="output_only", dropout=0.0, **arguments):
    keras.utils.set_random_seed(0)
    backbone = gpt2_backbone()
    draw_weights(backbone)
    return FPTClassifier(
        backbone, 3, input_dim=4, policy=policy, dropout=dropout, **arguments
    )


def padded(model):
    """Ten sequences, most of them padded, and labels for a model."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(10, 6, 4)).astype("float32")
    mask = np.arange(6) < generator.integers(2, 7, 10)[:, None]
    shape = (10, model.num_answers) if model.num_answers > 1 else (10,)
    y = generator.integers(0, 3, shape)
    return {"tokens": x, "padding_mask": mask.astype("int32")}, y


@pytest.mark.parametrize("arguments", SETTINGS, ids=str)
def test_a_head_predicts_from_features_what_the_model_predicts(arguments):
    model = make_model(**arguments)
    x, _ = padded(model)
    features = model.frozen_features(x, batch_size=4)
    assert features.shape == (10, model.num_output_tokens, 16)
    np.testing.assert_allclose(
        model.feature_head().predict(features, verbose=0),
        numpy(model(x)),
        atol=1e-5,
    )


@pytest.mark.parametrize("arguments", SETTINGS[:2], ids=str)
def test_training_on_features_trains_the_model_alike(arguments):
    whole, split = make_model(**arguments), make_model(**arguments)
    x, y = padded(whole)
    settings = {"batch_size": 4, "epochs": 3, "shuffle": False, "verbose": 0}
    expected = whole.fit(x, y, **settings).history
    history = split.feature_head().fit(split.frozen_features(x), y, **settings)
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(
            history.history[name], expected[name], atol=1e-5
        )
    np.testing.assert_allclose(
        split.predict(x, verbose=0), whole.predict(x, verbose=0), atol=1e-5
    )
    assert split.evaluate(x, y, verbose=0, return_dict=True) == pytest.approx(
        whole.evaluate(x, y, verbose=0, return_dict=True), abs=1e-5
    )


def test_a_head_is_compiled_as_the_model_is():
    model = make_model()
    top_2 = keras.metrics.SparseTopKCategoricalAccuracy(2, name="top_2")
    model.compile(
        "sgd",
        "sparse_categorical_crossentropy",
        metrics=[top_2],
        jit_compile=jit_compile(),
    )
    head = model.feature_head()
    assert head.optimizer is model.optimizer
    assert head.loss == "sparse_categorical_crossentropy"
    x, y = padded(model)
    history = head.fit(model.frozen_features(x), y, verbose=0).history
    assert history.keys() == {"loss", "top_2"}


@pytest.mark.backend_free
def test_features_in_a_file_are_those_in_memory(tmp_path):
    model = make_model()
    x, _ = padded(model)
    path = tmp_path / "features.npy"
    kept = model.frozen_features(x, 4, path)
    assert isinstance(kept, np.memmap)
    kept.flush()
    np.testing.assert_array_equal(np.load(path), model.frozen_features(x, 4))


@pytest.mark.backend_free
def test_disk_space_is_reserved_before_writing(tmp_path, monkeypatch):
    sizes = []

    def full(file, start, size):
        sizes.append(size)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    model = make_model()
    x, _ = padded(model)
    with pytest.raises(OSError, match="No space left"):
        model.frozen_features(x, path=tmp_path / "features.npy")
    assert sizes[0] > 10 * 16 * 4


@pytest.mark.backend_free
def test_the_width_is_taken_from_the_first_examples():
    model = FPTClassifier(gpt2_backbone(), policy="output_only")
    features = model.frozen_features(np.zeros((3, 5, 7), "float32"))
    assert features.shape == (3, 1, 16) and model.input_dim == 7


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"policy": "fpt"}, "the policy is 'fpt'. Use policy='output_only'"),
        ({"dropout": 0.1}, "rate is 0.1. Use dropout=0"),
    ],
    ids=str,
)
def test_features_that_would_change_are_refused(arguments, message):
    model = make_model(**arguments)
    x, _ = padded(model)
    with pytest.raises(ValueError, match=message):
        model.frozen_features(x)
    with pytest.raises(ValueError, match=message):
        model.feature_head()


@pytest.mark.backend_free
def test_bad_examples_are_refused():
    with pytest.raises(ValueError, match="width 4 but received 5"):
        make_model().frozen_features(np.zeros((2, 3, 5), "float32"))
    with pytest.raises(ValueError, match="finite"):
        make_model().frozen_features(np.full((2, 3, 4), np.nan, "float32"))
