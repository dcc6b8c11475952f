"""A classifier as a layer of a larger functional model."""

import keras
import numpy as np
import pytest

from keras_fpt import FPTClassifier
from tests.conftest import gpt2_backbone


@pytest.fixture(scope="module")
def classifier():
    keras.utils.set_random_seed(0)
    backbone = gpt2_backbone(num_layers=1)
    return FPTClassifier(backbone, num_classes=2, input_dim=3)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(4, 6, 3)).astype("float32")


@pytest.mark.parametrize("limit", [16, 128])
def test_inputs_of_any_length(x, limit):
    classifier = FPTClassifier(
        gpt2_backbone(num_layers=1, max_sequence_length=limit), num_classes=2
    )
    tokens = keras.Input((None, 3))
    model = keras.Model(tokens, classifier(tokens))
    assert model.output_shape == (None, 2)
    np.testing.assert_allclose(
        model.predict(x, verbose=0), classifier.predict(x, verbose=0), atol=1e-5
    )


@pytest.mark.backend_free
def test_shapes_that_do_not_fit_are_refused(classifier):
    with pytest.raises(ValueError, match="width 3 but received 4"):
        classifier(keras.Input((None, 4)))
    several = FPTClassifier(
        gpt2_backbone(), 2, vocabulary_size=9, num_output_tokens=3
    )
    assert several(keras.Input((None,), dtype="int32")).shape == (None, 3, 2)


@pytest.mark.parametrize("left_out", [[4, 5], [0, 1], [0, 3]])
def test_a_mask_from_upstream_leaves_tokens_out(classifier, x, left_out):
    x[:, left_out] = 0
    tokens = keras.Input((6, 3))
    masked = keras.layers.Masking()(tokens)
    model = keras.Model(tokens, classifier(masked))
    kept = np.delete(x, left_out, axis=1)
    np.testing.assert_allclose(
        model.predict(x, verbose=0),
        classifier.predict(kept, verbose=0),
        atol=1e-5,
    )


def test_a_padding_mask_within_a_larger_model_is_checked(classifier, x):
    inputs = {
        "tokens": keras.Input((6, 3)),
        "padding_mask": keras.Input((6,), dtype="int32"),
    }
    model = keras.Model(inputs, classifier(inputs))
    right = np.array([[1] * 6, [1] * 4 + [0] * 2, [1] + [0] * 5, [1] * 6])
    data = {"tokens": x, "padding_mask": right.astype("int32")}
    np.testing.assert_allclose(
        model.predict(data, verbose=0),
        classifier.predict(data, verbose=0),
        atol=1e-5,
    )
    for wrong in ([0, 1, 1, 1, 1, 1], [1, 0, 1, 1, 1, 1], [0] * 6, [2] * 6):
        data["padding_mask"][1] = wrong
        if keras.backend.backend() == "torch":  # It computes no graph.
            with pytest.raises(ValueError, match="padding"):
                model.predict(data, verbose=0)
        else:
            missing = np.isnan(model.predict(data, verbose=0)).all(1)
            assert missing.tolist() == [False, True, False, False]


def test_a_row_that_is_masked_altogether_has_no_answer(classifier, x):
    x[1] = 0
    masking = keras.layers.Masking()
    with pytest.raises(ValueError, match="which example 1 does not have"):
        classifier(masking(x))
    if keras.backend.backend() != "torch":  # which computes no graph
        tokens = keras.Input((6, 3))
        model = keras.Model(tokens, classifier(masking(tokens)))
        missing = np.isnan(model.predict(x, verbose=0)).all(1)
        assert missing.tolist() == [False, True, False, False]
