"""Frozen products in bfloat16, beside the same model in float32."""

import keras
import numpy as np
import pytest
from conftest import gpt2_backbone, jit_compile, snapshot
from families import FAMILIES, draw_weights, numpy
from test_fast_network import gradients, padded

from keras_fpt import FPTClassifier
from keras_fpt.models import StackedClassifiers, paper_optimizer, precision

KERNELS = (
    *("projections", "attention_output"),
    *("intermediate", "feedforward_output"),
)


def model_of(precision, name="gpt2", **arguments):
    keras.utils.set_random_seed(0)
    backbone = FAMILIES[name].build()
    draw_weights(backbone)
    model = FPTClassifier(
        backbone, 3, input_dim=4, precision=precision, **arguments
    )
    model.compile(jit_compile=jit_compile())
    return model


def pair(name="gpt2", **arguments):
    """A model in bfloat16 and one in float32, with the same weights."""
    return [model_of(p, name, **arguments) for p in ("bfloat16", "float32")]


def norm(arrays):
    return np.sqrt(sum(np.sum(np.square(array)) for array in arrays))


def assert_close(low, exact, x, y):
    ours, theirs = (numpy(model(x)) for model in (low, exact))
    assert 0 < np.abs(ours - theirs).max() < 2e-2
    assert ours.dtype == theirs.dtype
    found, expected = (gradients(model, x, y) for model in (low, exact))
    assert norm(found) == pytest.approx(norm(expected), rel=1e-2)
    apart = norm([a - b for a, b in zip(found, expected, strict=True)])
    assert 0 < apart < 3e-2 * norm(expected)


@pytest.mark.parametrize("name", ["gpt2", "bert"])
def test_logits_and_gradients_are_close_to_those_of_float32(name):
    low, exact = pair(name)
    assert_close(low, exact, *padded(low))


@pytest.mark.parametrize(
    "arguments",
    [
        {"policy": "fpt+feedforward"},
        pytest.param({"rematerialize": True, "readout": "mean"}),
    ],
    ids=str,
)
def test_settings_that_it_must_heed(arguments):
    low, exact = pair(**arguments)
    assert_close(low, exact, *padded(low))
